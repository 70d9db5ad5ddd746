"""The fake's EventSub: rights, shards in turn, handover, and the ways a socket ends."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.fake_twitch.application import Application, Ear
from tests.fake_twitch.people import FakeUser
from tests.fake_twitch.server import FakeTwitch

BOT_SCOPES = ("user:read:chat", "user:write:chat", "user:bot")


@pytest.fixture
async def twitch() -> AsyncIterator[FakeTwitch]:
    async with FakeTwitch() as twitch:
        yield twitch


@pytest.fixture
async def app(twitch: FakeTwitch) -> AsyncIterator[Application]:
    async with Application.at(twitch) as app:
        yield app


@pytest.fixture
def bot(twitch: FakeTwitch) -> FakeUser:
    return twitch.user("bot")


@pytest.fixture
def streamer(twitch: FakeTwitch) -> FakeUser:
    return twitch.user("streamer")


@pytest.fixture
async def ear(twitch: FakeTwitch, app: Application, bot: FakeUser, streamer: FakeUser) -> Ear:
    """A socket that hears the streamer's chat."""
    twitch.mint(bot, BOT_SCOPES)
    twitch.mint(streamer, ["channel:bot"])
    ear = await app.open_socket(0)
    assert (await app.subscribe_chat(streamer, bot)).status == 202
    return ear


@pytest.mark.parametrize(
    ("bot_scopes", "streamer_scopes", "moderator", "status"),
    [
        (BOT_SCOPES, ["channel:bot"], False, 202),
        (BOT_SCOPES, [], True, 202),
        (BOT_SCOPES, [], False, 403),
        (["user:read:chat"], ["channel:bot"], False, 403),
        (["user:bot"], ["channel:bot"], False, 403),
    ],
)
async def test_chat_needs_the_bots_scopes_and_the_channels_leave(
    twitch: FakeTwitch,
    app: Application,
    bot: FakeUser,
    streamer: FakeUser,
    bot_scopes: list[str],
    streamer_scopes: list[str],
    moderator: bool,
    status: int,
) -> None:
    twitch.mint(bot, bot_scopes)
    twitch.mint(streamer, streamer_scopes)
    if moderator:
        twitch.make_moderator(streamer, bot)
    await app.open_socket(0)
    assert (await app.subscribe_chat(streamer, bot)).status == status


async def test_the_same_subscription_twice_is_a_conflict_and_pages_list_them_all(
    twitch: FakeTwitch, app: Application, ear: Ear, bot: FakeUser, streamer: FakeUser
) -> None:
    assert (await app.subscribe_chat(streamer, bot)).status == 409
    for kind in ("stream.online", "stream.offline"):
        assert (await app.subscribe(kind, broadcaster_user_id=streamer.id)).data[0]["cost"] == 0
    stranger = twitch.user("stranger")
    assert (await app.subscribe("stream.online", broadcaster_user_id=stranger.id)).data[0]["cost"] == 1
    twitch.page_size = 3
    first = await app.helix("GET", "eventsub/subscriptions")
    second = await app.helix("GET", "eventsub/subscriptions", {"after": first.body["pagination"]["cursor"]})
    assert (len(first.data), len(second.data), second.body["pagination"]) == (3, 1, {})
    assert (second.body["total"], second.body["total_cost"]) == (4, 1)


async def test_shards_take_turns_and_a_lost_one_says_why(
    twitch: FakeTwitch, app: Application, ear: Ear, streamer: FakeUser
) -> None:
    other = await app.open_socket(1)
    for text in ("one", "two"):
        await twitch.say(streamer, streamer, text)
    heard = {(await each.event())["message"]["text"] for each in (ear, other)}
    assert heard == {"one", "two"}
    await other.ws.close()
    await twitch.until(lambda: len(twitch.sockets.live) == 1)
    shards = (await app.helix("GET", "eventsub/conduits/shards", {"conduit_id": app.conduit_id})).data
    assert [shard["status"] for shard in shards] == ["enabled", "websocket_disconnected"]
    for text in ("three", "four"):
        await twitch.say(streamer, streamer, text)
    assert [(await ear.event())["message"]["text"] for _ in range(2)] == ["three", "four"]


async def test_without_a_socket_an_event_is_lost_and_known_to_be(
    twitch: FakeTwitch, app: Application, ear: Ear, streamer: FakeUser
) -> None:
    twitch.sockets.abort()
    await twitch.until(lambda: not twitch.sockets.live)
    await twitch.say(streamer, streamer, "nobody hears")
    assert [each.type for each in twitch.eventsub.undelivered] == ["channel.chat.message"]


async def test_the_old_socket_delivers_until_the_new_one_is_welcomed(
    twitch: FakeTwitch, app: Application, ear: Ear, streamer: FakeUser
) -> None:
    await twitch.sockets.reconnect()
    moving = (await ear.hears("session_reconnect"))["payload"]["session"]
    assert (moving["id"], moving["status"]) == (ear.session["id"], "reconnecting")
    await twitch.say(streamer, streamer, "during")
    assert (await ear.event())["message"]["text"] == "during"
    new = await app.open_socket(url=moving["reconnect_url"])
    await twitch.say(streamer, streamer, "after")
    assert (await new.event())["message"]["text"] == "after"
    again = Ear(await app.http.ws_connect(moving["reconnect_url"]))
    assert await again.closed() == 4007


async def test_a_handover_not_taken_ends_the_old_socket(
    twitch: FakeTwitch, app: Application, ear: Ear, streamer: FakeUser
) -> None:
    twitch.sockets.reconnect_seconds = 0.05
    await twitch.sockets.reconnect("ws://127.0.0.1:9/ws")
    assert (await ear.hears("session_reconnect"))["payload"]["session"]["reconnect_url"] == "ws://127.0.0.1:9/ws"
    assert await ear.closed() == 4004
    assert twitch.sockets.closed == ["websocket_failed_to_reconnect"]


async def test_an_unused_socket_and_a_talking_one_are_closed(twitch: FakeTwitch, app: Application) -> None:
    talking = await app.open_socket(0)
    await talking.ws.send_str("hello")
    assert await talking.closed() == 4001
    twitch.sockets.unused_seconds = 0.05
    assert await (await app.open_socket()).closed() == 4003
    used = await app.open_socket(0)
    twitch.sockets.keepalive_seconds = 0.02
    assert (await (await app.open_socket(1)).frame())["metadata"]["message_type"] == "session_keepalive"
    assert not used.ws.closed


async def test_keepalives_follow_what_the_client_asked_for(twitch: FakeTwitch, app: Application) -> None:
    asked = [("", 10), ("?keepalive_timeout_seconds=600", 600), ("?keepalive_timeout_seconds=1", 10)]
    for query, seconds in asked:
        ear = await app.open_socket(url=twitch.eventsub_url + query)
        assert ear.session["keepalive_timeout_seconds"] == seconds


async def test_revoking_ends_what_needed_the_grant_and_says_so(
    twitch: FakeTwitch, app: Application, ear: Ear, streamer: FakeUser
) -> None:
    await app.subscribe("stream.online", broadcaster_user_id=streamer.id)
    await app.subscribe("user.authorization.revoke", client_id=twitch.client_id)
    await twitch.revoke(streamer)
    gone = (await ear.hears("revocation"))["payload"]["subscription"]
    assert (gone["type"], gone["status"]) == ("channel.chat.message", "authorization_revoked")
    assert (await ear.event())["user_id"] == streamer.id
    left = (await app.helix("GET", "eventsub/subscriptions", {"status": "enabled"})).data
    assert {each["type"] for each in left} == {"stream.online", "user.authorization.revoke"}


async def test_the_same_envelope_can_come_again(twitch: FakeTwitch, ear: Ear, streamer: FakeUser) -> None:
    await twitch.say(streamer, streamer, "once")
    await twitch.redeliver()
    assert await ear.hears() == await ear.hears()


async def test_junk_reaches_the_client_as_it_is(twitch: FakeTwitch, ear: Ear) -> None:
    await twitch.junk("{not json")
    await twitch.junk(b"\x00\xff")
    assert await ear.ws.receive_str(timeout=10) == "{not json"
    assert await ear.ws.receive_bytes(timeout=10) == b"\x00\xff"


async def test_a_silent_server_answers_no_ping_and_a_refusing_one_no_handshake(
    twitch: FakeTwitch, app: Application, ear: Ear, streamer: FakeUser
) -> None:
    twitch.sockets.silence()
    await twitch.say(streamer, streamer, "unheard")
    await ear.ws.ping()
    with pytest.raises(TimeoutError):
        await ear.ws.receive(timeout=0.1)
    twitch.sockets.refuse = 1
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await app.open_socket()
    assert (await app.open_socket()).session["status"] == "connected"


async def test_a_welcome_can_be_held_back(twitch: FakeTwitch, app: Application) -> None:
    twitch.sockets.welcome_delay = 60
    ws = await app.http.ws_connect(twitch.eventsub_url)
    with pytest.raises(TimeoutError):
        await ws.receive(timeout=0.1)
    assert not twitch.sockets.live


async def test_a_reader_with_its_own_token_gets_its_own_socket(
    twitch: FakeTwitch, app: Application, bot: FakeUser, streamer: FakeUser
) -> None:
    token, _ = twitch.mint(bot, ["user:read:chat"])
    ear = await app.open_socket()
    body = {
        "type": "channel.chat.message",
        "version": "1",
        "condition": {"broadcaster_user_id": streamer.id, "user_id": bot.id},
        "transport": {"method": "websocket", "session_id": ear.session["id"]},
    }
    assert (await app.helix("POST", "eventsub/subscriptions", json=body)).status == 400
    made = await app.helix("POST", "eventsub/subscriptions", json=body, token=token.value)
    assert (made.status, made.body["max_total_cost"]) == (202, 10)
    await twitch.say(streamer, streamer, "hello")
    assert (await ear.event())["message"]["text"] == "hello"
