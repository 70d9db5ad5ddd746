"""Links into the VOD: on the page, in the JSON, the CSV and the live stream; and that a late VOD shows at once."""

import asyncio
import csv
import io
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
import stamina
from aiohttp import hdrs

from commands import archives as asking
from commands.vod import vods
from tests.recorded import Recorded, recorded
from web_export.app import Site, make_app
from web_export.downloads import export
from web_export.formats import FORMATS, by_slug
from web_export.formats.options import ExportOptions
from web_export.keys import SiteConfig
from web_export.limits import LimitRates, Limits, Rate
from web_export.vods import VodsKept

WATCH = re.compile(
    r'· <a class="vod" href="(https://www\.twitch\.tv/videos/[^"]+)">Watch <span class="times">([0-9:]+)</span></a>'
    r'( <span class="muted">sound muted here</span>)?'
)


@pytest.fixture
async def evening(database: Path) -> AsyncIterator[Recorded]:
    """A session of an hour, ended, with three marks: two of them together ten minutes in, one at its end."""
    with stamina.set_testing(True, attempts=1):
        async with recorded(database) as evening:
            await evening.says("!start Any%")
            evening.passes(600)
            await evening.says("!clip that dodge", "ann")
            await evening.says("!clip", "ben")
            evening.passes(3000)
            await evening.says("!clip the end", "cid")
            await evening.says("!end")
            evening.passes(1800)
            yield evening


@pytest.fixture
async def http(evening: Recorded) -> AsyncIterator[aiohttp.ClientSession]:
    config, generous = SiteConfig(host="127.0.0.1", port=0), Rate(10_000, 10_000)
    rates = LimitRates(pages=generous, api_reads=generous, exports=generous)
    site = Site(evening.services, config, app=make_app(evening.services, config, limits=Limits(rates)))
    await site.start()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{site.port}") as http:
        yield http
    await site.close()


def of_the_hour(evening: Recorded, **more: Any) -> str:  # noqa: ANN401 -- whatever an archive takes
    """The archive of the whole session: it began ten seconds before it."""
    return evening.archive(3620, ago=1800 + 3600 + 10, **more)


async def text(http: aiohttp.ClientSession, path: str) -> str:
    async with http.get(path) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.text()


async def page(evening: Recorded, http: aiohttp.ClientSession) -> list[tuple[str, str, bool]]:
    """The page's links: where to, the words, and whether sound is missing."""
    body = await text(http, f"/s/{(await evening.session()).id}")
    assert body.count("twitch.tv/videos") == len(WATCH.findall(body))
    return [(url, words, bool(muted)) for url, words, muted in WATCH.findall(body)]


async def download(evening: Recorded, http: aiohttp.ClientSession, slug: str, query: str = "") -> str:
    return await text(http, f"/s/{(await evening.session()).id}/export.{slug}{query}")


def table(file: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(file, newline="")))


async def test_every_mark_and_crowd_moment_of_the_page_leads_into_the_vod(
    evening: Recorded, http: aiohttp.ClientSession
) -> None:
    video = of_the_hour(evening)
    url = f"https://www.twitch.tv/videos/{video}?t="
    assert await page(evening, http) == [
        (f"{url}0h9m50s", "9:50", False),  # the crowd moment
        (f"{url}0h59m50s", "59:50", False),
        (f"{url}0h9m50s", "9:50", False),
        (f"{url}0h9m50s", "9:50", False),
    ]


async def test_muted_stretches_are_told_in_words(evening: Recorded, http: aiohttp.ClientSession) -> None:
    of_the_hour(evening, muted=[(540, 180)])
    assert [(words, muted) for _, words, muted in await page(evening, http)] == [
        ("9:50", True),
        ("59:50", False),
        ("9:50", True),
        ("9:50", True),
    ]


async def test_json_says_where_and_whether_there_is_sound(evening: Recorded, http: aiohttp.ClientSession) -> None:
    session = (await evening.session()).id
    before = json.loads(await text(http, f"/api/v1/sessions/{session}/timestamps"))["timestamps"]
    assert [(mark["vod_url"], mark["vod_muted"]) for mark in before] == [(None, False)] * 3
    video = of_the_hour(evening, muted=[(0, 600)])
    evening.passes(60)
    after = json.loads(await text(http, f"/api/v1/sessions/{session}/timestamps"))["timestamps"]
    assert [(mark["vod_url"], mark["vod_muted"]) for mark in after] == [
        (f"https://www.twitch.tv/videos/{video}?t=0h9m50s", True),
        (f"https://www.twitch.tv/videos/{video}?t=0h9m50s", True),
        (f"https://www.twitch.tv/videos/{video}?t=0h59m50s", False),
    ]
    assert json.loads(await download(evening, http, "json"))["timestamps"] == after


@pytest.mark.parametrize("slug", ["csv", "excel.csv"])
async def test_the_table_has_a_column_for_it_after_those_of_the_contract(
    evening: Recorded, http: aiohttp.ClientSession, slug: str
) -> None:
    video = of_the_hour(evening)
    rows = table(await download(evening, http, slug))
    assert list(rows[0])[-1] == "vod_url"
    times = [row["vod_url"].removeprefix(f"https://www.twitch.tv/videos/{video}?t=") for row in rows]
    assert times == ["0h9m50s", "0h9m50s", "0h59m50s"]


@pytest.mark.parametrize(
    ("query", "offsets", "links"),
    [
        ("", ["600", "600", "3600"], ["0h9m50s", "0h9m50s", "0h59m50s"]),
        ("?lead=0", ["600", "600", "3600"], ["0h10m10s", "0h10m10s", "1h0m10s"]),
        ("?lead=60", ["540", "540", "3540"], ["0h9m10s", "0h9m10s", "0h59m10s"]),
        ("?shift=-700", ["0", "0", "2900"], ["0h9m50s", "0h9m50s", "0h59m50s"]),
        ("?min_people=2", ["600", "600"], ["0h9m50s", "0h9m50s"]),
    ],
)
async def test_links_follow_the_lead_asked_for_and_no_shift(
    evening: Recorded, http: aiohttp.ClientSession, query: str, offsets: list[str], links: list[str]
) -> None:
    of_the_hour(evening)
    rows = table(await download(evening, http, "csv", query))
    assert [row["offset_seconds"] for row in rows] == offsets
    assert [row["vod_url"].partition("?t=")[2] for row in rows] == links
    marks = json.loads(await download(evening, http, "json", query))["timestamps"]
    assert [str(mark["offset_seconds"]) for mark in marks] == offsets
    assert [mark["vod_url"].partition("?t=")[2] for mark in marks] == links


async def test_text_and_editors_files_stay_as_they_were(evening: Recorded, http: aiohttp.ClientSession) -> None:
    before = [await download(evening, http, slug) for slug in ("txt", "edl")]
    asked = evening.asked("videos")
    of_the_hour(evening)
    evening.passes(60)
    assert [await download(evening, http, slug) for slug in ("txt", "edl")] == before
    assert "twitch.tv" not in "".join(before)
    assert evening.asked("videos") == asked == 0  # what does not link asks nobody


async def test_API_2_a_late_vod_a_correction_and_a_deleted_vod_show_at_once(
    evening: Recorded, http: aiohttp.ClientSession
) -> None:
    session = (await evening.session()).id
    paths = [f"/s/{session}", f"/s/{session}/export.csv", f"/s/{session}/export.json"]
    paths.append(f"/api/v1/sessions/{session}/timestamps")
    known: dict[str, str] = {}

    async def changed() -> bool:
        """Whether all are other than those known; as one, or a page would tell of links that its download lacks."""
        fresh = []
        for path in paths:
            async with http.get(path, headers={hdrs.IF_NONE_MATCH: known.get(path, '"none"')}) as answer:
                fresh.append(answer.status == 200)
                known[path] = answer.headers[hdrs.ETAG]
        assert len(set(fresh)) == 1
        return fresh[0]

    assert await changed()
    assert not await changed()
    of_the_hour(evening)
    evening.passes(60)
    assert await changed()
    assert not await changed()
    await evening.says("!vodshift +5")
    assert await changed()
    evening.passes(asking.KEPT_FOR.total_seconds())
    assert not await changed()  # asked for again, and the same
    evening.twitch.videos.clear()
    evening.passes(asking.KEPT_FOR.total_seconds())
    assert await changed()
    assert await page(evening, http) == []


async def test_a_correction_moves_the_links_of_page_and_download(
    evening: Recorded, http: aiohttp.ClientSession
) -> None:
    of_the_hour(evening)
    await evening.says("!vodshift +33")
    assert {words for _, words, _ in await page(evening, http)} == {"10:23", "1:00:20"}  # no farther than its end
    assert [row["vod_url"].partition("?t=")[2] for row in table(await download(evening, http, "csv"))] == [
        "0h10m23s",
        "0h10m23s",
        "1h0m20s",
    ]


async def test_a_trimmed_vod_links_only_what_it_holds(evening: Recorded, http: aiohttp.ClientSession) -> None:
    evening.archive(900, ago=1800 + 3600)
    assert [words for _, words, _ in await page(evening, http)] == ["9:40"] * 3
    assert [bool(row["vod_url"]) for row in table(await download(evening, http, "csv"))] == [True, True, False]


async def test_while_twitch_is_down_pages_and_downloads_are_whole_without_links(
    evening: Recorded, http: aiohttp.ClientSession
) -> None:
    evening.twitch.faults.add("GET", "/helix/videos", status=500, times=None)
    assert await page(evening, http) == []
    assert [row["vod_url"] for row in table(await download(evening, http, "csv"))] == [""] * 3


async def test_a_slow_twitch_holds_up_no_page(
    evening: Recorded, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, helix = asyncio.Event(), type(evening.services.twitch.helix)  # type: ignore[union-attr]  # it has one
    ask = helix.videos

    async def slow(self: Any, user_id: str) -> object:  # noqa: ANN401
        await held.wait()
        return await ask(self, user_id)

    monkeypatch.setattr(helix, "videos", slow)
    monkeypatch.setattr(asyncio, "timeout", lambda _seconds, real=asyncio.timeout: real(0.01))
    of_the_hour(evening)
    assert await page(evening, http) == []
    monkeypatch.undo()
    held.set()
    assert len(await page(evening, http)) == 4  # waits for what is under way


async def events(http: aiohttp.ClientSession, path: str) -> AsyncIterator[dict[str, Any]]:
    async with http.get(path) as answer:
        name = ""
        async for line in answer.content:
            if line.startswith(b"event: "):
                name = line[7:-1].decode()
            if line.startswith(b"data: "):
                yield {"event": name, **orjson.loads(line[6:])}


async def test_marks_that_are_told_live_carry_their_link(evening: Recorded, http: aiohttp.ClientSession) -> None:
    await evening.says("!start the next")
    evening.archive(0, ago=30)
    session = await evening.session()
    await evening.services.archives.of(evening.services, session)
    heard = events(http, f"/s/{session.id}/events")
    first = asyncio.ensure_future(anext(heard))
    while not evening.services.feed._channel(session.id).watchers:  # noqa: ASYNC110 -- it tells nobody
        await asyncio.sleep(0)
    evening.passes(100)
    await evening.says("!clip", "ann")
    mark = await first
    assert mark["event"] == "timestamp"
    assert mark["vod_url"].endswith("?t=0h1m50s")
    assert mark["vod_muted"] is False
    await evening.says("!vodshift +3")
    assert (await anext(heard))["event"] == "session"
    await evening.says("!clip", "ben")
    assert (await anext(heard))["vod_url"].endswith("?t=0h1m53s")
    await evening.says("!pause")
    await evening.says("!resume")
    evening.passes(10)
    await evening.says("!clip", "cid")
    told = [await anext(heard) for _ in range(3)]
    assert told[-1]["segment_index"] == 2
    assert told[-1]["vod_url"].endswith("?t=0h2m3s")
    await heard.aclose()  # type: ignore[attr-defined]  # a generator


async def test_a_segment_that_is_new_is_read_at_once(evening: Recorded) -> None:
    kept = VodsKept()
    await evening.says("!start the next")
    evening.archive(0, ago=30)
    await evening.archives()
    await evening.says("!clip", "ann")
    for line, name in (("!pause", "nightowl"), ("!resume", "nightowl"), ("!clip", "ben")):
        first = (await evening.services.store.marks(await evening.session()))[0]
        assert await kept.place_of(evening.services, first)
        await evening.says(line, name)
    marks = await evening.services.store.marks(await evening.session())
    assert [mark.segment_index for mark in marks] == [1, 2]
    assert await kept.place_of(evening.services, marks[1])


async def test_the_short_way_for_long_tables_writes_the_same_links(evening: Recorded) -> None:
    of_the_hour(evening)
    session, store, defaults = await evening.session(), evening.services.store, evening.services.defaults
    linked = await vods(evening.services, session)
    assert linked
    for form in FORMATS:
        if form.write_rows:
            short, long = [
                b"".join([piece async for piece in export(store, session, by_slug(form.slug), asked, defaults, linked)])
                for asked in (ExportOptions(), ExportOptions(lead=0))
            ]
            assert short == long
            assert short.count(b"twitch.tv") == 3
