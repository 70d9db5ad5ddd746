"""Keeping account of what moderators do (AZ-8): every act is noted in the transaction that does it."""

from commands.model import Invocation
from moments.sessions import Channel
from storage import Transaction, audit
from storage.audit import Entry, entries

__all__ = ["Entry", "entries", "note"]


async def note(
    call: Invocation,
    transaction: Transaction,
    channel: Channel,
    act: str,
    *,
    session_id: str | None = None,
    target: str = "",
    before: str = "",
    after: str = "",
) -> None:
    """Note what the author of a message just did in a stored channel. No words of viewers: they may be forgotten."""
    by = call.heard.author
    await audit.record(transaction, channel, session_id, by, act, target, before, after, now=call.arrived)
