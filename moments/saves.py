"""Saved stretches of recordings: which saves count, how many people hold each second, and which part is the best.

The rules are design.md §2 ("Saved by"). Times are whole seconds, a stretch is half-open: its end is not in it.
"""

from collections.abc import Iterable
from itertools import accumulate
from typing import NamedTuple

NEAR = 2
"""Seconds by which the starts, and by which the ends, of two saves that agree may differ at most."""
REPLACES = 4
"""The same for saves of one person, of which the later replaces the earlier: no window can hold a person twice."""
LONGEST = 168 * 3600
"""Seconds: no save ends later, or one save of a recording of unknown length would stretch its heatmap at will."""

_SQUARE = REPLACES + 1
Span = tuple[int, int]
"""(start, end)."""


class Save(NamedTuple):
    """A save as counting knows it; ids grow in the order in which saves were accepted."""

    id: int
    start_seconds: int
    end_seconds: int
    words_id: int | None = None
    """The save whose note this one shows: itself when it has one, else the newest with one that it replaced."""


class Part(NamedTuple):
    """A stretch somebody saved, and how many people have saved about the same."""

    start_seconds: int
    end_seconds: int
    people: int


class Fold:
    """The saves of one person on one track that count, as each is accepted.

    Two saves in one square of 5 × 5 seconds would replace one another, so each square holds one at most, and what a
    save replaces is in the nine squares around it.
    """

    __slots__ = ("_squares", "replaced_by")

    def __init__(self, counted: Iterable[Save] = ()) -> None:
        """Go on from saves that count already."""
        self._squares = {_square(save): save for save in counted}
        self.replaced_by: dict[int, int] = {}
        """Which save has replaced which, by id."""

    def add(self, save: Save) -> list[Save]:
        """Accept a save; the ones it replaces, oldest first, which count no more."""
        column, row = _square(save)
        around = [(column + across, row + down) for across in (-1, 0, 1) for down in (-1, 0, 1)]
        replaced = [near for at in around if (near := self._squares.get(at)) is not None and _replaces(save, near)]
        replaced.sort()
        for gone in replaced:
            del self._squares[_square(gone)]
            self.replaced_by[gone.id] = save.id
        if save.words_id is None:
            words = [gone.words_id for gone in replaced if gone.words_id is not None]
            save = save._replace(words_id=words[-1] if words else None)
        self._squares[column, row] = save
        return replaced

    @property
    def counted(self) -> list[Save]:
        """Those that count, in the order accepted."""
        return sorted(self._squares.values())


def fold(saves: Iterable[Save]) -> Fold:
    """One person's saves on one track, in the order accepted."""
    folded = Fold()
    for save in saves:
        folded.add(save)
    return folded


def _square(save: Save) -> Span:
    return save.start_seconds // _SQUARE, save.end_seconds // _SQUARE


def _replaces(later: Save, earlier: Save) -> bool:
    return (
        abs(later.start_seconds - earlier.start_seconds) <= REPLACES
        and abs(later.end_seconds - earlier.end_seconds) <= REPLACES
    )


def around(second: int) -> tuple[int, ...]:
    """The seconds that agree with this one."""
    return tuple(range(second - NEAR, second + NEAR + 1))


def reach(second: int) -> Span:
    """The first and the last of them."""
    return second - NEAR, second + NEAR


def union(spans: Iterable[Span]) -> list[Span]:
    """The same seconds, each once, in stretches that do not touch."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def heatmap(edges: Iterable[tuple[int, int]], duration: int | None) -> list[int]:
    """How many people's saves cover each second, from (second, how many more than the second before).

    As long as the recording; of unknown length (None), until the last end.
    """
    changes = dict(edges)
    length = max(changes, default=0) if duration is None else duration
    return list(accumulate(changes.get(second, 0) for second in range(min(length, LONGEST))))


def best_parts(cells: Iterable[tuple[int, int, int]], limit: int = 5) -> list[Part]:
    """The most saved stretches, best first, from (start, end, people with exactly this one).

    A stretch is worth the people who saved it within 2 s at both ends; among equals the one more people saved
    exactly, then the earliest, then the shortest. None shares a second with a better one.
    """
    rows = list(cells)
    left = [
        (-people, -own, start, end)
        for (start, end, own), people in zip(rows, _within_reach(rows), strict=True)
    ]  # fmt: skip
    parts: list[Part] = []
    while left and len(parts) < limit:
        people, _, start, end = min(left)
        parts.append(Part(start, end, -people))
        left = [each for each in left if each[3] <= start or end <= each[2]]
    return parts


def _within_reach(cells: list[tuple[int, int, int]]) -> list[int]:
    """For each cell the sum of the cells within 2 s at both ends: first along the ends, then along the starts."""
    width = 1 + NEAR + max((end for _, end, _ in cells), default=0)
    ends: dict[int, int] = {}
    known = ends.get
    for start, end, own in cells:
        at = start * width + end
        for near in range(at - NEAR, at + NEAR + 1):
            ends[near] = known(near, 0) + own
    return [
        sum([known(near, 0) for near in range(at - NEAR * width, at + NEAR * width + 1, width)])
        for at in [start * width + end for start, end, _ in cells]
    ]
