"""What waits to be said in one channel, and when Twitch lets it be said. No I/O: the caller tells the time."""

from collections import deque
from dataclasses import dataclass
from typing import Literal, NamedTuple

from commands.model import Kind
from moments.wording import counted

WINDOW_SECONDS = 30.0
PATIENCE_SECONDS = 10.0
"""A mark's answer that comes later than this is worth less than a word for all of them."""
OLDEST_SECONDS = 30.0
OLDEST_ACT_SECONDS = 90.0
"""Moderators want to know that it was paused, however late: longer than any one wait for Twitch."""
KEPT_SECONDS = 600.0
"""How long marks without an answer wait for the one message that tells of them."""
MOST_ACTS = 20
MESSAGE_LENGTH = 500


class Allowance(NamedTuple):
    """How many messages may be sent within any so many seconds, and how many seconds apart."""

    messages: int
    apart: float = 0.0
    within: float = WINDOW_SECONDS


# research/twitch.md §5, second-hand: 20, or 100 for moderators, and one a second. That VIPs are spared
# the second, as moderators are, is an assumption from what other bots' authors measured.
ANYBODY = Allowance(20, apart=1.0)
VIP = Allowance(20)
MODERATOR = Allowance(100)
# Each message costs one of the 800 points an application has a minute for everything it asks of Helix. These 600 are
# spread evenly: all at once, every channel would fall silent for the rest of the minute.
ALL_CHANNELS = Allowance(10, within=1.0)


class Pace:
    """When the next message may go. The window rolls: a bucket that refills lets twice as many through at its edge.

    What is remembered is when Twitch had answered, so that however long each message took, none arrives too soon.
    """

    def __init__(self, allowance: Allowance) -> None:
        self.allowance = allowance
        self._answered: deque[float] = deque(maxlen=MODERATOR.messages)

    def answered(self, now: float) -> None:
        """One more was sent, whatever became of it."""
        self._answered.append(now)

    def due(self) -> float:
        """The instant from which the next may go; minus infinity when nothing was said yet."""
        messages, apart, within = self.allowance
        by_gap = self._answered[-1] + apart if self._answered else float("-inf")
        by_window = self._answered[-messages] + within if len(self._answered) >= messages else by_gap
        return max(by_gap, by_window)

    def room(self, now: float, seconds: float) -> int:
        """How many may go within so many seconds from now."""
        messages, apart, within = self.allowance
        ends = now + seconds
        by_window = messages - sum(instant > ends - within for instant in self._answered)
        first = self._answered[-1] + apart if self._answered else now
        by_gap = int((ends - max(first, now)) / apart) + 1 if apart else by_window
        return max(0, min(by_window, by_gap))

    def forgotten(self) -> float:
        """The instant from which all this no longer matters."""
        return self._answered[-1] + self.allowance.within if self._answered else float("-inf")


class Message(NamedTuple):
    """Something to say."""

    text: str
    kind: Kind | Literal["summary"]
    reply_to: str | None
    since: float
    """When it began to wait."""
    marks: int = 0
    """How many marks it tells of."""
    repeated: bool = False


@dataclass(slots=True)
class OutboxStats:
    """Counted since the process began, all channels together; `waiting` is now."""

    waiting: int = 0
    sent: int = 0
    dropped: int = 0
    """Messages given up; the marks among them are kept all the same."""
    summed_up: int = 0
    """Marks told of together instead of one by one."""
    refused: int = 0
    """Messages Twitch did not show."""


class Line:
    """The messages of one channel in the order they are said: moderators' acts, then the rest as it came.

    Of the rest no more wait than can be said in 10 seconds: the oldest go, and the marks among them are told of in one
    message when it is quieter, at most every 30 seconds.
    """

    def __init__(self, allowance: Allowance, stats: OutboxStats) -> None:
        self.pace = Pace(allowance)
        self._stats = stats
        self._acts: deque[Message] = deque()
        self._others: deque[Message] = deque()
        self._kept = 0
        self._kept_since = 0.0
        self._sums_up_from = float("-inf")
        self._held_until = float("-inf")
        self._patience = PATIENCE_SECONDS
        self._share = MODERATOR.messages
        self._closing = False

    def add(self, message: Message, now: float, *, share: int, full: bool = False) -> None:
        """Let a message wait; `full` when there is no room for it anywhere in the process.

        `share`: how many messages all channels together leave to this one for the next 10 seconds.
        """
        self._share = share
        if full and message.kind != "changed":
            self._give_up(message, now)
            return
        self._queue(message).append(message)
        self._stats.waiting += 1
        self._trim(now)

    def put_back(self, message: Message, now: float) -> None:
        """It could not be said just now; it is again the first of its kind."""
        if message.kind == "summary":
            self._keep(message.marks, message.since)
            self._sums_up_from = now
            return
        self._queue(message).appendleft(message)
        self._stats.waiting += 1
        self._trim(now)

    def hold(self, until: float) -> None:
        """Say nothing before this instant."""
        self._held_until = until

    def told(self, now: float) -> None:
        """The sentence for many marks has arrived by now; on its way it may have taken longer than the next one."""
        self._sums_up_from = now + WINDOW_SECONDS

    def hurry(self, now: float, seconds: float, share: int) -> None:
        """The process ends in so many seconds: what will not fit is summed up now, and nothing is waited for."""
        self._share = share
        self._closing, self._patience = True, max(0.0, seconds - 1)  # the last one needs time to get there
        self._trim(now)

    def due(self, now: float) -> float | None:
        """The instant to look again whether it is `ready`; None when there is nothing left to remember."""
        self._expire(now)
        may = max(self._held_until, self.pace.due())
        if self._acts or self._others:
            return may
        if self._kept:
            return may if self._closing else max(may, self._sums_up_from)
        forgotten = max(self._held_until, self.pace.forgotten())
        return None if self._closing or forgotten <= now else forgotten

    def ready(self, now: float) -> bool:
        """Whether there is something to `take`."""
        due = self.due(now)
        return due is not None and due <= now and self.waits()

    def take(self, now: float) -> Message:
        """What is said next; only when it is `ready`."""
        if not self._acts and self._sums_up(now):
            return self._summary(now)
        self._stats.waiting -= 1
        return (self._acts or self._others).popleft()

    def waits(self) -> bool:
        """Whether there is anything to say."""
        return bool(self._acts or self._others or self._kept)

    def clear(self) -> None:
        """Give everything up."""
        gone = len(self._acts) + len(self._others)
        self._stats.waiting -= gone
        self._stats.dropped += gone + self._kept
        self._acts.clear()
        self._others.clear()
        self._kept = 0

    def _queue(self, message: Message) -> deque[Message]:
        return self._acts if message.kind == "changed" else self._others

    def _sums_up(self, now: float) -> bool:
        if not self._kept or self._closing:
            return self._kept > 0
        quiet = not self._others or now - self._kept_since >= PATIENCE_SECONDS
        return quiet and now >= self._sums_up_from

    def _summary(self, now: float) -> Message:
        marks, since = self._kept, self._kept_since
        self._kept = 0
        self._sums_up_from = now + WINDOW_SECONDS  # the same sentence twice in 30 s is a duplicate to Twitch
        return Message(f"{counted(marks, 'mark')} kept.", "summary", None, since, marks)

    def _trim(self, now: float) -> None:
        while len(self._acts) > MOST_ACTS:
            self._drop(self._acts, now)
        room = min(self.pace.room(now, self._patience), self._share) - len(self._acts)
        if self._closing and (self._kept or len(self._others) > room):
            room -= 1  # for the sentence that tells of the rest
        while len(self._others) > max(room, 0 if self._closing else 1):
            self._drop(self._others, now)

    def _expire(self, now: float) -> None:
        while self._acts and self._acts[0].since <= now - OLDEST_ACT_SECONDS:
            self._drop(self._acts, now)
        while self._others and self._others[0].since <= now - OLDEST_SECONDS:
            self._drop(self._others, now)
        if self._kept and self._kept_since <= now - KEPT_SECONDS:
            self._stats.dropped += self._kept
            self._kept = 0

    def _drop(self, queue: deque[Message], now: float) -> None:
        self._stats.waiting -= 1
        self._give_up(queue.popleft(), now)

    def _give_up(self, message: Message, now: float) -> None:
        if message.marks:
            self._keep(message.marks, now)
        else:
            self._stats.dropped += 1

    def _keep(self, marks: int, since: float) -> None:
        self._kept_since = min(self._kept_since, since) if self._kept else since
        self._kept += marks
