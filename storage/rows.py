"""Rows as objects, and objects as rows: the one place that knows the order of the columns."""

from collections.abc import Iterable, Sequence
from typing import Any

from moments.live import MarkRequest
from moments.marks import Timestamp
from moments.people import Role
from moments.sessions import (
    WHO_MAY_MARK,
    Channel,
    ChannelSettings,
    ReplyLevel,
    Segment,
    Session,
    Status,
    Visibility,
)
from storage._sqlite import from_microseconds, to_microseconds

Row = Sequence[Any]

CHANNEL = (
    "channel.id, channel.platform, channel.platform_id, channel.display_name, channel.visibility,"
    " channel.login, channel.link_epoch, channel.cooldown_seconds, channel.crowd_window_seconds, channel.lead_seconds,"
    " channel.who_may_mark, channel.reply_level, channel.names, channel.bare_commands, channel.mirror_markers,"
    " channel.promote"
)
CHANNEL_SETTINGS = (
    "visibility, cooldown_seconds, crowd_window_seconds, lead_seconds, who_may_mark, reply_level, names, bare_commands,"
    " mirror_markers, promote"
)
"""What `setup` changes, in the order of settings_values()."""


def _or_of_the_stream(column: str) -> str:
    """The moderator's own words, else what the stream is called, while we may keep that (research/providers.md R1)."""
    of_stream = f"(SELECT api_stream.{column} FROM api_stream WHERE api_stream.session_id = session.id)"  # noqa: S608 -- constants only
    return f"CASE WHEN session.{column} <> '' THEN session.{column} ELSE coalesce({of_stream}, '') END"


SESSION = (
    f"session.id, session.public_id, {_or_of_the_stream('title')}, {_or_of_the_stream('game')}, session.status,"
    f" session.created_at, session.updated_at, session.vod_shift_seconds, {CHANNEL}"
)
SEGMENT = "session_id, segment_index, start_time, end_time, stream_id, created_at"
MARK = (
    "mark.number, mark.segment_index, mark.offset_seconds, mark.adjust_seconds, mark.note, mark.submitted_by,"
    " account.person_id, mark.created_at, mark.instant, mark.platform, mark.source_message_id,"
    " mark.hidden_by, mark.hidden_reason"
)
NAMELESS_MARK = MARK.replace("mark.submitted_by", "''")
"""The same, for a channel that shows no names."""
MARK_COLUMNS = (
    "session_id, number, segment_index, offset_seconds, adjust_seconds, instant, created_at, account_id,"
    " submitted_by, note, platform, source_message_id"
)


def channel(row: Row) -> Channel:
    """A channel from the columns CHANNEL."""
    identity, platform, platform_id, name, visibility, login, epoch, *settings = row
    chosen = _settings(settings)
    return Channel(identity, platform, platform_id, name, Visibility(visibility), chosen, login or "", epoch)


def _settings(values: Row) -> ChannelSettings:
    cooldown, window, lead, who, level, names, bare, markers, promote = values
    return ChannelSettings(
        cooldown,
        window,
        lead,
        WHO_MAY_MARK[who],
        ReplyLevel(level) if level else None,
        bool(names),
        frozenset(bare.split()),
        bool(markers),
        bool(promote),
    )


def settings_values(channel: Channel) -> tuple[object, ...]:
    """The values of CHANNEL_SETTINGS."""
    own = channel.settings
    return (
        channel.visibility,
        own.cooldown_seconds,
        own.crowd_window_seconds,
        own.lead_seconds,
        _WORDS[own.who_may_mark],
        own.reply_level,
        int(own.names),
        " ".join(sorted(own.bare_commands)),
        int(own.mirror_markers),
        int(own.promote),
    )


_WORDS: dict[Role, str] = {role: words for words, role in WHO_MAY_MARK.items()}


def session(row: Row, segments: Iterable[Row]) -> Session:
    """A session from the columns SESSION and its SEGMENT rows, in order."""
    row_id, public_id, title, game, status, created, updated, vod_shift = row[:8]
    return Session(
        row_id,
        public_id,
        channel(row[8:]),
        title,
        game,
        Status(status),
        from_microseconds(created),
        from_microseconds(updated),
        tuple(map(segment, segments)),
        vod_shift,
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
