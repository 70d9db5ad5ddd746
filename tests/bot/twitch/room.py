"""One channel's chat as Twitch would have it, for an outbox to speak into."""

import asyncio
from itertools import pairwise
from typing import NamedTuple

from bot.twitch.outbox import Outbox
from commands.model import Kind, Reply
from moments.errors import ProviderDown
from tests.jumping import now

ROOM = "4242"
ROUNDING = 1e-6
"""Seconds: sums of floats."""


class Result(NamedTuple):
    is_sent: bool = True
    drop_code: str = ""


class Said(NamedTuple):
    at: float
    channel_id: str
    text: str
    reply_to: str | None


class Unanswered(ProviderDown):
    unanswered = True


class Room:
    """Twitch's side: what was said and when, and what it answers. Refuses to be spoken to beyond its limits."""

    def __init__(self, *, messages: int = 20, apart: float = 1.0, takes: float = 0.0) -> None:
        self.messages, self.apart, self.takes = messages, apart, takes
        self.said: list[Said] = []
        self.tried: list[Said] = []
        self.answers: list[Result | Exception] = []
        """What it answers next, in order; afterwards everything is shown."""
        self.down: Exception | None = None
        self.refused: list[str] = []
        self.outbox = Outbox(self.send, on_refused=self.refused.append)
        self.began = now()

    async def send(self, channel_id: str, text: str, reply_to: str | None) -> Result:
        said = Said(now() - self.began, channel_id, text, reply_to)
        self.tried.append(said)
        if self.takes:
            await asyncio.sleep(self.takes)
        answer = self.down or (self.answers.pop(0) if self.answers else Result())
        if isinstance(answer, Exception):
            raise answer
        if answer.is_sent:
            self.said.append(said)
        return answer

    def hears(self, text: str, kind: Kind = "marked", to: str | None = "m1", channel: str = ROOM) -> None:
        self.outbox.put(channel, Reply(text, kind=kind), to)

    def texts(self) -> list[str]:
        return [said.text for said in self.said]

    def check_limits(self, channel: str = ROOM) -> None:
        """By attempts, since Twitch counts those too."""
        at = [said.at for said in self.tried if said.channel_id == channel]
        for first, later in zip(at, at[self.messages :], strict=False):
            assert later - first >= 30 - ROUNDING
        assert all(later - first >= self.apart - ROUNDING for first, later in pairwise(at))

    def told_of(self) -> int:
        """How many marks the room knows to be kept."""
        return sum(int(text.split()[0].replace(",", "")) if "kept" in text else 1 for text in self.texts())
