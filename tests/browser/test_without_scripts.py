"""Without JavaScript a page is whole, only still: everything can be read, paged through and downloaded."""

from typing import TYPE_CHECKING

import pytest
from playwright.async_api import Locator, Page, expect

from web_export.downloads import export
from web_export.formats import FORMATS, by_slug
from web_export.formats.options import parse_options

if TYPE_CHECKING:
    from tests.browser.conftest import House, Read, Visit

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def still(house: "House", reader: "Read") -> "Visit":
    return await reader(house, java_script_enabled=False)


async def downloaded(page: Page, by: Locator) -> bytes:
    async with page.expect_download() as caught:
        await by.click()
    return (await (await caught.value).path()).read_bytes()


async def file(house: "House", channel: str, slug: str, **asked: str) -> bytes:
    """What the store has, written by the format itself."""
    store, defaults = house.chat.store, house.chat.services.defaults
    pieces = export(store, await house.session(channel), by_slug(slug), parse_options(asked), defaults)
    return b"".join([piece async for piece in pieces])


async def test_every_mark_can_be_read(street: "House", reader: "Read") -> None:
    page = await (await still(street, reader)).open(await street.path("60"))
    seen: list[str] = []
    while True:
        seen += await page.locator(".mark .note").all_text_contents()
        more = page.get_by_role("link", name="Show more")
        if not await more.is_visible():
            break
        await more.click()
        await expect(page.get_by_role("link", name="Back to the newest")).to_be_visible()
    marks = await street.chat.store.marks(await street.session("60"), newest_first=True)
    assert seen == [mark.note or "No note" for mark in marks]
    await page.get_by_role("link", name="Back to the newest").click()
    await expect(page.locator(".mark")).to_have_count(50)


async def test_every_download_is_one_click_away(street: "House", reader: "Read") -> None:
    page = await (await still(street, reader)).open(await street.path("60"))
    for form in FORMATS:
        link = page.locator(f'.files a[href$="export.{form.slug}"]')
        assert await downloaded(page, link) == await file(street, "60", form.slug)


async def test_the_editors_form_asks_for_what_was_typed(street: "House", reader: "Read") -> None:
    page = await (await still(street, reader)).open(await street.path("60"))
    await page.locator("summary").click()
    form = page.locator("details form")
    # Untouched, the form changes nothing: stored offsets stay stored offsets (design.md §8 "Lead").
    for each in FORMATS:
        button = form.get_by_role("button", name=each.label, exact=True)
        assert await downloaded(page, button) == await file(street, "60", each.slug)
    await form.get_by_label("Frame rate").select_option("59.94")
    await form.get_by_label("Timeline start").fill("00:00:10:00")
    await form.get_by_label("Shift, seconds").fill("-1.5")
    await form.get_by_label("Lead, seconds").fill("5")
    await form.get_by_label("People, at least").fill("2")
    button = form.get_by_role("button", name="DaVinci Resolve markers")
    asked = {"fps": "59.94", "start_tc": "00:00:10:00", "shift": "-1.5", "lead": "5", "min_people": "2"}
    assert await downloaded(page, button) == await file(street, "60", "edl", **asked)
    await form.get_by_label("Timeline start").fill("00:00:10;00")
    await button.click()
    assert await form.get_by_label("Timeline start").evaluate("(field) => field.validity.patternMismatch")


async def test_the_further_parts_of_a_long_session_are_linked(street: "House", reader: "Read") -> None:
    page = await (await still(street, reader)).open(await street.path("10000"))
    parts = page.locator("#parts a")
    assert await parts.count() > 5
    for link in (parts.first, parts.last):
        number = (await link.text_content() or "").removeprefix("Part ")
        assert await downloaded(page, link) == await file(street, "10000", "edl", part=number)
    await (await still(street, reader)).open(await street.path("10000") + f"/export.edl?part={int(number) + 1}", 400)
    await page.goto(page.url.replace(await street.path("10000"), await street.path("60")))
    await expect(page.locator("#parts")).to_be_hidden()


async def test_the_way_from_the_front_page_to_a_session_and_back(street: "House", reader: "Read") -> None:
    page = await (await still(street, reader)).open("/")
    await page.locator(".card").filter(has_text="10,000 marks").get_by_role("link").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("The long way down")
    await page.get_by_role("link", name="10000", exact=True).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("10000")
    await page.get_by_role("link", name="The long way down").click()
    await page.get_by_role("link", name="Moments", exact=True).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Capture the feeling.")
