"""What the pages show, as plain values: templates decide how it looks, these decide what it says."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from urllib.parse import quote

from moments.marks import Timestamp
from moments.sessions import Channel, Defaults, Session, Status, Visibility
from moments.timecodes import hms
from moments.vod import VodPlace, Vods
from moments.wording import ago, counted
from storage import Totals
from web_export import words
from web_export.digest import NO_END, Digest, Largest
from web_export.formats import FORMATS
from web_export.formats.edl import MOST_EVENTS
from web_export.formats.format import Format
from web_export.formats.options import FRAME_RATES
from web_export.positions import position_of
from web_export.timeline import Timeline, timeline
from web_export.ways import DISCORD, TWITCH

STATE_WORDS = {Status.ACTIVE: "Live", Status.PAUSED: "Paused", Status.ENDED: "Ended"}
CARD_BARS = 60
MOST_PARTS = 40
"""Parts of one download that are linked, eleven hours of a mark every second; `part` in the address asks for more."""


def is_public(channel: Channel) -> bool:
    """Whether anybody may see it; of any other nothing may tell that it is there."""
    return channel.visibility is not Visibility.PRIVATE


def session_url(session: Session) -> str:
    """A session's page."""
    return f"/s/{quote(session.id, safe='')}"


def channel_url(channel: Channel) -> str:
    """A channel's page."""
    return f"/c/{quote(channel.platform, safe='')}/{quote(channel.platform_id, safe='')}"


@dataclass(frozen=True, slots=True)
class SessionHead:
    """What is said of a session wherever it appears."""

    id: str
    url: str
    title: str
    game: str
    channel: str
    channel_url: str
    platform: str
    state: str
    status: str
    running: str
    running_seconds: int
    marks: int
    people: int
    day: str


@dataclass(frozen=True, slots=True)
class Card:
    """A live session on the front page."""

    head: SessionHead
    timeline: Timeline


@dataclass(frozen=True, slots=True)
class VodLink:
    """A link into the VOD: where it leads, and what the player's clock shows there."""

    url: str
    clock: str
    muted: bool


@dataclass(frozen=True, slots=True)
class MarkRow:
    """One mark in the list. `when` is empty once the session has ended: by then only its place matters."""

    number: int
    position: str
    offset: str
    note: str
    name: str
    people: int
    created_at: str
    when: str
    vod: VodLink | None


@dataclass(frozen=True, slots=True)
class Group:
    """The listed marks of one segment, newest first."""

    index: int
    state: str
    count: int
    marks: tuple[MarkRow, ...]


@dataclass(frozen=True, slots=True)
class CrowdRow:
    """One of the largest crowd moments."""

    people: int
    note: str
    segment_index: int
    offset: str
    largest: bool
    vod: VodLink | None


@dataclass(frozen=True, slots=True)
class SessionView:
    """The whole session page."""

    head: SessionHead
    timeline: Timeline
    crowd: tuple[CrowdRow, ...]
    crowds: int
    groups: tuple[Group, ...]
    shown: int
    newest: bool
    more_url: str
    window_seconds: int
    lead_seconds: int
    formats: Sequence[Format]
    parts: Sequence[int]
    """The further parts of a format that holds only `marks_a_part` a file."""
    marks_a_part: int
    frame_rates: Sequence[str]
    position: str
    has_desk: bool
    """Whether its moderators can look after it on the site: they can log in with its platform."""
    last_number: int
    """At least; a mark with a higher one is new to this page."""
    summary: str


def head(session: Session, totals: Totals, now: datetime) -> SessionHead:
    """A session in short."""
    running = session.running_seconds(now)
    return SessionHead(
        id=session.id,
        url=session_url(session),
        title=session.title or f"{session.channel.display_name}, {words.day(session.created_at)}",
        game=session.game,
        channel=session.channel.display_name,
        channel_url=channel_url(session.channel),
        platform=words.platform(session.channel.platform),
        state=STATE_WORDS[session.status],
        status=session.status.value,
        running=hms(running),
        running_seconds=running,
        marks=totals.marks,
        people=totals.people,
        day=words.day(session.created_at),
    )


def card(session: Session, digest: Digest, now: datetime) -> Card:
    """A live session with its timeline in small."""
    return Card(head(session, digest.totals, now), timeline(session.segments, digest, now, bars=CARD_BARS))


def session_view(
    session: Session,
    totals: Totals,
    digest: Digest,
    vods: Vods,
    listed: Sequence[Timestamp],
    now: datetime,
    *,
    more: bool,
    newest: bool,
    position: str,
    defaults: Defaults,
) -> SessionView:
    """The session's page: `listed` are the marks to show, newest first; `more` says that older ones follow."""
    seconds = session.channel.seconds(defaults)
    described = head(session, totals, now)
    last = listed[-1] if listed else None
    return SessionView(
        head=described,
        timeline=timeline(session.segments, digest, now),
        crowd=tuple(_crowd_row(moment, vods, rank) for rank, moment in enumerate(digest.largest)),
        crowds=digest.crowds,
        groups=_groups(session, digest, vods, listed, now),
        shown=len(listed),
        newest=newest,
        more_url=f"{described.url}?before={position_of(last)}#marks" if more and last else "",
        window_seconds=seconds.crowd_window_seconds,
        lead_seconds=seconds.lead_seconds,
        formats=FORMATS,
        parts=_parts(session, digest, seconds.lead_seconds),
        marks_a_part=MOST_EVENTS,
        frame_rates=tuple(FRAME_RATES),
        position=position,
        has_desk=session.channel.platform in (TWITCH, DISCORD),
        last_number=max([totals.marks, *(mark.number for mark in listed)]),
        summary=_summary(described),
    )


def _parts(session: Session, digest: Digest, lead: int) -> Sequence[int]:
    # As the EDL counts when nothing is asked: one marker a second, and all that the lead would move before the start.
    first = session.segments[0].index if session.segments else 0
    early = set(digest.offsets(first, lead + 1))
    markers = digest.places - max(0, len(early) - 1)
    return range(2, min(MOST_PARTS, -(-markers // MOST_EVENTS)) + 1)


def _summary(described: SessionHead) -> str:
    said = f"{counted(described.marks, 'mark')} by {counted(described.people, 'person')}"
    where = f" on {described.platform}" if described.platform else ""
    return f"{described.channel}{where}: {said} in {described.running}."


def _crowd_row(moment: Largest, vods: Vods, rank: int) -> CrowdRow:
    link = _link(vods.place(moment.segment_index, moment.offset_seconds))
    return CrowdRow(moment.people, moment.note, moment.segment_index, hms(moment.offset_seconds), rank == 0, link)


def _link(place: VodPlace | None) -> VodLink | None:
    return VodLink(place.url, words.clock(place.seconds), place.muted) if place else None


def _groups(
    session: Session, digest: Digest, vods: Vods, listed: Sequence[Timestamp], now: datetime
) -> tuple[Group, ...]:
    open_index = session.open_segment.index if session.open_segment else 0
    told = session.status is not Status.ENDED
    return tuple(
        Group(
            index=index,
            state="open" if index == open_index else "",
            count=digest.count(index, 0, NO_END),
            marks=tuple(_row(mark, digest, vods, now if told else None) for mark in marks),
        )
        for index, marks in groupby(listed, key=lambda mark: mark.segment_index)
    )


def _row(mark: Timestamp, digest: Digest, vods: Vods, now: datetime | None) -> MarkRow:
    return MarkRow(
        number=mark.number,
        position=position_of(mark),
        offset=mark.offset_hms,
        note=mark.note,
        name=mark.submitted_by or "",
        people=digest.people_at(mark.segment_index, mark.offset_seconds),
        created_at=mark.created_at.isoformat(timespec="seconds"),
        when=ago(mark.created_at, now) if now else "",
        vod=_link(vods.place_of(mark)),
    )
