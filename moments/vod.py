"""Where a session's marks fall in the channel's archives: derived from instants each time, never stored with a mark.

Segment start + offset − the archive's start − lead + the moderators' correction, in whole seconds (design.md §8).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import quote

from moments.marks import Timestamp
from moments.sessions import Segment, Session, Status
from moments.timecodes import LONGEST_SHIFT

SLACK_SECONDS = 10
"""How far outside of an archive a mark may lie and still be its: the events that tell of a stream's start and end
have a clock of their own, some seconds beside the archive's."""
NO_END = 2**31
"""Longer than every archive."""
TOLD_LATE = timedelta(minutes=10)
"""How far a running stream's archive may be behind in what is told of its length."""
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Archive:
    """A stream's recording, as its platform lists it."""

    video_id: str
    stream_id: str | None
    title: str
    created_at: datetime
    """The instant of its first second."""
    duration_seconds: int
    muted: tuple[tuple[int, int], ...] = ()
    """Stretches without sound: where each begins and how long it lasts, in seconds."""
    growing: bool = False
    """Whether its stream still runs: it covers all there is so far, whatever length was told."""


class VodPlace(NamedTuple):
    """A second of an archive. `muted` says that sound is missing between it and the moment it leads to."""

    video_id: str
    seconds: int
    muted: bool = False

    @property
    def url(self) -> str:
        """The link that plays from there."""
        return vod_url(self.video_id, self.seconds)


def vod_url(video_id: str, seconds: int) -> str:
    """Twitch's link to a second of an archive (research/twitch.md §5)."""
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"https://www.twitch.tv/videos/{quote(video_id, safe='')}?t={hour}h{minute}m{second}s"


class _Candidate(NamedTuple):
    """An archive as a segment sees it, with what its links follow from and no more."""

    created_at: datetime
    video_id: str
    ahead: int
    """Where the segment begins in it; negative when it was created later."""
    end: int
    same_stream: bool
    muted: tuple[tuple[int, int], ...]

    def fitness(self, offset_seconds: int) -> tuple[bool, bool, datetime] | None:
        """How well it covers a place of the segment; the greatest is the right one, None covers it not at all."""
        at = self.ahead + offset_seconds
        if not -SLACK_SECONDS <= at < self.end + SLACK_SECONDS:
            return None
        return 0 <= at < self.end, self.same_stream, self.created_at


@dataclass(frozen=True, slots=True)
class Vods:
    """The archives that hold a session's marks. False when there are none, so that nobody need ask for each mark.

    Equal ones make the same links, and read the same (`repr`): whatever else changes in an archive is left out.
    """

    lead_seconds: int = 0
    """How long before a moment its link begins."""
    shift_seconds: int = 0
    """How much later everything lies than the clocks say."""
    segments: Mapping[int, tuple[_Candidate, ...]] = field(default_factory=dict)
    """By segment index; those that no archive reaches are left out."""

    def __bool__(self) -> bool:
        return bool(self.segments)

    def place(self, segment_index: int, offset_seconds: int) -> VodPlace | None:
        """Where the link to this place of the session begins; None when no archive covers it."""
        best = None
        for candidate in self.segments.get(segment_index, ()):
            fitness = candidate.fitness(offset_seconds)
            if fitness is not None and (best is None or fitness > best[0]):
                best = fitness, candidate
        if best is None:
            return None
        archive = best[1]
        moment = archive.ahead + offset_seconds + self.shift_seconds
        begins = min(max(0, moment - self.lead_seconds), archive.end)
        muted = any(start <= moment and begins < start + length for start, length in archive.muted)
        return VodPlace(archive.video_id, begins, muted)

    def place_of(self, mark: Timestamp) -> VodPlace | None:
        """Where the link to a mark begins; None when no archive covers it."""
        return self.place(mark.segment_index, mark.offset_seconds) if self.segments else None


NO_VODS = Vods()


def vods_of(session: Session, archives: Iterable[Archive], lead_seconds: int) -> Vods:
    """The archives that hold a session's marks, each mark in its own: streams are split after 48 hours."""
    listed = tuple(archives)
    seen = {
        segment.index: tuple(candidate for archive in listed if (candidate := _candidate(segment, archive)) is not None)
        for segment in session.segments
    }
    reached = {index: candidates for index, candidates in seen.items() if candidates}
    return Vods(lead_seconds, session.vod_shift_seconds, reached)


def growing(archives: Sequence[Archive], session: Session, told_at: datetime) -> tuple[Archive, ...]:
    """The archives, oldest first, the last one as growing when its stream seems to run: it is this session's, or its
    end was just reached when we were told of it, and the session has not gone on in another stream since.
    """
    if session.status is Status.ENDED or not archives:
        return tuple(archives)
    *earlier, newest = archives
    told_until = newest.created_at + timedelta(seconds=newest.duration_seconds)
    last = session.segments[-1]
    both_known = last.stream_id is not None and newest.stream_id is not None
    same_stream = both_known and last.stream_id == newest.stream_id
    over = both_known and not same_stream and newest.created_at < last.start_time
    just_told = told_at - told_until <= TOLD_LATE
    runs = (just_told and not over) or (same_stream and session.open_segment is not None)
    return (*earlier, replace(newest, growing=runs))


def _candidate(segment: Segment, archive: Archive) -> _Candidate | None:
    """None when no mark of the segment can lie in the archive, also not one that was moved past the segment's end."""
    # Offsets and lengths are whole seconds, so one floored difference serves every mark.
    ahead = (segment.start_time - archive.created_at) // _SECOND
    end = NO_END if archive.growing else archive.duration_seconds
    length = NO_END if segment.end_time is None else segment.seconds(segment.end_time) + LONGEST_SHIFT
    if ahead >= end + SLACK_SECONDS or ahead + length < -SLACK_SECONDS:
        return None
    same_stream = archive.stream_id is not None and archive.stream_id == segment.stream_id
    return _Candidate(archive.created_at, archive.video_id, ahead, end, same_stream, archive.muted)
