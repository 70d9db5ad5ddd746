"""Where people felt it, drawn: a song's seconds as bars, the part asked for in a frame, the other peaks with counts.

Made of integers alone: no word of anybody's is in the picture (WEB-12). Shares of its width are in percent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from moments.saves import Part
from moments.wording import counted
from web_export import words

BARS, BOX = 120, 4
"""How many bars, and how wide each is in the picture's own units."""
LOWEST = 5
"""Percent of the height that a bar has at least."""
PEAKS = 3
PEAKS_APART_PERCENT = 11.0
FEW_PEOPLE = 4
"""Up to so many, bars would look like a crowd."""
AXIS_STEPS = (5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400)
AXIS_LABELS = 4
END_PERCENT = 80.0
"""No label on the axis stands further right, but for the end's own."""


class Bar(NamedTuple):
    """One that is not empty: the how many-th of BARS, its height in percent, and how it is coloured."""

    column: int
    height: int
    step: str
    """`low`, `mid`, `high`, or `most` inside the frame."""


class Bars(NamedTuple):
    """The seconds of a recording in so few bars, and those the part asked for is seen in."""

    bars: tuple[Bar, ...]
    framed: range
    few: bool
    """Too few people for a curve."""


@dataclass(frozen=True, slots=True)
class Window:
    """The frame round the part asked for, and where its label is anchored: `start`, `middle` or `end`."""

    x: float
    width: float
    label_x: float
    anchor: str
    label: str


@dataclass(frozen=True, slots=True)
class Peak:
    """Another part people saved; `top` is where its highest bar ends, in percent from above."""

    x: float
    top: int
    count: str


@dataclass(frozen=True, slots=True)
class Label:
    """A round time on the axis."""

    x: float
    text: str


@dataclass(frozen=True, slots=True)
class Heat:
    """A recording's seconds. `low` is drawn as outlined spans: too few people for a curve."""

    box: int
    paths: tuple[tuple[str, str], ...]
    window: Window | None
    peaks: tuple[Peak, ...]
    axis: tuple[Label, ...]
    end: str
    low: bool
    in_words: str


def draw(savers: Sequence[int], window: Part | None, best: Sequence[Part], *, label: str) -> Heat:
    """The picture; `window` is framed with `label` over it, `best` are the most saved parts, best first."""
    length = max(len(savers), window.end_seconds if window else 0, 1)
    peak = max(savers, default=0)
    heights = _bars(savers, length)
    drawn, framed, few = _drawn(heights, window, length, peak)
    return Heat(
        box=BARS * BOX,
        paths=_paths(drawn, few=few),
        window=_window(framed, label) if window else None,
        peaks=() if few else _peaks(best, heights, framed, peak, length),
        axis=_axis(length),
        end=words.clock(length),
        low=few,
        in_words=_in_words(length, best),
    )


def _bars(savers: Sequence[int], length: int) -> list[int]:
    """Each bar is the most of its seconds; a second that is wider than a bar fills several."""
    edges = [column * length // BARS for column in range(BARS + 1)]
    return [max(savers[start : max(end, start + 1)], default=0) for start, end in pairwise(edges)]


def _columns(part: Part, length: int) -> range:
    """The bars a part is seen in; at least one."""
    first = min(BARS - 1, part.start_seconds * BARS // length)
    return range(first, max(first + 1, min(BARS, -(-part.end_seconds * BARS // length))))


def bars(savers: Sequence[int], window: Part | None) -> Bars:
    """The bars alone, for who draws them otherwise."""
    length = max(len(savers), window.end_seconds if window else 0, 1)
    return _drawn(_bars(savers, length), window, length, max(savers, default=0))


def _drawn(heights: Sequence[int], window: Part | None, length: int, peak: int) -> Bars:
    framed = _columns(window, length) if window else range(0)
    few = 0 < peak <= FEW_PEOPLE
    drawn = (
        Bar(
            column,
            24 if few else max(LOWEST, round(100 * people / peak)),
            "most" if column in framed else _step(people, peak),
        )
        for column, people in enumerate(heights)
        if people
    )
    return Bars(tuple(drawn), framed, few)


def _paths(drawn: Sequence[Bar], *, few: bool) -> tuple[tuple[str, str], ...]:
    paths = {"low": "", "mid": "", "high": "", "most": ""}
    for bar in drawn:
        paths[bar.step] += f"M{BOX * bar.column} 100v-{bar.height}h{BOX if few else BOX - 1}V100z"
    return tuple((step, path) for step, path in paths.items() if path)


def _step(people: int, peak: int) -> str:
    if 3 * people < peak:
        return "low"
    return "mid" if 3 * people < 2 * peak else "high"


def _window(framed: range, label: str) -> Window:
    x, width = 100 * framed.start / BARS, 100 * len(framed) / BARS
    middle = x + width / 2
    # Kept inside the panel, whatever its width: what starts left is anchored left.
    anchor, at = ("start", x) if middle < 30 else ("end", x + width) if middle > 70 else ("middle", middle)
    return Window(round(x, 2), round(width, 2), round(at, 2), anchor, label)


def _peaks(best: Sequence[Part], heights: Sequence[int], framed: range, peak: int, length: int) -> tuple[Peak, ...]:
    taken = [100 * (framed.start + len(framed) / 2) / BARS] if framed else []
    peaks: list[Peak] = []
    for part in best:
        columns = _columns(part, length)
        x = 100 * (columns.start + len(columns) / 2) / BARS
        if part.people > 1 and len(peaks) < PEAKS and all(abs(x - other) >= PEAKS_APART_PERCENT for other in taken):
            highest = max(heights[columns.start : columns.stop])
            peaks.append(
                Peak(
                    round(min(97.0, max(3.0, x)), 2),
                    100 - round(100 * highest / max(1, peak)),
                    words.compact(part.people),
                )
            )
            taken.append(x)
    return tuple(peaks)


def _axis(length: int) -> tuple[Label, ...]:
    step = next((step for step in AXIS_STEPS if length / step <= AXIS_LABELS), AXIS_STEPS[-1])
    seconds = [second for second in range(0, length, step) if 100 * second / length <= END_PERCENT]
    return tuple(Label(round(100 * second / length, 2), words.clock(second)) for second in seconds[: 2 * AXIS_LABELS])


def _in_words(length: int, best: Sequence[Part]) -> str:
    if not best:
        return f"Nobody has saved a part of these {words.clock(length)} yet."
    first, *others = (f"{_range(part)}, {counted(part.people, 'person')}" for part in best[:3])
    then = "".join(f" Then {other}." for other in others)
    return f"Saved parts across {words.clock(length)}. Most saved: {first}.{then}"


def _range(part: Part) -> str:
    return f"{words.clock(part.start_seconds)} to {words.clock(part.end_seconds)}"
