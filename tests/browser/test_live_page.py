"""An open session page follows its chat by itself, and misses nothing."""

import re
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import Locator, Page, Request, expect

from web_export import live

if TYPE_CHECKING:
    from tests.browser.conftest import House, Read

pytestmark = pytest.mark.asyncio(loop_scope="session")

AWAY = ("net::ERR_",)
"""What the browser says to the console while the server is away."""


async def open_page(house: "House", read: "Read", **wishes: object) -> Page:
    """The session's page, marked so that a reload would show."""
    page = await (await read(house, **wishes)).open(await house.path())
    await page.evaluate("window.sameDocument = true")
    return page


async def is_same(page: Page) -> bool:
    return await page.evaluate("window.sameDocument === true") is True


def row(page: Page, number: int) -> Locator:
    return page.locator(f'.mark[data-number="{number}"]')


@pytest.fixture
def soon_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Browsers that lose the stream ask again at once."""
    monkeypatch.setattr(live, "RETRY_MS", 200)


async def test_a_mark_appears_with_its_count_and_its_crowd(house: "House", reader: "Read") -> None:
    visit = await reader(house)
    page = visit.page
    await page.clock.install()  # so that what waits on purpose need not be waited for
    await visit.open(await house.path())
    await page.evaluate("window.sameDocument = true")
    house.chat.passes(61)
    await house.says("!clip この笑い声すき 😂", "sable")
    first = page.locator(".mark").first
    await expect(first.locator(".note")).to_have_text("この笑い声すき 😂")
    await expect(first.locator(".offset")).to_have_text("00:02:31")
    await expect(first.locator(".small")).to_have_text("#4 · sable · just now")
    await expect(page.locator(".tally [data-marks]")).to_have_text("4 marks")
    await expect(page.locator(".downloads [data-marks]")).to_have_text("4 marks")
    await house.says("!clip me too", "kestrel")
    await expect(page.locator(".mark").first.locator(".small")).to_contain_text("2 people")
    await page.clock.fast_forward(6000)  # what is counted over the whole session follows a little later
    await expect(row(page, 4).locator(".small")).to_contain_text("2 people")
    await expect(page.locator(".moment .small").first).to_have_text("2 people · segment 1 · 00:02:31")
    await expect(page.locator(".tally")).to_contain_text("5 marks by 5 people")
    await expect(page.locator(".group h3")).to_have_text("Segment 1 · open · 5 marks")
    await expect(page.locator("#said")).to_have_text(re.compile(r"^\d new marks?\. 5 marks in all\.$"))
    assert await is_same(page)


async def test_the_clock_runs_only_while_the_session_does(house: "House", reader: "Read") -> None:
    page = await open_page(house, reader)
    clock = page.locator(".heading [data-clock]")
    await expect(clock).to_have_text("00:01:30")
    await expect(clock).to_have_text("00:01:31")
    await house.says("!pause")
    await expect(page.locator(".badge")).to_have_text("Paused")
    await expect(page.locator(".heading")).to_contain_text("00:01:30 so far")
    await expect(page.locator("[data-clock]")).to_have_count(0)
    await expect(page.locator(".group h3")).to_have_text("Segment 1 · 3 marks")
    house.chat.passes(600)
    await house.says("!resume")
    await expect(page.locator(".badge")).to_have_text("Live")
    house.chat.passes(5)
    await house.says("!clip and we are back", "mika")
    await expect(page.locator(".group h3").first).to_have_text("Segment 2 · open · 1 mark")
    await house.says("!end")
    await expect(page.locator(".badge")).to_have_text("Ended")
    assert await is_same(page)


async def test_corrections_follow(house: "House", reader: "Read") -> None:
    page = await open_page(house, reader)
    await house.says("!renote what she really saw", "mika")
    await expect(row(page, 1).locator(".note")).to_have_text("what she really saw")
    await house.says("!adjust +20", "juno")
    await expect(row(page, 3).locator(".offset")).to_have_text("00:01:50")
    await house.says("!adjust -100", "juno")
    await expect(page.locator(".mark .offset")).to_have_text(["00:01:00", "00:00:30", "00:00:10"])
    await house.says("!unclip", "rook")
    await expect(row(page, 2)).to_have_count(0)
    await house.says("!delclip #1")
    await expect(row(page, 1)).to_have_count(0)
    await expect(page.locator(".tally [data-marks]")).to_have_text("1 mark")
    assert await is_same(page)


async def test_a_reader_who_scrolled_keeps_their_place(house: "House", reader: "Read") -> None:
    for number in range(40):
        house.chat.passes(2)
        await house.says(f"!clip moment {number}", f"viewer{number}")
    page = await open_page(house, reader, width=390, height=700)
    middle = row(page, 20)
    await middle.evaluate("(item) => item.scrollIntoView({ block: 'center' })")
    before = await middle.bounding_box()
    for name in ("one", "two"):
        await house.says(f"!clip new {name}", name)
    pill = page.get_by_role("button", name="2 new")
    await expect(pill).to_be_visible()
    await expect(page.locator(".moment").first).to_contain_text("people")
    assert await middle.bounding_box() == before
    await expect(row(page, 45)).to_have_count(0)
    await pill.press("Enter")
    await expect(row(page, 45)).to_be_in_viewport()
    await expect(pill).to_be_hidden()
    assert await is_same(page)


async def test_scrolling_back_up_shows_what_waited(house: "House", reader: "Read") -> None:
    for number in range(40):
        await house.says(f"!clip moment {number}", f"viewer{number}")
    page = await open_page(house, reader, width=390, height=700)
    await row(page, 10).scroll_into_view_if_needed()
    await house.says("!clip new", "late")
    await expect(page.get_by_role("button", name="1 new")).to_be_visible()
    await page.keyboard.press("Home")
    await expect(row(page, 44)).to_have_count(1)
    await expect(page.locator("#pill")).to_be_hidden()


async def test_a_refresh_never_takes_the_focus_away(house: "House", reader: "Read") -> None:
    page = await open_page(house, reader)
    link = page.get_by_role("link", name="owl", exact=True)
    await link.focus()
    await house.says("!pause")
    await expect(page.locator(".group h3")).to_have_text("Segment 1 · 3 marks")
    await expect(link).to_be_focused()
    await page.keyboard.press("Tab")
    await expect(page.locator(".badge")).to_have_text("Paused")


@pytest.mark.usefixtures("soon_back")
async def test_who_was_away_misses_nothing(house: "House", reader: "Read") -> None:
    page = await open_page(house, reader, tolerated=AWAY)
    await house.says("!clip before", "sable")
    await expect(row(page, 4)).to_be_visible()
    asked: list[Request] = []
    page.on("request", lambda request: asked.append(request))  # noqa: PLW0108 -- it wants a function of Python's
    here = house.chat.services.feed.position((await house.session()).id)
    await house.site.close()
    house.chat.passes(40)
    await house.says("!clip while away", "kestrel")
    await house.says("!renote what he said", "rook")
    await house.says("!unclip", "mika")
    await house.reopen(another_run=False)
    await expect(row(page, 5).locator(".note")).to_have_text("while away")
    await expect(row(page, 2).locator(".note")).to_have_text("what he said")
    await expect(row(page, 1)).to_have_count(0)
    streams = [request for request in asked if "/events" in request.url]
    assert (await streams[-1].all_headers())["last-event-id"] == here
    assert await is_same(page)


@pytest.mark.usefixtures("soon_back")
async def test_after_a_restart_the_page_is_read_afresh(house: "House", reader: "Read") -> None:
    page = await open_page(house, reader, tolerated=AWAY)
    await house.says("!clip before", "sable")
    await expect(row(page, 4)).to_be_visible()
    await house.site.close()
    house.chat.passes(40)
    await house.says("!clip while away", "kestrel")
    await house.says("!unclip", "mika")
    await house.says("!pause")
    await house.reopen(another_run=True)
    await expect(row(page, 5).locator(".note")).to_have_text("while away")
    await expect(row(page, 1)).to_have_count(0)
    await expect(page.locator(".tally [data-marks]")).to_have_text("4 marks")
    await expect(page.locator(".badge")).to_have_text("Paused")
    assert await is_same(page)


async def test_a_refused_stream_is_said_and_asked_for_again(house: "House", reader: "Read") -> None:
    visit = await reader(house, tolerated=("status of 503",))
    page = visit.page
    await page.clock.install()
    await page.route("**/events?*", lambda route: route.fulfill(status=503))
    await visit.open(await house.path())
    await expect(page.locator("#offline")).to_be_visible()
    await house.says("!clip unseen", "sable")
    await page.unroute("**/events?*")
    await page.clock.fast_forward(60_000)
    await expect(row(page, 4).locator(".note")).to_have_text("unseen")
    await expect(page.locator("#offline")).to_be_hidden()
