"""What Moments says in Twitch chat: each channel at the pace Twitch allows, and what its answers to that mean."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from bot.twitch.line import (
    ALL_CHANNELS,
    ANYBODY,
    MESSAGE_LENGTH,
    MODERATOR,
    PATIENCE_SECONDS,
    VIP,
    Allowance,
    Line,
    Message,
    OutboxStats,
    Pace,
)
from commands.model import Reply
from moments.errors import NotAuthorised, ProviderBusy, ProviderDown, ProviderError, ProviderRefused
from moments.notes import shortened

LONGEST_HOLD_SECONDS = 60.0
LONGEST_BACKOFF_SECONDS = 30.0
_DOUBLINGS = 5
"""So many from a second on are past the longest; a power of every failure there ever was would overflow."""
REFUSED_PAUSE_SECONDS = 60.0
"""A channel that may not be spoken in is tried once in so long: whoever mends it need not restart us."""
MOST_WAITING = 10_000
"""Messages, in all channels together."""
MOST_STANDINGS = 10_000
AGAIN = " (again)"
"""Makes the same words other words."""

_log = structlog.get_logger()


class Delivered(Protocol):
    """What Twitch says became of a message: `providers.twitch.shapes.Sent`."""

    @property
    def is_sent(self) -> bool:
        """Whether it is shown in chat."""

    @property
    def drop_code(self) -> str:
        """Why it is not; the codes are undocumented and change."""


Send = Callable[[str, str, str | None], Awaitable[Delivered]]
"""Called with a channel's id, the text, and the id of the message it answers; raises ProviderError."""


@dataclass(slots=True, eq=False)
class _Voice:
    """One channel being spoken in."""

    line: Line
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    failures: int = 0


class Outbox:
    """Says replies, every channel on its own; one that is slow or refused holds up no other.

    All together keep within what Twitch lets an application ask; when that is short, channels take turns.

    A channel is remembered while something waits there, and for the 30 seconds in which its last messages count.
    `stats` may be read at any time.
    """

    def __init__(self, send: Send, *, on_refused: Callable[[str], object] = lambda channel_id: None) -> None:
        """`on_refused` is told a channel's id at most once an hour, when the bot may not speak there."""
        self.stats = OutboxStats()
        self._send = send
        self._on_refused = on_refused
        self._voices: dict[str, _Voice] = {}
        self._standings: dict[str, Allowance] = {}
        self._refused = _Seldom(3600)
        self._said = _Seldom(60)
        self._closing = False
        self._all = Pace(ALL_CHANNELS)
        self._door = asyncio.Lock()
        self._at_door = 0

    def put(self, channel_id: str, reply: Reply, to_message_id: str | None) -> None:
        """Say this when the channel's turn comes, in thread with the message it answers. Never waits, never raises."""
        if self._closing:
            self.stats.dropped += 1
            return
        now, marks = _now(), 1 if reply.kind == "marked" else 0
        voice = self._voices.get(channel_id) or self._open(channel_id)
        message = Message(reply.text, reply.kind, to_message_id, now, marks)
        share = _share(PATIENCE_SECONDS, self._at_door)
        voice.line.add(message, now, share=share, full=self.stats.waiting >= MOST_WAITING)
        voice.woken.set()

    def set_standing(self, channel_id: str, moderator: bool, vip: bool) -> None:
        """What the bot is in this channel now, from the badges of its own messages; the broadcaster moderates."""
        allowance = MODERATOR if moderator else VIP if vip else ANYBODY
        self._standings.pop(channel_id, None)
        if allowance is not ANYBODY:
            self._standings[channel_id] = allowance
        if len(self._standings) > MOST_STANDINGS:
            del self._standings[next(iter(self._standings))]
        voice = self._voices.get(channel_id)
        if voice is not None:
            voice.line.pace.allowance = allowance
            voice.woken.set()

    async def drain(self, seconds: float) -> None:
        """Say what may still be said within so many seconds, then end; nothing is said afterwards."""
        self._closing = True
        tasks = [voice.task for voice in self._voices.values() if voice.task is not None]
        in_time = max(0.0, seconds - 1)  # the last one needs time to get there
        share = _share(in_time, sum(voice.line.waits() for voice in self._voices.values()))
        for voice in self._voices.values():
            voice.line.hurry(_now(), seconds, share)
            voice.woken.set()
        try:
            if tasks:
                await asyncio.wait(tasks, timeout=seconds)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _open(self, channel_id: str) -> _Voice:
        voice = _Voice(Line(self._standings.get(channel_id, ANYBODY), self.stats))
        self._voices[channel_id] = voice
        voice.task = asyncio.create_task(self._speak(channel_id, voice), name=f"outbox {channel_id}")
        return voice

    async def _speak(self, channel_id: str, voice: _Voice) -> None:
        line = voice.line
        try:
            while (due := line.due(_now())) is not None:
                if due > _now():
                    await _wait(voice.woken, due)
                elif message := await self._next(line):
                    await self._say(channel_id, voice, message)
        finally:
            line.clear()
            del self._voices[channel_id]

    async def _next(self, line: Line) -> Message | None:
        """What the channel says when its turn among all channels has come; None when it has nothing to say by then."""
        self._at_door += 1
        try:
            async with self._door:  # first come, first served
                while (due := self._all.due()) > _now():
                    await _until(due)
                if not line.ready(_now()):
                    return None
                self._all.answered(_now())
                return line.take(_now())
        finally:
            self._at_door -= 1

    async def _say(self, channel_id: str, voice: _Voice, message: Message) -> None:
        try:
            delivered = await self._send(channel_id, message.text, message.reply_to)
        except ProviderError as error:
            self._failed(channel_id, voice, message, error)
        except Exception:
            self.stats.dropped += 1
            _log.exception("a message could not be sent", channel=channel_id)
        else:
            voice.failures = 0
            self._answered(channel_id, voice, message, delivered)
        finally:
            voice.line.pace.answered(_now())

    def _answered(self, channel_id: str, voice: _Voice, message: Message, delivered: Delivered) -> None:
        if message.kind == "summary":
            voice.line.told(_now())
        if delivered.is_sent:
            self.stats.sent += 1
            self.stats.summed_up += message.marks if message.kind == "summary" else 0
            return
        self._not_shown(channel_id, delivered.drop_code)
        if message.kind == "changed" and not message.repeated and "duplicate" in delivered.drop_code:
            other_words = shortened(message.text, MESSAGE_LENGTH - len(AGAIN)) + AGAIN
            voice.line.put_back(message._replace(text=other_words, repeated=True), _now())

    def _failed(self, channel_id: str, voice: _Voice, message: Message, error: ProviderError) -> None:
        match error:
            case ProviderBusy():
                self._hold(voice, min(max(error.retry_after, 1.0), LONGEST_HOLD_SECONDS))
                voice.line.put_back(message, _now())
            case ProviderDown():
                self._hold(voice, min(2.0 ** min(voice.failures, _DOUBLINGS), LONGEST_BACKOFF_SECONDS))
                voice.failures += 1
                self._not_now(channel_id, voice, message, error)
            case NotAuthorised() | ProviderRefused(status=401 | 403):
                self._may_not(channel_id, voice, error)
            case _:
                self._not_shown(channel_id, str(error))

    def _not_now(self, channel_id: str, voice: _Voice, message: Message, error: ProviderDown) -> None:
        if self._said.due((channel_id, "down")):
            _log.warning("Twitch takes no messages; trying again", channel=channel_id, error=str(error))
        if message.kind != "changed" and error.unanswered:
            self.stats.dropped += 1  # it may stand in chat already: rather no answer than two
        else:
            voice.line.put_back(message, _now())

    def _may_not(self, channel_id: str, voice: _Voice, error: ProviderError) -> None:
        self.stats.dropped += 1
        voice.line.clear()
        self._hold(voice, REFUSED_PAUSE_SECONDS)
        if self._refused.due(channel_id):
            _log.warning("the bot may not speak in this channel", channel=channel_id, error=str(error))
            self._on_refused(channel_id)

    def _not_shown(self, channel_id: str, code: str) -> None:
        self.stats.refused += 1
        if self._said.due((channel_id, code)):
            _log.warning("Twitch did not show a message", channel=channel_id, code=code[:100])

    def _hold(self, voice: _Voice, seconds: float) -> None:
        voice.line.hold(_now() + seconds)


class _Seldom:
    """Whether it is time again for a thing that should happen once in so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until: dict[Hashable, float] = {}

    def due(self, thing: Hashable) -> bool:
        """True when it has not happened for so long; it is taken to happen now."""
        now = _now()
        if now < self._until.get(thing, now):
            return False
        self._until = {other: until for other, until in self._until.items() if now < until}
        self._until[thing] = now + self._seconds
        return True


def _share(seconds: float, channels: int) -> int:
    """How many messages each of so many channels may send in that time."""
    return int(seconds / ALL_CHANNELS.within * ALL_CHANNELS.messages / max(channels, 1))


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _until(instant: float) -> None:
    await _wait(asyncio.Event(), instant)


async def _wait(woken: asyncio.Event, until: float) -> None:
    """Return at that instant, or as soon as there is news."""
    woken.clear()
    alarm = asyncio.get_running_loop().call_at(until, woken.set)
    try:
        await woken.wait()
    finally:
        alarm.cancel()
