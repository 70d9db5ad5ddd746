"""Issue 3's first promise, whole: an empty folder, a browser, and at its end a viewer's mark on the page."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Page, expect

from tests.browser.conftest import PATIENCE_MS, WATCH
from tests.fake_twitch.server import FakeUser
from tests.twitch_process import Stage, open_stage

pytestmark = pytest.mark.asyncio(loop_scope="session")

SEEN_BY_ITSELF_MS = 5_000


@pytest_asyncio.fixture(loop_scope="session")
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with open_stage(tmp_path) as stage, stage.running():
        yield stage


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser, stage: Stage) -> AsyncIterator[Page]:
    """A reader's page; it fails when our site broke its policy, lacked something or threw."""
    context = await browser.new_context()
    context.set_default_timeout(PATIENCE_MS)
    await context.add_init_script(WATCH)
    page, troubles = await context.new_page(), list[str]()

    def heard(said: ConsoleMessage) -> None:
        if said.type == "error" and not said.location["url"].startswith(stage.twitch.api_url):
            troubles.append(said.text)

    page.on("console", heard)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    yield page
    await context.close()
    assert troubles == []


async def agree(page: Page, stage: Stage, user: FakeUser) -> None:
    """Press the button of Twitch's page."""
    await page.wait_for_url(f"{stage.twitch.auth_url}/oauth2/authorize?*")
    await page.get_by_role("button", name=f"Authorize as {user.login}", exact=True).click()


async def authorise_both(page: Page, stage: Stage, streamer: FakeUser) -> None:
    """By the link the terminal shows, and by the page a streamer is sent to."""
    await stage.until_it_says("waiting for authorisation")
    assert stage.rows("credential") == []
    link = await stage.bot_link()
    await page.goto(link)
    await expect(page.locator("main")).to_contain_text("user:write:chat")
    await page.get_by_role("button", name="Connect the bot’s account").click()
    await agree(page, stage, stage.bot)
    await page.wait_for_url(f"{stage.site}/twitch/connect?said=bot")
    assert (await stage.somebody().ask("GET", link.removeprefix(stage.site))).status == 403, "the link works once"
    await expect(page.locator("main")).to_contain_text("The bot reads your chat to hear !clip, and answers there.")
    await expect(page.locator("main")).to_contain_text("channel:bot")
    await page.get_by_role("button", name="Connect Twitch").click()
    await agree(page, stage, streamer)
    await page.wait_for_url(f"{stage.site}/c/twitch/{streamer.login}?connected=1")
    await expect(page.get_by_text("The bot is in this chat.")).to_be_visible()
    await stage.subscribed()


async def test_from_no_token_at_all_to_a_mark_on_the_page_and_into_the_vod(page: Page, stage: Stage) -> None:
    twitch = stage.twitch
    rosa, sable, ann = (twitch.user(login, login.title()) for login in ("rosa", "sable", "ann"))
    await authorise_both(page, stage, rosa)

    stream = await twitch.online(rosa, title="Hollow Deep, any%", category="Speedrunning")
    await stage.until(lambda: stage.rows("api_stream"), "the stream has its title")
    await page.goto(f"{stage.site}/s/latest")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Hollow Deep, any%")
    await expect(page.locator(".heading")).to_contain_text("Speedrunning")
    await expect(page.locator(".badge")).to_have_text("Live")
    await page.evaluate("window.sameDocument = true")

    message = await twitch.say(rosa, ann, "!clip what a dodge")
    assert (await stage.answer(message)).text.startswith("Marked #1 at 00:00:")  # in thread with that very message
    first = page.locator('.mark[data-number="1"]')
    await expect(first.locator(".note")).to_have_text("what a dodge", timeout=SEEN_BY_ITSELF_MS)
    await expect(first).to_contain_text("Ann")
    spoilt = await twitch.say(rosa, sable, "!clip it is under the bridge")
    await stage.answer(spoilt)
    await expect(page.locator('.mark[data-number="2"] .note')).to_have_text("it is under the bridge")
    await twitch.delete_message(rosa, spoilt)
    await expect(page.locator('.mark[data-number="2"]')).to_have_count(0, timeout=SEEN_BY_ITSELF_MS)
    await expect(page.locator("main")).not_to_contain_text("bridge")

    await twitch.offline(rosa)
    await expect(page.locator(".badge")).to_have_text("Paused", timeout=SEEN_BY_ITSELF_MS)
    stage.hours.passes(minutes=6)  # the stream does not come back
    await expect(page.locator(".badge")).to_have_text("Ended", timeout=SEEN_BY_ITSELF_MS)
    assert await page.evaluate("window.sameDocument") is True, "the page was loaded anew"
    video = twitch.archive(rosa, stream.id, stream.started_at, 600)
    stage.hours.passes(minutes=2)  # a page asks Twitch for archives once a minute
    await page.reload()
    link = page.locator(f'.mark[data-number="1"] a[href^="https://www.twitch.tv/videos/{video}?t="]')
    await expect(link).to_be_visible()
    assert (await stage.stop())[0] == 0
