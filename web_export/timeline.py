"""Where everything stands on a session's timeline: shares of its width in percent, heights in rem.

The drawing is an SVG without a viewBox: percentages stretch it, while strokes, heads and letters keep their size.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from math import sqrt

from moments.sessions import Segment
from moments.timecodes import hms
from moments.wording import counted
from web_export import words
from web_export.digest import NO_END, Digest, Largest

BASE_REM, HIGHEST_HEAD_REM, LOWEST_HEAD_REM = 9.0, 3.5, 7.2
MOST_TICKS = 200
BARS = 120
PINS = 5
BREAK_PERCENT, BREAKS_PERCENT = 7.0, 30.0
"""A break's width, and the most all breaks together may take."""
NARROWEST_PERCENT = 0.6
PHONE_HEAD_PERCENT, DESKTOP_HEAD_PERCENT = 9.0, 3.0
"""How far apart two heads must be, where the timeline is 300 and where it is 1,000 pixels wide."""
DESKTOP_LETTERS_PERCENT = 1.4
"""Letters that fit into one percent of 1,000 pixels."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """One segment. `title_room` and `length_room` say where its labels fit: `any` width, `wide` ones, or `none`."""

    index: int
    x: float
    width: float
    open: bool
    seconds: int
    length: str
    title_room: str
    length_room: str


@dataclass(frozen=True, slots=True)
class Break:
    """The time between two segments; `middle` is where its label stands."""

    x: float
    width: float
    middle: float
    length: str
    room: str


@dataclass(frozen=True, slots=True)
class Pin:
    """A crowd moment: a line up to a head with its count. `room` is `any`, or `wide` where heads would collide."""

    x: float
    head_rem: float
    count: str
    largest: bool
    room: str


@dataclass(frozen=True, slots=True)
class Bars:
    """A segment's marks by slice of time, as SVG paths by colour in a box 4·bars wide and 100 high."""

    x: float
    width: float
    box: int
    paths: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """One session, drawn. Either ticks and pins, or bars."""

    stretches: tuple[Stretch, ...]
    breaks: tuple[Break, ...]
    ticks: tuple[float, ...]
    pins: tuple[Pin, ...]
    bars: tuple[Bars, ...]
    live: bool
    end: str
    """The last segment's length, which grows while it is live."""
    end_seconds: int
    in_words: str


def timeline(segments: Sequence[Segment], digest: Digest, now: datetime, *, bars: int = BARS) -> Timeline:
    """Lay a session out, left to right."""
    stretches = _stretches(segments, now)
    few = len(digest.keys) <= MOST_TICKS
    last = stretches[-1] if stretches else None
    return Timeline(
        stretches=stretches,
        breaks=_breaks(segments, stretches),
        ticks=_ticks(stretches, digest) if few else (),
        pins=_pins(stretches, digest.largest) if few else (),
        bars=() if few else _bars(stretches, digest, bars),
        live=last is not None and last.open,
        end=last.length if last else "",
        end_seconds=last.seconds if last else 0,
        in_words=_in_words(segments, stretches, digest),
    )


def _stretches(segments: Sequence[Segment], now: datetime) -> tuple[Stretch, ...]:
    seconds = [max(1, segment.seconds(now)) for segment in segments]
    break_width = _break_width(len(segments))
    room = 100 - break_width * (len(segments) - 1)
    weights = [max(length, sum(seconds) * NARROWEST_PERCENT / 100) for length in seconds]
    stretches, x = [], 0.0
    for segment, length, weight in zip(segments, seconds, weights, strict=True):
        width = room * weight / sum(weights)
        stretches.append(_stretch(segment, segment.seconds(now), x, width, length))
        x += width + break_width
    return tuple(stretches)


def _stretch(segment: Segment, shown: int, x: float, width: float, seconds: int) -> Stretch:
    return Stretch(
        index=segment.index,
        x=round(x, 2),
        width=round(width, 2),
        open=segment.end_time is None,
        seconds=seconds,
        length=hms(shown),
        title_room=_room(width, 26, 9),
        length_room=_room(width, 40 if segment.end_time is None else 45, 18),
    )


def _break_width(segments: int) -> float:
    return min(BREAK_PERCENT, BREAKS_PERCENT / (segments - 1)) if segments > 1 else 0


def _room(width: float, any_width: float, wide: float) -> str:
    return "any" if width >= any_width else "wide" if width >= wide else "none"


def _breaks(segments: Sequence[Segment], stretches: Sequence[Stretch]) -> tuple[Break, ...]:
    width = _break_width(len(segments))
    breaks: list[Break] = []
    for before, after, stretch in zip(segments, segments[1:], stretches, strict=False):
        seconds = int((after.start_time - (before.end_time or after.start_time)).total_seconds())
        x, label = stretch.x + stretch.width, words.length(max(0, seconds))
        middle, taken = x + width / 2, max([0.0, *(gap.middle for gap in breaks if gap.room == "any")])
        # Where 300 pixels are all there is, each label takes a sixth of them, and the line's two ends as much again.
        free = middle - taken > (28 if not taken else 17) and middle < 73
        room = "any" if free else "wide" if width * DESKTOP_LETTERS_PERCENT >= len(label) and middle < 94 else "none"
        breaks.append(Break(round(x, 2), round(width, 2), round(middle, 2), label, room))
    return tuple(breaks)


def _place(stretch: Stretch, offset: int) -> float:
    # A mark may have been shifted past the end of its segment; it is drawn at the end.
    return round(stretch.x + stretch.width * min(offset, stretch.seconds) / stretch.seconds, 2)


def _ticks(stretches: Sequence[Stretch], digest: Digest) -> tuple[float, ...]:
    places = (_place(stretch, offset) for stretch in stretches for offset in digest.offsets(stretch.index))
    return tuple(dict.fromkeys(places))


def _pins(stretches: Sequence[Stretch], largest: Sequence[Largest]) -> tuple[Pin, ...]:
    by_index = {stretch.index: stretch for stretch in stretches}
    pins: list[Pin] = []
    for moment in largest:
        if len(pins) == PINS or moment.segment_index not in by_index:
            continue
        x = _place(by_index[moment.segment_index], moment.offset_seconds)
        apart = min((abs(x - pin.x) for pin in pins), default=100.0)
        if apart >= DESKTOP_HEAD_PERCENT:
            reach = sqrt(moment.people / largest[0].people)
            head = max(HIGHEST_HEAD_REM, BASE_REM - (BASE_REM - HIGHEST_HEAD_REM) * reach)
            room = "any" if apart >= PHONE_HEAD_PERCENT else "wide"
            pins.append(Pin(x, round(min(head, LOWEST_HEAD_REM), 2), words.compact(moment.people), not pins, room))
    return tuple(pins)


def _bars(stretches: Sequence[Stretch], digest: Digest, bars: int) -> tuple[Bars, ...]:
    edges = {stretch.index: _edges(stretch, bars) for stretch in stretches}
    counts = {
        index: [digest.count(index, start, end) for start, end in pairwise([*starts, NO_END])]
        for index, starts in edges.items()
    }
    peak = max((max(columns) for columns in counts.values()), default=0)
    top = digest.largest[0] if digest.largest else None
    drawn = []
    for stretch in stretches:
        columns, amber = counts[stretch.index], -1
        if top and top.segment_index == stretch.index:
            amber = bisect_right(edges[stretch.index], top.offset_seconds) - 1
        drawn.append(Bars(stretch.x, stretch.width, 4 * len(columns), _paths(columns, peak, amber)))
    return tuple(drawn)


def _edges(stretch: Stretch, bars: int) -> list[int]:
    """Where each bar's slice of time begins; the last one also holds marks shifted past the segment's end."""
    columns = max(1, round(bars * stretch.width / 100))
    return [column * stretch.seconds // columns for column in range(columns)]


def _paths(counts: Sequence[int], peak: int, amber: int) -> tuple[tuple[str, str], ...]:
    paths = {"low": "", "mid": "", "high": "", "most": ""}
    for column, count in enumerate(counts):
        if count:
            step = "most" if column == amber else _step(count, peak)
            paths[step] += f"M{4 * column} 100v-{max(5, round(100 * count / peak))}h3V100z"
    return tuple((step, path) for step, path in paths.items() if path)


def _step(count: int, peak: int) -> str:
    if 3 * count < peak:
        return "low"
    return "mid" if 3 * count < 2 * peak else "high"


def _in_words(segments: Sequence[Segment], stretches: Sequence[Stretch], digest: Digest) -> str:
    said = []
    for segment, stretch, gap in zip(segments, stretches, (*_breaks(segments, stretches), None), strict=True):
        state = "open, " if segment.end_time is None else ""
        count = counted(digest.count(stretch.index, 0, NO_END), "mark")
        said.append(f"Segment {stretch.index}: {state}{stretch.length} long, {count}.")
        if gap:
            said.append(f"Then a break of {gap.length}.")
    if digest.largest:
        top = digest.largest[0]
        where = f"{hms(top.offset_seconds)} in segment {top.segment_index}"
        said.append(f"Most people: {counted(top.people, 'person')} at {where}.")
    return " ".join(said)
