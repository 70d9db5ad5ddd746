"""What of a session may have to be shown otherwise after a change, found without reading the session again."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from moments.marks import Timestamp
from moments.vod import NO_VODS, Vods
from storage import Change

MOST_PLACES = 2_000
"""Marks of a session whose places are remembered; when an older one goes, the whole session is looked at."""


class Touched:
    """What of a session may have to be shown otherwise: all of it, or marks and what stands near them."""

    def __init__(self, *, everything: bool = False) -> None:
        self.everything = everything
        self.numbers: set[int] = set()
        self.starts: dict[int, int] = {}
        """By segment, the earliest offset in seconds at which something changed."""

    def near(self, segment_index: int, offset_seconds: int) -> None:
        """Something changed there."""
        self.starts[segment_index] = min(offset_seconds, self.starts.get(segment_index, offset_seconds))

    def add(self, other: "Touched") -> None:
        """Both; of very many marks, everything."""
        self.everything |= other.everything
        self.numbers |= other.numbers
        for place in other.starts.items():
            self.near(*place)
        if self.everything or len(self.numbers) > MOST_PLACES:
            self.everything = True
            self.numbers.clear()
            self.starts.clear()


class Shape:
    """Where a session's crowd moments begin, and where its marks are, as far as was read.

    A crowd moment that begins before a change is the same after it, so that only what follows is read again: a change
    costs what is near it, however long the session is.
    """

    def __init__(self) -> None:
        self.vods: Vods = NO_VODS
        """What links were made of last."""
        self.is_known = False
        """Whether all of the session has been read once; until then every change is one of everything."""
        self._highest = 0
        self._anchors: dict[int, list[int]] = {}
        self._places: dict[int, tuple[int, int]] = {}

    def touched(self, change: Change) -> Touched:
        """What a change that the store told of may have changed."""
        mark = change.mark
        number = mark.number if mark else change.number
        if number is None or not self.is_known or (number <= self._highest and number not in self._places):
            return Touched(everything=True)
        touched = Touched()
        touched.numbers.add(number)
        before = self._places.pop(number, None)
        if before is not None:
            touched.near(*before)
        if mark is not None:
            touched.near(*mark[2:4])
            self.place(mark)
        return touched

    def place(self, mark: Timestamp) -> None:
        """Remember where a mark is."""
        self._highest = max(self._highest, mark.number)
        self._places[mark.number] = mark[2:4]
        if len(self._places) > MOST_PLACES:
            del self._places[next(iter(self._places))]

    def start(self, segment_index: int, offset_seconds: int) -> int:
        """Where the last crowd moment begins that a change there leaves as it is; 0 when none is known."""
        anchors = self._anchors.get(segment_index, [])
        at = bisect_left(anchors, offset_seconds)
        return anchors[at - 1] if at else 0

    def learn(self, segment_index: int, start: int, groups: Iterable[Sequence[Timestamp]]) -> None:
        """Know the crowd moments of a segment from `start` on."""
        anchors = self._anchors.setdefault(segment_index, [])
        del anchors[bisect_left(anchors, start) :]
        anchors += (group[0].offset_seconds for group in groups)
