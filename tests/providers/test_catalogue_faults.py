"""A provider that is down, slow, too busy or lying: the kind is told, nothing raises, and the text tells no secret.

The bodies here are synthetic, except where they start from a recorded one.
"""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

import providers.http
from providers.catalogue import Absent, Kind, MediaFacts
from providers.http import Http, open_http
from tests.providers.catalogue_server import (
    BODIES,
    PATHS,
    SPOTIFY_SECRET,
    URLS,
    YOUTUBE_KEY,
    TurnedClock,
    catalogues,
    keys_of,
    link,
    recorded,
    told,
)
from tests.providers.conftest import NOW
from tests.providers.service import Handler, Service, says

DEEP = b'{"a":' * 50_000 + b"1" + b"}" * 50_000
HUGE = b'{"items":"' + b" " * (2 << 20) + b'"}'


async def absent(http: Http, service: Service, name: str, *answers: Handler, **more: Any) -> Absent:  # noqa: ANN401
    found = await told(http, service, name, *answers, **more)
    assert isinstance(found, Absent), found
    assert found.said.startswith(f"GET {PATHS[name]}")
    assert not any(each in found.said for each in ("?", "=", YOUTUBE_KEY, SPOTIFY_SECRET))
    return found


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, Kind.REFUSED), (404, Kind.GONE), (410, Kind.GONE), (451, Kind.REGION), (302, Kind.UNREADABLE)],
)
@pytest.mark.parametrize("name", PATHS)
async def test_a_status_has_its_meaning_everywhere(
    http: Http, service: Service, name: str, status: int, kind: Kind
) -> None:
    found = await absent(http, service, name, says(status, b"<html>"))
    assert found.kind is kind
    assert found.wipes == (kind is Kind.GONE)
    assert len(service.asked) == 1


@pytest.mark.parametrize("name", PATHS)
async def test_what_is_down_is_asked_three_times_and_then_left_alone_a_while(
    http: Http, service: Service, name: str
) -> None:
    clock = TurnedClock()
    service.plan("GET", PATHS[name], says(502, b"<html>"))
    made = catalogues(http, service, clock, keys=keys_of(name))
    wanted = link(URLS[name.partition(" ")[0]])
    first = await made.look_up(wanted, now=NOW)
    assert isinstance(first, Absent)
    assert (first.kind, first.passes, len(service.asked)) == (Kind.DOWN, True, 3)
    assert sum(clock.slept) >= 2.5
    second = await made.look_up(wanted, now=NOW)
    assert isinstance(second, Absent)
    assert (second.kind, second.retry_at) == (Kind.DOWN, NOW + timedelta(seconds=30))
    assert len(service.asked) == 3
    clock.seconds += 30
    await made.look_up(wanted, now=NOW)
    assert len(service.asked) == 6


async def test_what_comes_back_in_time_is_taken(shared_data: Path, http: Http, service: Service) -> None:
    body = says(200, recorded(shared_data, BODIES["deezer"]))
    assert isinstance(await told(http, service, "deezer", says(500), says(502, b"<html>"), body), MediaFacts)


async def test_a_provider_that_cannot_be_reached_is_down() -> None:
    async with open_http(["http://127.0.0.1:1"]) as http:
        nobody = Service()
        nobody.url = "http://127.0.0.1:1"
        assert (await absent(http, nobody, "youtube with a key")).kind is Kind.DOWN
        made = catalogues(http, nobody)
        found, missing = await made.candidates("Monday", "Imagine Dragons", 188, now=NOW, isrc="USUM72100871")
        assert found == []
        assert [each.kind for each in missing] == [Kind.DOWN] * 4


@pytest.mark.parametrize("name", PATHS)
async def test_OUT_2_what_is_slow_is_down(
    http: Http, service: Service, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(_: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(providers.http, "TOTAL_SECONDS", 0.05)
    found = await absent(http, service, name, never)
    assert found == Absent(Kind.DOWN, f"GET {PATHS[name]}: no answer in time")


@pytest.mark.parametrize(
    "body",
    [b"{", b"Forbidden", b"[]", b"null", b"5", b'"x"', b"", b'{"a":NaN}', b'{"a":"\\ud800"}', b"\xff\xfe", DEEP, HUGE],
    ids=["cut", "words", "list", "null", "number", "text", "empty", "NaN", "surrogate", "binary", "deep", "huge"],
)
@pytest.mark.parametrize("name", PATHS)
async def test_OUT_2_OUT_6_what_is_huge_or_no_object_in_json_is_unreadable(
    http: Http, service: Service, name: str, body: bytes
) -> None:
    found = await absent(http, service, name, says(200, body))
    assert (found.kind, found.wipes, len(service.asked)) == (Kind.UNREADABLE, False, 1)


@pytest.mark.parametrize("name", BODIES)
async def test_a_lying_content_type_changes_nothing(shared_data: Path, http: Http, service: Service, name: str) -> None:
    async def in_disguise(_: web.Request) -> web.Response:
        path = shared_data / "providers" / f"{BODIES[name]}.json"
        return web.Response(body=path.read_bytes(), content_type="text/javascript", charset="latin-1")

    assert isinstance(await told(http, service, name, in_disguise), MediaFacts)


OTHER_IDS: Mapping[str, tuple[tuple[str | int, ...], object]] = {
    "apple_music": (("results", 0, "trackId"), 7),
    "dailymotion": (("html",), "<iframe src='https://geo.dailymotion.com/player.html?video=xy0wd1&'>"),
    "deezer": (("id",), 7),
    "soundcloud": (("html",), "<iframe src='https://w.soundcloud.com/player/?url=https%3A%2F%2Fapi%2Fplaylists%2F1'>"),
    "tiktok": (("embed_product_id",), "7"),
    "vimeo": (("video_id",), 7),
    "youtube": (("html",), "<iframe src='https://www.youtube.com/embed/eiHXASgRTcB?feature=oembed'>"),
}


@pytest.mark.parametrize("name", OTHER_IDS)
async def test_an_answer_about_another_thing_is_not_taken(
    shared_data: Path, http: Http, service: Service, name: str
) -> None:
    where, what = OTHER_IDS[name]
    body = changed(recorded(shared_data, BODIES[name]), where, what)
    assert (await absent(http, service, name, says(200, body))).kind is Kind.UNREADABLE


@pytest.mark.parametrize(
    "item", [{"id": "AAAAAAAAAAA"}, {"id": ""}, {"id": None}, {"id": ["eiHXASgRTcA"]}, {}, 5, None]
)
async def test_a_youtube_item_of_another_id_is_not_taken(http: Http, service: Service, item: object) -> None:
    found = await absent(http, service, "youtube with a key", says(200, {"items": [item]}))
    assert found.kind is Kind.UNREADABLE


async def test_an_id_that_musicbrainz_has_merged_is_kept_beside_the_new_one(
    shared_data: Path, http: Http, service: Service
) -> None:
    new = "370889ee-7a70-4d0a-8f4d-e514e0494d7e"
    body = changed(recorded(shared_data, BODIES["musicbrainz"]), ("id",), new)
    found = await told(http, service, "musicbrainz", says(200, body))
    assert isinstance(found, MediaFacts)
    assert (found.media_id, found.links) == (link(URLS["musicbrainz"]).media_id, (("musicbrainz", new),))
    body = changed(body, ("id",), "../../etc")
    assert (await absent(http, service, "musicbrainz", says(200, body))).kind is Kind.UNREADABLE


LENGTHS = {"apple_music": ("results", 0, "trackTimeMillis"), "deezer": ("duration",), "musicbrainz": ("length",)} | {
    "vimeo": ("duration",)
}


@pytest.mark.parametrize("length", [0, -1, -(10**18), 10**18, 10**30, 1e300, 172_801_000, None])
@pytest.mark.parametrize("name", LENGTHS)
async def test_OUT_6_a_length_that_cannot_be_is_no_length(
    shared_data: Path, http: Http, service: Service, name: str, length: float | None
) -> None:
    body = changed(recorded(shared_data, BODIES[name]), LENGTHS[name], length if length != 10**30 else 1e30)
    found = await told(http, service, name, says(200, body))
    assert isinstance(found, MediaFacts)
    assert found.duration_seconds is None


@pytest.mark.parametrize("length", [True, "188", [188], {}])
@pytest.mark.parametrize("name", LENGTHS)
async def test_OUT_6_a_length_that_is_no_number_spoils_the_answer(
    shared_data: Path, http: Http, service: Service, name: str, length: object
) -> None:
    body = changed(recorded(shared_data, BODIES[name]), LENGTHS[name], length)
    assert (await absent(http, service, name, says(200, body))).kind is Kind.UNREADABLE


TITLES = dict.fromkeys(BODIES, ("title",)) | {"apple_music": ("results", 0, "trackName")}
HOSTILE = "</script><img onerror=1>\n\u202e@everyone\u0000=HYPERLINK(1) --> " + "x" * 100_000


@pytest.mark.parametrize("name", BODIES)
async def test_OUT_6_a_hostile_title_is_cleaned_and_cut(
    shared_data: Path, http: Http, service: Service, name: str
) -> None:
    body = changed(recorded(shared_data, BODIES[name]), TITLES[name], HOSTILE)
    found = await told(http, service, name, says(200, body))
    assert isinstance(found, MediaFacts)
    assert found.title is not None
    assert len(found.title) == 300
    assert found.title.startswith("</script><img onerror=1> @everyone=HYPERLINK(1) --> xxx")


@pytest.mark.parametrize("title", [5, True, ["x"], {"a": "b"}])
@pytest.mark.parametrize("name", BODIES)
async def test_OUT_6_a_title_that_is_no_text_spoils_the_answer(
    shared_data: Path, http: Http, service: Service, name: str, title: object
) -> None:
    body = changed(recorded(shared_data, BODIES[name]), TITLES[name], title)
    assert (await absent(http, service, name, says(200, body))).kind is Kind.UNREADABLE


@pytest.mark.parametrize("name", BODIES)
async def test_a_title_nobody_can_see_is_none(shared_data: Path, http: Http, service: Service, name: str) -> None:
    body = changed(recorded(shared_data, BODIES[name]), TITLES[name], "\u200b \u2060")
    found = await told(http, service, name, says(200, body))
    assert isinstance(found, MediaFacts)
    assert found.title is None


VIDEO = {"id": "eiHXASgRTcA", "snippet": {"title": "t", "channelTitle": "c", "liveBroadcastContent": "none"}}


@pytest.mark.parametrize(
    "details",
    [
        {"duration": 75},
        {"duration": "75"},
        {"duration": "PT1.5S"},
        {"duration": "P1Y"},
        {"duration": "PT" + "9" * 5_000 + "S"},
        {"duration": "PT१S"},
        {"duration": "PT-5S"},
        {"regionRestriction": {"blocked": "DE"}},
        {"regionRestriction": {"blocked": ["Germany"]}},
        {"regionRestriction": {"blocked": [None]}},
        {"regionRestriction": {"allowed": ["DE"] * 1_000}},
        {"regionRestriction": ["DE"]},
        {"contentRating": "ytAgeRestricted"},
        {"contentRating": {"ytRating": ["ytAgeRestricted"]}},
        "PT5S",
    ],
)
async def test_OUT_6_details_of_another_kind_spoil_the_answer(http: Http, service: Service, details: object) -> None:
    body = {"items": [{**VIDEO, "contentDetails": details}]}
    assert (await absent(http, service, "youtube with a key", says(200, body))).kind is Kind.UNREADABLE


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ({"privacyStatus": "private", "uploadStatus": "processed"}, Kind.PRIVATE),
        ({"privacyStatus": "public", "uploadStatus": "deleted"}, Kind.GONE),
        ({"privacyStatus": "public", "uploadStatus": "rejected"}, Kind.GONE),
        ({"embeddable": "yes"}, Kind.UNREADABLE),
        ({"embeddable": 1}, Kind.UNREADABLE),
    ],
)
async def test_R3_a_youtube_video_that_is_private_or_deleted_is_told_apart(
    http: Http, service: Service, status: object, kind: Kind
) -> None:
    body = {"items": [{**VIDEO, "status": status}]}
    found = await absent(http, service, "youtube with a key", says(200, body))
    assert (found.kind, found.wipes) == (kind, kind is not Kind.UNREADABLE)


async def test_R3_a_youtube_video_that_is_not_listed_any_more_is_gone(http: Http, service: Service) -> None:
    bodies: tuple[object, ...] = ({"items": []}, {"pageInfo": {"totalResults": 0}})
    for body in bodies:
        found = await absent(http, service, "youtube with a key", says(200, body))
        assert (found.kind, found.wipes) == (Kind.GONE, True)


async def test_a_song_one_shop_does_not_sell_is_asked_of_the_next(
    shared_data: Path, http: Http, service: Service
) -> None:
    nothing, song = says(200, {"resultCount": 0, "results": []}), recorded(shared_data, BODIES["apple_music"])
    found = await told(http, service, "apple_music", nothing, says(200, song))
    assert isinstance(found, MediaFacts)
    assert found.availability.regions_blocked == ("US",)
    assert [dict(each.query)["country"] for each in service.asked] == ["us", "gb"]
    assert (await absent(http, service, "apple_music", nothing)).kind is Kind.GONE
    assert (await absent(http, service, "apple_music", says(200, {}))).kind is Kind.UNREADABLE


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"type": "Exception", "message": "Quota limit exceeded", "code": 4}, Kind.BUSY),
        ({"code": 700}, Kind.BUSY),
        ({"code": 800}, Kind.GONE),
        ({"code": 200, "type": "OAuthException"}, Kind.REFUSED),
        ({"code": "800"}, Kind.REFUSED),
        ({"code": True}, Kind.REFUSED),
        ({"code": -(10**15)}, Kind.REFUSED),
        ("no data", Kind.REFUSED),
        (["x"], Kind.REFUSED),
    ],
)
async def test_R12_deezers_codes_are_told_apart(http: Http, service: Service, error: object, kind: Kind) -> None:
    found = await absent(http, service, "deezer", says(200, {"error": error}))
    assert found.kind is kind


async def test_nobody_is_asked_about_services_without_an_api(http: Http, service: Service) -> None:
    made = catalogues(http, service)
    for url in (
        "https://kick.com/rosa/videos/0b8b2a7a-2cb0-4a2b-a4ab-9a9b1f9f3a1c",
        "https://rosa.bandcamp.com/track/monday",
    ):
        found = await made.look_up(link(url), now=NOW)
        assert found == Absent(Kind.UNSUPPORTED)
        assert not found.passes
    assert not service.asked


def changed(body: Any, where: tuple[str | int, ...], what: object) -> Any:  # noqa: ANN401 -- any JSON
    """The body, with another value there."""
    within = body
    for step in where[:-1]:
        within = within[step]
    within[where[-1]] = what
    return body
