"""The real twitchio AutoBot against the fake Twitch: what it demands, the fake gives."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import twitchio
from twitchio import eventsub
from twitchio.ext import commands as twitch_commands

from tests.fake_twitch.server import FakeTwitch, FakeUser


class Listener(twitch_commands.AutoBot):
    """Writes down what it hears."""

    def __init__(self, twitch: FakeTwitch, bot: FakeUser, channel: FakeUser) -> None:
        self.heard: asyncio.Queue[object] = asyncio.Queue()
        super().__init__(
            client_id=twitch.client_id,
            client_secret=twitch.client_secret,
            bot_id=bot.id,
            prefix="!",
            shard_ids=[0, 1],
            conduit_id=True,  # type: ignore[arg-type]  # its documented value for "make a new one"
            subscriptions=[
                eventsub.ChatMessageSubscription(broadcaster_user_id=channel.id, user_id=bot.id),
                eventsub.ChatMessageDeleteSubscription(broadcaster_user_id=channel.id, user_id=bot.id),
                eventsub.ChatClearUserMessagesSubscription(broadcaster_user_id=channel.id, user_id=bot.id),
                eventsub.StreamOnlineSubscription(broadcaster_user_id=channel.id),
                eventsub.StreamOfflineSubscription(broadcaster_user_id=channel.id),
                eventsub.ChannelUpdateSubscription(broadcaster_user_id=channel.id),
                eventsub.ChannelRaidSubscription(to_broadcaster_user_id=channel.id),
            ],
        )

    async def event_message(self, payload: twitchio.ChatMessage) -> None:
        self.heard.put_nowait(payload)

    async def event_message_delete(self, payload: twitchio.ChatMessageDelete) -> None:
        self.heard.put_nowait(payload)

    async def event_chat_clear_user(self, payload: twitchio.ChannelChatClearUserMessages) -> None:
        self.heard.put_nowait(payload)

    async def event_stream_online(self, payload: twitchio.StreamOnline) -> None:
        self.heard.put_nowait(payload)

    async def event_stream_offline(self, payload: twitchio.StreamOffline) -> None:
        self.heard.put_nowait(payload)

    async def event_channel_update(self, payload: twitchio.ChannelUpdate) -> None:
        self.heard.put_nowait(payload)

    async def event_raid(self, payload: twitchio.ChannelRaid) -> None:
        self.heard.put_nowait(payload)

    async def hears(self) -> object:
        """The next thing."""
        async with asyncio.timeout(10):
            return await self.heard.get()

    async def hears_text(self) -> str:
        """The next chat line."""
        message = await self.hears()
        assert isinstance(message, twitchio.ChatMessage)
        return message.text


class Stage:
    """One channel with the bot in it."""

    def __init__(self, twitch: FakeTwitch) -> None:
        self.twitch = twitch
        self.bot, self.channel, self.viewer = (twitch.user(login) for login in ("bot", "Streamer", "Viewer"))
        twitch.mint(self.bot, ["user:read:chat", "user:write:chat", "user:bot"])
        twitch.mint(self.channel, ["channel:bot"])

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Listener]:
        listener = Listener(self.twitch, self.bot, self.channel)
        running = asyncio.create_task(listener.start(with_adapter=False, load_tokens=False, save_tokens=False))
        try:
            await listener.wait_until_ready()
            assert await self.settled(2)
            yield listener
        finally:
            await listener.close()
            await running

    async def settled(self, shards: int) -> bool:
        """Every shard has a live socket."""

        def enabled() -> bool:
            all_shards = [shard for conduit in self.twitch.conduits.all.values() for shard in conduit.shards.values()]
            good = [
                each for each in all_shards if each.status == "enabled" and each.session_id in self.twitch.sockets.live
            ]
            return len(good) == shards

        return await self.twitch.until(enabled)

    def asked(self, method: str, path: str) -> int:
        """How often this was asked of Helix."""
        return sum((each.method, each.path) == (method, f"/helix/{path}") for each in self.twitch.requests)

    async def say(self, text: str) -> str:
        return await self.twitch.say(self.channel, self.viewer, text)


@pytest.fixture
async def stage(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    async with FakeTwitch() as twitch:
        monkeypatch.setattr("twitchio.http.Route.BASE", f"{twitch.api_url}/helix/")
        monkeypatch.setattr("twitchio.http.Route.ID_BASE", f"{twitch.auth_url}/")
        monkeypatch.setattr("twitchio.eventsub.websockets.WSS", twitch.eventsub_url)
        yield Stage(twitch)


async def test_the_real_autobot_makes_a_conduit_and_hears_chat_through_both_shards(stage: Stage) -> None:
    async with stage.listening() as listener:
        assert [conduit.shard_count for conduit in stage.twitch.conduits.all.values()] == [2]
        stage.twitch.make_moderator(stage.channel, stage.viewer)
        for number in range(4):
            await stage.say(f"!clip wow {number}")
        heard = [await listener.hears() for _ in range(4)]
        assert all(isinstance(line, twitchio.ChatMessage) and line.chatter.moderator for line in heard)
        assert {line.text for line in heard if isinstance(line, twitchio.ChatMessage)} == {
            f"!clip wow {number}" for number in range(4)
        }
        assert len({delivery.session_id for delivery in stage.twitch.deliveries}) == 2


async def test_twitchio_accepts_every_event_of_a_stream(stage: Stage) -> None:
    twitch = stage.twitch
    async with stage.listening() as listener:
        stream = await twitch.online(stage.channel, "A title", "Celeste")
        online = await listener.hears()
        assert isinstance(online, twitchio.StreamOnline)
        assert (online.id, online.broadcaster.id) == (stream.id, stage.channel.id)
        await twitch.update(stage.channel, title="Another")
        assert getattr(await listener.hears(), "title", None) == "Another"
        message_id = await stage.say("rude words")
        assert await listener.hears_text() == "rude words"
        await twitch.delete_message(stage.channel, message_id)
        assert getattr(await listener.hears(), "message_id", None) == message_id
        await twitch.clear_user(stage.channel, stage.viewer)
        assert isinstance(await listener.hears(), twitchio.ChannelChatClearUserMessages)
        await twitch.raid(stage.viewer, stage.channel, 64)
        assert getattr(await listener.hears(), "viewer_count", None) == 64
        await twitch.offline(stage.channel)
        assert getattr(await listener.hears(), "id", None) == stream.id


async def test_a_reply_and_a_shared_chat_copy_are_read_as_such(stage: Stage) -> None:
    async with stage.listening() as listener:
        parent = await stage.say("first")
        await listener.hears()
        await stage.twitch.say(stage.channel, stage.viewer, "second", reply_to=parent)
        reply = await listener.hears()
        assert isinstance(reply, twitchio.ChatMessage)
        assert reply.reply is not None
        assert (reply.text, reply.reply.parent_message_id) == ("@Viewer second", parent)
        other = stage.twitch.user("elsewhere")
        await stage.twitch.say(stage.channel, stage.viewer, "third", source_channel=other)
        copy = await listener.hears()
        assert isinstance(copy, twitchio.ChatMessage)
        assert copy.source_broadcaster is not None
        assert copy.source_broadcaster.id == other.id


async def test_after_session_reconnect_chat_goes_on_without_new_subscriptions(stage: Stage) -> None:
    async with stage.listening() as listener:
        before = set(stage.twitch.sockets.live)
        await stage.twitch.sockets.reconnect()
        # twitchio takes the two new sockets, then closes the old ones and fills their shards once more.
        await stage.twitch.until(lambda: stage.asked("PATCH", "eventsub/conduits/shards") == 3)
        assert before.isdisjoint(stage.twitch.sockets.live)
        assert await stage.settled(2)
        await stage.say("still here")
        assert await listener.hears_text() == "still here"
        assert stage.asked("POST", "eventsub/subscriptions") == 7


async def test_after_an_abrupt_end_the_shards_are_filled_again(stage: Stage) -> None:
    async with stage.listening() as listener:
        opened = stage.twitch.sockets.opened
        stage.twitch.sockets.abort()
        await stage.twitch.until(lambda: stage.twitch.sockets.opened == opened + 2)
        assert await stage.settled(2)
        await stage.say("back again")
        assert await listener.hears_text() == "back again"


async def test_a_redelivered_message_reaches_twitchio_twice(stage: Stage) -> None:
    """Whoever builds on twitchio removes the duplicates (research/twitch.md §4, trap 7)."""
    async with stage.listening() as listener:
        await stage.say("twice")
        await stage.twitch.redeliver()
        first, second = await listener.hears(), await listener.hears()
        assert isinstance(first, twitchio.ChatMessage)
        assert isinstance(second, twitchio.ChatMessage)
        assert first.id == second.id
        assert first.metadata
        assert second.metadata
        assert first.metadata.message_id == second.metadata.message_id
