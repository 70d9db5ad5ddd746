"""The purge: what has been kept for as long as storage/retention.py allows goes (PRIV-1, PRIV-6)."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from moments.live import Place
from storage import answers, connections, credentials, joined, linking, posts, sources
from storage._sqlite import to_microseconds
from storage.retention import API_DATA, GRANT_UNUSED, LOGIN_IDLE, LOGIN_LONGEST
from storage.transaction import Transaction


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
    join_codes: int = 0
    links: int = 0
    """Codes for linking, and changes of links that nobody needs any more."""
    posts: int = 0
    """What was known of posts that are no more."""
    answers: int = 0
    """What was known of answers that Discord does not let us delete."""


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
        await transaction.execute("DELETE FROM join_request WHERE expires_at <= ?", at),
        await linking.purge(transaction, now),
        await posts.purge(transaction, now),
        await answers.purge(transaction, now),
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
        await joined.end_of_streamer(transaction, *account, now)
        await drop_api_data(transaction, *account)
    return len(unused)
