"""The ledger of the forgotten: keyed digests of accounts and when they went, so that no backup brings them back."""

import hashlib
import hmac
from collections.abc import Sequence
from typing import NamedTuple

from moments.live import Author
from storage._sqlite import Connection

PURPOSE = "erasure ledger"
"""What its key is derived for (storage.keys)."""
NOBODY = "deleted"
"""Stands for a forgotten moderator."""

SPEND_MESSAGES = (
    "INSERT INTO handled_message (platform, message_id, handled_at)"
    " SELECT platform, source_message_id, ? FROM mark WHERE source_message_id IS NOT NULL AND"
)

# The key is what account_key() makes.
_FORGET_HIDING = (
    "UPDATE mark SET hidden_by = ? WHERE hidden_by = (SELECT platform || ':' || user_id FROM account WHERE id = ?)"
)

Ledger = dict[str, int]
"""When each digest was forgotten, in microseconds."""
FOR_EVER = 2**62
"""An instant after all others, in microseconds."""


class Gone(NamedTuple):
    """What of an account was deleted, and the public ids of the sessions it had marks in."""

    marks: int
    accounts: int
    sessions: tuple[str, ...]

    @property
    def anything(self) -> bool:
        """Whether there was something to delete."""
        return bool(self.marks or self.accounts)


def erasure_digest(key: bytes, platform: str, user_id: str) -> str:
    """How the ledger knows somebody without naming them (PRIV-4)."""
    return hmac.new(key, f"{platform}:{user_id}".encode(), hashlib.sha256).hexdigest()


def account_key(author: Author) -> str:
    """How a mark says which account hid it."""
    return f"{author.platform}:{author.user_id}"


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
        at = max(ledger.get(erasure_digest(key, platform, user_id), 0) for key in keys)
        if at and (await forget_account(connection, account, now=at, until=at)).anything:
            people.add((person,))
    await connection.executemany(_DELETE_PERSON, people)
    return len(people)


async def forget_account(connection: Connection, account: int, *, now: int, until: int = FOR_EVER) -> Gone:
    """Delete an account's marks up to an instant, and the account itself unless newer ones are left.

    Instants are in microseconds. The messages of its marks are spent: delivered again, they make no others.
    """
    older = (account, until)
    await connection.execute(
        _FORGET_HIDING,
        (NOBODY, account),
    )
    await connection.execute(
        f"{SPEND_MESSAGES} account_id = ? AND created_at <= ? ON CONFLICT (platform, message_id) DO NOTHING",
        (now, *older),
    )
    await connection.execute(_DELETE_PACE, (account,))
    sessions = await connection.execute_fetchall(
        "UPDATE session SET revision = revision + 1"
        " WHERE id IN (SELECT session_id FROM mark WHERE account_id = ? AND created_at <= ?) RETURNING public_id",
        older,
    )
    marks = await connection.execute("DELETE FROM mark WHERE account_id = ? AND created_at <= ?", older)
    accounts = await connection.execute(
        "DELETE FROM account WHERE id = ? AND NOT EXISTS (SELECT 1 FROM mark WHERE account_id = account.id)",
        (account,),
    )
    return Gone(marks.rowcount, accounts.rowcount, tuple(row[0] for row in sessions))


async def forget_person(connection: Connection, person: int) -> None:
    """Delete a person none of whose accounts are left."""
    await connection.execute(_DELETE_PERSON, (person,))


_DELETE_PACE = "DELETE FROM pace WHERE person_id = (SELECT person_id FROM account WHERE id = ?)"
_DELETE_PERSON = "DELETE FROM person WHERE id = ? AND NOT EXISTS (SELECT 1 FROM account WHERE person_id = person.id)"
