"""The outbox over the real Helix client and real sockets, into a Twitch that counts every message itself."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from bot.twitch.outbox import Outbox
from commands.model import Reply
from moments.grants import Grant
from providers.http import open_http
from providers.twitch.endpoints import Endpoints
from providers.twitch.helix import Helix
from providers.twitch.oauth import TwitchOAuth
from providers.twitch.shapes import Sent
from tests.fake_twitch.server import FakeTwitch, FakeUser
from tests.jumping import now, play

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
GRACE = 0.01


class NoGrants:
    """Chat is sent with the app's own token."""

    async def load(self, user_id: str) -> Grant | None:
        return None

    async def save(self, grant: Grant) -> None:
        raise AssertionError("nobody's token is refreshed")

    async def dead(self, grant: Grant) -> None:
        raise AssertionError("nobody's token died")


def clock() -> datetime:
    return NOON + timedelta(seconds=now())


class Stage:
    """A channel the bot was invited to, and the bot's mouth."""

    def __init__(self, twitch: FakeTwitch, helix: Helix) -> None:
        self.twitch = twitch
        self.bot, self.streamer = twitch.user("moments_bot"), twitch.user("streamer")
        twitch.mint(self.bot, ["user:read:chat", "user:write:chat", "user:bot"])
        twitch.mint(self.streamer, ["channel:bot"])
        self.refused: list[str] = []
        self.outbox = Outbox(partial(_send, helix, self.bot), on_refused=self.refused.append)

    def marks(self, count: int, first: int = 1) -> None:
        for number in range(first, first + count):
            self.outbox.put(self.streamer.id, Reply(f"Marked #{number}", kind="marked"), f"message-{number}")

    def texts(self) -> list[str]:
        return [sent.text for sent in self.twitch.sent]


async def _send(helix: Helix, bot: FakeUser, channel_id: str, text: str, reply_to: str | None) -> Sent:
    return await helix.send_message(channel_id, bot.id, text, reply_to)


@asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    async with FakeTwitch(clock=clock) as twitch, open_http([twitch.api_url]) as http:
        endpoints = Endpoints(twitch.api_url, twitch.auth_url, twitch.eventsub_url)
        oauth = TwitchOAuth(http, endpoints, twitch.client_id, twitch.client_secret, clock=clock)
        stage = Stage(twitch, Helix(http, endpoints, oauth, NoGrants(), clock))
        try:
            yield stage
        finally:
            await stage.outbox.drain(1)


@pytest.mark.parametrize("moderator", [False, True])
def test_a_flood_of_two_minutes_stays_within_twitchs_own_count(moderator: bool) -> None:
    async def scene() -> None:
        async with stage() as on:
            if moderator:
                on.twitch.make_moderator(on.streamer, on.bot)
                on.outbox.set_standing(on.streamer.id, moderator=True, vip=False)
            for number in range(120):
                on.marks(5, first=5 * number)
                await asyncio.sleep(1)
            await asyncio.sleep(60)
            assert on.twitch.most_sent(on.streamer) == (100 if moderator else 20)
            assert on.twitch.dropped == [], "Twitch itself had nothing to drop"
            told = sum(int(text.split()[0]) if "kept" in text else 1 for text in on.texts())
            assert told == 600

    play(scene(), grace=GRACE)


def test_twenty_floods_leave_helix_enough_points_for_everything_else() -> None:
    async def scene() -> None:
        async with stage() as on:
            channels = [on.twitch.user(f"channel_{number}") for number in range(20)]
            for channel in channels:
                on.twitch.make_moderator(channel, on.bot)
                on.outbox.set_standing(channel.id, moderator=True, vip=False)
            for number in range(70):
                for channel in channels:
                    on.outbox.put(channel.id, Reply(f"Marked #{number}", kind="marked"), f"m{number}")
                await asyncio.sleep(1)
            asked = [request.at for request in on.twitch.requests if request.path == "/helix/chat/messages"]
            assert len(asked) == len(on.twitch.sent), "none was refused"
            assert 590 <= sum(at < asked[0] + timedelta(seconds=60) for at in asked) <= 600

    play(scene(), grace=GRACE)


def test_an_answer_arrives_in_thread() -> None:
    async def scene() -> None:
        async with stage() as on:
            on.marks(1)
            await on.twitch.until(lambda: on.twitch.sent)
            (sent,) = on.twitch.sent
            assert (sent.text, sent.reply_parent_message_id, sent.token_kind) == ("Marked #1", "message-1", "app")

    play(scene(), grace=GRACE)


def test_storms_of_429_and_an_outage_of_minutes_end_with_answers_flowing() -> None:
    async def scene() -> None:
        async with stage() as on:
            on.twitch.faults.add("POST", "/helix/chat/messages", status=429, times=5)
            on.marks(3)
            await asyncio.sleep(20)
            assert on.texts() == ["Marked #1", "Marked #2", "Marked #3"]
            outage = on.twitch.faults.add("POST", "/helix/chat/messages", status=503, times=None)
            for number in range(180):
                on.marks(1, first=10 + number)
                await asyncio.sleep(1)
            on.twitch.faults.clear()
            await asyncio.sleep(60)
            assert outage.used < 20
            kept = [int(text.split()[0]) for text in on.texts() if "kept" in text]
            assert len(kept) == 1
            assert sum(kept) + len(on.texts()) - 4 == 180
            on.marks(1, first=999)
            await asyncio.sleep(2)
            assert on.texts()[-1] == "Marked #999"

    play(scene(), grace=GRACE)


def test_a_streamer_who_takes_the_permission_back_is_left_alone_and_others_are_answered() -> None:
    async def scene() -> None:
        async with stage() as on:
            other = on.twitch.user("other")
            on.twitch.mint(other, ["channel:bot"])
            await on.twitch.revoke(on.streamer)
            on.marks(5)
            on.outbox.put(other.id, Reply("Marked #1", kind="marked"), "m")
            await asyncio.sleep(30)
            assert on.refused == [on.streamer.id]
            assert [sent.channel_id for sent in on.twitch.sent] == [other.id]

    play(scene(), grace=GRACE)


def test_dropped_messages_and_a_lost_app_token_hurt_nobody() -> None:
    async def scene() -> None:
        async with stage() as on:
            on.twitch.drop_next("channel_settings")
            on.twitch.drop_next(None)
            on.marks(3)
            await asyncio.sleep(5)
            assert on.texts() == ["Marked #3"]
            assert on.outbox.stats.refused == 2
            on.twitch.faults.add("POST", "/helix/chat/messages", status=401, body={"message": "Invalid OAuth token"})
            on.marks(1, first=4)
            await asyncio.sleep(5)
            assert on.texts() == ["Marked #3", "Marked #4"]

    play(scene(), grace=GRACE)
