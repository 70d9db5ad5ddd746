"""DaVinci Resolve's "Timeline Markers from EDL" (research/exports.md §1.1): one event of two lines a marker."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import timedelta
from fractions import Fraction
from heapq import heappop, heappush

from moments.errors import UsageError
from moments.marks import Timestamp
from moments.sessions import Defaults, Session
from moments.vod import Vods
from web_export.formats.format import Format, Marks
from web_export.formats.options import ExportOptions, FrameRate
from web_export.formats.selection import large_crowds, people_in

MOST_EVENTS = 999
"""Event numbers have three digits."""
MOST_JOINED = 100
"""Marks named in one marker: a note is short, but a second can hold thousands."""
MOST_HOURS = 100
"""Timecodes have two digits for hours."""
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, order=True)
class Marker:
    """A stretch of the timeline, in frames from its start, with the words to show there."""

    frame: int
    segment_index: int
    offset_seconds: int
    number: int
    length: int = field(compare=False)
    people: int = field(compare=False)
    """Who agrees; 0 when nobody asked."""
    names: tuple[str, ...] = field(compare=False)
    comments: tuple[str, ...] = field(compare=False)
    marks: int = field(default=1, compare=False)


class Timeline:
    """Where marks fall on the editor's timeline, which begins with the first segment and includes the breaks."""

    def __init__(self, session: Session, options: ExportOptions, lead: int) -> None:
        self._fps = options.fps.exact
        self._origins: dict[int, Fraction] = {}
        for segment in session.segments:
            since_first = (segment.start_time - session.segments[0].start_time) // _MICROSECOND
            self._origins[segment.index] = self._fps * (Fraction(since_first, 1_000_000) - lead + options.shift)
        self._following = dict(zip(self._origins, list(self._origins)[1:], strict=False))

    def __contains__(self, segment_index: int) -> bool:
        return segment_index in self._origins

    def frame(self, segment_index: int, offset_seconds: int) -> int:
        """The nearest frame, counted from the timeline's start and never before it."""
        return max(0, round(self._origins[segment_index] + offset_seconds * self._fps))

    def settled(self, marker: Marker) -> int:
        """Markers after this one, in the order of marks, can be no earlier than this frame.

        A mark adjusted past its segment's end can fall after the next segment's first marks.
        """
        following = self._following.get(marker.segment_index)
        return marker.frame if following is None else min(marker.frame, self.frame(following, 0))


async def write(
    session: Session, marks: Marks, options: ExportOptions, defaults: Defaults, vods: Vods
) -> AsyncIterator[bytes]:
    """The file's bytes: up to 999 markers, the next ones as the next part.

    Raises UsageError, before the first byte, when there is no such part or it ends after 99 hours.
    """
    timeline = Timeline(session, options, options.lead_seconds(session, defaults, editor=True))
    marks = _placed(marks, timeline)
    if options.min_people > 1:
        found = _of_crowds(large_crowds(session, marks, options, defaults), timeline)
    else:
        found = _of_marks(marks, timeline)
    markers, more = await _part(_merged(_in_order(found, timeline)), options.part)
    title = _one_line(session.title) or "Moments"
    if more or options.part > 1:
        title += f" (part {options.part}{', more follow' if more else ''})"
    first, most = options.start_frame, max((marker.people for marker in markers), default=0)
    lines = [f"TITLE: {title}\r\nFCM: NON-DROP FRAME\r\n"]
    for event, marker in enumerate(markers, 1):
        colour = "Yellow" if most and marker.people == most else "Blue"
        lines.append(_event(event, marker, first, options.fps, colour))
    yield "".join(lines).encode()


async def _placed(marks: Marks, timeline: Timeline) -> Marks:
    """Without the marks of a segment that began after the session was read: the next download has them."""
    async for chunk in marks:
        yield [mark for mark in chunk if mark.segment_index in timeline]


async def _of_marks(marks: Marks, timeline: Timeline) -> AsyncIterator[Marker]:
    async for chunk in marks:
        for mark in chunk:
            frame = timeline.frame(mark.segment_index, mark.offset_seconds)
            yield _marker(frame, mark, mark)


async def _of_crowds(groups: AsyncIterator[list[Timestamp]], timeline: Timeline) -> AsyncIterator[Marker]:
    async for group in groups:
        first, last = group[0], group[-1]
        frame = timeline.frame(first.segment_index, first.offset_seconds)
        length = timeline.frame(last.segment_index, last.offset_seconds) - frame + 1
        spoken = next((mark for mark in group if mark.note), first)
        yield _marker(frame, first, spoken, length, people_in(group))


def _marker(frame: int, at: Timestamp, spoken: Timestamp, length: int = 1, people: int = 0) -> Marker:
    about = [f"#{spoken.number}", f"segment {spoken.segment_index}", spoken.offset_hms]
    if spoken.submitted_by:
        about.append(f"by {_one_line(spoken.submitted_by)}")
    if people:
        about.append(f"{people} people")
    name = _one_line(spoken.note) or f"Mark #{spoken.number}"
    return Marker(frame, at.segment_index, at.offset_seconds, at.number, length, people, (name,), (" · ".join(about),))


async def _in_order(markers: AsyncIterator[Marker], timeline: Timeline) -> AsyncIterator[Marker]:
    """By frame; holds back only what a later segment might still come before."""
    waiting: list[Marker] = []
    async for marker in markers:
        heappush(waiting, marker)
        settled = timeline.settled(marker)
        while waiting and waiting[0].frame < settled:
            yield heappop(waiting)
    while waiting:
        yield heappop(waiting)


async def _merged(markers: AsyncIterator[Marker]) -> AsyncGenerator[Marker, None]:
    """One marker a frame: Resolve drops others."""
    last: Marker | None = None
    async for marker in markers:
        if last is not None and marker.frame == last.frame:
            last = _joined(last, marker)
            continue
        if last is not None:
            yield last
        last = marker
    if last is not None:
        yield last


def _joined(one: Marker, other: Marker) -> Marker:
    room = MOST_JOINED - len(one.names)
    return replace(
        one,
        length=max(one.length, other.length),
        people=max(one.people, other.people),
        names=one.names + other.names[:room],
        comments=one.comments + other.comments[:room],
        marks=one.marks + 1,
    )


async def _part(markers: AsyncGenerator[Marker, None], part: int) -> tuple[list[Marker], bool]:
    """The markers of one part, and whether there are more after it."""
    first = (part - 1) * MOST_EVENTS
    chosen: list[Marker] = []
    seen = 0
    async with aclosing(markers):
        async for marker in markers:
            if len(chosen) == MOST_EVENTS:
                return chosen, True
            if seen >= first:
                chosen.append(marker)
            seen += 1
    if part > 1 and not chosen:
        parts = max(1, -(-seen // MOST_EVENTS))
        raise UsageError(f"There is no part {part}: the last one is part={parts}.")
    return chosen, False


def _event(event: int, marker: Marker, first: int, fps: FrameRate, colour: str) -> str:
    frame = first + marker.frame
    if frame + 1 >= MOST_HOURS * 3600 * fps.counted:
        raise UsageError(f"Timecodes end at 99:59:59 and mark #{marker.number} comes later; the CSV has it.")
    begin, end = fps.timecode(frame), fps.timecode(frame + 1)
    comments, names = _listed(marker, marker.comments), _listed(marker, marker.names)
    # The stretch is only in |D:; the timecodes always span one frame.
    return (
        f"\r\n{event:03d}  001      V     C        {begin} {end} {begin} {end}  \r\n"
        f"{comments} |C:ResolveColor{colour} |M:{names} |D:{marker.length}\r\n"
    )


def _listed(marker: Marker, words: tuple[str, ...]) -> str:
    unnamed = marker.marks - len(words)
    return "; ".join(words) + (f"; and {unnamed} more" if unnamed else "")


def _one_line(text: str) -> str:
    """One line without the format's own separator, so that no note can forge a field (EXP-2)."""
    return " ".join(text.split()).replace("|", "/")


EDL = Format(
    "edl",
    "DaVinci Resolve markers",
    "Timeline markers, as an EDL.",
    "text/plain; charset=utf-8",
    write,
    editor=True,
    parted=True,
)
