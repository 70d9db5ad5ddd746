"""What a session's moderators see of it, as plain values: every mark, who is blocked, what was done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from commands import audit, moderation, private_links
from commands.acting import account_of, place_of
from commands.authority import Viewer
from commands.services import Services
from moments.crowd import Position
from moments.live import Author
from moments.people import Role
from moments.sessions import Session, Status
from moments.wording import ago
from storage import Store, Totals, all_marks, barred, joined, named_moderators
from storage.all_marks import Authored
from storage.ledger import account_key
from web_export import words
from web_export.acts import account_in, in_words
from web_export.positions import position_of
from web_export.views import SessionHead, head, is_public
from web_export.ways import DISCORD, TWITCH

MARKS_A_PAGE = 50
ACTS_SHOWN = 50


@dataclass(frozen=True, slots=True)
class DeskRow:
    """A mark, with what can be done about it."""

    number: int
    segment_index: int
    offset: str
    note: str
    name: str
    when: str
    hidden: str
    """By whom and why; empty for one that everybody sees."""
    blocked: bool
    """Whether its author is."""


@dataclass(frozen=True, slots=True)
class BlockedRow:
    """Somebody whose marks are not taken."""

    account: str
    name: str
    since: str


@dataclass(frozen=True, slots=True)
class ActRow:
    """Something a moderator did."""

    what: str
    who: str
    when: str


@dataclass(frozen=True, slots=True)
class DeskView:
    """The whole page."""

    head: SessionHead
    goes_on: bool
    has_video: bool
    """Whether its platform keeps a recording that links lead into."""
    public: bool
    marks: tuple[DeskRow, ...]
    older: str
    """The place from which the next page goes on; empty on the last."""
    here: str
    """The place this page goes on from; empty on the first."""
    blocked: tuple[BlockedRow, ...]
    vod_shift: int
    may_link: bool
    may_revoke: bool
    acts: tuple[ActRow, ...] | None
    """None for who is not the streamer."""


@dataclass(frozen=True, slots=True)
class Desk:
    """A session before somebody who moderates its channel."""

    session: Session
    viewer: Viewer
    role: Role


async def goes_on(store: Store, session: Session) -> bool:
    """Whether the stream's commands are about this session: they are about a channel's newest, and in a Discord
    channel that is joined to a stream about that stream's.
    """
    channel = session.channel
    if channel.platform == DISCORD and await joined.of_discord(store, channel.platform_id) is not None:
        return False
    newest = await store.newest_session(channel.platform, channel.platform_id)
    return newest is not None and newest.id == session.id


async def desk_view(services: Services, desk: Desk, totals: Totals, before: Position | None, here: str) -> DeskView:
    """Everything on the page, as it is now."""
    store, session, now = services.store, desk.session, services.clock()
    channel = session.channel
    found = await all_marks.newest(store, session, before=before, limit=MARKS_A_PAGE + 1)
    shown, listed = found[:MARKS_A_PAGE], await barred.listed(store, channel)
    accounts = {row[:2] for row in listed}
    return DeskView(
        head=head(session, totals, now),
        goes_on=await goes_on(store, session),
        has_video=channel.platform == TWITCH,
        public=is_public(channel),
        marks=tuple(_row(each, each.author[:2] in accounts, now) for each in shown),
        older=position_of(shown[-1].mark) if len(found) > MARKS_A_PAGE else "",
        here=here,
        blocked=tuple(
            BlockedRow(
                f"{row.platform}:{row.user_id}", row.display_name or f"account {row.user_id}", words.day(row.barred_at)
            )
            for row in listed
        ),
        vod_shift=session.vod_shift_seconds,
        may_link=not is_public(channel) and await private_links.may_issue(services, channel, account_of(desk.viewer)),
        may_revoke=desk.role >= Role.BROADCASTER,
        acts=await _acts(services, desk, now) if desk.role >= Role.BROADCASTER else None,
    )


def choices(status: str) -> Sequence[tuple[str, str]]:
    """The commands that lead on from a session's state, and what their buttons say."""
    match status:
        case Status.ACTIVE:
            return (("pause", "Pause"), ("end", "End"))
        case Status.PAUSED:
            return (("resume", "Resume"), ("end", "End"))
    return ()


def _row(authored: Authored, blocked: bool, now: datetime) -> DeskRow:
    mark, author = authored
    return DeskRow(
        number=mark.number,
        segment_index=mark.segment_index,
        offset=mark.offset_hms,
        note=mark.note,
        name=author.display_name or mark.submitted_by,
        when=ago(mark.created_at, now),
        hidden=_hidden(mark.hidden_by, mark.hidden_reason),
        blocked=blocked,
    )


def _hidden(by: str | None, reason: str | None) -> str:
    if by is None:
        return ""
    who = "in chat" if by == moderation.CHAT else "by a moderator"
    return f"Hidden {who}" + (f": {reason}" if reason else "")


async def _acts(services: Services, desk: Desk, now: datetime) -> tuple[ActRow, ...]:
    channel = desk.session.channel
    entries = await audit.entries(services.store, channel, limit=ACTS_SHOWN)
    accounts = {(entry.actor_platform, entry.actor_user_id) for entry in entries}
    about = (account_in(entry).partition(":") for entry in entries)
    accounts |= {(platform, user_id) for platform, _, user_id in about}
    known = await all_marks.names(services.store, accounts)
    names = {f"{platform}:{user_id}": name for (platform, user_id), name in known.items()}
    names |= {account_key(who): who.display_name for who in await named_moderators.named(services.store, channel)}
    names[account_key(Author(*place_of(channel)))] = channel.display_name
    return tuple(
        ActRow(
            in_words(entry, _called(names, account_in(entry))),
            _called(names, f"{entry.actor_platform}:{entry.actor_user_id}"),
            ago(entry.at, now),
        )
        for entry in entries
    )


def _called(names: Mapping[str, str], account: str) -> str:
    return names.get(account) or f"account {account.partition(':')[2] or account}"
