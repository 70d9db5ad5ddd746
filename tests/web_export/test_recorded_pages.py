"""The pages of saved moments and of tracks: what they show, to whom they lead on, and what is never on them."""

import re
from collections.abc import Sequence
from datetime import timedelta
from html.parser import HTMLParser

import aiohttp
import pytest
from aiohttp import hdrs

from commands.forgetme import forget
from commands.services import Services
from moments.live import Author
from moments.saves import Part
from providers.links import SERVICES
from storage import Transaction, hiding, sources
from storage.sources import Live, State
from tests.web_export.test_recorded_api import APPLE, SONG, SPOTIFY, keep, learn, merged
from web_export.heat import BARS, draw

HTML = {"Accept": "text/html"}
YOUTUBE = ("youtube", "jNQXAC9IVRw")


async def page(http: aiohttp.ClientSession, path: str, status: int = 200) -> str:
    async with http.get(path, headers=HTML, allow_redirects=False) as answer:
        assert answer.status == status, await answer.text()
        return await answer.text()


def meta(html: str) -> dict[str, str]:
    """What chats read of a page when its link is pasted."""
    found: dict[str, str] = {}

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
            given = dict(attrs)
            name = given.get("property") or given.get("name")
            if tag == "meta" and name:
                found[name] = given.get("content") or ""

    Reader().feed(html)
    return found


async def test_a_moment_with_nothing_told_shows_its_part_its_count_and_where_it_plays(
    http: aiohttp.ClientSession, services: Services
) -> None:
    kept = await keep(services, note="that <drop>!")
    await keep(services, "ben", note="goosebumps", part="0:46-1:01")
    html = await page(http, f"/m/{kept.moment_id}")
    assert "<h1" in html
    assert "A video on YouTube" in html
    assert "Saved by 2 people" in html
    assert "that &lt;drop&gt;!" in html
    assert "goosebumps" in html.split("What others wrote")[1]
    assert "0:45–1:00" in html
    assert 'href="https://www.youtube.com/watch?v=jNQXAC9IVRw&amp;t=45s"' in html
    assert "Open in YouTube at 0:45" in html
    assert f'href="/t/{kept.track.id}"' in html
    assert "From Moments users, not YouTube data." in html
    assert "the viewer" not in html
    assert "<script" not in html
    assert "style=" not in html


async def test_LEG_1_words_of_youtube_come_with_its_terms_and_a_link_back(
    http: aiohttp.ClientSession, services: Services
) -> None:
    kept = await keep(services)
    for path in (f"/m/{kept.moment_id}", f"/t/{kept.track.id}"):
        assert "https://www.youtube.com/t/terms" not in await page(http, path)
    await learn(services, *YOUTUBE, title="Paper <Lanterns>", by_line="Ayla & the Tides", duration_seconds=213)
    for path in (f"/m/{kept.moment_id}", f"/t/{kept.track.id}"):
        html = await page(http, path)
        assert "Paper &lt;Lanterns&gt;" in html
        assert "Ayla &amp; the Tides" in html
        assert "3:33" in html
        assert 'href="https://www.youtube.com/t/terms"' in html
        assert 'href="https://policies.google.com/privacy"' in html
        assert "From Moments users, not YouTube data." in html
        assert "Moments is not affiliated with YouTube." in html


async def test_LEG_1_a_borrowed_title_is_credited_and_spotify_borrows_no_length(
    http: aiohttp.ClientSession, services: Services
) -> None:
    video, other = await keep(services), await keep(services, "ben", "https://artist.bandcamp.com/track/name")
    spotify = await keep(services, "cy", SPOTIFY)
    for each in (other, spotify):
        await merged(services, video, each)
    await learn(services, *YOUTUBE, title="Paper Lanterns", by_line="Ayla", duration_seconds=213)
    html = await page(http, f"/m/{other.moment_id}")
    assert "Paper Lanterns" in html
    assert 'href="https://www.youtube.com/t/terms"' in html
    assert "From Moments users, not YouTube data." in html
    assert "not affiliated with Bandcamp or YouTube." in html
    alone = await page(http, f"/m/{spotify.moment_id}")
    assert "3:33" not in alone
    assert "YouTube" not in alone


@pytest.mark.parametrize("url", [service.example for service in SERVICES], ids=[each.slug for each in SERVICES])
async def test_LEG_2_every_service_is_named_and_linked_and_said_not_to_be_ours(
    http: aiohttp.ClientSession, services: Services, url: str
) -> None:
    kept = await keep(services, url=url)
    name = next(service.name for service in SERVICES if service.slug == kept.link.provider)
    await learn(services, kept.link.provider, kept.link.media_id, title="CANARY")
    for path in (f"/m/{kept.moment_id}", f"/t/{kept.track.id}"):
        html = await page(http, path)
        assert f"not affiliated with {name}." in html
        assert (f"Listen on {name}" if name == "Spotify" else f"Open in {name}" if path[1] == "m" else "Open") in html
        assert ("CANARY" in html) == (name != "Spotify")


async def test_LEG_2_R6_spotify_stands_apart_as_a_plain_link_and_borrows_nobodys_words(
    http: aiohttp.ClientSession, services: Services
) -> None:
    song, spotify = await keep(services, url=SONG), await keep(services, "ben", SPOTIFY)
    await merged(services, song, spotify)
    await learn(services, "deezer", "3135556", title="Deezer's title", duration_seconds=213)
    await learn(services, "spotify", "4uLU6hMCjMI75M1A2tKUQC", title="CANARY", duration_seconds=213)
    html = await page(http, f"/t/{song.track.id}")
    places, _, apart = html.partition("Where to play it")[2].partition('<section class="panel" aria-label="Spotify">')
    assert "Deezer" in places
    assert "spotify" not in places.lower()
    assert re.search(r'<a class="button" href="https://open\.spotify\.com/track/\w+">Listen on Spotify<', apart)
    own = await page(http, f"/m/{spotify.moment_id}")
    assert "A song on Spotify" in own
    assert "Saved by 2 people" in own
    assert "Deezer" not in own
    assert "CANARY" not in html + own


async def test_R1_R2_an_expired_or_wiped_title_is_gone_and_the_page_is_not(
    http: aiohttp.ClientSession, services: Services
) -> None:
    kept = await keep(services, note="mine stays")
    await learn(services, *YOUTUBE, title="CANARY", duration_seconds=213)
    assert "CANARY" in await page(http, f"/m/{kept.moment_id}")
    now = services.clock()

    async def wipe(transaction: Transaction) -> None:
        await sources.wipe(transaction, *YOUTUBE)

    await services.store.run(wipe, message=None, now=now)
    html = await page(http, f"/m/{kept.moment_id}")
    assert "mine stays" in html
    assert "CANARY" not in html
    await learn(services, *YOUTUBE, days=-1, title="CANARY")
    assert "CANARY" not in await page(http, f"/m/{kept.moment_id}")


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"embeddable": False}, "lets it play on YouTube only"),
        ({"embeddable": True, "age_restricted": True}, "age-restricted"),
        ({"state": State.AGE}, "age-restricted"),
        ({"embeddable": True, "regions_blocked": ("DE",)}, "in some countries only"),
        ({"state": State.REGION}, "in some countries only"),
        ({"state": State.GONE}, "no longer has it"),
        ({"state": State.PRIVATE}, "private on YouTube now"),
        ({"embeddable": True}, ""),
        ({}, ""),
    ],
)
async def test_R9_why_it_plays_there_only_is_said_and_nobody_is_told_blocked(
    http: aiohttp.ClientSession, services: Services, told: dict[str, object], says: str
) -> None:
    kept = await keep(services)
    await learn(services, *YOUTUBE, **told)  # type: ignore[arg-type]
    html = await page(http, f"/m/{kept.moment_id}")
    sentences = ("YouTube only", "age-restricted", "countries", "no longer has it", "is private on")
    assert (says in html) if says else not any(each in html for each in sentences)
    assert "blocked" not in html
    assert "Open in YouTube" in html
    assert "<iframe" not in html


async def test_links_of_replaced_moments_and_merged_tracks_lead_on(
    http: aiohttp.ClientSession, services: Services
) -> None:
    old, new = await keep(services), await keep(services, part="0:46-1:00")
    other = await keep(services, "ben", APPLE)
    await merged(services, new, other)
    for path, to in ((f"/m/{old.moment_id}", f"/m/{new.moment_id}"), (f"/t/{other.track.id}", f"/t/{new.track.id}")):
        async with http.get(path, headers=HTML, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (302, to)
            assert answer.headers[hdrs.CACHE_CONTROL] == "no-cache"  # it may be undone
    assert "Saved by 2 people" in await page(http, f"/m/{other.moment_id}")


async def test_what_is_taken_back_is_gone_from_every_page_at_once(
    http: aiohttp.ClientSession, services: Services
) -> None:
    ann, ben = await keep(services, "ann", note="CANARY one"), await keep(services, "ben", note="CANARY two")
    stays = await keep(services, "cat", note="stays")
    private = await keep(services, "dan", note="CANARY three", private=True)
    paths = [f"/m/{stays.moment_id}", f"/t/{stays.track.id}", "/"]
    now = services.clock()
    await services.store.run(
        lambda transaction: hiding.hide_words(transaction, ann.moment_id, "console:mod", "rude"), message=None, now=now
    )
    await forget(services, Author("console", "ben", "ben"), now + timedelta(seconds=5))
    for path in (*paths, f"/m/{ann.moment_id}", f"/m/{private.moment_id}"):
        html = await page(http, path)
        assert "CANARY" not in html, path
        assert path == "/" or "Saved by 3 people" in html
    gone = await page(http, f"/m/{ben.moment_id}", 404)
    assert "Its author may have deleted it" in gone
    assert private.moment_id not in await page(http, "/")


async def test_API_2_a_copy_holds_until_something_changes_and_is_asked_about_each_time(
    http: aiohttp.ClientSession, services: Services
) -> None:
    kept = await keep(services)
    for path in (f"/m/{kept.moment_id}", f"/t/{kept.track.id}"):
        async with http.get(path) as first:
            etag = first.headers[hdrs.ETAG]
            assert first.headers[hdrs.CACHE_CONTROL] == "public, no-cache"
        async with http.get(path, headers={hdrs.IF_NONE_MATCH: etag}) as again:
            assert (again.status, again.headers[hdrs.ETAG]) == (304, etag)
        await keep(services, f"somebody at {path}")
        async with http.get(path, headers={hdrs.IF_NONE_MATCH: etag}) as changed:
            assert changed.status == 200
            assert changed.headers[hdrs.ETAG] != etag


async def test_WEB_12_chats_unfurl_what_is_public_and_no_search_engine_keeps_the_rest(
    http: aiohttp.ClientSession, services: Services
) -> None:
    public = await keep(services, note='"so" <good>')
    private = await keep(services, "ben", note="CANARY", private=True)
    await learn(services, *YOUTUBE, title="</title><script>alert(1)</script>")
    html = await page(http, f"/m/{public.moment_id}")
    told = meta(html)
    assert told["og:title"] == "</title><script>alert(1)</script> · 0:45–1:00"
    assert told["og:description"].startswith('“"so" <good>” · 0:45–1:00 of ')
    assert told["og:description"].endswith("Saved by 2 people.")
    assert told["og:url"].endswith(f"/m/{public.moment_id}")
    assert "<script" not in html
    async with http.get(f"/m/{public.moment_id}") as answer:
        assert "X-Robots-Tag" not in answer.headers
    async with http.get(f"/m/{private.moment_id}") as answer:
        assert answer.headers["X-Robots-Tag"] == "noindex"
        assert "CANARY" not in await answer.text()


async def test_the_front_page_shows_the_newest_public_moments_without_words(
    http: aiohttp.ClientSession, services: Services
) -> None:
    assert "Newest moments" not in await page(http, "/")
    kept = await keep(services, note="CANARY")
    html = await page(http, "/")
    assert f'href="/m/{kept.moment_id}"' in html
    assert "CANARY" not in html


async def test_a_track_lists_its_best_parts_and_services_with_deep_links(
    http: aiohttp.ClientSession, services: Services
) -> None:
    kept = [await keep(services, f"u{number}", note=f"note {number}") for number in range(3)]
    await keep(services, "u9", SONG, "2:10-2:24")
    await merged(services, kept[0], await keep(services, "u8", SONG, "2:10-2:24"))
    html = await page(http, f"/t/{kept[0].track.id}")
    best = html.split("Best parts")[1]
    assert best.index("0:45–1:00") < best.index("2:10–2:24")
    assert "3 people" in best
    assert "note 2" in best
    assert 'href="https://www.youtube.com/watch?v=jNQXAC9IVRw&amp;t=130s"' in best
    assert "no start time in its links" in best
    assert "Saved parts across 2:24. Most saved: 0:45 to 1:00, 3 people. Then 2:10 to 2:24, 2 people." in html


async def test_a_live_thing_has_no_length(http: aiohttp.ClientSession, services: Services) -> None:
    kept = await keep(services)
    await learn(services, *YOUTUBE, title="On air", duration_seconds=213, live=Live.LIVE)
    assert "3:33" not in await page(http, f"/t/{kept.track.id}")


# --- the picture


def test_WEB_12_the_picture_is_made_of_numbers_alone() -> None:
    heat = draw([1, 5, 9, 0] * 40, Part(2, 9, 9), [Part(2, 9, 9), Part(100, 110, 5)], label="this moment")
    assert len(heat.paths) <= 4
    for step, path in heat.paths:
        assert step in {"low", "mid", "high", "most"}
        assert re.fullmatch(r"(M\d+ 100v-\d+h\d+V100z)+", path)


@pytest.mark.parametrize("savers", [[], [0], [1], [7], list(range(1, 8)), [0] * 604_799 + [3], [5] * 119, [5] * 121])
def test_bars_are_never_more_than_fit_and_the_frame_is_at_least_one(savers: list[int]) -> None:
    length = max(1, len(savers))
    heat = draw(savers, Part(length - 1, length, 1), [], label="here")
    columns = [int(found) // 4 for _, path in heat.paths for found in re.findall(r"M(\d+) ", path)]
    assert len(columns) == len(set(columns))
    assert all(0 <= column < BARS for column in columns)
    assert bool(columns) == any(savers)
    assert heat.window is not None
    assert heat.window.width >= round(100 / BARS, 2)
    assert heat.window.x + heat.window.width <= 100.01


def test_a_bar_is_the_most_of_its_seconds_and_a_part_beyond_the_end_stays_inside() -> None:
    heat = draw([9 if second == 500 else 1 for second in range(1200)], Part(1190, 1300, 1), [], label="here")
    assert [path for step, path in heat.paths if step == "high"] == ["M184 100v-100h3V100z"]
    assert heat.window is not None
    assert heat.window.x + heat.window.width <= 100.01
