"""By keyboard and by ear: every control is reached, seen and named, and the page has one outline."""

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from playwright.async_api import expect

if TYPE_CHECKING:
    from tests.browser.conftest import House, Read

pytestmark = pytest.mark.asyncio(loop_scope="session")

PLACES = ("/", "session", "/c/console/60", "/nowhere")
CONTROLS = "a[href], button, input, select, summary"
VISIBLE = "(all) => all.map((one, index) => one.checkVisibility() ? index : -1).filter((index) => index >= 0)"
FOCUSED = """async () => {
  await new Promise(requestAnimationFrame); // scrolled by now
  const it = document.activeElement;
  const ring = it.closest(".card") ?? it;
  const box = it.getBoundingClientRect();
  const around = ring.getBoundingClientRect();
  const top = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
  const style = getComputedStyle(ring);
  return {
    index: [...document.querySelectorAll("a[href], button, input, select, summary")].indexOf(it),
    name: it.textContent.trim() || it.labels?.[0]?.textContent || "",
    ring: style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth),
    seen: box.width > 0 && around.top >= 2 && around.bottom <= innerHeight - 2 && it.contains(top),
  };
}"""


async def where(street: "House", place: str) -> tuple[str, int]:
    return (await street.path("60") if place == "session" else place), 404 if place == "/nowhere" else 200


@pytest.mark.parametrize("width", [390, 1280])
async def test_every_control_is_reached_in_order_and_seen(street: "House", reader: "Read", width: int) -> None:
    visit = await reader(street, width=width)
    for place in PLACES:
        page = await visit.open(*await where(street, place))
        await page.locator("details").evaluate_all("(all) => all.forEach((one) => { one.open = true; })")
        expected = await page.locator(CONTROLS).evaluate_all(VISIBLE)
        reached: list[dict[str, Any]] = []
        for _ in expected:
            await page.keyboard.press("Tab")
            reached.append(await page.evaluate(FOCUSED))
        assert [each["index"] for each in reached] == expected, place
        assert [each for each in reached if each["ring"] < 2 or not each["seen"] or not each["name"]] == [], place


async def test_the_skip_link_leads_past_the_bar(street: "House", reader: "Read") -> None:
    page = await (await reader(street)).open(await street.path("60"))
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("main")).to_be_focused()
    await page.keyboard.press("Tab")
    await expect(page.locator("main :focus")).to_have_text("60")


async def test_the_outline_has_one_h1_and_no_gaps(street: "House", reader: "Read") -> None:
    visit = await reader(street)
    for place in PLACES:
        page = await visit.open(*await where(street, place))
        levels = await page.locator("h1, h2, h3, h4, h5, h6").evaluate_all("(all) => all.map((one) => +one.tagName[1])")
        assert (levels[0], levels.count(1)) == (1, 1), place
        assert all(after <= before + 1 for before, after in pairwise(levels)), place
        assert await page.locator("html").get_attribute("lang") == "en"
        for landmark in ("banner", "main", "contentinfo"):
            await expect(page.get_by_role(landmark)).to_have_count(1)
        for name in ("Site", "About"):
            await expect(page.get_by_role("navigation", name=name)).to_have_count(1)
        assert await page.locator(".note:not(.none, [lang]), .card h3:not([lang])").count() == 0


async def test_the_tree_says_what_the_page_shows(house: "House", reader: "Read") -> None:
    page = await (await reader(house)).open(await house.path())
    await expect(page.get_by_role("region", name="Timeline")).to_match_aria_snapshot(
        '- region "Timeline":\n'
        '  - paragraph: "/Segment 1: open, 00:01:\\\\d+ long, 3 marks\\\\. Most people: 1 person|Segment 1: open/"'
    )
    marks = page.get_by_role("region", name="Marks as they arrive")
    await expect(marks).to_match_aria_snapshot(
        '- heading "Marks as they arrive" [level=2]\n'
        '- heading "Segment 1 · open · 3 marks" [level=3]\n'
        "- list:\n  - listitem:\n    - text: 00:01:30\n    - paragraph: what juno saw\n    - paragraph:\n"
        '      - text: "#3 · juno ·"\n      - time: just now\n'
        "  - listitem\n  - listitem\n"
    )
    downloads = page.get_by_role("region", name="Downloads")
    await expect(downloads).to_match_aria_snapshot(
        '- heading "Downloads" [level=2]\n'
        '- list:\n  - listitem:\n    - link "CSV Plain UTF-8, for scripts."\n  - listitem\n  - listitem\n'
        '  - listitem\n  - listitem:\n    - link "DaVinci Resolve markers Timeline markers, as an EDL."\n'
    )
    await page.locator("summary").press("Enter")
    for role, name in (("combobox", "Frame rate"), ("textbox", "Lead, seconds"), ("spinbutton", "People, at least")):
        await expect(page.get_by_role(role, name=name)).to_be_visible()  # type: ignore[arg-type]
    await expect(page.get_by_role("textbox", name="Lead")).to_have_accessible_description(
        "Marks move back by the lead, then by the shift (positive is later). "
        "Left empty, the lead is 20 s in editor files and 0 in the others."
    )
    await expect(page.get_by_role("status")).to_have_attribute("aria-live", "polite")


async def test_show_more_by_keyboard_goes_on_where_it_was(street: "House", reader: "Read") -> None:
    page = await (await reader(street)).open(await street.path("60"))
    await page.get_by_role("link", name="Show more").press("Enter")
    await expect(page.locator(".mark")).to_have_count(60)
    await expect(page.locator(".mark").nth(50)).to_be_focused()
    await expect(page.get_by_role("link", name="Show more")).to_be_hidden()
