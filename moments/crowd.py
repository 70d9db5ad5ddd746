"""Crowd moments: point marks by different people close together count as one.

Groups are anchored: the first unclaimed mark takes every mark of its segment up to `window` seconds later,
that second included. Chaining each mark to its neighbour would swallow whole sessions. Since offsets are
whole seconds, the groups follow from the seconds that hold a mark; numbers only order equal seconds.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol, Self, TypeVar

Position = tuple[int, int, int]
"""A mark's place in its session, sorting as marks are listed: (segment_index, offset_seconds, number)."""


class Placed(Protocol):
    """What stands somewhere in a session."""

    @property
    def segment_index(self) -> int:
        """Which segment, from 1."""

    @property
    def offset_seconds(self) -> int:
        """How far in it."""


P = TypeVar("P", bound=Placed)


class Point(NamedTuple):
    """What counting the crowd needs of a mark. Marks of forgotten or unknown authors have no point."""

    segment_index: int
    offset_seconds: int
    number: int
    person_id: int


class CrowdMoment(NamedTuple):
    """The marks of one group, which begins at its anchor (`offset_seconds`), and how many people made them."""

    segment_index: int
    offset_seconds: int
    people: int
    numbers: tuple[int, ...]
    """The marks' numbers, in the order of their positions."""


def anchored(marks: Iterable[P], window: int) -> Iterator[list[P]]:
    """The groups of marks that come in the order of their positions, lone ones included.

    Holds no more than one group at a time. A group never crosses a segment; `window` is in seconds.
    """
    group: list[P] = []
    segment = end = -1
    for mark in marks:
        offset = mark.offset_seconds
        if offset > end or mark.segment_index != segment:
            if group:
                yield group
            group = []
            segment, end = mark.segment_index, offset + window
        group.append(mark)
    if group:
        yield group


def crowd_moments(points: Iterable[Point], window: int) -> Iterator[CrowdMoment]:
    """Every group of a session, lone marks included, from points in the order of their positions."""
    return map(_moment, anchored(points, window))


def _moment(group: list[Point]) -> CrowdMoment:
    first = group[0]
    return CrowdMoment(
        first.segment_index,
        first.offset_seconds,
        len({point.person_id for point in group}),
        tuple([point.number for point in group]),
    )


class CrowdIndex:
    """The groups of one segment, kept up to date mark by mark: always what `crowd_moments` would find.

    Adding a mark known already and removing an unknown one change nothing, so an index read from the store
    may be told again what the store held. A mark that moves is removed where it was and added where it is.
    """

    __slots__ = ("_anchors", "_marks", "_people", "_seconds", "_window")

    def __init__(self, window: int) -> None:
        """Start without marks; `window` is in seconds."""
        self._window = window
        self._marks: dict[int, dict[int, int]] = {}  # second -> number -> person
        self._seconds: list[int] = []  # those that hold a mark, sorted
        self._anchors: list[int] = []  # the seconds that open a group, sorted
        # anchor -> person -> marks; counted when asked for: one late mark may move every group after it.
        self._people: dict[int, dict[int, int]] = {}

    @classmethod
    def from_points(cls, points: Iterable[Point], window: int) -> Self:
        """The index of one segment's points: linear when they are in order, and right in any order."""
        index = cls(window)
        marks = index._marks
        for _, offset, number, person in points:
            if offset in marks:
                marks[offset][number] = person
            else:
                marks[offset] = {number: person}
        index._seconds = sorted(marks)
        index._settle(0)
        return index

    def add(self, offset: int, number: int, person: int) -> int:
        """How many people are in this mark's group now, its author included; `offset` is in seconds."""
        at = bisect_right(self._anchors, offset) - 1
        marks = self._marks.get(offset)
        if marks is None:
            marks = self._marks[offset] = {}
            insort(self._seconds, offset)
            if at < 0 or offset > self._anchors[at] + self._window:
                at += 1
                self._settle(at)
        people = self._people_of(self._anchors[at])
        if number not in marks:
            marks[number] = person
            people[person] = people.get(person, 0) + 1
        return len(people)

    def remove(self, offset: int, number: int, person: int) -> None:
        """Take one mark out, wherever it stands in its group."""
        self.remove_all([(offset, number, person)])

    def remove_all(self, marks: Iterable[tuple[int, int, int]]) -> None:
        """Take out marks, each an (offset, number, person); one at a time could move every later group each time."""
        # Earliest first: _settle needs a right anchor before it, and may have replaced the next ones on its way.
        for second in sorted(second for second, *mark in marks if self._take_out(second, *mark)):
            at = bisect_left(self._anchors, second)
            if at < len(self._anchors) and self._anchors[at] == second:
                self._settle(at)

    def _take_out(self, offset: int, number: int, person: int) -> bool:
        """Whether that was the last mark of its second."""
        marks = self._marks.get(offset)
        if marks is None or marks.get(number) != person:
            return False
        del marks[number]
        people = self._people.get(self._anchors[bisect_right(self._anchors, offset) - 1])
        if people is not None:
            people[person] -= 1
            if not people[person]:
                del people[person]
        if marks:
            return False
        del self._marks[offset]
        del self._seconds[bisect_left(self._seconds, offset)]
        return True

    def people_at(self, offset: int) -> int:
        """How many people are in the group whose window covers this second; 0 when none does."""
        at = bisect_right(self._anchors, offset) - 1
        if at < 0 or offset > self._anchors[at] + self._window:
            return 0
        return len(self._people_of(self._anchors[at]))

    def _people_of(self, anchor: int) -> dict[int, int]:
        people = self._people.get(anchor)
        if people is None:
            people = self._people[anchor] = {}
            first = bisect_left(self._seconds, anchor)
            for second in self._seconds[first : bisect_right(self._seconds, anchor + self._window, first)]:
                for person in self._marks[second].values():
                    people[person] = people.get(person, 0) + 1
        return people

    def _settle(self, at: int) -> None:
        """Anchor the groups again from the one at index `at`, until the anchors meet the old ones.

        A group is known by its anchor alone, so from a common anchor on all groups are the same.
        """
        seconds, anchors, window = self._seconds, self._anchors, self._window
        fresh: list[int] = []
        met = at
        following = bisect_right(seconds, anchors[at - 1] + window) if at else 0
        while following < len(seconds):
            anchor = seconds[following]
            met = bisect_left(anchors, anchor, met)
            if met < len(anchors) and anchors[met] == anchor:
                break
            fresh.append(anchor)
            following = bisect_right(seconds, anchor + window, following)
        else:
            met = len(anchors)
        for gone in anchors[at:met]:
            self._people.pop(gone, None)
        anchors[at:met] = fresh
