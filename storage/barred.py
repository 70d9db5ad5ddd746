"""Whom a channel takes no marks from: accounts by id, so that a new name changes nothing."""

from datetime import datetime
from typing import NamedTuple

from moments.live import Author
from moments.sessions import Channel
from storage._sqlite import from_microseconds, to_microseconds
from storage.ledger import account_key
from storage.reads import Reads
from storage.transaction import Transaction


class Barred(NamedTuple):
    """Somebody whose marks are refused, with the name they had then."""

    platform: str
    user_id: str
    display_name: str
    barred_at: datetime


async def add(transaction: Transaction, channel: Channel, who: Author, by: Author, now: datetime) -> bool:
    """Put an account on a stored channel's list; False when it is there already."""
    added = await transaction.execute(
        "INSERT INTO barred (channel_id, platform, user_id, display_name, barred_by, barred_at)"
        " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (channel_id, platform, user_id) DO NOTHING",
        *(channel.id, *who, account_key(by), to_microseconds(now)),
    )
    return bool(added)


async def remove(transaction: Transaction, channel: Channel, platform: str, user_id: str) -> bool:
    """Take an account off the list; False when it is not there."""
    removed = await transaction.execute(
        "DELETE FROM barred WHERE channel_id = ? AND platform = ? AND user_id = ?", channel.id, platform, user_id
    )
    return bool(removed)


async def listed(store: Reads, channel: Channel) -> list[Barred]:
    """The whole list, newest first."""
    found = await store.fetch(
        "SELECT platform, user_id, display_name, barred_at FROM barred WHERE channel_id = ?"
        " ORDER BY barred_at DESC, platform, user_id",
        channel.id,
    )
    return [Barred(platform, user_id, name, from_microseconds(at)) for platform, user_id, name, at in found]
