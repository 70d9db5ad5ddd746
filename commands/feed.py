"""What just happened in each session, for whoever watches: the live page today, a Discord feed later."""

import asyncio
import secrets
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Sequence
from itertools import islice
from typing import Literal, NamedTuple

from moments.marks import Timestamp
from storage import Change

REMEMBERED_EVENTS = 1000
"""Events kept a session, so that a watcher who was away for a moment misses none."""
REMEMBERED_SESSIONS = 200
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
    __slots__ = ("changes", "sequence", "watchers")

    def __init__(self) -> None:
        # Changes as the store tells them: the events are made when somebody watches.
        self.changes: deque[Change] = deque(maxlen=REMEMBERED_EVENTS)
        self.sequence = 0
        self.watchers: set[asyncio.Queue[Event | None]] = set()


class Feed:
    """Publishes committed changes to watchers. Publishing never waits: a watcher that lags too far is dropped."""

    def __init__(self) -> None:
        self._run = secrets.token_hex(4)  # ids of another run are never taken for ours
        self._channels: OrderedDict[str, _Channel] = OrderedDict()

    def announce(self, changes: Sequence[Change]) -> None:
        """Publish what the store has committed: remember it, and hand it to everyone watching its session."""
        for change in changes:
            channel = self._channel(change.session_id)
            channel.sequence += 1
            channel.changes.append(change)
            if channel.watchers:
                self._hand_out(channel, change)

    def publish(
        self, session_id: str, kind: Kind, *, mark: Timestamp | None = None, people: int = 1, number: int | None = None
    ) -> None:
        """Announce one change."""
        self.announce([Change(kind, session_id, mark, people, number)])

    def _hand_out(self, channel: _Channel, change: Change) -> None:
        event = self._event(channel.sequence, change)
        for watcher in tuple(channel.watchers):
            if watcher.qsize() < WATCHER_BACKLOG:
                watcher.put_nowait(event)
            else:
                channel.watchers.discard(watcher)
                watcher.put_nowait(None)

    def _event(self, sequence: int, change: Change) -> Event:
        return Event(f"{self._run}-{sequence}", change.kind, change.mark, change.people, change.number)

    def position(self, session_id: str) -> str:
        """The id of the newest event: watch from here to miss nothing that comes after."""
        channel = self._channels.get(session_id)
        return f"{self._run}-{channel.sequence if channel else 0}"

    async def watch(self, session_id: str, after: str | None = None) -> AsyncGenerator[Event, None]:
        """Every change after the event id `after` (or from now), until the watcher lags too far or stops."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        channel = self._channel(session_id)
        missed = self._since(channel, after)
        channel.watchers.add(queue)
        try:
            for event in missed:
                yield event
            while (event_or_end := await queue.get()) is not None:
                yield event_or_end
        finally:
            channel.watchers.discard(queue)

    def _since(self, channel: _Channel, after: str | None) -> list[Event]:
        if after is None:
            return []
        run, _, sequence = after.partition("-")
        oldest = channel.sequence - len(channel.changes)
        if run != self._run or not sequence.isdecimal() or not oldest <= int(sequence[:18]) <= channel.sequence:
            return [Event(f"{self._run}-{channel.sequence}", "stale")]
        following = range(int(sequence) + 1, channel.sequence + 1)
        missed = islice(channel.changes, int(sequence) - oldest, None)
        return [self._event(*numbered) for numbered in zip(following, missed, strict=True)]

    def _channel(self, session_id: str) -> _Channel:
        channel = self._channels.get(session_id)
        if channel is None:
            channel = self._channels[session_id] = _Channel()
            if len(self._channels) > REMEMBERED_SESSIONS:
                self._forget_one()
        self._channels.move_to_end(session_id)
        return channel

    def _forget_one(self) -> None:
        for session_id, channel in self._channels.items():
            if not channel.watchers:
                del self._channels[session_id]
                return
