"""Answers and posts over a Discord that stumbles (research/discord.md §2), and what each failure means."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import pytest
from aiohttp import test_utils, web
from pydantic import SecretStr

from bot.discord.client import DiscordClient
from bot.discord.rest import Rest, open_rest
from bot.settings import DiscordSettings
from moments.errors import (
    NotAuthorised,
    ProviderBusy,
    ProviderDown,
    ProviderError,
    ProviderRefused,
    ProviderUnreadable,
)
from tests.bot.discord.gateway_rig import PING, PONG, SITE, settings_for
from tests.fake_discord.interactions import Interaction
from tests.fake_discord.people import Channel, FakeUser
from tests.fake_discord.server import FakeDiscord

CALLBACK = "/api/v10/interactions/*/callback"
ORIGINAL = "/api/v10/webhooks/*/messages/@original"
FOLLOW_UP = "/api/v10/webhooks/*"
MESSAGES = "/api/v10/channels/*/messages"

LATER: dict[str, Any] = {"type": 5, "data": {"flags": 64}}
QUIET: dict[str, Any] = {"allowed_mentions": {"parse": []}}
WORDS = QUIET | {"content": "Marked #1"}


@dataclass
class Room:
    """A channel, somebody in it, and our way to Discord; nobody listens at the gateway but to deliver."""

    discord: FakeDiscord
    rest: Rest
    client: DiscordClient
    user: FakeUser
    channel: Channel

    async def asked(self) -> Interaction:
        """Somebody's `/ping`, not answered yet."""
        return await self.discord.slash(self.user, self.channel, "ping")

    async def deferred(self) -> Interaction:
        """The same, acknowledged."""
        asked = await self.asked()
        await self.call(asked, LATER)
        return asked

    async def call(self, asked: Interaction, body: dict[str, Any] = PONG, seconds: float = 2.5) -> None:
        until = asyncio.get_running_loop().time() + seconds
        await self.rest.callback(asked.id, asked.token, body, deadline=until)


@asynccontextmanager
async def open_room() -> AsyncIterator[Room]:
    async with FakeDiscord() as discord:
        settings = settings_for(discord)
        async with open_rest(settings, SITE) as rest, DiscordClient(settings, lambda _: None, lambda _: None) as client:
            await client.enter()
            rest.bind(client)
            await rest.sync([PING])
            staying = asyncio.create_task(client.stay())
            await client.wait_until_ready()
            channel = discord.channel(discord.guild("Night Owls"), "clips")
            yield Room(discord, rest, client, discord.user("sable"), channel)
            staying.cancel()


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    async with open_room() as room:
        yield room


# --- acknowledging within three seconds


async def test_an_interaction_is_acknowledged_at_once(room: Room) -> None:
    asked = await room.asked()
    await room.call(asked)
    assert asked.text == "pong"
    assert asked.acked_after is not None
    assert asked.acked_after < 0.5


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500, "times": 3},
        {"status": 502, "times": 3},
        {"status": 503, "times": 3},
        {"abort": True, "times": 3},
        {"delay": 1.6, "times": 1},
        {"status": 429, "headers": {"Retry-After": "1"}, "body": {"retry_after": 0.3}, "times": 2},
        {"status": 500, "after": True},
        {"abort": True, "after": True},
    ],
    ids=str,
)
async def test_a_callback_that_stumbles_is_there_within_three_seconds(room: Room, fault: dict[str, Any]) -> None:
    planned = room.discord.faults.add("POST", CALLBACK, **fault)
    asked = await room.asked()
    await room.call(asked)
    assert planned.used == fault.get("times", 1)
    assert asked.text == "pong"
    assert asked.acked_after is not None
    assert asked.acked_after < 3


async def test_what_another_process_has_answered_is_refused_and_not_run(room: Room) -> None:
    asked = await room.asked()
    await room.call(asked)
    with pytest.raises(ProviderRefused) as refused:
        await room.call(asked)
    assert (refused.value.status, refused.value.code) == (400, "40060")


async def test_who_is_too_late_is_told_so_and_does_not_ask_again(room: Room) -> None:
    room.discord.interactions.ack_seconds = -1.0
    asked = await room.asked()
    with pytest.raises(ProviderRefused) as refused:
        await room.call(asked)
    assert (refused.value.status, refused.value.code) == (404, "10062")
    assert len(asked.callbacks) == 1


@pytest.mark.parametrize("fault", [{"status": 500}, {"abort": True}, {"delay": 5.0}], ids=str)
async def test_what_cannot_be_acknowledged_in_time_is_given_up_in_time(room: Room, fault: dict[str, Any]) -> None:
    room.discord.faults.add("POST", CALLBACK, times=None, **fault)
    asked, clock = await room.asked(), asyncio.get_running_loop().time
    began = clock()
    with pytest.raises(ProviderDown):
        await room.call(asked, seconds=0.8)
    assert clock() - began < 1.5
    room.discord.faults.clear()


async def test_a_wait_longer_than_there_is_time_is_not_waited(room: Room) -> None:
    room.discord.faults.add("POST", CALLBACK, status=429, body={"retry_after": 30.0})
    with pytest.raises(ProviderBusy) as busy:
        await room.call(await room.asked())
    assert busy.value.retry_after == 30.0


async def test_a_burst_of_300_is_acknowledged_within_three_seconds(room: Room) -> None:
    room.discord.faults.add("POST", CALLBACK, delay=0.15, times=300)
    asked = [await room.asked() for _ in range(300)]
    await asyncio.gather(*(room.call(each) for each in asked))
    assert max(each.acked_after or 9 for each in asked) < 3
    assert {each.text for each in asked} == {"pong"}


# --- the answer itself


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 502, "times": 2},
        {"status": 503, "times": 2},
        {"abort": True, "times": 2},
        {"abort": True, "after": True},
        {"status": 429, "body": {"retry_after": 0.2}, "times": 2},
    ],
    ids=str,
)
async def test_an_edit_goes_out_in_the_end(room: Room, fault: dict[str, Any]) -> None:
    asked = await room.deferred()
    room.discord.faults.add("PATCH", ORIGINAL, **fault)
    await room.rest.edit_original(asked.token, WORDS)
    assert asked.text == "Marked #1"


async def test_an_answer_does_not_need_the_gateway_nor_a_login(room: Room) -> None:
    asked = await room.deferred()
    room.rest.unbound()
    await room.client.close()
    await room.rest.edit_original(asked.token, WORDS)
    assert asked.text == "Marked #1"


async def test_a_follow_up_is_never_said_twice(room: Room) -> None:
    asked = await room.deferred()
    await room.rest.edit_original(asked.token, WORDS)
    fault = room.discord.faults.add("POST", FOLLOW_UP, abort=True, after=True)
    with pytest.raises(ProviderDown) as down:
        await room.rest.follow_up(asked.token, WORDS)
    assert down.value.unanswered
    assert (fault.used, len(asked.follow_ups)) == (1, 1)


async def test_a_follow_up_discord_did_not_take_is_said_again(room: Room) -> None:
    asked = await room.deferred()
    await room.rest.edit_original(asked.token, WORDS)
    room.discord.faults.add("POST", FOLLOW_UP, status=503)
    await room.rest.follow_up(asked.token, WORDS | {"flags": 64})
    assert [each.content for each in asked.follow_ups] == ["Marked #1"]


@pytest.mark.parametrize("status", [502, 504])
async def test_a_follow_up_of_which_a_proxy_does_not_know_is_not_said_twice(room: Room, status: int) -> None:
    asked = await room.deferred()
    await room.rest.edit_original(asked.token, WORDS)
    room.discord.faults.add("POST", FOLLOW_UP, status=status, after=True)
    with pytest.raises(ProviderDown) as down:
        await room.rest.follow_up(asked.token, WORDS)
    assert (down.value.unanswered, len(asked.follow_ups)) == (True, 1)


@pytest.mark.parametrize("fault", [{"status": 502}, {"status": 504}, {"abort": True}], ids=str)
async def test_a_follow_up_that_is_the_only_answer_is_rather_said_twice_than_never(
    room: Room, fault: dict[str, Any]
) -> None:
    asked = await room.deferred()
    await room.rest.edit_original(asked.token, WORDS)
    room.discord.faults.add("POST", FOLLOW_UP, **fault)
    await room.rest.follow_up(asked.token, WORDS | {"flags": 64}, again=True)
    assert [each.content for each in asked.follow_ups] == ["Marked #1"]


async def test_who_asks_is_told_to_discord_and_of_no_body_no_kind() -> None:
    heard: list[tuple[str, str, str | None]] = []

    async def hear(request: web.Request) -> web.Response:
        heard.append((request.method, request.headers["User-Agent"], request.headers.get("Content-Type")))
        return web.Response(status=204)

    async with test_utils.TestServer(_app(hear)) as server:
        settings = DiscordSettings(SecretStr("none"), f"http://127.0.0.1:{server.port}/api", "ws://127.0.0.1:9")
        async with open_rest(settings, SITE) as rest:
            await rest.delete_original("token")
            await rest.edit_original("token", WORDS)
    who = f"DiscordBot ({SITE}, {version('moments')})"
    assert heard == [("DELETE", who, None), ("PATCH", who, "application/json")]


def _app(handler: Callable[[web.Request], Awaitable[web.Response]]) -> web.Application:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    return app


async def test_an_answer_is_taken_away_and_again_is_fine(room: Room) -> None:
    asked = await room.deferred()
    await room.rest.delete_original(asked.token)
    await room.rest.delete_original(asked.token)
    assert asked.original is None


async def test_after_fifteen_minutes_discord_takes_no_more(room: Room) -> None:
    asked = await room.deferred()
    room.discord.interactions.token_seconds = -1.0
    with pytest.raises(ProviderRefused) as refused:
        await room.rest.edit_original(asked.token, WORDS)
    assert (refused.value.status, refused.value.code) == (401, "50027")


# --- the bot's own calls


async def test_a_post_is_made_changed_and_taken_away(room: Room) -> None:
    channel = room.channel
    message_id = await room.rest.post(channel.id, WORDS)
    await room.rest.edit(channel.id, message_id, WORDS | {"content": "Marked #1, by two"})
    assert [each.content for each in room.discord.messages(channel)] == ["Marked #1, by two"]
    await room.rest.delete(channel.id, message_id)
    assert room.discord.messages(channel) == []
    with pytest.raises(ProviderRefused) as refused:
        await room.rest.delete(channel.id, message_id)
    assert (refused.value.status, refused.value.code) == (404, "10008")


async def test_a_post_whose_answer_is_lost_is_there_once_with_its_nonce(room: Room) -> None:
    room.discord.faults.add("POST", MESSAGES, abort=True, after=True)
    body = WORDS | {"nonce": "moment 1", "enforce_nonce": True}
    with pytest.raises(ProviderDown) as down:
        await room.rest.post(room.channel.id, body)
    assert down.value.unanswered
    message_id = await room.rest.post(room.channel.id, body)
    assert [each.id for each in room.discord.messages(room.channel)] == [message_id]


async def test_where_the_bot_may_not_speak_says_so_with_discords_number(room: Room) -> None:
    room.discord.bot_permissions(room.channel, 0)
    with pytest.raises(ProviderRefused) as refused:
        await room.rest.post(room.channel.id, WORDS)
    assert refused.value.status == 403
    assert refused.value.code in {"50001", "50013"}


FAILS: list[tuple[dict[str, Any], type[ProviderError]]] = [
    ({"status": 503}, ProviderDown),
    ({"abort": True}, ProviderDown),
    ({"status": 401, "body": {"message": "a secret", "code": 0}}, NotAuthorised),
    ({"status": 429, "body": {"retry_after": 100.0}, "headers": {"Via": "1.1 google"}}, ProviderBusy),
    ({"status": 400, "body": {"message": "a secret", "code": 50035}}, ProviderRefused),
    ({"status": 302, "headers": {"Location": "http://127.0.0.1:9/"}}, ProviderUnreadable),
    ({"status": 200, "body": "[]"}, ProviderUnreadable),
    ({"status": 200, "body": "no JSON"}, ProviderDown),
    ({"status": 200, "body": {"id": 7}}, ProviderUnreadable),
]


@pytest.mark.parametrize(("fault", "kind"), FAILS, ids=str)
async def test_each_failure_has_one_meaning_and_none_of_discords_words(
    room: Room, fault: dict[str, Any], kind: type[ProviderError]
) -> None:
    room.discord.faults.add("POST", MESSAGES, **fault)
    with pytest.raises(kind) as failed:
        await room.rest.post(room.channel.id, WORDS)
    assert "secret" not in str(failed.value)
    assert failed.value.__cause__ is None
    assert failed.value.__context__ is None


Asks = Callable[[Room, Interaction], Awaitable[object]]
ASKS: dict[str, tuple[str, str, Asks]] = {
    "callback": ("POST", CALLBACK, lambda room, asked: room.call(asked, seconds=0.1)),
    "edit": ("PATCH", ORIGINAL, lambda room, asked: room.rest.edit_original(asked.token, WORDS)),
    "delete": ("DELETE", ORIGINAL, lambda room, asked: room.rest.delete_original(asked.token)),
    "follow up": ("POST", FOLLOW_UP, lambda room, asked: room.rest.follow_up(asked.token, WORDS)),
}


@pytest.mark.parametrize("what", ASKS)
@pytest.mark.parametrize("fault", [{"status": 418, "body": {"message": "words", "code": 7}}, {"abort": True}], ids=str)
async def test_LOG_3_an_interactions_token_is_in_no_error(room: Room, what: str, fault: dict[str, Any]) -> None:
    method, path, ask = ASKS[what]
    asked = await (room.asked() if what == "callback" else room.deferred())
    room.discord.faults.add(method, path, times=None, **fault)
    with pytest.raises(ProviderError) as failed:
        await ask(room, asked)
    assert failed.value.__cause__ is None
    assert failed.value.__context__ is None
    assert asked.token not in str(failed.value)
    assert "words" not in str(failed.value)
    room.discord.faults.clear()


async def test_a_call_that_hangs_is_ended(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.discord.rest.CALL_SECONDS", 0.2)
    room.discord.faults.add("POST", MESSAGES, delay=5)
    with pytest.raises(ProviderDown) as down:
        await room.rest.post(room.channel.id, WORDS)
    assert down.value.unanswered


async def test_without_a_client_the_bots_own_calls_say_so(room: Room) -> None:
    room.rest.unbound()
    with pytest.raises(ProviderDown):
        await room.rest.post(room.channel.id, WORDS)


async def test_a_client_that_was_closed_meanwhile_is_down(room: Room) -> None:
    await room.client.close()
    with pytest.raises(ProviderDown):
        await room.rest.get("/channels/{channel_id}", channel_id=room.channel.id)
