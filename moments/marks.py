"""A mark (the contract calls it Timestamp): one person's "this, now" in a segment of a session."""

from datetime import datetime, timedelta
from typing import NamedTuple

from moments.timecodes import hms

_SECOND = timedelta(seconds=1)


class Timestamp(NamedTuple):  # a tuple: a million of them are read in seconds
    """One mark. `offset_seconds` is the truth: whole seconds since its segment began, `adjust_seconds` included."""

    session_id: str
    number: int
    segment_index: int
    offset_seconds: int
    adjust_seconds: int
    note: str
    """The author's words, cleaned; empty when there were none."""
    submitted_by: str
    """The author's display name in that chat."""
    person_id: int
    created_at: datetime
    instant: datetime
    """When it was typed, as the platform says; never changed."""
    platform: str
    source_message_ids: tuple[str, ...] = ()
    hidden_by: str | None = None
    hidden_reason: str | None = None

    @property
    def id(self) -> str:
        """Unique everywhere, for ever."""
        return f"{self.session_id}-{self.number}"

    @property
    def offset_hms(self) -> str:
        """The offset as people read it: `01:12:34`, hours without upper limit."""
        return hms(self.offset_seconds)


def base_offset(instant: datetime, segment_start: datetime) -> int:
    """Whole seconds from the segment's start to the instant, never below 0: the difference is floored, not its ends."""
    return max(0, (instant - segment_start) // _SECOND)


def moved(mark: Timestamp, seconds: int) -> Timestamp:
    """The mark, shifted once more, never to before its segment's start."""
    base = mark.offset_seconds - mark.adjust_seconds
    adjust = shifted(base, mark.adjust_seconds + seconds)
    return mark._replace(offset_seconds=base + adjust, adjust_seconds=adjust)


def shifted(base: int, adjust: int) -> int:
    """The shift that can be applied to a base offset: as asked, but never to before the segment's start."""
    return max(adjust, -base)
