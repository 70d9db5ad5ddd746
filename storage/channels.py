"""What belongs to a channel beside its settings: links that can be revoked together, and who is known there."""

from moments.live import Author, Place
from moments.sessions import Channel
from storage.batch import Change
from storage.reads import Reads
from storage.transaction import Transaction

MOST_WATCHED = 200
"""The newest sessions of a channel; nobody remembers what happened in more (commands.feed)."""


async def stored(transaction: Transaction, place: Place) -> Channel:
    """The channel, stored from now on if it was not before."""
    channel = (await transaction.live(place)).channel
    return channel if channel.id else await transaction.save_settings(place, channel)


async def revoke_links(transaction: Transaction, place: Place, channel: Channel) -> int:
    """Void every signed link into a stored channel that was given out so far; how often that was done."""
    rows = await transaction.fetch(
        "UPDATE channel SET link_epoch = link_epoch + 1 WHERE id = ? RETURNING link_epoch", channel.id
    )
    await transaction.let_channel_go(place)
    return int(rows[0][0])


async def shown_otherwise(transaction: Transaction, channel: Channel) -> None:
    """A choice changed how every session of a stored channel is shown: whoever shows one reads it afresh."""
    await transaction.execute("UPDATE session SET revision = revision + 1 WHERE channel_id = ?", channel.id)
    newest = await transaction.fetch(
        "SELECT public_id FROM session WHERE channel_id = ? ORDER BY id DESC LIMIT ?", channel.id, MOST_WATCHED
    )
    transaction.changes += [Change("stale", session_id) for (session_id,) in newest]


async def people_called(store: Reads, channel: Channel, name: str, platform: str = "") -> list[Author]:
    """The accounts of a platform, else of the channel's own, that have marks in it under this name; A is a."""
    found = await store.fetch(
        "SELECT platform, user_id, display_name FROM account WHERE platform = ? AND lower(display_name) = lower(?)"
        " AND EXISTS (SELECT 1 FROM mark JOIN session ON session.id = mark.session_id"
        " WHERE mark.account_id = account.id AND session.channel_id = ?)",
        *(platform or channel.platform, name, channel.id),
    )
    return [Author(*row) for row in found]
