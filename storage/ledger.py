"""The ledger of the forgotten: keyed digests of accounts and when they went, so that no backup brings them back."""

import hashlib
import hmac
from collections.abc import Sequence

from storage._sqlite import Connection

PURPOSE = "erasure ledger"
"""What its key is derived for (storage.keys)."""
NOBODY = "deleted"
"""Stands for a forgotten moderator."""

SPEND_MESSAGES = (
    "INSERT INTO handled_message (platform, message_id, handled_at)"
    " SELECT platform, source_message_id, ? FROM mark WHERE source_message_id IS NOT NULL AND"
)

Ledger = dict[str, int]
"""When each digest was forgotten, in microseconds."""


def erasure_digest(key: bytes, platform: str, user_id: str) -> str:
    """How the ledger knows somebody without naming them (PRIV-4)."""
    return hmac.new(key, f"{platform}:{user_id}".encode(), hashlib.sha256).hexdigest()


async def read(connection: Connection) -> Ledger:
    """The whole ledger of a database."""
    found = await connection.execute_fetchall("SELECT digest, forgotten_at FROM forgotten")
    return {row[0]: row[1] for row in found}


async def merge(connection: Connection, other: Ledger) -> None:
    """Add another ledger to a database's own; of two times the later holds."""
    await connection.executemany(
        "INSERT INTO forgotten (digest, forgotten_at) VALUES (?, ?) ON CONFLICT (digest)"
        " DO UPDATE SET forgotten_at = excluded.forgotten_at WHERE excluded.forgotten_at > forgotten.forgotten_at",
        other.items(),
    )


async def forget_again(connection: Connection, keys: Sequence[bytes]) -> int:
    """Delete what a database still has of people in its ledger, from before they went; how many people that were.

    `keys` are those of PURPOSE, newest first. Who came back keeps what is newer.
    """
    ledger = await read(connection)
    if not ledger:
        return 0
    accounts = await connection.execute_fetchall("SELECT id, person_id, platform, user_id FROM account")
    people = set()
    for account, person, platform, user_id in accounts:
        times = [ledger.get(erasure_digest(key, platform, user_id), 0) for key in keys]
        if any(times) and await _forget(connection, account, f"{platform}:{user_id}", max(times)):
            people.add((person,))
    await connection.executemany(
        "DELETE FROM person WHERE id = ? AND NOT EXISTS (SELECT 1 FROM account WHERE person_id = person.id)", people
    )
    return len(people)


async def _forget(connection: Connection, account: int, moderator: str, at: int) -> bool:
    """Whether there was anything to delete."""
    older = (account, at)
    await connection.execute("UPDATE mark SET hidden_by = ? WHERE hidden_by = ?", (NOBODY, moderator))
    await connection.execute(
        f"{SPEND_MESSAGES} account_id = ? AND created_at <= ? ON CONFLICT (platform, message_id) DO NOTHING",
        (at, *older),
    )
    await connection.execute(
        "UPDATE session SET revision = revision + 1"
        " WHERE id IN (SELECT session_id FROM mark WHERE account_id = ? AND created_at <= ?)",
        older,
    )
    marks = await connection.execute("DELETE FROM mark WHERE account_id = ? AND created_at <= ?", older)
    accounts = await connection.execute(
        "DELETE FROM account WHERE id = ? AND NOT EXISTS (SELECT 1 FROM mark WHERE account_id = account.id)",
        (account,),
    )
    return marks.rowcount > 0 or accounts.rowcount > 0
