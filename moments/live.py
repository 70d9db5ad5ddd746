"""One channel as it is right now, and what it takes for a mark to be accepted there.

The store's writer keeps one of these for each busy channel and asks it before it writes; it is thrown away and read
again whenever the database may know better (a failed write, another process).
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from moments.crowd import CrowdIndex, Point
from moments.errors import NotAllowed, Refusal, TooFast
from moments.marks import Timestamp, base_offset, shifted
from moments.people import Account, Role
from moments.sessions import LATE_SECONDS, WHO_MAY_MARK, Channel, Defaults, Segment, Session, open_segment_at
from moments.wording import counted

MARKS_PER_PERSON = 500
"""In one session, moderators aside (research/security.md RES-4)."""
MARKS_PER_SESSION = 1_000_000
MOST_PACES = 20_000
"""People whose pace is remembered before those long past their cooldown are let go."""
_LATE = timedelta(seconds=LATE_SECONDS)

_SECOND = timedelta(seconds=1)


class Place(NamedTuple):
    """A channel as a platform names it."""

    platform: str
    platform_id: str
    display_name: str


class Author(NamedTuple):
    """A person's login as a platform names it."""

    platform: str
    user_id: str
    display_name: str


class MarkRequest(NamedTuple):
    """Somebody wants to mark: who, where, when, how far back and in which words (cleaned)."""

    place: Place
    author: Author
    instant: datetime
    """When it was typed, by the platform's clock."""
    arrived: datetime
    """When it reached us, by our clock."""
    note: str = ""
    seconds_back: int = 0
    role: Role = Role.VIEWER
    message_id: str | None = None


class Marked(NamedTuple):
    """A mark that is kept, and how many people are in its crowd moment, its author included."""

    mark: Timestamp
    people: int
    window_seconds: int


@dataclass(slots=True)
class LiveChannel:
    """A channel, its newest session, and what accepting marks needs to remember about it."""

    channel: Channel
    seconds: Defaults
    session: Session | None = None
    last_number: int = 0
    """The highest number this session has given out, to marks since removed too."""
    crowds: dict[int, CrowdIndex] = field(default_factory=dict)
    """By segment index; read from the store when a segment is first asked for."""
    marks_by_person: Counter[int] = field(default_factory=Counter)
    most_paces: int = MOST_PACES
    last_accepted: dict[int, datetime] = field(default_factory=dict)
    """When each person's last mark, or saved moment, was typed here: the cooldown counts from it."""
    barred: frozenset[tuple[str, str]] = frozenset()
    """Accounts that may not mark here, by (platform, user id)."""
    silenced: dict[tuple[str, str], datetime] = field(default_factory=dict)
    """Who was timed out or banned in chat, and when we heard: what they typed before may arrive after it."""
    cooldown: timedelta = field(init=False)

    def __post_init__(self) -> None:
        self.cooldown = timedelta(seconds=self.seconds.cooldown_seconds)

    def segment_for(self, request: MarkRequest) -> Segment:
        """The segment this mark falls into; Refusal in words when there is none."""
        return open_segment_at(self.session, request.instant, request.arrived)

    def accept(self, request: MarkRequest, segment: Segment, account: Account) -> Marked:
        """The mark, numbered and counted; its segment's crowd must be loaded. Refusal or TooFast otherwise."""
        session = self.session
        assert session is not None, "segment_for found a segment"  # noqa: S101 -- narrows the type for mypy
        self._check_allowed(request)
        if request.role < Role.MODERATOR:
            self.check_cooldown(account.person_id, request.instant)
            self._check_total(account.person_id)
        if self.last_number >= MARKS_PER_SESSION:
            full = f"This session is full: it holds {counted(MARKS_PER_SESSION, 'mark')}."
            raise Refusal(f"{full} A moderator types `end`, then `start`.")
        base = base_offset(request.instant, segment.start_time)
        adjust = shifted(base, -request.seconds_back)
        mark = Timestamp(
            session.id,
            self.last_number + 1,
            segment.index,
            base + adjust,
            adjust,
            request.note,
            request.author.display_name,
            account.person_id,
            request.arrived,
            request.instant,
            request.author.platform,
            (request.message_id,) if request.message_id else (),
        )
        self.last_number = mark.number
        self.marks_by_person[account.person_id] += 1
        self.accepted(account.person_id, request.instant)
        people = self.crowds[segment.index].add(mark.offset_seconds, mark.number, account.person_id)
        return Marked(mark, people, self.seconds.crowd_window_seconds)

    def crowd_of(self, mark: Timestamp) -> Marked:
        """An existing mark with its crowd, which must be loaded."""
        people = self.crowds[mark.segment_index].people_at(mark.offset_seconds)
        return Marked(mark, max(1, people), self.seconds.crowd_window_seconds)

    def load_crowd(self, segment_index: int, points: list[Point]) -> None:
        """Start counting a segment's crowd from the points the store holds."""
        self.crowds[segment_index] = CrowdIndex.from_points(points, self.seconds.crowd_window_seconds)

    def check_welcome(self, author: Author, instant: datetime) -> None:
        """Raise NotAllowed for somebody who is barred here, or was silenced after this was typed."""
        at = self.silenced.get(author[:2])
        if author[:2] in self.barred or (at is not None and instant <= at):
            raise NotAllowed("The moderators of this channel do not take marks from you.")

    def check_cooldown(self, person: int, instant: datetime) -> None:
        """Raise TooFast for somebody who had a mark or a save accepted here a moment before, or after."""
        last = self.last_accepted.get(person)
        if last is not None:
            # Either direction: a message may overtake another, and a clock may be set back by hours.
            apart = abs(instant - last)
            if apart < self.cooldown:
                wait = self.seconds.cooldown_seconds - apart // _SECOND
                raise TooFast(f"Too fast: you can mark again in {counted(wait, 'second')}.")

    def accepted(self, person: int, instant: datetime) -> None:
        """Let somebody's cooldown count from an instant."""
        last = self.last_accepted.get(person)
        if last is not None and timedelta(0) < last - instant <= _LATE:
            return  # a message that was overtaken; further back, the clock was set back
        self.last_accepted[person] = instant
        if len(self.last_accepted) > self.most_paces:
            horizon = instant - self.cooldown
            self.last_accepted = {who: when for who, when in self.last_accepted.items() if when > horizon}
            self.most_paces = max(MOST_PACES, 2 * len(self.last_accepted))

    def _check_allowed(self, request: MarkRequest) -> None:
        self.check_welcome(request.author, request.instant)
        lowest = self.channel.settings.who_may_mark
        if request.role < lowest:
            words = next(words for words, role in WHO_MAY_MARK.items() if role == lowest)
            raise NotAllowed(f"Only {words} can mark here.")

    def _check_total(self, person: int) -> None:
        if self.marks_by_person.get(person, 0) >= MARKS_PER_PERSON:
            most = counted(MARKS_PER_PERSON, "mark")
            raise Refusal(f"You have {most} in this session, and that is the most. `unclip` removes your last.")
