"""Sessions and marks as JSON: the one spelling the API, the live stream and export.json share.

The names are those of the contract (design.md §2). What is not here never leaves: message ids, people's own
ids, hidden marks and the reasons they were hidden.
"""

from datetime import datetime
from typing import Any

from moments.marks import Timestamp
from moments.sessions import Channel, Segment, Session
from moments.vod import VodPlace


def iso(instant: datetime) -> str:
    """An aware UTC instant as `2026-08-23T20:14:05.000000Z`, always with microseconds."""
    return instant.isoformat(timespec="microseconds")[:26] + "Z"


def segment_id(session_id: str, index: int) -> str:
    """A segment's name everywhere, as its session's links spell it."""
    return f"{session_id}-s{index}"


def channel_json(channel: Channel) -> dict[str, Any]:
    """A channel: unique by (platform, id); the name is for display only."""
    return {
        "platform": channel.platform,
        "id": channel.platform_id,
        "display_name": channel.display_name,
        "visibility": channel.visibility.value,
    }


def segment_json(session: Session, segment: Segment) -> dict[str, Any]:
    """One stretch without a break; `end_time` is null while it is open."""
    return {
        "id": segment_id(session.id, segment.index),
        "session_id": session.id,
        "index": segment.index,
        "start_time": iso(segment.start_time),
        "end_time": iso(segment.end_time) if segment.end_time else None,
        "created_at": iso(segment.created_at or segment.start_time),
        "stream_id": segment.stream_id,
    }


def session_json(session: Session) -> dict[str, Any]:
    """A session with its channel and segments, without its marks."""
    return {
        "id": session.id,
        "channel": channel_json(session.channel),
        "title": session.title,
        "game": session.game,
        "status": session.status.value,
        "created_at": iso(session.created_at),
        "updated_at": iso(session.updated_at),
        "segments": [segment_json(session, segment) for segment in session.segments],
    }


def timestamp_json(mark: Timestamp, place: VodPlace | None) -> dict[str, Any]:
    """One mark; `note` and `submitted_by` are null when there is none, `vod_url` while no archive covers it."""
    return {
        "id": mark.id,
        "number": mark.number,
        "session_id": mark.session_id,
        "segment_id": segment_id(mark.session_id, mark.segment_index),
        "segment_index": mark.segment_index,
        "offset_seconds": mark.offset_seconds,
        "offset_hms": mark.offset_hms,
        "note": mark.note or None,
        "submitted_by": mark.submitted_by or None,
        "created_at": iso(mark.created_at),
        "instant": iso(mark.instant),
        "adjust_seconds": mark.adjust_seconds,
        "platform": mark.platform,
        "vod_url": place.url if place else None,
        "vod_muted": place is not None and place.muted,
    }
