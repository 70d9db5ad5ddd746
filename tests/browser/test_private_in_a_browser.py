"""A private channel in a real browser, under the real policy: the link's page, the moderators' page, the settings."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.browser.conftest import PATIENCE_MS, WATCH
from tests.browser.test_layout import TOO_SMALL, TOO_WIDE
from tests.private_town import PrivateTown, open_private_town
from tests.twitch_site import Somebody

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def there(tmp_path: Path) -> AsyncIterator[PrivateTown]:
    async with open_private_town(tmp_path) as there:
        yield there


async def come(browser: Browser, there: PrivateTown, who: Somebody, said: list[str], *, scripts: bool = True) -> Page:
    """The browser of somebody who is logged in; what the policy or the console has to say goes to `said`."""
    public = there.town.services.public_url
    context = await browser.new_context(java_script_enabled=scripts, base_url=public)
    context.set_default_timeout(PATIENCE_MS)
    await context.add_init_script(WATCH)
    await context.add_cookies([{"name": name, "value": value, "url": public} for name, value in who.cookies.items()])
    page = await context.new_page()
    page.on("console", lambda message: said.append(message.text) if message.type in {"error", "warning"} else None)
    return page


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
async def test_a_link_is_made_handed_on_and_opened(browser: Browser, there: PrivateTown, scripts: bool) -> None:
    said: list[str] = []
    page = await come(browser, there, there.streamer, said, scripts=scripts)
    await page.goto(await there.path())
    await page.get_by_role("link", name="Moderate").click()
    await page.get_by_label("Works for").select_option("a week")
    await page.get_by_role("button", name="Make a link").click()
    link = await page.get_by_label("The link").input_value()
    assert await page.get_by_role("button", name="Copy the link").is_visible() == scripts
    if scripts:
        await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        await page.get_by_role("button", name="Copy the link").click()
        await page.get_by_role("button", name="Copied").wait_for()
        assert await page.evaluate("navigator.clipboard.readText()") == link
    guest = await come(browser, there, there.anybody(), said, scripts=scripts)
    await guest.goto(link)
    assert "Secret" not in await guest.content()
    await guest.get_by_role("button", name="Open").click()
    await guest.wait_for_url(f"**{await there.path()}")
    assert await guest.get_by_role("heading", name="Secret rehearsal").is_visible()
    assert await guest.get_by_text("what ann saw").first.is_visible()
    if scripts:
        await there.says("!clip while the guest is watching", there.town.twitch.user("dora", "Dora"))
        await guest.get_by_text("while the guest is watching").first.wait_for()
    await asyncio.shield(asyncio.gather(page.context.close(), guest.context.close()))
    assert said == []


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
async def test_a_moderator_looks_after_a_session(browser: Browser, there: PrivateTown, scripts: bool) -> None:
    said: list[str] = []
    page = await come(browser, there, there.mod, said, scripts=scripts)
    await page.goto(await there.desk())
    await page.get_by_role("button", name="Hide mark 2").click()
    assert await page.get_by_text("Hidden: nobody but moderators sees that mark.").is_visible()
    await page.get_by_role("button", name="Restore mark 2").click()
    await page.get_by_role("button", name="Block Cleo").click()
    await page.get_by_role("button", name="Unblock Cleo").click()
    await page.get_by_label("Seconds later").fill("-3")
    await page.get_by_role("button", name="Correct the links").click()
    await page.get_by_role("button", name="Pause").click()
    await page.get_by_role("button", name="End", exact=True).click()
    await page.get_by_label("Title").fill("Round two")
    await page.get_by_role("button", name="Start the next session").click()
    assert await page.get_by_role("heading", name="Round two").is_visible()
    await asyncio.shield(page.context.close())
    assert said == []


async def test_what_cannot_be_is_said_beside_its_field_and_nothing_typed_is_lost(
    browser: Browser, there: PrivateTown
) -> None:
    said: list[str] = []
    page, desk = await come(browser, there, there.streamer, said), await there.desk()
    for path, label, button, words in (
        (desk, "Seconds later", "Correct the links", ("abc", "-99999", "7")),
        ("/me", "Lead", "Keep these settings", ("-1", "3601")),
    ):
        await page.goto(path)
        for word in words:
            await page.get_by_label(label).fill(word)
            await page.get_by_role("button", name=button).click()
            assert await page.locator("input:invalid").input_value() == word
            assert page.url.endswith(path)
    await page.goto(desk)
    for seconds in ("+5", "−5", "0"):
        await page.get_by_label("Seconds later").fill(seconds)
        await page.get_by_role("button", name="Correct the links").click()
        await page.wait_for_url("**said=shifted")
        await page.goto(desk)
    await asyncio.shield(page.context.close())
    assert said == []


async def test_a_streamer_makes_their_channel_public_again(browser: Browser, there: PrivateTown) -> None:
    said: list[str] = []
    page = await come(browser, there, there.streamer, said)
    await page.goto("/me")
    await page.get_by_label("Who sees your pages").select_option("Everybody")
    await page.get_by_role("button", name="Keep these settings").click()
    assert await page.get_by_text("Your settings are kept.").is_visible()
    assert (await there.anybody().get(await there.path())).status == 200
    await asyncio.shield(page.context.close())
    assert said == []


@pytest.mark.parametrize(("width", "columns"), [(320, 1), (390, 1), (900, 3), (1280, 2)])
async def test_settings_stand_side_by_side_where_there_is_room(
    browser: Browser, there: PrivateTown, width: int, columns: int
) -> None:
    said: list[str] = []
    page = await come(browser, there, there.streamer, said)
    await page.set_viewport_size({"width": width, "height": 800})
    await page.goto("/me")
    lefts = "(fields) => new Set(fields.map((field) => field.getBoundingClientRect().left)).size"
    assert await page.locator(".settings label").evaluate_all(lefts) == columns
    await asyncio.shield(page.context.close())
    assert said == []


@pytest.mark.parametrize("colours", ["dark", "light"])
@pytest.mark.parametrize("width", [320, 1280])
async def test_the_pages_fit_and_can_be_pressed(browser: Browser, there: PrivateTown, colours: str, width: int) -> None:
    said: list[str] = []
    await there.mod.press(f"{await there.desk()}/marks/2/hide", on="/logout")
    await there.mod.press(f"{await there.desk()}/marks/3/block", on="/logout")
    page = await come(browser, there, there.streamer, said)
    await page.emulate_media(color_scheme=colours)  # type: ignore[arg-type]
    await page.set_viewport_size({"width": width, "height": 800})
    for path in (await there.desk(), await there.link(), "/me", "/privacy", "/terms", await there.path()):
        await page.goto(path)
        assert await page.evaluate(TOO_WIDE) == [0], path
        small = await page.locator("a[href], button, input:not([type=hidden]), select").evaluate_all(TOO_SMALL)
        assert small == [], path
    await asyncio.shield(page.context.close())
    assert said == []
