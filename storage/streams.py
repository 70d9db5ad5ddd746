"""What we know of the streams themselves: whether they are on the air, and what they are called for a day."""

from datetime import datetime, timedelta

from moments.live import Place
from moments.sessions import Session
from moments.streams import GRACE, StreamState
from storage._sqlite import from_microseconds, to_microseconds
from storage.reads import Reads
from storage.transaction import Transaction

WORDS_KEPT = timedelta(hours=23)
"""Twitch allows 24; the purge needs a moment (research/providers.md R1)."""

_STATE = "stream_state.stream_id, stream_state.started_at, stream_state.offline_at, stream_state.paused_by_us"


async def state(transaction: Transaction, channel_id: int) -> StreamState | None:
    """The newest stream of a channel; None when none was ever told."""
    found = await transaction.fetch(f"SELECT {_STATE} FROM stream_state WHERE channel_id = ?", channel_id)  # noqa: S608 -- constants only
    for stream_id, started, offline, paused_by_us in found:
        gone = None if offline is None else from_microseconds(offline)
        return StreamState(stream_id, from_microseconds(started), gone, bool(paused_by_us))
    return None


async def keep_state(transaction: Transaction, channel_id: int, state: StreamState) -> None:
    """Remember a stored channel's newest stream."""
    await transaction.execute(
        "INSERT INTO stream_state (channel_id, stream_id, started_at, offline_at, paused_by_us) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (channel_id) DO UPDATE SET stream_id = excluded.stream_id, started_at = excluded.started_at,"
        " offline_at = excluded.offline_at, paused_by_us = excluded.paused_by_us",
        *(channel_id, state.stream_id, to_microseconds(state.started_at)),
        None if state.offline_at is None else to_microseconds(state.offline_at),
        int(state.paused_by_us),
    )


async def taken_over(transaction: Transaction, channel_id: int) -> None:
    """A moderator has spoken: what the stream's end did to the session is theirs from now on."""
    await transaction.execute("UPDATE stream_state SET paused_by_us = 0 WHERE channel_id = ?", channel_id)


async def last_sign_of_life(transaction: Transaction, session: Session) -> datetime:
    """When the session was last changed, by a command or by a mark."""
    found = await transaction.fetch("SELECT updated_at FROM session WHERE id = ?", session.row_id)
    return from_microseconds(found[0][0]) if found else session.updated_at


async def gone(store: Reads, now: datetime) -> list[Place]:
    """Channels with an open session whose stream has been off the air for longer than GRACE."""
    found = await store.fetch(
        "SELECT channel.platform, channel.platform_id, channel.display_name FROM stream_state"
        " JOIN channel ON channel.id = stream_state.channel_id JOIN session ON session.channel_id = channel.id"
        # The second condition says no more than the first: it lets the index of open sessions serve.
        " WHERE session.status = 'paused' AND session.status <> 'ended' AND stream_state.offline_at < ?",
        to_microseconds(now - GRACE),
    )
    return [Place(*row) for row in found]


async def words(transaction: Transaction, session: Session) -> tuple[str, str, datetime] | None:
    """What the session's stream was called (title, game), and when we were told; None when that is gone."""
    found = await transaction.fetch(
        "SELECT title, game, fetched_at FROM api_stream WHERE session_id = ?", session.row_id
    )
    return next(((title, game, from_microseconds(at)) for title, game, at in found), None)


async def keep_words(
    transaction: Transaction, session: Session, provider: str, title: str, game: str, now: datetime
) -> None:
    """Keep what the platform calls a session's stream, for a day; the session's pages show it."""
    await transaction.execute(
        "INSERT INTO api_stream (session_id, provider, title, game, fetched_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (session_id) DO UPDATE SET provider = excluded.provider, title = excluded.title,"
        " game = excluded.game, fetched_at = excluded.fetched_at, expires_at = excluded.expires_at",
        *(session.row_id, provider, title, game, to_microseconds(now), to_microseconds(now + WORDS_KEPT)),
    )
