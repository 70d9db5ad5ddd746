"""What a session's page shows of all its marks at once: counts by time and the crowd moments, kept per session."""

import heapq
import time
from array import array
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from operator import ne

from aiohttp import web

from commands.shared import Shared
from moments.crowd import CrowdMoment, Point, crowd_moments
from moments.sessions import Session
from storage import Store, Totals
from storage.aside import aside

LARGEST = 10
"""Crowd moments a page lists."""
NUMBERS_KEPT = 20
KEPT_SESSIONS = 64
KEPT_TOTALS = 1000
NO_END = 2**31
"""An offset past every other."""
REST_FACTOR = 20
"""A digest is left alone for this many times what computing it took, so that a flood costs at most a 20th of a core:
small sessions are always exact, one of 50,000 marks lags a few seconds."""


def _key(segment_index: int, offset_seconds: int) -> int:
    return segment_index << 32 | offset_seconds


@dataclass(frozen=True, slots=True)
class Largest:
    """One of the largest crowd moments, with the first words somebody gave it (empty when nobody did)."""

    segment_index: int
    offset_seconds: int
    people: int
    numbers: tuple[int, ...]
    """Its first marks, enough to find words among."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Digest:
    """All marks of a session as of `revision`, 20 bytes each; the lists are in (segment, offset) order."""

    revision: int
    window: int
    """Seconds; how wide a crowd moment may be."""
    keys: Sequence[int]
    places: int
    """Marks of the same segment and second counted once."""
    anchors: Sequence[int]
    anchor_people: Sequence[int]
    crowds: int
    """How many crowd moments have two people or more."""
    totals: Totals
    largest: tuple[Largest, ...]
    """Those of two people or more, most people first, then by time."""
    words_revision: int = -1

    def count(self, segment_index: int, start: int, end: int) -> int:
        """Marks with start ≤ offset < end."""
        return bisect_left(self.keys, _key(segment_index, end)) - bisect_left(self.keys, _key(segment_index, start))

    def offsets(self, segment_index: int, end: int = NO_END) -> list[int]:
        """The offset of every mark of a segment that lies before `end`."""
        first, last = (bisect_left(self.keys, _key(segment_index, offset)) for offset in (0, end))
        return [key & 0xFFFFFFFF for key in self.keys[first:last]]

    def people_at(self, segment_index: int, offset_seconds: int) -> int:
        """How many people are in the crowd moment a mark at this place belongs to; 1 when it is too new to be known."""
        # Anchored groups never overlap, so the last one opened at or before the mark is its own.
        mark = _key(segment_index, offset_seconds)
        place = bisect_right(self.anchors, mark) - 1
        return self.anchor_people[place] if place >= 0 and mark - self.anchors[place] <= self.window else 1


def digest(points: Sequence[Point], window: int, revision: int) -> Digest:
    """Sweep a session's points once."""
    groups = list(crowd_moments(points, window))
    crowds = [group for group in groups if group.people > 1]
    keys = array("q", (_key(point.segment_index, point.offset_seconds) for point in points))
    return Digest(
        revision=revision,
        window=window,
        keys=keys,
        places=sum(map(ne, keys, islice(keys, 1, None)), start=min(1, len(keys))),
        anchors=array("q", (_key(group.segment_index, group.offset_seconds) for group in groups)),
        anchor_people=array("l", (group.people for group in groups)),
        crowds=len(crowds),
        totals=Totals(len(points), len({point.person_id for point in points})),
        largest=tuple(map(_largest, heapq.nsmallest(LARGEST, crowds, key=_rank))),
    )


def _rank(group: CrowdMoment) -> tuple[int, int, int]:
    return -group.people, group.segment_index, group.offset_seconds


def _largest(group: CrowdMoment) -> Largest:
    return Largest(group.segment_index, group.offset_seconds, group.people, group.numbers[:NUMBERS_KEPT])


class Digests:
    """Digests of the sessions looked at last, computed off the event loop, one computation a session at a time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: OrderedDict[str, Digest] = OrderedDict()
        self._rest_until: dict[str, float] = {}
        self._making: Shared[str, Digest] = Shared()

    async def of(self, session: Session, window: int, revision: int) -> Digest:
        """The session's digest; its counts may lag in a flood, the words it shows never do. StoreError."""
        kept = self._kept.get(session.id)
        while kept is None or not self._serves(kept, session.id, window, revision):
            kept = await self._making.once(session.id, lambda: self._renew(session, window, revision))
        return kept

    async def close(self) -> None:
        """End what is being computed."""
        await self._making.close()

    def _serves(self, kept: Digest, session_id: str, window: int, revision: int) -> bool:
        due = self._is_due(session_id, kept, revision)
        return kept.window == window and kept.words_revision >= revision and not due

    def _is_due(self, session_id: str, kept: Digest, revision: int) -> bool:
        return kept.revision < revision and time.monotonic() >= self._rest_until.get(session_id, 0)

    async def _renew(self, session: Session, window: int, revision: int) -> Digest:
        kept = self._kept.get(session.id)
        if kept is None or kept.window != window or self._is_due(session.id, kept, revision):
            kept = await self._compute(session, window, revision)
        if kept.words_revision < revision:
            kept = replace(kept, largest=await self._worded(session, kept.largest), words_revision=revision)
        self._keep(session.id, kept)
        return kept

    async def _compute(self, session: Session, window: int, revision: int) -> Digest:
        started = time.monotonic()
        points = await self._store.points(session)
        computed = await aside(digest, points, window, revision)
        finished = time.monotonic()
        self._rest_until[session.id] = finished + REST_FACTOR * (finished - started)
        return computed

    async def _worded(self, session: Session, largest: tuple[Largest, ...]) -> tuple[Largest, ...]:
        notes = await self._store.notes(session, [number for moment in largest for number in moment.numbers])
        words = (next((notes[number] for number in moment.numbers if number in notes), "") for moment in largest)
        return tuple([replace(moment, note=note) for moment, note in zip(largest, words, strict=True)])

    def _keep(self, session_id: str, kept: Digest) -> None:
        self._kept[session_id] = kept
        self._kept.move_to_end(session_id)
        while len(self._kept) > KEPT_SESSIONS:
            oldest, _ = self._kept.popitem(last=False)
            self._rest_until.pop(oldest, None)


class TotalsKept:
    """Totals of the sessions looked at last, counted once a revision."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: OrderedDict[str, tuple[int, Totals]] = OrderedDict()
        self._making: Shared[tuple[str, int], Totals] = Shared()

    async def of(self, session: Session) -> Totals:
        """The session's totals as they are now. StoreError."""
        revision = await self._store.revision(session)
        kept = self._kept.get(session.id)
        if kept is not None and kept[0] == revision:
            self._kept.move_to_end(session.id)
            return kept[1]
        return await self._making.once((session.id, revision), lambda: self._count(session, revision))

    async def close(self) -> None:
        """End what is being counted."""
        await self._making.close()

    async def _count(self, session: Session, revision: int) -> Totals:
        totals = await self._store.totals(session)
        if self._kept.get(session.id, (0, totals))[0] <= revision:
            self._kept[session.id] = (revision, totals)
            self._kept.move_to_end(session.id)
            if len(self._kept) > KEPT_TOTALS:
                self._kept.popitem(last=False)
        return totals


TOTALS = web.AppKey("totals", TotalsKept)
