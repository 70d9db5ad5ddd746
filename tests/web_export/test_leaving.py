"""A browser that leaves half-way: what it has begun to change is finished all the same."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from structlog.testing import capture_logs

from commands import connecting
from storage.connections import State
from tests.twitch_site import Town, open_town, rows
from tests.web_export.conftest import StartSite
from web_export.app import Site
from web_export.hardening import Connection


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    async with open_town(tmp_path) as town:
        yield town


@pytest.fixture
def gone(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Set when the site has noticed that a browser left."""
    gone, lost = asyncio.Event(), Connection.connection_lost

    def noticed(connection: Connection, error: BaseException | None) -> None:
        lost(connection, error)
        gone.set()

    monkeypatch.setattr(Connection, "connection_lost", noticed)
    return gone


Leaves = Callable[[Awaitable[object], int], Awaitable[None]]


@pytest.fixture
def leaves(town: Town, gone: asyncio.Event, monkeypatch: pytest.MonkeyPatch) -> Leaves:
    """Begin something in a browser, and leave when the n-th thing it had kept is on disk."""

    async def leave(visit: Awaitable[object], after: int) -> None:
        store, kept, go_on, count = town.services.store, asyncio.Event(), asyncio.Event(), 0
        run = store.run

        async def watched(*args: Any, **more: Any) -> Any:  # noqa: ANN401 -- whatever the job returns
            nonlocal count
            done = await run(*args, **more)
            count += 1
            if count == after:
                kept.set()
                await go_on.wait()
            return done

        monkeypatch.setattr(store, "run", watched)
        browser = asyncio.ensure_future(visit)
        async with asyncio.timeout(10):
            await kept.wait()
            gone.clear()
            browser.cancel()
            await gone.wait()
        go_on.set()

    return leave


async def state(town: Town, user_id: str) -> State | None:
    found = {each.place.platform_id: each.state for each in await connecting.channels(town.services)}
    return found.get(user_id)


@pytest.mark.parametrize(("button", "page"), [("/me/disconnect", "/me"), ("/me/delete", "/me/delete")])
async def test_a_channel_is_let_go_wholly_and_its_token_given_back(
    town: Town, leaves: Leaves, button: str, page: str
) -> None:
    user, streamer = town.twitch.user("streamer"), town.somebody()
    await streamer.connect(user)
    town.services.changed.clear()
    await leaves(streamer.press(button, on=page), 1)
    await town.twitch.until(lambda: not town.twitch.tokens.granted(user.id))
    assert await state(town, user.id) is None
    assert town.services.changed.is_set()
    assert (rows(town.path, "credential"), rows(town.path, "web_session")) == ([], [])


async def test_a_channel_is_connected_once_its_streamer_came_back_from_twitch(town: Town, leaves: Leaves) -> None:
    user, streamer = town.twitch.user("streamer"), town.somebody()
    back = await streamer.agree(await streamer.leave("/twitch/connect/start"), user)
    await leaves(streamer.get(back), 1)
    async with asyncio.timeout(10):
        await town.services.changed.wait()
    assert await state(town, user.id) is State.CONNECTED
    assert rows(town.path, "web_session") == []  # whoever left is not logged in


async def test_the_bots_account_is_kept_once_its_operator_came_back_from_twitch(town: Town, leaves: Leaves) -> None:
    code, operator = await connecting.bot_code(town.services), town.somebody()
    back = await operator.agree(
        await operator.leave(f"/twitch/connect/start?code={code}"), town.twitch.user("moments_bot")
    )
    await leaves(operator.get(back), 1)
    async with asyncio.timeout(10):
        await town.services.changed.wait()
    assert await connecting.bot_is_authorised(town.services)


async def test_AUTH_4_the_token_of_a_login_goes_back_also_when_nobody_waits_for_it(
    town: Town, gone: asyncio.Event
) -> None:
    user, ann = town.twitch.user("ann"), town.somebody()
    back = await ann.agree(await ann.leave("/login/twitch"), user)
    slow = town.twitch.faults.add("GET", "/oauth2/validate", delay=0.5)
    browser = asyncio.ensure_future(ann.get(back))
    await town.twitch.until(lambda: slow.used)
    gone.clear()
    browser.cancel()
    async with asyncio.timeout(10):
        await gone.wait()
    assert town.twitch.tokens.granted(user.id)
    await town.twitch.until(lambda: not town.twitch.tokens.granted(user.id))
    assert rows(town.path, "web_session") == []


async def test_a_form_is_kept_as_a_whole(town: Town, leaves: Leaves) -> None:
    user, streamer = town.twitch.user("streamer"), town.somebody()
    await streamer.connect(user)
    await leaves(streamer.press("/me/settings", names="off", cooldown="7", lead="11"), 1)

    async def chosen() -> tuple[object, ...]:
        page = (await streamer.get("/me")).text
        return tuple(re.search(f'name="{name}"[^>]*value="([^"]*)"', page)[1] for name in ("cooldown", "lead"))  # type: ignore[index]

    async with asyncio.timeout(10):
        while await chosen() != ("7", "11"):  # noqa: ASYNC110 -- a page announces nothing
            await asyncio.sleep(0.01)


# ------------------------------------------------------------------------------- what is under way, and the site's end


async def leaving_of(site: Site, begun: asyncio.Event, gone: asyncio.Event) -> None:
    """Press the button at `/change` and leave."""
    async with aiohttp.ClientSession(f"http://127.0.0.1:{site.port}") as http, asyncio.timeout(10):
        browser = asyncio.create_task(http.post("/change").__aenter__())
        await begun.wait()
        browser.cancel()
        await gone.wait()


async def test_reading_ends_with_its_reader(start_site: StartSite, gone: asyncio.Event) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def read(_: web.Request) -> web.Response:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        raise AssertionError

    site = await start_site(extra_routes=[web.get("/read", read)])
    async with aiohttp.ClientSession(f"http://127.0.0.1:{site.port}") as http, asyncio.timeout(10):
        browser = asyncio.create_task(http.get("/read").__aenter__())
        await begun.wait()
        browser.cancel()
        await gone.wait()
        await ended.wait()


async def test_a_site_that_closes_waits_for_what_is_under_way_and_no_longer_than_a_second(
    start_site: StartSite, gone: asyncio.Event
) -> None:
    begun, ends = asyncio.Event(), []

    async def change(_: web.Request) -> web.Response:
        begun.set()
        try:
            await asyncio.sleep(0.2)
            ends.append("done")
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ends.append("cut")
            raise
        raise AssertionError

    site = await start_site(extra_routes=[web.post("/change", change)])
    await leaving_of(site, begun, gone)
    assert ends == []
    async with asyncio.timeout(3):
        await site.close()
    assert ends == ["done", "cut"]


async def test_what_fails_when_nobody_waits_any_more_is_in_the_log(start_site: StartSite, gone: asyncio.Event) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def change(_: web.Request) -> web.Response:
        begun.set()
        await go_on.wait()
        raise RuntimeError("a fault of ours")

    site = await start_site(extra_routes=[web.post("/change", change)])
    with capture_logs() as logs:
        await leaving_of(site, begun, gone)
        go_on.set()
        await site.close()
    assert [(each["log_level"], str(each["exc_info"])) for each in logs if "left" in each["event"]] == [
        ("error", "a fault of ours")
    ]
