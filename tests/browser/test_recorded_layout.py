"""Pages of saved moments fit every screen, can be hit with a finger, read by tired eyes, and run nothing."""

from datetime import timedelta
from itertools import product
from typing import TYPE_CHECKING

import pytest

from commands.recorded import save_moment
from moments.live import Author
from storage import Transaction, sources, tracks
from storage.sources import Told
from tests.browser.conftest import NOTES
from tests.browser.test_layout import TOO_SMALL, TOO_WIDE, WIDTHS, contrasts

if TYPE_CHECKING:
    from tests.browser.conftest import House, Read

pytestmark = pytest.mark.asyncio(loop_scope="session")

VIDEO, SONG = "https://youtu.be/jNQXAC9IVRw", "https://www.deezer.com/track/3135556"
SPOTIFY, LONE = "https://open.spotify.com/track/4uLU6hMCjMI75M1A2tKUQC", "https://vimeo.com/76979871"
TITLE = "【MV】超ロングタイトル！Supercalifragilisticexpialidocious_FULL_ALBUM </script><img src=x onerror=alert(1)>"


async def saved(house: "House") -> dict[str, str]:
    """A song with many saves, and a video with one; the paths of their pages."""
    services, now = house.chat.services, house.chat.watch.now
    async with house.chat.store.one_transaction():
        for number in range(40):
            url, start = (VIDEO, SONG, SPOTIFY)[number % 3], 45 if number < 25 else 5 * number
            who, note = Author("console", f"u{number}", f"U{number}"), NOTES[number % len(NOTES)]
            kept = await save_moment(services, who, url, f"{start}-{start + 12}", note, origin="x", now=now)
        lone = await save_moment(services, who, LONE, "1:02:03-1:02:20", "", origin="x", now=now)

    async def learn(transaction: Transaction) -> None:
        things = (("youtube", "jNQXAC9IVRw"), ("deezer", "3135556"), ("spotify", "4uLU6hMCjMI75M1A2tKUQC"))
        places = [await tracks.open_source(transaction, *thing, "track", now) for thing in things]
        for other in places[1:]:
            await tracks.merge(transaction, places[0], other, "isrc", 100, (), "test", now)
        told = Told(
            *things[0], now, now + timedelta(days=1), title=TITLE, by_line=TITLE, duration_seconds=213, embeddable=False
        )
        await sources.put(transaction, told)

    await house.chat.store.run(learn, message=None, now=now)
    track = await tracks.of_source(house.chat.store, "youtube", "jNQXAC9IVRw")
    assert track is not None
    return {
        "moment": f"/m/{kept.moment_id}",
        "track": f"/t/{track.id}",
        "lone moment": f"/m/{lone.moment_id}",
        "lone track": f"/t/{lone.track.id}",
        "home": "/",
    }


async def test_pages_of_moments_fit_and_can_be_hit(house: "House", reader: "Read") -> None:
    visit = await reader(house)
    for name, path in (await saved(house)).items():
        page = await visit.open(path)
        for text, width in product(("100%", "200%"), WIDTHS):
            await page.evaluate("(size) => { document.documentElement.style.fontSize = size; }", text)
            await page.set_viewport_size({"width": width, "height": 800})
            assert await page.evaluate(TOO_WIDE) == [0], (name, width, text)
            if text == "100%":
                small = await page.locator("a[href], button, input, select, summary").evaluate_all(TOO_SMALL)
                assert small == [], (name, width)


@pytest.mark.parametrize("scheme", ["dark", "light"])
async def test_words_on_them_stand_out(house: "House", reader: "Read", scheme: str) -> None:
    paths = await saved(house)
    visit = await reader(house, color_scheme=scheme)
    judge = await visit.page.context.new_page()
    for name in ("moment", "track", "lone moment"):
        for width in (390, 1280):
            page = await visit.open(paths[name])
            await page.set_viewport_size({"width": width, "height": 800})
            weak = [found for found in await contrasts(page, judge) if found[0] < 4.5]
            assert weak == [], (name, width)


async def test_they_stay_within_their_budget_and_need_no_script(house: "House", reader: "Read") -> None:
    visit = await reader(house, java_script_enabled=False)
    for path in (await saved(house)).values():
        visit.requests.clear()
        await visit.open(path)
        assert len(visit.requests) <= 5
        assert not [request for request in visit.requests if request.endswith(".js")]
