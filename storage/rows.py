"""Rows as objects, and objects as rows: the one place that knows the order of the columns."""

from collections.abc import Iterable, Sequence
from typing import Any

from moments.live import MarkRequest
from moments.marks import Timestamp
from moments.sessions import Channel, ChannelSettings, Segment, Session, Status, Visibility
from storage._sqlite import from_microseconds, to_microseconds

Row = Sequence[Any]

CHANNEL = (
    "channel.id, channel.platform, channel.platform_id, channel.display_name, channel.visibility,"
    " channel.cooldown_seconds, channel.crowd_window_seconds, channel.lead_seconds"
)
SESSION = (
    "session.id, session.public_id, session.title, session.game, session.status, session.created_at,"
    f" session.updated_at, {CHANNEL}"
)
SEGMENT = "session_id, segment_index, start_time, end_time, stream_id, created_at"
MARK = (
    "mark.number, mark.segment_index, mark.offset_seconds, mark.adjust_seconds, mark.note, mark.submitted_by,"
    " account.person_id, mark.created_at, mark.instant, mark.platform, mark.source_message_id,"
    " mark.hidden_by, mark.hidden_reason"
)
MARK_COLUMNS = (
    "session_id, number, segment_index, offset_seconds, adjust_seconds, instant, created_at, account_id,"
    " submitted_by, note, platform, source_message_id"
)


def channel(row: Row) -> Channel:
    """A channel from the columns CHANNEL."""
    identity, platform, platform_id, name, visibility, *seconds = row
    return Channel(identity, platform, platform_id, name, Visibility(visibility), ChannelSettings(*seconds))


def session(row: Row, segments: Iterable[Row]) -> Session:
    """A session from the columns SESSION and its SEGMENT rows, in order."""
    row_id, public_id, title, game, status, created, updated = row[:7]
    return Session(
        row_id,
        public_id,
        channel(row[7:]),
        title,
        game,
        Status(status),
        from_microseconds(created),
        from_microseconds(updated),
        tuple(map(segment, segments)),
    )


def segment(row: Row) -> Segment:
    """A segment from the columns SEGMENT."""
    _, index, start, end, stream, created = row
    ended = None if end is None else from_microseconds(end)
    return Segment(index, from_microseconds(start), ended, stream, from_microseconds(created))


def mark(session_id: str, row: Row) -> Timestamp:
    """A mark from the columns MARK."""
    number, index, offset, adjust, note, name, person, created, instant, platform, message, hidden_by, reason = row
    return Timestamp(
        session_id,
        number,
        index,
        offset,
        adjust,
        note,
        name,
        person,
        from_microseconds(created),
        from_microseconds(instant),
        platform,
        (message,) if message else (),
        hidden_by,
        reason,
    )


def mark_values(session_row: int, account_id: int, mark: Timestamp, request: MarkRequest) -> tuple[object, ...]:
    """The values of MARK_COLUMNS for a new mark."""
    return (
        session_row,
        mark.number,
        mark.segment_index,
        mark.offset_seconds,
        mark.adjust_seconds,
        to_microseconds(mark.instant),
        to_microseconds(mark.created_at),
        account_id,
        mark.submitted_by,
        mark.note,
        mark.platform,
        request.message_id,
    )
