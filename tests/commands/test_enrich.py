"""Titles arrive in the background; whatever services do, saving and counting go on."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web

from commands.background import PAUSES_SECONDS, Again, Line
from commands.enrich import Enricher, load_spent
from commands.recorded import save_moment
from moments.live import Author
from providers.catalogue import Keys, QuarantinedFacts, Spent
from providers.links import Link
from storage import sources
from storage.sources import State
from tests.enriching import (
    APPLE,
    DEEZER,
    ISRC,
    NOW,
    YOUTUBE,
    HeldClock,
    World,
    by,
    deezer_track,
    open_world,
    plan_song,
    youtube_video,
)
from tests.jumping import scene
from tests.providers.catalogue_server import WITH_SPOTIFY, link
from tests.providers.service import Handler, says

TRACK = "/track/3135556"
ANN = Author("console", "ann", "Ann")


@pytest.fixture
async def world(database: Path) -> AsyncIterator[World]:
    async with open_world(database) as world:
        yield world


class Gate:
    """A service that answers when it is let."""

    def __init__(self, body: object) -> None:
        self.opened = asyncio.Event()
        self._body = body

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        await self.opened.wait()
        return await says(200, self._body)(request)


async def test_a_title_arrives_after_the_save_which_waited_for_nothing(world: World) -> None:
    gate = Gate(deezer_track())
    world.service.plan("GET", TRACK, gate)
    saved = await world.save("Ann", DEEZER)
    await world.service.until_asked(1)
    assert saved.people == 1
    assert await world.told(DEEZER) is None
    version = (await world.track(DEEZER)).version
    gate.opened.set()
    await world.settle()
    told = await world.told(DEEZER)
    assert told is not None
    assert (told.title, told.by_line, told.duration_seconds, told.isrc) == (
        "Harder Better Faster Stronger",
        "Daft Punk",
        224,
        ISRC,
    )
    assert (await world.track(DEEZER)).version > version


async def test_everything_youtube_tells_is_kept_as_it_was_told(world: World) -> None:
    video = youtube_video()
    video["contentDetails"] = {
        "duration": "PT3M44S",
        "regionRestriction": {"blocked": ["DE", "AT"]},
        "contentRating": {"ytRating": "ytAgeRestricted"},
    }
    world.service.plan("GET", "/youtube/v3/videos", says(200, {"items": [video]}))
    await world.saves(("Ann", YOUTUBE))
    told = await world.told(YOUTUBE)
    assert told is not None
    assert (told.embeddable, told.age_restricted, told.regions_blocked) == (True, True, ("AT", "DE"))
    assert told.expires_at == NOW + timedelta(days=29)


async def hangs(_: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError("nobody waits that long")


FAULTS: dict[str, Handler] = {
    "down": says(500),
    "too fast": says(429, Retry_After="60"),
    "not JSON": says(200, b"<html>"),
    "of another shape": says(200, {"items": 5, "data": 5, "results": 5, "id": [], "title": {}}),
    "a list": says(200, []),
    "huge": says(200, b"[" + b"1," * 600_000 + b"1]"),
    "another thing": says(200, {"items": [youtube_video("xxxxxxxxxxx")], **deezer_track(7)}),
    "a redirect": says(302, Location="https://evil.invalid/"),
    "slow": hangs,
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_with_every_provider_down_or_lying_or_slow_saving_and_counting_go_on(world: World, fault: str) -> None:
    paths = ("/youtube/v3/videos", TRACK, "/lookup", "/search", "/ws/2/url", f"/track/isrc:{ISRC}", "/oembed")
    for path in (*paths, "/api/oembed.json", "/services/oembed"):
        world.service.plan("GET", path, FAULTS[fault])
    urls = (YOUTUBE, DEEZER, APPLE, "https://vimeo.com/235352744", "https://www.dailymotion.com/video/xy0wd")
    for url in urls:
        for who in ("Ann", "Ben"):
            await world.save(who, url)
    await world.service.until_asked(1)
    if fault != "slow":
        await world.settle()
    for url in urls:
        assert await world.people(url) == 2
        assert await world.told(url) is None
    assert not world.running[0].done()
    assert (await world.save("Cat", DEEZER)).people == 3


@pytest.mark.parametrize("fault", ["down", "not JSON", "too fast"])
async def test_what_failed_is_tried_again_later(world: World, fault: str) -> None:
    world.service.plan("GET", TRACK, FAULTS[fault])
    await world.saves(("Ann", DEEZER))
    asked = len(world.service.asked)
    for who in ("Ben", "Cat"):
        await world.saves((who, DEEZER))
    assert len(world.service.asked) == asked, "more saves ask no sooner"
    assert world.held.slept[0] >= PAUSES_SECONDS[0]


async def test_a_failure_that_passes_ends_in_a_title(world: World) -> None:
    world.service.plan("GET", TRACK, says(200, b"not JSON"), says(200, deezer_track()))
    await world.saves(("Ann", DEEZER))
    assert await world.told(DEEZER) is None
    await world.held.turn()
    await world.settle()
    assert await world.told(DEEZER) is not None


async def test_a_service_that_wants_a_rest_gets_it(world: World) -> None:
    world.service.plan("GET", TRACK, says(429, Retry_After="4000"))
    await world.saves(("Ann", DEEZER))
    assert world.held.slept == [4_000]


async def test_a_refusal_is_told_the_operator_and_asked_no_sooner_than_others(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.service.plan("GET", "/youtube/v3/videos", says(400, {"error": {"errors": [{"reason": "keyInvalid"}]}}))
    await world.saves(("Ann", YOUTUBE), ("Ben", YOUTUBE))
    assert world.service.paths().count("GET /youtube/v3/videos") == 1
    assert world.held.slept == [PAUSES_SECONDS[0]]


async def test_a_thing_is_asked_about_once_however_many_save_it(world: World) -> None:
    gate = Gate(deezer_track())
    world.service.plan("GET", TRACK, gate)
    for n in range(50):
        await world.save(f"viewer{n}", DEEZER)
    gate.opened.set()
    await world.settle()
    await world.saves(("Ann", DEEZER))
    assert world.service.paths().count(f"GET {TRACK}") == 1


async def test_nobody_is_asked_about_what_nobody_saved(world: World) -> None:
    world.enricher.wanted(link(DEEZER))
    await world.settle()
    assert not world.service.asked


async def test_services_without_an_api_are_not_asked(world: World) -> None:
    await world.saves(("Ann", "https://kick.com/rosa/videos/0197a0a2-7b1c-7f70-8d1e-4a4b0a4e2f10"))
    assert not world.service.asked
    assert not world.held.slept


async def test_what_is_known_is_asked_again_once_it_has_expired(world: World) -> None:
    plan_song(world.service)
    await world.saves(("Ann", DEEZER))
    world.watch.now += timedelta(days=8)
    assert await world.told(DEEZER) is None
    world.enricher.wanted(link(DEEZER))
    await world.settle()
    assert await world.told(DEEZER) is not None
    assert world.service.paths().count(f"GET {TRACK}") == 2


async def test_R3_what_is_gone_is_wiped_at_once_and_asked_about_again_a_day_later(world: World) -> None:
    world.service.plan("GET", TRACK, says(200, deezer_track()), says(200, {"error": {"code": 800}}))
    await world.saves(("Ann", DEEZER))
    world.watch.now += timedelta(days=8)
    world.enricher.wanted(link(DEEZER))
    await world.settle()
    told = await world.told(DEEZER)
    assert told is not None
    assert (told.state, told.title, told.by_line, told.duration_seconds, told.isrc) == (
        State.GONE,
        None,
        None,
        None,
        None,
    )
    assert "Harder" not in repr(await world.rows("api_source"))
    assert told.expires_at == world.watch.now + timedelta(days=1)
    assert await world.people(DEEZER) == 1


async def test_a_save_found_to_end_beyond_the_end_is_kept_and_not_counted(world: World) -> None:
    world.service.plan("GET", TRACK, says(200, deezer_track()))
    await world.save("Ann", DEEZER, 210, 240)
    assert await world.people(DEEZER, 210, 240) == 1
    await world.settle()
    assert await world.people(DEEZER, 210, 240) == 0
    assert len(await world.rows("save")) == 1


async def test_a_restart_goes_on_with_what_is_not_known(database: Path) -> None:
    async with open_world(database, start=False) as before:
        for url in (DEEZER, "https://vimeo.com/235352744/ebd66989cc", "https://youtu.be/GGhKPm18E48?t=5"):
            await before.save("Ann", url)
    async with open_world(database, start=False) as world:
        plan_song(world.service)
        world.service.plan("GET", "/api/oembed.json", says(404))
        world.start()
        await world.service.until_asked(3)
        await world.settle()
        assert await world.told(DEEZER) is not None
        assert await world.told(YOUTUBE) is not None
        asked = [dict(each.query) for each in world.service.asked if each.path == "/api/oembed.json"]
        assert ["ebd66989cc" in each["url"] for each in asked] == [True], "as it was pasted, key and all"


async def test_a_page_need_not_know_the_key_of_what_is_unlisted(world: World) -> None:
    pasted = "https://vimeo.com/235352744/ebd66989cc"
    world.service.plan("GET", "/api/oembed.json", says(404))
    await world.saves(("Ann", pasted))
    world.watch.now += timedelta(days=2)
    world.enricher.wanted(Link("vimeo", "235352744", "video"))
    await world.settle()
    asked = [dict(each.query)["url"] for each in world.service.asked if each.path == "/api/oembed.json"]
    assert ["ebd66989cc" in url for url in asked] == [True, True]


async def test_a_restart_does_not_go_on_with_what_cannot_be_known(database: Path) -> None:
    async with open_world(database) as world:
        await world.saves(("Ann", "https://rosa.bandcamp.com/track/song"), ("Ben", DEEZER))
        assert await sources.due(world.store, NOW, providers=("youtube",)) == []
        assert await sources.due(world.store, NOW, providers=("deezer",)) == []  # told: it is gone there


async def test_a_restart_does_not_ask_about_what_is_only_known_to_be_the_same(world: World) -> None:
    plan_song(world.service)
    await world.saves(("Ann", DEEZER))
    assert "apple_music" in repr(await world.rows("track_source"))
    assert await sources.due(world.store, NOW) == []


async def test_R12_what_youtube_cost_today_outlives_the_process(database: Path) -> None:
    async with open_world(database) as world:
        plan_song(world.service)
        await world.saves(("Ann", YOUTUBE), ("Ben", "https://youtu.be/xxxxxxxxxxx"))
        assert await load_spent(world.store) == Spent(date(2026, 11, 20), 2)
    async with open_world(database) as world:
        plan_song(world.service)
        await world.saves(("Cat", "https://youtu.be/yyyyyyyyyyy"))
        assert await load_spent(world.store) == Spent(date(2026, 11, 20), 3)


@pytest.mark.parametrize("kept", ["", "yesterday 5", "2026-11-20", "2026-11-20 many"])
async def test_a_kept_cost_that_cannot_be_read_is_none(world: World, kept: str) -> None:
    async def job(transaction: object) -> None:
        await transaction.execute("INSERT INTO fact VALUES ('youtube units', ?)", kept)  # type: ignore[attr-defined]

    await world.store.run(job, message=None, now=NOW)
    assert await load_spent(world.store) is None


async def test_it_stops_at_once_in_the_middle_of_everything(world: World) -> None:
    for path in (TRACK, "/youtube/v3/videos"):
        world.service.plan("GET", path, hangs)
    for url in (DEEZER, YOUTUBE):
        await world.save("Ann", url)
    await world.service.until_asked(2)
    before = asyncio.all_tasks()
    world.running[0].cancel()
    async with asyncio.timeout(2):
        await asyncio.gather(world.running[0], return_exceptions=True)
    assert world.running[0].cancelled()
    assert not any(
        task.get_name() in ("titles", "elsewhere") for task in asyncio.all_tasks() & before if not task.done()
    )
    assert await world.people(DEEZER) == 1


async def test_without_keys_youtube_tells_a_title_and_spotify_nothing(database: Path) -> None:
    async with open_world(database, Keys()) as world:
        html = '<iframe src="https://www.youtube.com/embed/GGhKPm18E48"></iframe>'
        body = {"title": "a title", "author_name": "a channel", "type": "video", "html": html}
        world.service.plan("GET", "/oembed", by("format", {"json": body}))
        await world.saves(("Ann", YOUTUBE), ("Ben", "https://open.spotify.com/track/02WuyBR56QN3B6ZC0BeC3f"))
        told = await world.told(YOUTUBE)
        assert told is not None
        assert (told.title, told.duration_seconds) == ("a title", None)
        assert not [path for path in world.service.paths() if "/v1/" in path or "token" in path]


async def test_R6_what_spotify_says_is_in_memory_alone_and_for_less_than_a_day(database: Path) -> None:
    async with open_world(database, WITH_SPOTIFY) as world:
        song: dict[str, object] = {"id": "02WuyBR56QN3B6ZC0BeC3f", "name": "canary-title", "duration_ms": 173_000}
        song |= {"artists": [{"name": "canary-artist"}], "external_ids": {"isrc": "CANARY000001"}, "popularity": 99}
        world.service.plan("POST", "/api/token", says(200, {"access_token": "t", "expires_in": 3600}))
        world.service.plan("GET", "/v1/tracks/02WuyBR56QN3B6ZC0BeC3f", says(200, song))
        url = "https://open.spotify.com/track/02WuyBR56QN3B6ZC0BeC3f"
        await world.saves(("Ann", url), ("Ben", url))
        found = world.enricher.quarantined("02WuyBR56QN3B6ZC0BeC3f", NOW)
        assert found is not None
        assert found.quarantined_title == "canary-title"
        assert world.enricher.quarantined("02WuyBR56QN3B6ZC0BeC3f", NOW + timedelta(hours=24)) is None
        everything = await world.everything()
        assert "canary" not in everything.lower()
        assert "173" not in everything
        assert world.service.paths().count("GET /v1/tracks/02WuyBR56QN3B6ZC0BeC3f") == 1
        assert not [each for each in world.service.asked if "canary" in f"{each.path}{each.query}".lower()]


@scene
async def test_R1_what_spotify_said_leaves_memory_when_its_day_is_over_though_nobody_asks() -> None:
    class Spotify:
        async def quarantined(self, link: Link, *, now: datetime) -> QuarantinedFacts:
            return QuarantinedFacts(link.media_id, "a title", None, 173, None, now, now + timedelta(hours=23))

    enricher = Enricher(Spotify())  # type: ignore[arg-type]  # of its catalogues only this is asked
    await enricher._quarantine(Link("spotify", "02WuyBR56QN3B6ZC0BeC3f", "episode"), NOW)
    assert enricher.quarantined("02WuyBR56QN3B6ZC0BeC3f", NOW)
    await asyncio.sleep(24 * 3600)  # of the virtual clock of a scene, which jumps
    assert not enricher._quarantined


# --- the line things wait in


def thing(name: str) -> Link:
    return Link("deezer", name, "track")


async def test_when_too_many_wait_the_oldest_goes_and_is_counted() -> None:
    line, done = Line("test", 1, HeldClock().clock, most=3), []

    async def work(link: Link) -> None:
        done.append(link.media_id)

    for name in "abcde":
        line.add(thing(name))
    running = asyncio.create_task(line.run(work))
    await line.settle()
    running.cancel()
    assert (done, line.dropped) == (["c", "d", "e"], 2)


async def test_whatever_a_look_up_raises_the_next_one_is_made() -> None:
    held = HeldClock()
    line, done = Line("test", 1, held.clock), []

    async def work(link: Link) -> None:
        if link.media_id == "bad":
            raise ZeroDivisionError
        done.append(link.media_id)

    line.add(thing("bad"))
    line.add(thing("good"))
    running = asyncio.create_task(line.run(work))
    await line.settle()
    assert (done, held.slept) == (["good"], [60])
    running.cancel()


async def test_after_the_last_attempt_a_thing_is_let_go_and_may_come_again() -> None:
    held = HeldClock()
    line, tried = Line("test", 1, held.clock), []

    async def work(link: Link) -> Again:
        tried.append(link.media_id)
        return Again()

    line.add(thing("a"))
    running = asyncio.create_task(line.run(work))
    await line.settle()
    for _ in PAUSES_SECONDS:
        line.add(thing("a"))  # on its way already
        await held.turn()
        await line.settle()
    assert (len(tried), line.given_up, held.slept) == (1 + len(PAUSES_SECONDS), 1, list(PAUSES_SECONDS))
    line.add(thing("a"))
    await line.settle()
    assert len(tried) == 2 + len(PAUSES_SECONDS)
    running.cancel()


async def test_a_key_that_was_pasted_in_private_opens_nothing_for_everybody(world: World) -> None:
    asked: list[str] = []

    async def oembed(request: web.Request) -> web.StreamResponse:
        asked.append(request.query["url"])
        return await says(404)(request)

    world.service.plan("GET", "/api/oembed.json", oembed)
    services = replace(world.services, enricher=world.enricher)
    for number, private in (("76979871", True), ("76979872", False)):
        url = f"https://vimeo.com/{number}/abcdef1234"
        await save_moment(services, ANN, url, "0:45-1:00", origin="x", now=NOW, private=private)
    await world.settle()
    assert sorted(asked) == ["https://vimeo.com/76979871", "https://vimeo.com/76979872/abcdef1234"]
