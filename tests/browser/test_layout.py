"""Every page fits every screen, can be hit with a finger and read by tired eyes (visual guide, "Accessibility")."""

import base64
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from playwright.async_api import Page

if TYPE_CHECKING:
    from tests.browser.conftest import House, Read

pytestmark = pytest.mark.asyncio(loop_scope="session")

PLACES = ("/", "0", "60", "10000", "/c/console/60", "/nowhere")
WIDTHS = (320, 390, 1280)
TOO_WIDE = """() => {
  const sideways = document.documentElement.scrollWidth - innerWidth;
  const beyond = [...document.querySelectorAll("main *")].filter((one) => {
    const box = one.getBoundingClientRect();
    return one.checkVisibility() && !one.closest("svg, .unseen") && (box.right > innerWidth + 1 || box.left < -1);
  });
  return [Math.max(0, sideways), ...beyond.map((one) => one.outerHTML.slice(0, 80))];
}"""
TOO_SMALL = """(all) => all.filter((one) => {
  const inText = getComputedStyle(one).display === "inline" && one.closest("p");
  const box = (one.closest(".card, .sessions > li") ?? one).getBoundingClientRect();
  return one.checkVisibility() && !inText && (box.width < 43.99 || box.height < 43.99);
}).map((one) => one.outerHTML.slice(0, 80))"""

WORDS = """() => {
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const parent = node.parentElement;
    if (!node.data.trim() || parent.closest(".unseen, .skip, option") || !parent.checkVisibility()) continue;
    const style = getComputedStyle(parent);
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const box of range.getClientRects()) {
      const x = box.left + box.width / 2;
      const covered = [box.top, box.bottom].some((y) => { // by the bar, or out of view
        const top = document.elementFromPoint(x, y);
        return !top || !(top.contains(parent) || parent.contains(top));
      });
      if (box.width < 2 || covered) continue;
      found.push({ text: node.data.trim().slice(0, 40), colour: parent.closest("svg") ? style.fill : style.color,
        box: [box.left, box.top, box.right, box.bottom] });
    }
  }
  return found;
}"""
BLANK = """() => { const blank = new CSSStyleSheet();
  blank.replaceSync("* { -webkit-text-fill-color: transparent !important } svg text { visibility: hidden }");
  document.adoptedStyleSheets = [blank]; }"""
WORST = """async ([picture, words]) => {
  const bytes = Uint8Array.from(atob(picture), (letter) => letter.charCodeAt(0));
  const image = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
  const canvas = new OffscreenCanvas(image.width, image.height).getContext("2d", { willReadFrequently: true });
  canvas.drawImage(image, 0, 0);
  const linear = (part) => (part /= 255) <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  const light = (red, green, blue) => 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
  return words.map(({ text, colour, box }) => {
    const own = light(...colour.match(/[0-9.]+/g).slice(0, 3).map(Number));
    const [left, top, right, bottom] = box.map((edge) => Math.max(0, Math.round(edge)));
    const [width, height] = [Math.min(right, image.width) - left, Math.min(bottom, image.height) - top];
    const { data } = canvas.getImageData(left, top, Math.max(1, width), Math.max(1, height));
    let worst = 21;
    for (let at = 0; at < data.length; at += 12) {
      const there = light(data[at], data[at + 1], data[at + 2]);
      worst = Math.min(worst, (Math.max(own, there) + 0.05) / (Math.min(own, there) + 0.05));
    }
    return [text, Math.round(worst * 100) / 100];
  });
}"""


async def where(street: "House", place: str) -> tuple[str, int]:
    return (place if place.startswith("/") else await street.path(place)), 404 if place == "/nowhere" else 200


async def unfold(page: Page) -> None:
    await page.locator("details").evaluate_all("(all) => all.forEach((one) => { one.open = true; })")


async def test_no_page_scrolls_sideways(street: "House", reader: "Read") -> None:
    visit = await reader(street)
    for place in PLACES:
        page = await visit.open(*await where(street, place))
        await unfold(page)
        for text, width in product(("100%", "200%"), WIDTHS):
            await page.evaluate("(size) => { document.documentElement.style.fontSize = size; }", text)
            await page.set_viewport_size({"width": width, "height": 800})
            assert await page.evaluate(TOO_WIDE) == [0], (place, width, text)


async def test_every_target_is_large_enough(street: "House", reader: "Read") -> None:
    visit = await reader(street)
    for place in PLACES:
        page = await visit.open(*await where(street, place))
        await unfold(page)
        for width in WIDTHS:
            await page.set_viewport_size({"width": width, "height": 800})
            small = await page.locator("a[href], button, input, select, summary").evaluate_all(TOO_SMALL)
            assert small == [], (place, width)


async def contrasts(page: Page, judge: Page) -> list[tuple[float, str]]:
    """Of every piece of text in view, its worst contrast with the pixels it stands on."""
    words: list[dict[str, Any]] = await page.evaluate(WORDS)
    assert len(words) > 3
    await page.evaluate(BLANK)
    picture = base64.b64encode(await page.screenshot(animations="disabled")).decode()
    await page.evaluate("() => { document.adoptedStyleSheets = []; }")
    return sorted((ratio, text) for text, ratio in await judge.evaluate(WORST, [picture, words]))


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("place", ["/", "60"])
async def test_text_stands_out_from_what_it_stands_on(street: "House", reader: "Read", place: str, scheme: str) -> None:
    visit = await reader(street, color_scheme=scheme)
    page = await visit.open(*await where(street, place))
    judge = await page.context.new_page()
    await unfold(page)
    for width, scrolled in ((1280, 0), (390, 0), (390, 700)):
        await page.set_viewport_size({"width": width, "height": 800})
        await page.evaluate("(far) => scrollTo(0, far)", scrolled)
        weak = [found for found in await contrasts(page, judge) if found[0] < 4.5]
        assert weak == [], (width, scrolled)


async def test_reduced_motion_moves_nothing(street: "House", reader: "Read") -> None:
    page = await (await reader(street, reduced_motion="reduce")).open(await street.path("60"))
    await page.locator(".mark").first.evaluate("(mark) => mark.classList.add('new')")
    await unfold(page)
    moving = """() => [...document.querySelectorAll("*")].map((one) => getComputedStyle(one)).filter((style) =>
      style.animationName !== "none" || style.transitionDuration !== "0s").length"""
    assert await page.evaluate(moving) == 0
