"""What the services really sent, through a real client: each recorded body of shared/data/providers is read."""

from datetime import timedelta
from pathlib import Path

import pytest

from providers.catalogue import Absent, Availability, Kind, MediaFacts, may_embed
from providers.http import Http
from tests.providers.catalogue_server import (
    BODIES,
    PATHS,
    URLS,
    WITH_KEY,
    absence_of,
    catalogues,
    facts_of,
    link,
    recorded,
)
from tests.providers.conftest import NOW
from tests.providers.service import Service, says

VIDEOS = "/youtube/v3/videos"


async def youtube(http: Http, service: Service, body: object, video_id: str) -> MediaFacts:
    return await facts_of(http, service, f"https://youtu.be/{video_id}", VIDEOS, body, keys=WITH_KEY)


@pytest.mark.parametrize(
    ("provider", "title", "by", "seconds"),
    [
        ("apple_music", "Monday", "Imagine Dragons", 188),
        ("dailymotion", "Chats paresseux", "jeanbamin", None),
        ("deezer", "Harder Better Faster Stronger", "Daft Punk", 224),
        ("musicbrainz", "Thinking Out Loud", "Ed Sheeran", 281),
        ("soundcloud", "Zeds Dead feat. Twin Shadow & D'Angelo Lacy - Lost You", "Zeds Dead", None),
        (
            "tiktok",
            "Nuestro #AplausoSanitario más sincero. Para todos. Y recuerda, #QuédateEnCasa",
            "Antena 3 Noticias",
            None,
        ),
        ("vimeo", "Vimeo Live is here", "Vimeo", 75),
        ("youtube", "Noisy kittens waiting for dinner!", "smshdchrb", None),
    ],
)
async def test_each_services_own_body_is_read(
    shared_data: Path, http: Http, service: Service, provider: str, title: str, by: str, seconds: int | None
) -> None:
    body = recorded(shared_data, BODIES[provider])
    found = await facts_of(http, service, URLS[provider], PATHS[provider], body)
    assert (found.provider, found.media_id) == (provider, link(URLS[provider]).media_id)
    assert (found.title, found.by, found.duration_seconds) == (title, by, seconds)


async def test_a_whole_youtube_video_is_read(shared_data: Path, http: Http, service: Service) -> None:
    found = await youtube(http, service, recorded(shared_data, "youtube/videos_list_full_parts"), "V4DDt30Aat4")
    assert (found.title, found.by) == ("Mark Lesek: A New/Old Prosthetic", "Google Search Stories")
    assert found.duration_seconds == 159
    assert found.availability == Availability(embeddable=None, age_restricted=False)  # recorded without `status`
    assert not may_embed(found, "DE")


async def test_a_video_without_details_has_no_length(shared_data: Path, http: Http, service: Service) -> None:
    found = await youtube(http, service, recorded(shared_data, "youtube/videos_list_single"), "D-lhorsDlUQ")
    assert found.title == "What are Actions on Google (Assistant on Air)"
    assert (found.duration_seconds, found.availability.age_restricted) == (None, None)


@pytest.mark.parametrize(
    ("name", "video_id"),
    [("videos_list_full_parts_1", "Ks-_Mh1QhMc"), ("videos_list_multi", "D-lhorsDlUQ")],
)
async def test_an_answer_about_two_videos_is_not_guessed_at(
    shared_data: Path, http: Http, service: Service, name: str, video_id: str
) -> None:
    body = recorded(shared_data, f"youtube/{name}")
    absent = await absence_of(http, service, f"https://youtu.be/{video_id}", VIDEOS, says(200, body), keys=WITH_KEY)
    assert absent.kind is Kind.UNREADABLE


async def test_R9_a_region_that_youtube_blocks_gets_a_link(shared_data: Path, http: Http, service: Service) -> None:
    body = recorded(shared_data, "youtube/video_region_blocked_many")
    body["items"][0]["status"] = {"embeddable": True}  # synthetic: recorded without `status`
    found = await youtube(http, service, body, "spkfIpPmPgs")
    assert found.duration_seconds == 320
    assert len(found.availability.regions_blocked or ()) == 145
    assert may_embed(found, "US")
    assert not may_embed(found, "de")
    assert not may_embed(found, None)


async def test_R9_a_few_blocked_regions_are_read(shared_data: Path, http: Http, service: Service) -> None:
    body = recorded(shared_data, "youtube/video_region_blocked_few")
    found = await youtube(http, service, body, "c3mwVaQIZ1c")
    assert found.availability.regions_blocked == ("GL", "IO", "KP", "PR", "SS", "UM")
    assert (found.title, found.duration_seconds) == (None, 287)


async def test_R9_an_age_gate_is_read(shared_data: Path, http: Http, service: Service) -> None:
    body = recorded(shared_data, "youtube/video_age_restricted_anonymised")
    body["items"][0]["status"] = {"embeddable": True}  # synthetic: recorded without `status`
    found = await youtube(http, service, body, "8pEpH1JWyiQ")
    assert found.availability.age_restricted is True
    assert not may_embed(found, "US")


@pytest.mark.parametrize(
    ("name", "within", "video_id", "live"),
    [
        ("video_live_now", None, "jfKfPfyJRdk", "live"),
        ("video_live_now_2024", None, "c7_kqMFDE8c", "live"),
        ("video_live_then_ended", "live", "60x6sJ0ZZV8", "live"),
        ("video_live_then_ended", "ended", "60x6sJ0ZZV8", "no"),
        ("video_upcoming_scheduled", None, "6kJPU5t1qCE", "upcoming"),
    ],
)
async def test_a_stream_is_upcoming_then_live_then_a_video(
    shared_data: Path, http: Http, service: Service, name: str, within: str | None, video_id: str, live: str
) -> None:
    body = recorded(shared_data, f"youtube/{name}")
    found = await youtube(http, service, body[within] if within else body, video_id)
    assert found.availability.live == live
    assert found.duration_seconds is None
    assert found.expires_at == NOW + (timedelta(days=29) if live == "no" else timedelta(hours=6))


@pytest.mark.parametrize("at", range(4))
async def test_the_artists_of_an_art_track_come_from_its_description(
    shared_data: Path, http: Http, service: Service, at: int
) -> None:
    topic = recorded(shared_data, "youtube/topic_descriptions")[at]
    artists = ["A Boogie Wit da Hoodie, Kodak Black", "AC/DC", "sokodomo", "Sonic Youth"][at]
    snippet = {"title": topic["title"], "description": topic["description"]}
    # Synthetic: the envelope, and the channel's name, which the recording has dropped.
    for channel, by in ((f"{artists} - Topic", artists), ("Somebody", "Somebody")):
        body = {"items": [{"id": topic["videoId"], "snippet": {**snippet, "channelTitle": channel}}]}
        assert (await youtube(http, service, body, topic["videoId"])).by == by


@pytest.mark.parametrize(
    ("name", "status", "kind", "code"),
    [
        ("error_403_quotaExceeded", 403, Kind.QUOTA, "quotaExceeded"),
        ("error_400_keyInvalid", 400, Kind.REFUSED, "keyInvalid"),
        ("error_403_accessNotConfigured", 403, Kind.REFUSED, "accessNotConfigured"),
        ("error_403_permission", 403, Kind.REFUSED, "SERVICE_UNAVAILABLE"),
    ],
)
async def test_R12_youtubes_errors_are_told_apart(
    shared_data: Path, http: Http, service: Service, name: str, status: int, kind: Kind, code: str
) -> None:
    answer = says(status, recorded(shared_data, f"youtube/{name}"))
    absent = await absence_of(http, service, "https://youtu.be/eiHXASgRTcA", VIDEOS, answer, keys=WITH_KEY)
    assert absent == Absent(kind, f"GET {VIDEOS}: {status}", absent.retry_at, code)
    assert (absent.retry_at is None) == (kind is Kind.REFUSED)
    assert len(service.asked) == 1
    assert not absent.wipes


@pytest.mark.parametrize("name", ["youtube_2", "youtube_3", "youtube_4"])
async def test_youtube_without_a_key_answers_by_oembed(
    shared_data: Path, http: Http, service: Service, name: str
) -> None:
    found = await facts_of(http, service, URLS["youtube"], "/oembed", recorded(shared_data, f"oembed/{name}"))
    assert may_embed(found, None)
    assert service.asked[0].query == [("url", "https://www.youtube.com/watch?v=eiHXASgRTcA"), ("format", "json")]


async def test_what_is_no_single_thing_is_not_taken_for_one(shared_data: Path, http: Http, service: Service) -> None:
    for name, provider in (("youtube_playlist", "youtube"), ("soundcloud_3", "soundcloud")):
        answer = says(200, recorded(shared_data, f"oembed/{name}"))
        absent = await absence_of(http, service, URLS[provider], "/oembed", answer)
        assert absent.kind is Kind.UNREADABLE, name


@pytest.mark.parametrize(
    ("case", "kind", "wipes"),
    [("private", Kind.PRIVATE, True), ("unknown_id", Kind.GONE, True), ("malformed", Kind.REFUSED, False)],
)
async def test_R3_youtubes_oembed_errors_are_told_apart(
    shared_data: Path, http: Http, service: Service, case: str, kind: Kind, wipes: bool
) -> None:
    said = recorded(shared_data, "youtube/oembed_error_bodies")[case]
    answer = says(said["status"], said["body"].encode())
    absent = await absence_of(http, service, URLS["youtube"], "/oembed", answer)
    assert (absent.kind, absent.wipes) == (kind, wipes)


async def test_R9_an_owner_who_allows_no_embedding_gets_a_link(shared_data: Path, http: Http, service: Service) -> None:
    said = recorded(shared_data, "youtube/oembed_error_bodies")["embedding_disabled"]
    service.plan("GET", "/oembed", says(said["status"], said["body"].encode()))
    found = await catalogues(http, service).look_up(link(URLS["youtube"]), now=NOW)
    assert isinstance(found, MediaFacts)
    assert found.availability.embeddable is False
    assert not may_embed(found, "US")


async def test_R9_a_vimeo_kept_to_other_sites_gets_a_link(shared_data: Path, http: Http, service: Service) -> None:
    body = recorded(shared_data, "oembed/vimeo_1")
    found = await facts_of(http, service, URLS["vimeo"], PATHS["vimeo"], body)
    assert (found.title, found.duration_seconds, found.availability.embeddable) == (None, None, False)


async def test_soundclouds_by_is_no_part_of_the_title(shared_data: Path, http: Http, service: Service) -> None:
    body = recorded(shared_data, "oembed/soundcloud_1")
    url = "https://soundcloud.com/ididthat-1/lowe-ct-cape-times-world-cup"
    found = await facts_of(http, service, url, "/oembed", body)
    assert (found.title, found.by) == ("LOWE CT Cape Times - World Cup", "IDIDTHAT.co")


async def test_R12_soundclouds_limit_parks_until_it_is_lifted(shared_data: Path, http: Http, service: Service) -> None:
    body = recorded(shared_data, "soundcloud/error_429_rate_limit")
    body["errors"][0]["meta"]["reset_time"] = (NOW + timedelta(hours=2)).strftime("%Y/%m/%d %H:%M:%S +0000")
    absent = await absence_of(http, service, URLS["soundcloud"], "/oembed", says(429, body))
    assert absent.kind is Kind.QUOTA
    assert absent.retry_at is not None
    assert timedelta(minutes=119) < absent.retry_at - NOW <= timedelta(hours=2)
    for body in ({}, {"errors": [{"meta": {"reset_time": "soon"}}]}, {"errors": "no"}):  # synthetic
        absent = await absence_of(http, service, URLS["soundcloud"], "/oembed", says(429, body))
        assert absent.kind is Kind.BUSY


@pytest.mark.parametrize(
    ("name", "status"), [("error_no_data_track", 200), ("error_response", 200), ("request_not_found", 404)]
)
async def test_R12_deezers_200_with_an_error_is_a_failure(
    shared_data: Path, http: Http, service: Service, name: str, status: int
) -> None:
    answer = says(status, recorded(shared_data, f"deezer/{name}"))
    absent = await absence_of(http, service, URLS["deezer"], PATHS["deezer"], answer)
    assert (absent.kind, absent.wipes) == (Kind.GONE, True)


async def test_deezer_says_isrc_and_countries(shared_data: Path, http: Http, service: Service) -> None:
    body = recorded(shared_data, "deezer/track_attributes_2")
    found = await facts_of(http, service, URLS["deezer"], PATHS["deezer"], body)
    assert found.isrc == "GBDUW0000059"
    assert len(found.availability.regions_allowed or ()) == 209
    assert "DE" in (found.availability.regions_allowed or ())


async def test_musicbrainz_says_where_else_a_recording_is(shared_data: Path, http: Http, service: Service) -> None:
    mbid = "370889ee-7a70-4d0a-8f4d-e514e0494d7e"
    body = recorded(shared_data, "musicbrainz/recording_video")
    url = f"https://musicbrainz.org/recording/{mbid}"
    found = await facts_of(http, service, url, f"/ws/2/recording/{mbid}", body)
    assert (found.title, found.by, found.duration_seconds) == ("The Enemy", "Paradise Lost", 218)
    assert found.links == (("youtube", "O_HwMrrJ4M4"),)  # and not its page at imvdb.com
    assert found.expires_at is None


async def test_musicbrainz_says_the_isrc(shared_data: Path, http: Http, service: Service) -> None:
    body = recorded(shared_data, BODIES["musicbrainz"])
    found = await facts_of(http, service, URLS["musicbrainz"], PATHS["musicbrainz"], body)
    assert (found.isrc, found.links) == ("GBAHS1400099", ())
