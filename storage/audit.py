"""What moderators and operators did, for the streamer to read (AZ-8). Rows are added, never changed."""

from datetime import datetime
from typing import NamedTuple

from moments.live import Author
from moments.sessions import Channel
from storage._sqlite import from_microseconds, to_microseconds
from storage.reads import Reads
from storage.transaction import Transaction


class Entry(NamedTuple):
    """One act: who, by id on their own platform, did what to what, and what was there before and after."""

    id: int
    at: datetime
    actor_platform: str
    actor_user_id: str
    act: str
    target: str
    before: str
    after: str
    session_id: str | None
    """The public id, for what happened in a session."""


async def record(
    transaction: Transaction,
    channel: Channel,
    session_id: str | None,
    by: Author,
    act: str,
    target: str = "",
    before: str = "",
    after: str = "",
    *,
    now: datetime,
) -> None:
    """Note an act in a stored channel, in the transaction that does it.

    Nobody's own words go in here: people may ask to be forgotten, and these rows stay.
    """
    await transaction.execute(
        "INSERT INTO audit (channel_id, session_id, at, actor_platform, actor_user_id, act, target, before, after)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        *(channel.id, session_id, to_microseconds(now), by.platform, by.user_id, act, target, before, after),
    )


async def entries(store: Reads, channel: Channel, *, before: int | None = None, limit: int = 50) -> list[Entry]:
    """A channel's acts, newest first; `before` is the id of the last one seen."""
    found = await store.fetch(
        "SELECT id, at, actor_platform, actor_user_id, act, target, before, after, session_id FROM audit"
        " WHERE channel_id = ? AND id < ? ORDER BY id DESC LIMIT ?",
        *(channel.id, before if before is not None else 2**62, limit),
    )
    return [Entry(identity, from_microseconds(at), *row) for identity, at, *row in found]
