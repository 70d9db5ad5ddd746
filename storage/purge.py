"""How long everything about people is kept: the one table of it, and the purge that keeps to it (PRIV-1, PRIV-6)."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import NamedTuple

from moments.live import Place
from moments.wording import counted
from storage import connections, credentials, sources
from storage._sqlite import to_microseconds
from storage.memory import MESSAGES_REMEMBERED
from storage.transaction import Transaction

API_DATA = timedelta(hours=24)
"""What Twitch lets us keep of its answers; also how old a login's list of moderated channels may grow."""
LOGIN_IDLE, LOGIN_LONGEST = timedelta(days=30), timedelta(days=90)
"""A web session nobody opened a page with, and any (AUTH-5)."""
GRANT_UNUSED = timedelta(days=90)
"""Tokens nobody needed, of a channel in which nothing happened."""
LOGIN_ATTEMPT = timedelta(minutes=10)


class Kept(NamedTuple):
    """Something of people that is kept: a row of /privacy, and a rule of the purge."""

    name: str
    what: str
    why: str
    columns: tuple[str, ...]
    """Where it is, as `table.column`."""
    lasts: timedelta | None = None
    """The longest it is kept; None: `until` says when it goes."""
    until: str = ""

    @property
    def how_long(self) -> str:
        """The words for it."""
        return self.until if self.lasts is None else _length(self.lasts)


def _length(lasts: timedelta) -> str:
    if lasts.days > 1:
        return counted(lasts.days, "day")
    hours, minutes = divmod(round(lasts.total_seconds()) // 60, 60)
    return counted(hours, "hour") if hours else counted(minutes, "minute")


_UNTIL_FORGOTTEN = "until you type `forgetme`"
_WITH_THE_CHANNEL = "as long as the channel's pages"

RETENTION: tuple[Kept, ...] = (
    Kept(
        "Marks",
        "what you marked and when, your note, and the name you had in that chat",
        "they are what you came to leave here",
        (
            *("mark.account_id", "mark.submitted_by", "mark.note", "mark.instant", "mark.created_at"),
            *("mark.platform", "mark.source_message_id"),
        ),
        until=_UNTIL_FORGOTTEN,
    ),
    Kept(
        "Saved moments",
        "which parts of which recordings you saved, when and where, your note, and the link you pasted",
        "they are what you came to leave here",
        (
            *("save.account_id", "save.note", "save.origin", "save.url", "save.created_at", "save.platform"),
            *("save.source_message_id", "save.hidden_by", "save.hidden_reason"),
        ),
        until=_UNTIL_FORGOTTEN,
    ),
    Kept(
        "What is the same recording",
        "who said that two recordings are the same, or are not",
        "so that it can be looked at again, and undone",
        (
            *("track_merge.asked_by", "track_merge.merged_at", "track_merge.undone_by", "track_merge.undone_at"),
            *("match_question.answered_by", "match_question.answered_at"),
        ),
        until="for good; the names of those who asked to be forgotten go at once",
    ),
    Kept(
        "What services tell of recordings",
        "titles, names of artists and channels, and where a recording may be played",
        "to show what a moment is of",
        (
            *("api_source.title", "api_source.by_line", "api_source.isrc", "api_source.links"),
            *("api_source.duration_seconds", "api_source.embeddable", "api_source.age_restricted"),
            *("api_source.regions_allowed", "api_source.regions_blocked", "api_source.live"),
        ),
        until="as long as that service allows, and not after it is gone or private there",
    ),
    Kept(
        "Accounts",
        "which account on which platform is yours, and its name",
        "to count people, not messages, and to let you change what is yours",
        ("account.person_id", "account.platform", "account.user_id", "account.display_name", "person.id"),
        until=_UNTIL_FORGOTTEN,
    ),
    Kept(
        "Pace",
        "when you last marked something in a channel",
        "so that removing a mark does not shorten the wait for the next",
        ("pace.person_id", "pace.last_accepted"),
        until=_UNTIL_FORGOTTEN,
    ),
    Kept(
        "Messages",
        "the numbers platforms gave to commands and to timeouts in chat, without any words",
        "so that what is delivered twice does nothing twice",
        ("handled_message.platform", "handled_message.message_id"),
        lasts=MESSAGES_REMEMBERED,
    ),
    Kept(
        "Channels",
        "a channel's number and name on its platform, and what its streams were called by its moderators",
        "to show its marks under its name",
        ("channel.platform_id", "channel.display_name", "session.title", "session.game"),
        until=_WITH_THE_CHANNEL,
    ),
    Kept(
        "What Twitch tells of a stream",
        "a channel's present login; title and category of a stream; its archives",
        "for links to a channel by name, and from marks into the archive",
        (
            *("channel.login", "channel.login_expires_at"),
            *("api_stream.title", "api_stream.game"),
            *("api_archive.video_id", "api_archive.stream_id", "api_archive.title"),
            *("api_archive.created_at", "api_archive.muted"),
        ),
        lasts=API_DATA,
    ),
    Kept(
        "Streams",
        "the numbers Twitch gave to a channel's streams, and when they began and ended",
        "to find the place of a mark in the archive",
        ("segment.stream_id", "stream_state.stream_id", "stream_state.started_at", "stream_state.offline_at"),
        until=_WITH_THE_CHANNEL,
    ),
    Kept(
        "Permissions of streamers",
        "the keys Twitch gave us when you connected your channel, encrypted, your login, and what they allow",
        "to be in your chat, and for the extras you switched on",
        (
            *("credential.platform", "credential.user_id", "credential.login", "credential.access"),
            *("credential.refresh", "credential.scopes"),
        ),
        until=f"until you disconnect or take it back; {_length(GRANT_UNUSED)} after the last use and your last stream",
    ),
    Kept(
        "Connections",
        "that a channel was connected, when, and with which permissions",
        "to know which chats to be in",
        ("connection.state", "connection.scopes", "connection.connected_at", "connection.changed_at"),
        until=_WITH_THE_CHANNEL,
    ),
    Kept(
        "Ways to a login",
        "that a browser has gone to log in, as a digest",
        "so that nobody else's browser can come back in your place",
        (
            *("login_attempt.state_digest", "login_attempt.browser_digest", "login_attempt.nonce"),
            *("login_attempt.return_path", "login_attempt.details"),
        ),
        lasts=LOGIN_ATTEMPT,
    ),
    Kept(
        "Logins",
        "which account is logged in, the name it had then, since when, and the time of the last page",
        "to know you again on the next page",
        (
            *("web_session.id", "web_session.secret_digest", "web_session.platform", "web_session.user_id"),
            *("web_session.display_name", "web_session.created_at", "web_session.seen_at"),
        ),
        lasts=LOGIN_LONGEST,
    ),
    Kept(
        "Channels you moderate",
        "which channels Twitch says you moderate",
        "to show their moderators what only they may see",
        ("web_session.moderates", "web_session.moderates_at"),
        lasts=API_DATA,
    ),
    Kept(
        "Moderation",
        "who hid a mark and why, and what moderators did in a channel",
        "so that its streamer can see what was done in their name, and undo it",
        (
            *("mark.hidden_by", "mark.hidden_reason", "audit.at", "audit.actor_platform", "audit.actor_user_id"),
            *("audit.act", "audit.target", "audit.before", "audit.after"),
            *("promotion.requested_by", "promotion.requested_at", "promotion.clip_id", "promotion.url"),
        ),
        until="as long as the channel's pages; the names of those who asked to be forgotten go at once",
    ),
    Kept(
        "Moderators by name",
        "accounts a streamer has named as moderators of their pages, and the name each had then",
        "to let them in",
        (
            *("named_moderator.platform", "named_moderator.user_id", "named_moderator.display_name"),
            "named_moderator.named_at",
        ),
        until="until the streamer, or you with `forgetme`, ends it",
    ),
    Kept(
        "Blocks",
        "accounts that may not mark in a channel, the name each had when it was blocked, and who decided that",
        "so that a block outlives a new name and `forgetme`",
        (
            *("barred.platform", "barred.user_id", "barred.display_name", "barred.barred_by"),
            "barred.barred_at",
        ),
        until="until a moderator lifts it; after `forgetme` without a name",
    ),
    Kept(
        "Who was forgotten",
        "a digest of your account and the time, which nobody can turn back into a name without our key",
        "so that a restored backup forgets you again",
        ("forgotten.digest", "forgotten.forgotten_at"),
        until="for good",
    ),
)


class Purged(NamedTuple):
    """How many rows went, or lost what was too old in them."""

    streams: int = 0
    archives: int = 0
    logins: int = 0
    """Channels whose login is not known any more."""
    attempts: int = 0
    web_sessions: int = 0
    moderated: int = 0
    """Logins that no longer know which channels they moderate."""
    grants: int = 0
    """With them their channels were disconnected."""
    sources: int = 0
    """What services told of recordings."""


async def purge(transaction: Transaction, now: datetime, spared: Collection[tuple[str, str]] = ()) -> Purged:
    """Delete what has been kept for as long as RETENTION allows.

    The grants of `spared` accounts (platform, user id) stay: the bot's own is needed even while nobody streams.
    """
    at, a_day_ago = to_microseconds(now), to_microseconds(now - API_DATA)
    return Purged(
        await _purge_streams(transaction, at, a_day_ago),
        await _purge_archives(transaction, at, a_day_ago),
        await _purge_logins(transaction, at),
        await transaction.execute("DELETE FROM login_attempt WHERE expires_at <= ?", at),
        await transaction.execute(
            "DELETE FROM web_session WHERE seen_at <= ? OR created_at <= ?",
            *(to_microseconds(now - LOGIN_IDLE), to_microseconds(now - LOGIN_LONGEST)),
        ),
        await transaction.execute(
            "UPDATE web_session SET moderates = '[]', moderates_at = NULL WHERE moderates_at <= ?", a_day_ago
        ),
        await _purge_grants(transaction, now, spared),
        await sources.expire(transaction, now),
    )


async def drop_api_data(transaction: Transaction, platform: str, platform_id: str) -> None:
    """Delete what Twitch told of a channel: at revocation it may not be kept for the rest of its day (PRIV-6)."""
    for channel_id, *place in await transaction.fetch(
        f"SELECT id, {_PLACE} FROM channel WHERE platform = ? AND platform_id = ?",  # noqa: S608 -- constants only
        *(platform, platform_id),
    ):
        await transaction.execute(f"DELETE FROM api_stream WHERE session_id IN ({_SESSIONS})", channel_id)  # noqa: S608 -- constants only
        await transaction.execute("DELETE FROM api_archive WHERE channel_id = ?", channel_id)
        await transaction.execute("UPDATE channel SET login = NULL, login_expires_at = NULL WHERE id = ?", channel_id)
        await transaction.execute("UPDATE session SET revision = revision + 1 WHERE channel_id = ?", channel_id)
        await transaction.let_channel_go(Place(*place))


_PLACE = "platform, platform_id, display_name"
_SESSIONS = "SELECT id FROM session WHERE channel_id = ?"


async def _purge_streams(transaction: Transaction, at: int, a_day_ago: int) -> int:
    # Whatever its row says, nothing is kept for longer than a day.
    gone = await transaction.fetch(
        "DELETE FROM api_stream WHERE expires_at <= ? OR fetched_at <= ? RETURNING session_id", at, a_day_ago
    )
    for (session_id,) in gone:
        await transaction.execute("UPDATE session SET revision = revision + 1 WHERE id = ?", session_id)
        for place in await transaction.fetch(
            f"SELECT {_PLACE} FROM channel WHERE id = (SELECT channel_id FROM session WHERE id = ?)",  # noqa: S608 -- constants only
            session_id,
        ):
            await transaction.let_channel_go(Place(*place))
    return len(gone)


async def _purge_archives(transaction: Transaction, at: int, a_day_ago: int) -> int:
    gone = await transaction.fetch(
        "DELETE FROM api_archive WHERE expires_at <= ? OR fetched_at <= ? RETURNING channel_id", at, a_day_ago
    )
    for channel_id in {row[0] for row in gone}:  # pages and downloads with links into them are kept by revision
        await transaction.execute("UPDATE session SET revision = revision + 1 WHERE channel_id = ?", channel_id)
    return len(gone)


async def _purge_logins(transaction: Transaction, at: int) -> int:
    gone = await transaction.fetch(
        f"UPDATE channel SET login = NULL, login_expires_at = NULL WHERE login_expires_at <= ? RETURNING {_PLACE}",  # noqa: S608 -- constants only
        at,
    )
    for place in gone:
        await transaction.let_channel_go(Place(*place))
    return len(gone)


_UNUSED = (
    "SELECT platform, user_id FROM credential WHERE used_at <= ?1 AND NOT EXISTS ("
    " SELECT 1 FROM channel JOIN session ON session.channel_id = channel.id"
    " WHERE channel.platform = credential.platform AND channel.platform_id = credential.user_id"
    " AND session.updated_at > ?1) AND NOT EXISTS ("
    " SELECT 1 FROM channel JOIN stream_state ON stream_state.channel_id = channel.id"
    " WHERE channel.platform = credential.platform AND channel.platform_id = credential.user_id"
    " AND (stream_state.started_at > ?1 OR stream_state.offline_at > ?1))"
)


async def unused_grants(
    transaction: Transaction, now: datetime, spared: Collection[tuple[str, str]]
) -> list[tuple[str, str]]:
    """(platform, user id) of whose tokens the purge would delete; the platform should be told of it."""
    kept = frozenset(spared)
    found = await transaction.fetch(_UNUSED, to_microseconds(now - GRANT_UNUSED))
    return [(platform, user_id) for platform, user_id in found if (platform, user_id) not in kept]


async def _purge_grants(transaction: Transaction, now: datetime, spared: Collection[tuple[str, str]]) -> int:
    unused = await unused_grants(transaction, now, spared)
    for account in unused:
        await credentials.remove(transaction, *account)
        await connections.change(transaction, *account, connections.State.DISCONNECTED, now)
        await drop_api_data(transaction, *account)
    return len(unused)
