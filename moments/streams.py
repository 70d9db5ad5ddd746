"""The stream itself, as its platform tells of it, and what a session makes of that. Moderators win over automation."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, auto

from moments.sessions import Session, Status

GRACE = timedelta(minutes=5)
"""How long a stream may be gone and still go on in the same session."""
JUST_BEFORE = timedelta(hours=1)
"""What a moderator started or paused so long before a stream belongs to it; anything older was left open."""


@dataclass(frozen=True, slots=True)
class StreamState:
    """The newest stream of a channel that we were told of."""

    stream_id: str
    """Empty when only its end was told."""
    started_at: datetime
    offline_at: datetime | None = None
    """When it went off the air; None while it is on."""
    paused_by_us: bool = False
    """Whether its end paused, or ended, the session; a moderator's command since makes it the moderator's."""

    @property
    def live_id(self) -> str | None:
        """The stream's id while it is on the air."""
        return self.stream_id if self.offline_at is None else None


class Course(Enum):
    """What a stream that comes on the air means for its channel's session."""

    STAY = auto()
    """Nothing: it is over, paused or attached already, as a moderator or an earlier word of it wanted."""
    ATTACH = auto()
    """The open segment, which a moderator opened, is this stream's."""
    GO_ON = auto()
    """A new segment: the stream had dropped, and is back."""
    AFRESH = auto()
    """A new session; one that was left open ends."""


def course(session: Session | None, state: StreamState | None, stream_id: str, now: datetime, life: datetime) -> Course:
    """What to do when a stream comes on the air; `life` is the session's last sign of life, a mark or a command.

    - Told before, and not gone since: nothing, unless a segment waits for its stream.
    - No session, or an ended one: a new session. But a moderator's `end` holds: the stream that was running in that
      session starts no other.
    - Paused since the stream went: it goes on, if it is the same stream or back within GRACE.
    - Paused by a moderator: it stays so, if the pause is no older than JUST_BEFORE, or the stream went within GRACE.
    - Running, its segment opened by a moderator without a stream: the segment is this stream's, if it is no older
      than JUST_BEFORE or the session had the same stream before.
    - Running with another stream, whose end nobody told us: it goes on if there was life in it within GRACE.
    - Otherwise it was left open: it ends, and a new one begins.
    """
    if state is not None and state.live_id == stream_id:
        return Course.ATTACH if _waits(session) else Course.STAY
    if session is None or session.status is Status.ENDED:
        held = session is not None and stream_id in _streams(session) and not (state and state.paused_by_us)
        return Course.STAY if held else Course.AFRESH
    if session.status is Status.PAUSED:
        return _course_of_paused(session, state, stream_id, now)
    segment = session.segments[-1]
    if segment.stream_id is None:
        known = stream_id in _streams(session) or now - segment.start_time <= JUST_BEFORE
        return Course.ATTACH if known else Course.AFRESH
    if segment.stream_id == stream_id:
        return Course.STAY
    return Course.GO_ON if now - life <= GRACE else Course.AFRESH


def _course_of_paused(session: Session, state: StreamState | None, stream_id: str, now: datetime) -> Course:
    gone = state.offline_at if state else None
    quick = gone is not None and now - gone <= GRACE
    if state is not None and state.paused_by_us:
        return Course.GO_ON if quick or stream_id in _streams(session) else Course.AFRESH
    recent = now - (session.segments[-1].end_time or now) <= JUST_BEFORE
    left = state is not None and overdue(session, state, now)
    return Course.STAY if quick or (recent and not left) else Course.AFRESH


def _waits(session: Session | None) -> bool:
    """Whether a segment is open that has no stream."""
    running = session.open_segment if session else None
    return running is not None and running.stream_id is None


def _streams(session: Session) -> set[str | None]:
    return {segment.stream_id for segment in session.segments}


def off(state: StreamState | None, session: Session | None, now: datetime) -> StreamState | None:
    """What is known of a stream that went off the air, `session` being what that left; None when it is no news.

    The end of an earlier stream, overtaken by the beginning of this one, is no news.
    """
    if state is not None and (state.offline_at is not None or now < state.started_at):
        return None
    paused = session is not None and session.status is Status.ACTIVE
    return StreamState(state.stream_id if state else "", state.started_at if state else now, now, paused)


def on_stream(session: Session, stream_id: str | None) -> Session:
    """The session with its open segment on this stream, unless it is on one already or there is none."""
    segment = session.open_segment
    if not stream_id or segment is None or segment.stream_id is not None:
        return session
    return replace(session, segments=(*session.segments[:-1], replace(segment, stream_id=stream_id)))


def overdue(session: Session, state: StreamState, now: datetime) -> bool:
    """Whether a session is to end because its stream has been gone for longer than GRACE.

    Not one that a moderator has started, resumed or paused anew since: that is a moderator's until they end it.
    """
    if state.offline_at is None or session.status is not Status.PAUSED or now - state.offline_at <= GRACE:
        return False
    paused_at = session.segments[-1].end_time
    return paused_at is not None and paused_at <= state.offline_at
