"""Channels, their sessions and the segments between breaks, and the rules that move a session from state to state."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from moments.errors import Refusal
from moments.notes import shortened
from moments.people import Role
from moments.timecodes import hms
from moments.wording import ago


class Visibility(StrEnum):
    """Who may see a channel's pages, downloads and counts."""

    PUBLIC = "public"
    PRIVATE = "private"


class Status(StrEnum):
    """A session's state. There is exactly one open segment while it is active, and none otherwise."""

    ACTIVE = "active"
    PAUSED = "paused"
    ENDED = "ended"


class ReplyLevel(StrEnum):
    """How much of an answer a channel's chat is given."""

    FULL = "full"
    BRIEF = "brief"
    """Without repeating anybody's words."""
    NONE = "none"
    """Nothing but the answers to `setup`."""


LONGEST_NAME = 200
"""Code points; Twitch takes 500 for a whole message."""

WHO_MAY_MARK = {
    "everyone": Role.VIEWER,
    "subscribers": Role.SUBSCRIBER,
    "vips": Role.VIP,
    "moderators": Role.MODERATOR,
}
"""The words of `setup who`, each with the lowest role it lets mark; a higher role includes the lower."""


@dataclass(frozen=True, slots=True)
class ChannelSettings:
    """A channel's own choices; None means the operator's default, or the platform's."""

    cooldown_seconds: int | None = None
    crowd_window_seconds: int | None = None
    lead_seconds: int | None = None
    who_may_mark: Role = Role.VIEWER
    reply_level: ReplyLevel | None = None
    names: bool = True
    """Whether pages and downloads show who marked."""
    bare_commands: frozenset[str] = frozenset()
    """Commands that also answer to their bare name where the platform has that off (other bots have a `!help` too)."""
    mirror_markers: bool = False
    """Whether marks also become stream markers on Twitch."""
    promote: bool = False
    """Whether moderators may turn crowd moments into real clips."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """The operator's seconds, for channels that set none of their own (MOMENTS_…_SECONDS)."""

    cooldown_seconds: int = 15
    crowd_window_seconds: int = 15
    lead_seconds: int = 20


@dataclass(frozen=True, slots=True)
class Channel:
    """Where people mark: unique by (platform, platform_id); the names are for display only."""

    id: int
    platform: str
    platform_id: str
    display_name: str
    visibility: Visibility = Visibility.PUBLIC
    settings: ChannelSettings = ChannelSettings()
    login: str = ""
    """What the platform's own links call it; empty when that is not known, or was learned too long ago."""
    link_epoch: int = 0
    """Grows when all signed links into the channel are revoked together."""

    def seconds(self, defaults: Defaults) -> Defaults:
        """The seconds in force here: the channel's own where it has them."""
        own = self.settings
        return Defaults(
            *(mine if mine is not None else theirs for mine, theirs in (
                (own.cooldown_seconds, defaults.cooldown_seconds),
                (own.crowd_window_seconds, defaults.crowd_window_seconds),
                (own.lead_seconds, defaults.lead_seconds),
            ))
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a session without a break, known by its session and index; `end_time` is None while it is open."""

    index: int
    start_time: datetime
    end_time: datetime | None = None
    stream_id: str | None = None
    created_at: datetime | None = None
    """When we were told of it; None before it is stored."""

    def seconds(self, now: datetime) -> int:
        """Its length so far, in whole seconds."""
        return max(0, int(((self.end_time or now) - self.start_time).total_seconds()))


@dataclass(frozen=True, slots=True)
class Session:
    """One stream, from start to end. `id` is what links and people use; `row_id` is the store's own."""

    row_id: int
    id: str
    channel: Channel
    title: str
    game: str
    status: Status
    created_at: datetime
    updated_at: datetime
    segments: tuple[Segment, ...]
    vod_shift_seconds: int = 0
    """How far moderators corrected where its marks fall in the VOD; positive is later."""

    @property
    def name(self) -> str:
        """What to call it: its title in quotation marks, or the day it began.

        Of a title of stacked marks only so much that what is said about it fits into a chat line as well.
        """
        return (
            f'"{shortened(self.title, LONGEST_NAME)}"' if self.title else f"The session of {self.created_at:%d %B %Y}"
        )

    @property
    def open_segment(self) -> Segment | None:
        """The segment marks fall into now, or None while paused or ended."""
        return self.segments[-1] if self.status is Status.ACTIVE else None

    def running_seconds(self, now: datetime) -> int:
        """Whole seconds of all its segments together; breaks do not count."""
        return sum(segment.seconds(now) for segment in self.segments)


def started(last: Session | None, channel: Channel, title: str, game: str, now: datetime, session_id: str) -> Session:
    """A new session with its first segment open; Refusal while the last one is not ended."""
    if last is not None and last.status is not Status.ENDED:
        raise Refusal(f"{last.name} started {ago(last.created_at, now)}. Type end, then start.")
    first = Segment(index=1, start_time=now, created_at=now)
    return Session(0, session_id, channel, title, game, Status.ACTIVE, now, now, (first,))


def paused(session: Session | None, now: datetime) -> Session | None:
    """The session with its open segment closed; None when it is paused already."""
    session = not_ended(session, now)
    if session.status is Status.PAUSED:
        return None
    return replace(_closed(session, now), status=Status.PAUSED, updated_at=now)


def resumed(session: Session | None, now: datetime) -> Session | None:
    """The session with a new segment open; None when it is running already."""
    session = not_ended(session, now)
    if session.status is Status.ACTIVE:
        return None
    last = session.segments[-1]
    # A clock that was set back must not let segments overlap.
    following = Segment(index=last.index + 1, start_time=max(now, last.end_time or now), created_at=now)
    return replace(session, status=Status.ACTIVE, updated_at=now, segments=(*session.segments, following))


def ended(session: Session | None, now: datetime) -> Session | None:
    """The session, over; None when it was over already."""
    if session is None:
        raise Refusal(NOT_LIVE)
    if session.status is Status.ENDED:
        return None
    return replace(_closed(session, now), status=Status.ENDED, updated_at=now)


NOT_LIVE = "Not live: no session has started here. A moderator types `start`."


def not_ended(session: Session | None, now: datetime) -> Session:
    """The session that is running or paused; Refusal in words when there is none."""
    if session is None:
        raise Refusal(NOT_LIVE)
    if session.status is Status.ENDED:
        raise Refusal(
            f"{session.name} ended {ago(session.updated_at, now)}. A moderator types `start` to begin a new one."
        )
    return session


def open_segment_at(session: Session | None, instant: datetime, arrived: datetime) -> Segment:
    """The segment that was open at the instant a mark was typed (design.md §2); Refusal in words when none was.

    A mark that arrives up to 30 s after its segment closed still belongs to it. An arrival before the open segment's
    own start can only mean that the clock was set back: the mark is kept, at the segment's beginning.
    """
    if session is None:
        raise Refusal(NOT_LIVE)
    last = session.segments[-1]
    if last.end_time is None and (instant >= last.start_time or arrived < last.start_time):
        return last
    if (arrived - instant).total_seconds() <= LATE_SECONDS:
        for segment in reversed(session.segments):
            # Closed after the mark arrived: another telling of the same time, as a log replayed beside it is.
            if segment.end_time is not None and segment.start_time <= instant < segment.end_time <= arrived:
                return segment
    not_ended(session, arrived)
    if session.status is Status.PAUSED:
        raise Refusal(f"Paused at {hms(last.seconds(arrived))}: marks count again after a moderator types `resume`.")
    raise Refusal("That was typed while the session was not running, so it was not kept. Type `clip` again.")


LATE_SECONDS = 30
"""How late a mark may arrive and still be judged by the state at its own instant."""


def _closed(session: Session, now: datetime) -> Session:
    last = session.segments[-1]
    if last.end_time is not None:
        return session
    return replace(session, segments=(*session.segments[:-1], replace(last, end_time=max(now, last.start_time))))
