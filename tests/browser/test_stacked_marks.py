"""Marks piled up over letters stay in their own row, and no script that stacks its vowels is cut for it."""

import asyncio
import base64
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import Browser, FloatRect, Locator, Page

from tests.browser.test_private_in_a_browser import come
from tests.private_town import open_private_town

if TYPE_CHECKING:
    from tests.browser.conftest import House, Read

pytestmark = pytest.mark.asyncio(loop_scope="session")

ABOVE, BELOW = "\u0300\u0301\u0302\u0303\u030a\u030b\u030c\u0311", "\u0316\u0317\u0323\u0324\u0325\u0330\u0331\u0332"
JUNK = (f"Z{ABOVE}A{BELOW}Z{BELOW}A{ABOVE}") * 30
STACKED = (
    "ที่นี่ ปู่ญี่ปุ่น กุ้ง ฐู น้ำใจ ผู้ใหญ่",
    "Ở Việt Nam: Ệ Ỗ Ậ Ặ ự ợ ữ Ǻ",
    "بِسْمِ ٱللَّٰهِ ٱلرَّحْمَٰنِ شُكْرًا جَزِيلًا",
    "བསྒྲུབས་ བརྒྱད་ ཧཱུྃ ཨོཾ་མ་ཎི་པདྨེ་",
    "द्ध्र्यू क्ष्म्य हूँ ट्ठ्री हिन्दी",
    "កម្ពុជា ស្ត្រី ខ្ញុំ",
    "မြန်မာ က္ကျွှေ",
)
WAITS = (
    "document.fonts.ready.then(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))))"
)
STYLE = """(rule) => { const sheet = new CSSStyleSheet(); sheet.replaceSync(rule);
  document.adoptedStyleSheets = [sheet]; }"""


DIFFERENT = """async (pictures) => {
  const pixels = await Promise.all(pictures.map(async (picture) => {
    const image = await createImageBitmap(await (await fetch(`data:image/png;base64,${picture}`)).blob());
    const canvas = new OffscreenCanvas(image.width, image.height).getContext("2d");
    canvas.drawImage(image, 0, 0);
    return canvas.getImageData(0, 0, image.width, image.height).data;
  }));
  return pixels[0].filter((part, at) => Math.abs(part - pixels[1][at]) > 32).length;
}"""
"""How much of one picture is plainly not in the other: the glow behind is never painted twice quite alike."""


async def differ(page: Page, clip: FloatRect, rule: str) -> bool:
    """Whether that part of the page looks otherwise with one more rule."""
    pictures = [base64.b64encode(await picture(page, clip, each)).decode() for each in ("", rule)]
    judge = await page.context.new_page()
    parts = await judge.evaluate(DIFFERENT, pictures)
    await judge.close()
    return bool(parts)


async def picture(page: Page, clip: FloatRect, rule: str) -> bytes:
    """That part of the page, with one more rule."""
    await page.evaluate(STYLE, rule)
    await page.evaluate(WAITS)
    return await page.screenshot(clip=clip, full_page=True, animations="disabled")


async def box(page: Page, row: Locator) -> FloatRect:
    found = await row.bounding_box()
    assert found is not None
    return {**found, "y": found["y"] + await page.evaluate("scrollY")}


async def rows_hurt(page: Page, rows: str, words: str) -> list[int]:
    """Of such rows that hold none of the junk, those that look otherwise once the junk is not painted."""
    every = page.locator(rows)
    own = await every.evaluate_all("(all, words) => all.map((one) => one.textContent.includes(words))", words[:20])
    assert {True, False} == set(own), own
    assert any(own[1:-1]), "no junk between two rows"
    await page.evaluate(
        """([rows, words]) => document.querySelectorAll(rows).forEach((row) => {
          if (row.textContent.includes(words)) row.dataset.junk = "yes"; })""",
        [rows, words[:20]],
    )
    hurt = []
    for number in (number for number, is_junk in enumerate(own) if not is_junk):
        clip = await box(page, every.nth(number))
        if await differ(page, clip, "[data-junk] * { -webkit-text-fill-color: transparent }"):
            hurt.append(number)
    return hurt


async def test_piled_up_marks_leave_the_rows_around_alone(house: "House", reader: "Read") -> None:
    for note, people in (("three of them", 3), (JUNK, 2), ("these two", 2), ("at the end", 1), (JUNK, 1)):
        house.chat.passes(30)
        for number in range(people):
            await house.says(f"!clip {note}", f"{note[:4]}{number}")
    house.chat.passes(30)
    await house.says("!clip and on top", "kim")
    page = await (await reader(house, width=390, height=844)).open(await house.path())
    assert await rows_hurt(page, ".moment", JUNK) == []
    assert await rows_hurt(page, ".mark", JUNK) == []


async def test_piled_up_marks_in_a_name_leave_the_rows_around_alone(browser: Browser, tmp_path: Path) -> None:
    """In the list of who is blocked, and in that of what was done."""
    said: list[str] = []
    async with open_private_town(tmp_path) as there:
        for number, name in enumerate(("Abe", JUNK, "Zed")):
            there.town.passes(seconds=30)
            await there.says("!clip this", there.town.twitch.user(f"viewer{number}", name))
            await there.streamer.press(f"{await there.desk()}/marks/{number + 4}/block", on="/logout")
        page = await come(browser, there, there.streamer, said)
        await page.set_viewport_size({"width": 390, "height": 844})
        await page.goto(await there.desk())
        for rows in ("section:has(#blocked-h) .deed", ".owned"):
            assert await rows_hurt(page, rows, JUNK) == [], rows
        await asyncio.shield(page.context.close())
    assert said == []


async def test_piled_up_marks_leave_the_rows_of_ones_own_pages_alone(browser: Browser, tmp_path: Path) -> None:
    said: list[str] = []
    async with open_private_town(tmp_path) as there:
        ann, viewer = there.town.twitch.user("ann", "Ann"), there.anybody()
        await viewer.log_in(ann)
        for note in (JUNK, "on top"):
            there.town.passes(seconds=30)
            await there.says(f"!clip {note}", ann)
        for who, path, rows in ((there.mod, await there.desk(), ".deed:has(.note)"), (viewer, "/me", ".owned")):
            page = await come(browser, there, who, said)
            await page.set_viewport_size({"width": 390, "height": 844})
            await page.goto(path)
            assert await rows_hurt(page, rows, JUNK) == [], path
            await asyncio.shield(page.context.close())
    assert said == []


@pytest.mark.parametrize("width", [390, 1280])
async def test_scripts_that_stack_their_vowels_are_shown_whole(house: "House", reader: "Read", width: int) -> None:
    await house.says("!end")
    await house.says(f"!start {STACKED[0]} | {STACKED[0]}")
    for words in STACKED:
        house.chat.passes(30)
        for number in range(2):
            await house.says(f"!clip {words}", f"{words[:20]} {number}")
    await house.says("!end")  # no clock runs
    page = await (await reader(house, width=width, height=844)).open(await house.path())
    for row in await page.locator(".moment, .mark, .heading").all():
        clip = await box(page, row)
        cut = await differ(page, clip, ".note, bdi, h1 { overflow: visible !important }")
        assert not cut, await row.text_content()
