"""What a page may cost: requests, bytes, time and movement (visual guide, "Budget")."""

from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from web_export.render import STATIC

if TYPE_CHECKING:
    from tests.browser.conftest import House, Read, Visit

pytestmark = pytest.mark.asyncio(loop_scope="session")

MOST_REQUESTS, MOST_BYTES, MOST_SCRIPT_BYTES, MOST_SHIFT = 5, 60_000, 15_000, 0.02
SLOWEST_MS = 1500
"""Over a socket of this machine, on a core that others use too."""
COST = """() => {
  const page = performance.getEntriesByType("navigation")[0];
  const parts = performance.getEntriesByType("resource").map((one) => one.encodedBodySize);
  return { bytes: parts.reduce((sum, some) => sum + some, page.encodedBodySize), page: page.encodedBodySize,
    ready: page.domContentLoadedEventEnd };
}"""
SHIFT = """() => new Promise((tell) => {
  let sum = 0;
  new PerformanceObserver((list) => { for (const one of list.getEntries()) sum += one.value; })
    .observe({ type: "layout-shift", buffered: true });
  requestAnimationFrame(() => requestAnimationFrame(() => tell(sum)));
})"""


async def cost(visit: "Visit") -> dict[str, float]:
    await visit.page.wait_for_load_state()
    found: dict[str, float] = await visit.page.evaluate(COST)
    return found


@pytest.mark.parametrize("place", ["/", "0", "60", "10000", "/c/console/60"])
async def test_a_page_stays_within_its_budget(street: "House", reader: "Read", place: str) -> None:
    visit = await reader(street, width=390, height=844)
    await visit.open(place if place.startswith("/") else await street.path(place))
    spent = await cost(visit)
    assert len(visit.requests) <= MOST_REQUESTS
    assert spent["bytes"] <= MOST_BYTES
    assert spent["ready"] <= SLOWEST_MS
    assert await visit.page.evaluate(SHIFT) <= MOST_SHIFT


async def test_the_script_is_small() -> None:
    assert sum(len(file.body) for name, file in STATIC.items() if name.endswith(".js")) <= MOST_SCRIPT_BYTES


async def test_ten_thousand_marks_cost_hardly_more_than_sixty(street: "House", reader: "Read") -> None:
    visit = await reader(street)
    page = await visit.open(await street.path("60"))
    few = await cost(visit)
    await visit.open(await street.path("10000"))
    many = await cost(visit)
    assert many["page"] <= 1.5 * few["page"]
    await expect(page.locator(".mark")).to_have_count(50)
    await expect(page.locator("[data-shown]")).to_have_text("Showing 50 of 10,000")
    for shown in (100, 150, 200):
        await page.get_by_role("link", name="Show more").click()
        await expect(page.locator(".mark")).to_have_count(shown)
    await page.get_by_role("link", name="Show more").click()  # past that the list starts anew: pages stay light
    await expect(page.get_by_role("link", name="Back to the newest")).to_be_visible()
    await expect(page.locator(".mark")).to_have_count(50)
