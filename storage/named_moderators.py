"""Whom a streamer named as moderator on the site, by account, for those the platform does not know as one."""

from datetime import datetime

from moments.live import Author
from moments.sessions import Channel
from storage._sqlite import to_microseconds
from storage.reads import Reads
from storage.transaction import Transaction


async def is_named(store: Reads, channel_id: int, platform: str, user_id: str) -> bool:
    """Whether the channel's streamer named this account."""
    found = await store.fetch(
        "SELECT 1 FROM named_moderator WHERE channel_id = ? AND platform = ? AND user_id = ?",
        *(channel_id, platform, user_id),
    )
    return bool(found)


async def name(transaction: Transaction, channel: Channel, who: Author, now: datetime) -> bool:
    """Let an account moderate a stored channel on the site; False when it may already."""
    added = await transaction.execute(
        "INSERT INTO named_moderator (channel_id, platform, user_id, display_name, named_at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (channel_id, platform, user_id) DO NOTHING",
        *(channel.id, *who, to_microseconds(now)),
    )
    return bool(added)


async def unname(transaction: Transaction, channel: Channel, who: Author) -> bool:
    """Take that back; False when it was not so."""
    removed = await transaction.execute(
        "DELETE FROM named_moderator WHERE channel_id = ? AND platform = ? AND user_id = ?", channel.id, *who[:2]
    )
    return bool(removed)


async def named(store: Reads, channel: Channel) -> list[Author]:
    """Whom a channel's streamer named, the first first."""
    found = await store.fetch(
        "SELECT platform, user_id, display_name FROM named_moderator WHERE channel_id = ? ORDER BY named_at, user_id",
        channel.id,
    )
    return [Author(*row) for row in found]
