"""The whole way to Twitch and back in a real browser, under the real policy, with scripts and without."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from commands import connecting
from commands.connecting import channels
from tests.browser.conftest import PATIENCE_MS, WATCH
from tests.twitch_site import Town, open_town, rows

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    async with open_town(tmp_path) as town:
        yield town


class Walk:
    """One reader's page, and whatever the policy refused on it."""

    def __init__(self, page: Page, town: Town) -> None:
        self.page, self.town = page, town
        self.violations: list[str] = []
        page.on("console", lambda said: self.violations.append(said.text) if "violated" in said.text else None)
        page.on("console", lambda said: self.violations.append(said.text) if "Security Policy" in said.text else None)

    async def open(self, path: str) -> None:
        await self.page.goto(self.town.services.public_url + path)

    async def agree(self, login: str) -> None:
        """Press the button of Twitch's page."""
        await self.page.wait_for_url(f"{self.town.twitch.auth_url}/oauth2/authorize?*")
        await self.page.get_by_role("button", name=f"Authorize as {login}", exact=True).click()

    async def lands(self, path: str) -> None:
        await self.page.wait_for_url(self.town.services.public_url + path)


@pytest_asyncio.fixture(loop_scope="session", params=[True, False], ids=["scripts", "no scripts"])
async def walk(browser: Browser, town: Town, request: pytest.FixtureRequest) -> AsyncIterator[Walk]:
    context = await browser.new_context(java_script_enabled=request.param)
    context.set_default_timeout(PATIENCE_MS)
    await context.add_init_script(WATCH)
    walk = Walk(await context.new_page(), town)
    yield walk
    await context.close()
    assert walk.violations == []


async def test_AUTH_9_somebody_logs_in_looks_round_and_logs_out(walk: Walk, town: Town) -> None:
    town.twitch.user("ann", "Ann")
    await walk.open("/")
    await walk.page.get_by_role("link", name="Your page").click()
    await walk.page.get_by_role("link", name="Log in with Twitch").click()
    await walk.agree("ann")
    await walk.lands("/me")
    assert await walk.page.get_by_role("heading", name="Your moments").is_visible()
    cookies = await walk.page.context.cookies(town.services.public_url)
    (cookie,) = [each for each in cookies if each["name"] == "moments"]
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Lax", "/")
    await walk.page.get_by_role("button", name="Log out").click()
    await walk.lands("/me?said=out")
    assert await walk.page.get_by_text("You are logged out.").is_visible()
    assert rows(town.path, "web_session") == []


async def test_AUTH_9_from_no_token_at_all_to_a_connected_channel(walk: Walk, town: Town) -> None:
    town.twitch.user("streamer", "Streamer")
    code = await connecting.bot_code(town.services)
    await walk.open(f"/twitch/connect?code={code}")
    await walk.page.get_by_role("button", name="Connect the bot’s account").click()
    await walk.agree("moments_bot")
    await walk.lands("/twitch/connect?said=bot")
    await walk.page.get_by_label("Real clips").check()
    await walk.page.get_by_role("button", name="Connect Twitch").click()
    await walk.agree("streamer")
    await walk.lands("/c/twitch/streamer?connected=1")
    assert await walk.page.get_by_text("The bot is in this chat.").is_visible()
    (connected,) = await channels(town.services)
    assert connected.scopes == {"channel:bot", "channel:manage:clips"}
    await walk.page.get_by_role("link", name="Your page").click()
    await walk.page.get_by_role("button", name="Disconnect", exact=True).click()
    await walk.lands("/me?said=disconnected")
    assert await channels(town.services) == []


async def test_everything_is_deleted_only_after_a_second_page(walk: Walk, town: Town) -> None:
    town.twitch.user("ann", "Ann")
    await walk.open("/login/twitch")
    await walk.agree("ann")
    await walk.page.get_by_role("link", name="Delete…").click()
    await walk.page.get_by_role("link", name="Keep it all").click()
    await walk.lands("/me")
    await walk.page.get_by_role("link", name="Delete…").click()
    await walk.page.get_by_role("button", name="Delete everything").click()
    await walk.lands("/me?said=forgotten")


async def test_the_back_button_leads_out_of_the_way_to_twitch(walk: Walk, town: Town) -> None:
    await walk.open("/twitch/connect")
    await walk.page.get_by_role("button", name="Connect Twitch").click()
    await walk.page.wait_for_url(f"{town.twitch.auth_url}/oauth2/authorize?*")
    await walk.page.go_back()
    await walk.lands("/twitch/connect")


async def test_AUTH_6_another_sites_form_presses_no_button_of_ours(walk: Walk, town: Town) -> None:
    """Its form brings no cookie of ours, and what we answer takes none away."""
    town.twitch.user("ann")
    await walk.open("/login/twitch")
    await walk.agree("ann")
    await walk.lands("/me")
    evil = f'<form method="post" action="{town.services.public_url}/logout"><button>Win!</button></form>'
    await walk.page.route("http://evil.example/", lambda route: route.fulfill(body=evil, content_type="text/html"))
    await walk.page.goto("http://evil.example/")
    async with walk.page.expect_response("**/logout"):
        await walk.page.get_by_role("button", name="Win!").click()
    assert len(rows(town.path, "web_session")) == 1
    await walk.open("/me")
    assert await walk.page.get_by_role("heading", name="Your moments").is_visible()


@pytest.mark.parametrize("colours", ["dark", "light"])
@pytest.mark.parametrize("width", [320, 1280])
async def test_personal_pages_fit_and_can_be_pressed(browser: Browser, town: Town, colours: str, width: int) -> None:
    streamer = town.somebody()
    await streamer.connect(town.twitch.user("streamer", "W" * 25))
    context = await browser.new_context(
        viewport={"width": width, "height": 800},
        color_scheme=colours,  # type: ignore[arg-type]
        base_url=town.services.public_url,
    )
    name, value = next((name, value) for name, value in streamer.cookies.items() if name == "moments")
    await context.add_cookies([{"name": name, "value": value, "url": town.services.public_url}])
    page = await context.new_page()
    code = await connecting.bot_code(town.services)
    for path in (
        "/me",
        "/me/delete",
        "/logout",
        "/twitch/connect",
        f"/twitch/connect?code={code}",
        "/c/twitch/streamer",
    ):
        await page.goto(path)
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        small = await page.evaluate(
            "[...document.querySelectorAll('main button, main .button, nav a, main label')]"
            ".map((each) => [each.innerText, each.getBoundingClientRect().height])"
            ".filter(([, height]) => height && height < 44)"
        )
        assert small == [], path
    await asyncio.shield(context.close())
