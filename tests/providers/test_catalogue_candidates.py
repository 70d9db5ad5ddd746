"""What may be the same song elsewhere: from Deezer, Apple and MusicBrainz, whoever of them answers."""

from pathlib import Path

from providers.catalogue import Absent, Kind
from providers.http import Http
from tests.providers.catalogue_server import BODIES, URLS, catalogues, link, recorded
from tests.providers.conftest import NOW
from tests.providers.service import Service, says

MBID = "370889ee-7a70-4d0a-8f4d-e514e0494d7e"
ISRC = "GBDUW0000059"
# Synthetic: MusicBrainz' /url and /isrc were never recorded; in the shape of its recorded recordings.
STREAM = {"type": "free streaming", "target-type": "url", "ended": False}
RECORDING = {"id": MBID, "title": "The Enemy", "length": 218_000}
BEHIND = {"type": "free streaming", "target-type": "recording", "ended": False, "recording": RECORDING}


async def test_deezer_is_searched_and_what_is_another_song_by_its_length_is_left_out(
    shared_data: Path, http: Http, service: Service
) -> None:
    service.plan("GET", "/search", says(200, recorded(shared_data, "deezer/search_simple")))
    made = catalogues(http, service)
    found, missing = await made.candidates("Soliloquy", "Dave Brubeck", 199, now=NOW)
    assert {each.provider for each in found} == {"deezer"}
    assert ("Soliloquy", "Dave Brubeck", 199) in [(each.title, each.by, each.duration_seconds) for each in found]
    assert all(each.duration_seconds and abs(each.duration_seconds - 199) <= 30 for each in found)
    assert 1 < len(found) < 25
    # The same body came from the address of Apple's search, which it is none of.
    assert [each.kind for each in missing] == [Kind.UNREADABLE]
    everything, _ = await made.candidates("Soliloquy", "Dave Brubeck", None, now=NOW)
    assert len(everything) == 25


async def test_apple_is_searched_by_song(shared_data: Path, http: Http, service: Service) -> None:
    service.plan("GET", "/search", says(200, recorded(shared_data, BODIES["apple_music"])))
    found, missing = await catalogues(http, service).candidates("Monday", "Imagine Dragons", 186, now=NOW)
    assert [(each.provider, each.media_id, each.duration_seconds) for each in found] == [
        ("apple_music", "1574210894", 188)
    ]
    assert len(missing) == 1
    asked = [dict(each.query) for each in service.asked]
    assert {"q": "Imagine Dragons Monday", "limit": "10"} in asked
    assert {
        "term": "Imagine Dragons Monday",
        "media": "music",
        "entity": "song",
        "limit": "10",
        "country": "us",
    } in asked


async def test_an_isrc_is_looked_up_first_and_several_recordings_stay_several(
    shared_data: Path, http: Http, service: Service
) -> None:
    track = recorded(shared_data, BODIES["deezer"])
    other = {**RECORDING, "id": MBID.replace("3", "4"), "length": 224_000, "isrcs": [ISRC]}
    service.plan("GET", f"/track/isrc:{ISRC}", says(200, track))
    service.plan("GET", f"/ws/2/isrc/{ISRC}", says(200, {"isrc": ISRC, "recordings": [RECORDING, other]}))
    found, missing = await catalogues(http, service).candidates("", "", None, now=NOW, isrc="gb-duw-00-00059")
    assert [(each.provider, each.media_id) for each in found] == [
        ("deezer", "3135556"),
        ("musicbrainz", MBID),
        ("musicbrainz", MBID.replace("3", "4")),
    ]
    assert (found[2].isrc, missing) == (ISRC, [])
    assert len(service.asked) == 2


async def test_a_track_of_another_isrc_is_no_candidate(shared_data: Path, http: Http, service: Service) -> None:
    service.plan("GET", "/track/isrc:USUM72100871", says(200, recorded(shared_data, BODIES["deezer"])))
    made = catalogues(http, service)
    assert await made.candidates("", "", None, now=NOW, isrc="USUM72100871") == ([], [])
    service.plan("GET", "/track/isrc:USUM72100871", says(200, {"error": {"code": 800}}))
    assert await made.candidates("", "", None, now=NOW, isrc="USUM72100871") == ([], [])
    assert await made.candidates("", "", None, now=NOW, isrc="../../search") == ([], [])


async def test_one_that_is_down_does_not_take_the_others_answers(
    shared_data: Path, http: Http, service: Service
) -> None:
    service.plan("GET", f"/track/isrc:{ISRC}", says(200, recorded(shared_data, BODIES["deezer"])))
    service.plan("GET", f"/ws/2/isrc/{ISRC}", says(500))
    found, missing = await catalogues(http, service).candidates("", "", None, now=NOW, isrc=ISRC)
    assert [each.provider for each in found] == ["deezer"]
    assert missing == [Absent(Kind.DOWN, f"GET /ws/2/isrc/{ISRC}: 500")]
    assert missing[0].passes


async def test_a_link_is_looked_up_at_musicbrainz(http: Http, service: Service) -> None:
    ended = {**BEHIND, "ended": True, "recording": {**RECORDING, "id": MBID.replace("3", "5")}}
    work = {"type": "performance", "target-type": "work"}
    service.plan("GET", "/ws/2/url", says(200, {"id": "x", "resource": "x", "relations": [work, ended, BEHIND]}))
    found, missing = await catalogues(http, service).recordings(link(URLS["youtube"]), now=NOW)
    assert [(each.media_id, each.duration_seconds) for each in found] == [(MBID, 218)]
    assert missing == []
    asked = dict(service.asked[0].query)
    assert asked == {
        "resource": "https://www.youtube.com/watch?v=eiHXASgRTcA",
        "inc": "recording-rels",
        "fmt": "json",
    }


async def test_a_link_musicbrainz_has_never_heard_of_is_behind_nothing(http: Http, service: Service) -> None:
    assert await catalogues(http, service).recordings(link(URLS["deezer"]), now=NOW) == ([], [])


async def test_the_key_of_an_unlisted_track_is_not_passed_on(http: Http, service: Service) -> None:
    made = catalogues(http, service)
    for url in ("https://soundcloud.com/rosa/secret/s-ABCDEF", "https://vimeo.com/235352744/ebd66989cc"):
        assert await made.recordings(link(url), now=NOW) == ([], [])
    assert not service.asked


async def test_links_of_a_recording_are_parsed_and_hostile_ones_dropped(http: Http, service: Service) -> None:
    urls = [
        "https://www.deezer.com/track/3135556",
        "https://open.spotify.com/track/02WuyBR56QN3B6ZC0BeC3f",
        "https://www.youtube.com.evil.invalid/watch?v=eiHXASgRTcA",
        "https://www.youtube.com/playlist?list=x",
        "https://on.soundcloud.com/abc",
        "javascript:alert(1)",
        "",
        "https://www.deezer.com/track/3135556",
    ]
    relations = [{**STREAM, "url": {"resource": url}} for url in urls]
    service.plan("GET", f"/ws/2/isrc/{ISRC}", says(200, {"recordings": [{**RECORDING, "relations": relations}]}))
    found, _ = await catalogues(http, service).candidates("", "", None, now=NOW, isrc=ISRC)
    assert found[-1].links == (("deezer", "3135556"), ("spotify", "02WuyBR56QN3B6ZC0BeC3f"))


async def test_words_of_any_length_make_a_short_question(http: Http, service: Service) -> None:
    await catalogues(http, service).candidates("x" * 10_000, "y" * 10_000, 60, now=NOW)
    assert all(len(str(request.query)) < 700 for request in service.asked)
