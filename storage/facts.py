"""Facts about this database itself, each under a name of its own."""

from storage.reads import Reads
from storage.transaction import Transaction

CONDUIT = "twitch conduit"
"""The id of the conduit through which Twitch sends us its events."""
DISCORD_COMMANDS = "discord commands"
"""A digest of the commands Discord was last told of, and of which application they are."""
KEY_FINGERPRINT = "secret key"
"""Which secret key this database was made with (KEY-3)."""
YOUTUBE_UNITS = "youtube units"
"""The last day YouTube was asked something, and how many of its units that took."""
NEWEST_KEY = "newest secret key"
"""Which one the last start wrote with."""


async def get(store: Reads, name: str) -> str | None:
    """What was put last, or None."""
    found = await store.fetch("SELECT value FROM fact WHERE name = ?", name)
    return str(found[0][0]) if found else None


async def put(transaction: Transaction, name: str, value: str) -> None:
    """Keep a fact in the place of the one that was there."""
    await transaction.execute(
        "INSERT INTO fact (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        *(name, value),
    )
