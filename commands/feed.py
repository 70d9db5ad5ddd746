"""What just happened in each session, for whoever watches: the live page today, a Discord feed later."""

import asyncio
import secrets
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Callable, Sequence
from itertools import islice
from typing import Literal, NamedTuple

from moments.marks import Timestamp
from storage import Change

REMEMBERED_EVENTS = 1000
"""Events kept a session, so that a watcher who was away for a moment misses none."""
REMEMBERED_SESSIONS = 200
"""Sessions kept while nobody watches them; those that are watched are kept besides."""
WATCHER_BACKLOG = 100
"""Events a slow watcher may lag behind before it is dropped (research/security.md RES-5)."""

Kind = Literal["timestamp", "removed", "session", "stale"]


class Event(NamedTuple):
    """One change, already on disk. `stale` tells a watcher that it missed events and must read afresh."""

    id: str
    kind: Kind
    mark: Timestamp | None = None
    people: int = 1
    """How many people are in this mark's crowd moment, the author included."""
    number: int | None = None
    """The mark that was removed."""


class _Channel:
    __slots__ = ("changes", "last_number", "newest", "since", "watchers")

    def __init__(self, since: int) -> None:
        self.since = self.newest = since
        """All that happened after the change `since` is in `changes`, or was withdrawn."""
        # Changes as the store tells them: the events are made when somebody watches.
        self.changes: deque[tuple[int, Change]] = deque()
        self.last_number = 0
        self.watchers: set[asyncio.Queue[Event | None]] = set()

    def remember(self, sequence: int, change: Change) -> None:
        self.newest = sequence
        self.changes.append((sequence, change))
        if len(self.changes) > REMEMBERED_EVENTS:
            self.since, _ = self.changes.popleft()

    def withdraw(self, number: int) -> None:
        """Forget what was said of a mark, also where it still waits to be read."""
        self.changes = deque(numbered for numbered in self.changes if not _says(numbered[1], number))
        for watcher in self.watchers:
            for waiting in [watcher.get_nowait() for _ in range(watcher.qsize())]:
                if waiting is None or not _says(waiting, number):
                    watcher.put_nowait(waiting)

    def withdraw_all(self) -> None:
        self.since = self.newest
        self.changes.clear()
        for watcher in self.watchers:
            while not watcher.empty():
                watcher.get_nowait()


def _says(told: Change | Event, number: int) -> bool:
    return told.mark is not None and told.mark.number == number


class Feed:
    """Publishes committed changes to watchers. Publishing never waits: a watcher that lags too far is dropped.

    Words that were taken back are told to nobody afterwards: what was remembered of them goes as they do.
    """

    def __init__(self) -> None:
        self.withdrawn: list[Callable[[str], None]] = []
        """Called with the id of a session of which something was taken back, by who keeps copies of events."""
        self._run = secrets.token_hex(4)  # ids of another run are never taken for ours
        self._sequence = 0  # one for all sessions, so that an id is given once even to one that was forgotten
        self._forgotten = 0
        """No session that is not in `_channels` has a change after this one: its position stays while others go on."""
        self._channels: OrderedDict[str, _Channel] = OrderedDict()

    def announce(self, changes: Sequence[Change]) -> None:
        """Publish what the store has committed: remember it, and hand it to everyone watching its session."""
        for change in changes:
            channel = self._channel(change.session_id)
            self._withdraw(channel, change)
            self._sequence += 1
            channel.remember(self._sequence, change)
            if change.kind == "stale":
                channel.withdraw_all()
            if channel.watchers:
                self._hand_out(channel, change)

    def _withdraw(self, channel: _Channel, change: Change) -> None:
        if change.mark is not None and change.mark.number > channel.last_number:
            channel.last_number = change.mark.number  # a new mark: nothing was said of it
            return
        number = change.mark.number if change.mark else change.number
        if number is not None:
            channel.withdraw(number)
        if number is not None or change.kind == "stale":
            for tell in self.withdrawn:
                tell(change.session_id)

    def _hand_out(self, channel: _Channel, change: Change) -> None:
        event = self._event(channel.newest, change)
        for watcher in tuple(channel.watchers):
            if watcher.qsize() < watcher.maxsize - 1:
                watcher.put_nowait(event)
            else:
                channel.watchers.discard(watcher)
                watcher.put_nowait(None)

    def _event(self, sequence: int, change: Change) -> Event:
        return Event(self._id(sequence), change.kind, change.mark, change.people, change.number)

    def _id(self, sequence: int) -> str:
        return f"{self._run}-{sequence}"

    def position(self, session_id: str) -> str:
        """The id of the newest event: watch from here to miss nothing that comes after."""
        channel = self._channels.get(session_id)
        return self._id(channel.newest if channel else self._forgotten)

    async def watch(self, session_id: str, after: str | None = None) -> AsyncGenerator[Event, None]:
        """Every change after the event id `after` (or from now), until the watcher lags too far or stops."""
        channel = self._channel(session_id)
        missed = self._since(channel, after)
        # A place more than it may hold, for the None that ends it.
        queue: asyncio.Queue[Event | None] = asyncio.Queue(len(missed) + WATCHER_BACKLOG + 1)
        for event in missed:
            queue.put_nowait(event)
        channel.watchers.add(queue)
        try:
            while (event_or_end := await queue.get()) is not None:
                yield event_or_end
        finally:
            channel.watchers.discard(queue)

    def _since(self, channel: _Channel, after: str | None) -> list[Event]:
        if after is None:
            return []
        run, _, word = after.partition("-")
        sequence = int(word[:18]) if run == self._run and word.isdecimal() else -1
        if not channel.since <= sequence <= channel.newest:
            return [Event(self._id(channel.newest), "stale")]
        return [self._event(*numbered) for numbered in channel.changes if numbered[0] > sequence]

    def _channel(self, session_id: str) -> _Channel:
        channel = self._channels.get(session_id)
        if channel is None:
            self._make_room()
            channel = self._channels[session_id] = _Channel(self._forgotten)
        self._channels.move_to_end(session_id)
        return channel

    def _make_room(self) -> None:
        too_many = max(0, len(self._channels) - REMEMBERED_SESSIONS + 1)
        unwatched = (session_id for session_id, channel in self._channels.items() if not channel.watchers)
        for session_id in list(islice(unwatched, too_many)):
            self._forgotten = max(self._forgotten, self._channels.pop(session_id).newest)
