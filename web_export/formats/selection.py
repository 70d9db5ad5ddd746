"""Which marks a download holds and where it puts them: crowd moments, shift and lead, before any format writes."""

from collections.abc import AsyncIterator
from itertools import chain
from math import floor

from moments.crowd import anchored
from moments.marks import Timestamp
from moments.sessions import Defaults, Session
from web_export.formats.format import Marks
from web_export.formats.options import ExportOptions


async def crowds(marks: Marks, window: int) -> AsyncIterator[list[Timestamp]]:
    """The marks of each crowd moment, lone ones included.

    Holds one group and one chunk at a time.
    """
    group: list[Timestamp] = []
    async for chunk in marks:
        anchor = group[:1]
        following = anchored(chain(anchor, chunk), window)
        group += next(following, anchor)[len(anchor) :]
        for another in following:
            yield group
            group = another
    if group:
        yield group


def people_in(group: list[Timestamp]) -> int:
    """Distinct people of one crowd moment."""
    return len({mark.person_id for mark in group})


async def large_crowds(
    session: Session, marks: Marks, options: ExportOptions, defaults: Defaults
) -> AsyncIterator[list[Timestamp]]:
    """The crowd moments of at least `min_people`, in the channel's own window."""
    async for group in crowds(marks, session.channel.seconds(defaults).crowd_window_seconds):
        if people_in(group) >= options.min_people:
            yield group


def selected(session: Session, marks: Marks, options: ExportOptions, defaults: Defaults) -> Marks:
    """The marks to write, where they are."""
    return large_crowds(session, marks, options, defaults) if options.min_people > 1 else marks


def whole_move(session: Session, options: ExportOptions, defaults: Defaults) -> int:
    """By how many seconds the offsets are moved as asked; positive is later."""
    # Offsets are whole seconds, so flooring the move is flooring the sum.
    return floor(options.shift - options.lead_seconds(session, defaults, editor=False))


def moved(mark: Timestamp, seconds: int) -> Timestamp:
    """A mark, shown so many seconds later, never below 0."""
    return mark._replace(offset_seconds=max(0, mark.offset_seconds + seconds)) if seconds else mark


async def chosen(session: Session, marks: Marks, options: ExportOptions, defaults: Defaults) -> Marks:
    """The marks to write, offsets moved as asked."""
    move = whole_move(session, options, defaults)
    async for chunk in selected(session, marks, options, defaults):
        yield [moved(mark, move) for mark in chunk] if move else chunk
