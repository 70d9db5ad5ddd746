"""Twitch with busy channels, as a process of its own: it must not share the loop of the Moments it talks to.

Started with the number of channels and told by a line on standard input what to do, it answers with a line of JSON:
`go live`, `say 50000`, `tell`.
"""

import asyncio
import hashlib
import logging
import random
import sys
import time
from bisect import bisect_right
from datetime import timedelta
from itertools import pairwise
from typing import Any

import orjson

from bench.chat import typed
from tests.fake_twitch.server import FakeTwitch, FakeUser

LINES_A_SECOND = 2_000
MARK_EVERY = 10
"""Lines of a channel of which one is a mark: 200 marks a second in all."""
AGAIN_EVERY = 50
"""Marks of which one is delivered twice, as Twitch reserves the right to."""
VIEWERS = 6_000
"""In all channels together: each marks again after 30 s, well after the cooldown of 15 s."""
BATCH = 20
"""Lines said in a row."""
BOT_SCOPES = ("user:read:chat", "user:write:chat", "user:bot")
TALK = (
    *("what a run LOL", "gg", "first try of course", "今のすごい", "🔥🔥🔥", "who else is here for the boss"),
    *("that music though", "is this any%?", "no way he makes that jump", "monkaS", "hello from Brazil"),
)

Json = dict[str, Any]


class Town:
    """The channels, their viewers, and the bot; in every other channel, the first among them, it is moderator."""

    def __init__(self, twitch: FakeTwitch, channels: int) -> None:
        self._twitch, self._channels, self._viewers = twitch, channels, VIEWERS // channels
        self._said = self._again = 0
        self._marks: list[str] = []
        self._commands, self._chance = typed(2_000), random.Random(3)
        self._bot = twitch.user("moments_bot")
        self._streamers = [twitch.user(f"channel_{at}") for at in range(channels)]
        self._people = [[twitch.user(f"viewer_{at}_{one}") for one in range(self._viewers)] for at in range(channels)]
        for streamer in self._streamers[::2]:
            twitch.make_moderator(streamer, self._bot)

    def introduce(self) -> Json:
        """Where everything is, and everybody's grants, as if all had pressed "Authorise"."""
        twitch = self._twitch
        return {
            "settings": {
                "MOMENTS_TWITCH_CLIENT_ID": twitch.client_id,
                "MOMENTS_TWITCH_CLIENT_SECRET": twitch.client_secret,
                "MOMENTS_TWITCH_BOT_ID": self._bot.id,
                "MOMENTS_TWITCH_API_URL": twitch.api_url,
                "MOMENTS_TWITCH_AUTH_URL": twitch.auth_url,
                "MOMENTS_TWITCH_EVENTSUB_URL": twitch.eventsub_url,
            },
            "bot": self._grant(self._bot, *BOT_SCOPES),
            "streamers": [self._grant(streamer, "channel:bot") for streamer in self._streamers],
        }

    async def go_live(self) -> Json:
        """Every channel, once the bot listens to all of them."""
        await self._twitch.until(self._listened_to, timeout=60)
        for number, streamer in enumerate(self._streamers):
            await self._twitch.online(streamer, f"Any% attempt {number}", "Hollow Deep")
        return {}

    async def say(self, lines: int) -> Json:
        """So many lines, each channel in turn, at the pace of LINES_A_SECOND or as fast as this process can."""
        begun = time.perf_counter()
        for first in range(0, lines, BATCH):
            await asyncio.sleep(max(0.0, begun + first / LINES_A_SECOND - time.perf_counter()))
            for _ in range(BATCH):
                await self._one_line()
        return {"seconds": time.perf_counter() - begun}

    def tell(self) -> Json:
        """By Twitch's own count: which marks were typed, and what was asked, said and not shown."""
        sent = self._twitch.sent
        sums = [int(said.text.split()[0].replace(",", "")) for said in sent if said.text.endswith(" kept.")]
        most = [self._twitch.most_sent(streamer) for streamer in self._streamers]
        return {
            "marks": len(self._marks),
            "digest": digest(self._marks),
            "again": self._again,
            "sent": len(sent),
            "alone": sum(said.text.startswith("Marked #") for said in sent),
            "sums": len(sums),
            "together": sum(sums),
            "moderated": max(most[::2]),
            "elsewhere": max(most[1::2], default=0),
            "apart": min(map(self._least_gap, self._streamers[1::2]), default=0.0),
            "asked": self._most_asked(timedelta(minutes=1)),
            "dropped": len(self._twitch.dropped),
            "undelivered": len(self._twitch.eventsub.undelivered),
        }

    async def _one_line(self) -> None:
        turn, at = divmod(self._said, self._channels)
        self._said += 1
        if (turn + at) % MARK_EVERY:  # at any time somebody marks, never all channels at once
            viewer, text = self._chance.choice(self._people[at]), self._chance.choice(TALK)
            await self._twitch.say(self._streamers[at], viewer, text)
            return
        viewer, text = self._people[at][turn // MARK_EVERY % self._viewers], self._chance.choice(self._commands)
        self._marks.append(await self._twitch.say(self._streamers[at], viewer, text))
        if len(self._marks) % AGAIN_EVERY == 0:
            self._again += 1
            await self._twitch.redeliver()

    def _least_gap(self, channel: FakeUser) -> float:
        at = sorted(sent.at for sent in self._twitch.sent if sent.channel_id == channel.id)
        return min(((later - first).total_seconds() for first, later in pairwise(at)), default=float("inf"))

    def _most_asked(self, window: timedelta) -> int:
        asked = sorted(request.at for request in self._twitch.requests if request.path.startswith("/helix"))
        return max(bisect_right(asked, at + window) - turn for turn, at in enumerate(asked))

    def _listened_to(self) -> bool:
        heard = {
            (subscription.type, subscription.condition["broadcaster_user_id"])
            for subscription in self._twitch.eventsub.subscriptions.values()
            if subscription.status == "enabled" and "broadcaster_user_id" in subscription.condition
        }
        wanted = ("channel.chat.message", "stream.online")
        return heard >= {(kind, streamer.id) for kind in wanted for streamer in self._streamers}

    def _grant(self, user: FakeUser, *scopes: str) -> Json:
        token, refresh = self._twitch.mint(user, scopes)
        named = {"user_id": user.id, "login": user.login, "scopes": scopes}
        return named | {"access_token": token.value, "refresh_token": refresh}


def digest(message_ids: list[str]) -> str:
    """The same for the same messages, in whatever order, each as often as it is there."""
    return hashlib.sha256("\n".join(sorted(message_ids)).encode()).hexdigest()


async def serve(channels: int) -> None:
    """Until standard input ends."""
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)  # a Moments that ends hangs up on its last call
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with FakeTwitch() as twitch:
        town = Town(twitch, channels)
        _answer(town.introduce())
        while line := (await reader.readline()).decode().split():
            match line:
                case ["go", "live"]:
                    _answer(await town.go_live())
                case ["say", lines]:
                    _answer(await town.say(int(lines)))
                case ["tell"]:
                    _answer(town.tell())


def _answer(told: Json) -> None:
    print(orjson.dumps(told).decode(), flush=True)


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
