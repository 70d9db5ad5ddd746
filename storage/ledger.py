"""The ledger of the forgotten: keyed digests of accounts and when they went, so that no backup brings them back."""

import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from moments.live import Author
from storage import counts
from storage._sqlite import Connection, from_microseconds
from storage.own import Asked

PURPOSE = "erasure ledger"
"""What its key is derived for (storage.keys)."""
NOBODY = "deleted"
"""Stands for a forgotten moderator."""

SPEND_MESSAGES = (
    "INSERT INTO handled_message (platform, message_id, handled_at)"
    " SELECT platform, source_message_id, ? FROM mark WHERE source_message_id IS NOT NULL AND"
)

# What is left of an account besides its marks, up to an instant. `:key` is what account_key() makes. A block outlives
# its person, without a name; what moderators did stays to be seen, without who did it.
_FORGET_TRACES = (
    "UPDATE mark SET hidden_by = :nobody WHERE hidden_by = :key",
    "DELETE FROM credential WHERE platform = :platform AND user_id = :user_id AND updated_at <= :until",
    "DELETE FROM web_session WHERE platform = :platform AND user_id = :user_id AND created_at <= :until",
    "DELETE FROM named_moderator WHERE platform = :platform AND user_id = :user_id AND named_at <= :until",
    """UPDATE audit SET actor_platform = :nobody, actor_user_id = :nobody
       WHERE actor_platform = :platform AND actor_user_id = :user_id AND at <= :until""",
    "UPDATE audit SET target = :nobody WHERE target = :key AND at <= :until",
    """UPDATE barred SET display_name = '' WHERE platform = :platform AND user_id = :user_id
       AND display_name <> '' AND barred_at <= :until""",
    "UPDATE barred SET barred_by = :nobody WHERE barred_by = :key AND barred_at <= :until",
    "UPDATE promotion SET requested_by = :nobody WHERE requested_by = :key AND requested_at <= :until",
    "UPDATE save SET hidden_by = :nobody WHERE hidden_by = :key",
    "UPDATE track_merge SET asked_by = :nobody WHERE asked_by = :key AND merged_at <= :until",
    "UPDATE track_merge SET undone_by = :nobody WHERE undone_by = :key AND undone_at <= :until",
    "UPDATE match_question SET answered_by = :nobody WHERE answered_by = :key AND answered_at <= :until",
    """UPDATE connection SET state = 'disconnected', changed_at = :now
       WHERE state <> 'disconnected' AND connected_at <= :until
       AND channel_id = (SELECT id FROM channel WHERE platform = :platform AND platform_id = :user_id)""",
    """DELETE FROM joined WHERE joined_at <= :until
       AND channel_id = (SELECT id FROM channel WHERE platform = :platform AND platform_id = :user_id)""",
    "UPDATE joined SET requested_by = :nobody WHERE requested_by = :key AND joined_at <= :until",
    "DELETE FROM join_request WHERE requested_by = :key",
    "UPDATE feed SET set_by = :nobody WHERE set_by = :key AND set_at <= :until",
    """DELETE FROM account_link WHERE linked_at <= :until
       AND account_id = (SELECT id FROM account WHERE platform = :platform AND user_id = :user_id)""",
    """UPDATE link_change SET platform = :nobody, user_id = :nobody
       WHERE platform = :platform AND user_id = :user_id AND at <= :until""",
    """UPDATE link_change SET other_platform = :nobody, other_user_id = :nobody
       WHERE other_platform = :platform AND other_user_id = :user_id AND at <= :until""",
    """DELETE FROM link_code WHERE (platform = :platform AND user_id = :user_id)
       OR (by_platform = :platform AND by_user_id = :user_id)""",
)
# Everybody any row still names.
_NAMED = (
    "SELECT platform, user_id FROM account UNION SELECT platform, user_id FROM credential"
    " UNION SELECT platform, user_id FROM web_session UNION SELECT platform, user_id FROM named_moderator"
    " UNION SELECT platform, user_id FROM barred UNION SELECT actor_platform, actor_user_id FROM audit"
    " UNION SELECT platform, platform_id FROM channel JOIN connection ON connection.channel_id = channel.id"
    " UNION SELECT platform, platform_id FROM channel JOIN joined ON joined.channel_id = channel.id"
    " UNION SELECT platform, user_id FROM link_change UNION SELECT other_platform, other_user_id FROM link_change"
    " UNION SELECT platform, user_id FROM link_code"
)
_NAMED_BY_KEY = (
    "SELECT hidden_by FROM mark WHERE hidden_by IS NOT NULL UNION SELECT target FROM audit"
    " UNION SELECT barred_by FROM barred UNION SELECT requested_by FROM promotion"
    " UNION SELECT hidden_by FROM save WHERE hidden_by IS NOT NULL UNION SELECT asked_by FROM track_merge"
    " UNION SELECT undone_by FROM track_merge WHERE undone_by IS NOT NULL"
    " UNION SELECT answered_by FROM match_question WHERE answered_by IS NOT NULL"
    " UNION SELECT requested_by FROM joined UNION SELECT requested_by FROM join_request"
    " UNION SELECT set_by FROM feed"
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
    traces: int = 0
    """Rows elsewhere that named the account: logins, tokens, what it did as a moderator."""
    saves: int = 0

    @property
    def anything(self) -> bool:
        """Whether there was something to delete."""
        return bool(self.marks or self.accounts or self.traces or self.saves)


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


async def forgotten_at(store: Asked, digest: str) -> datetime | None:
    """When somebody was forgotten last; None when they never were."""
    found = await store.fetch("SELECT forgotten_at FROM forgotten WHERE digest = ?", digest)
    return from_microseconds(found[0][0]) if found else None


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
    rows = await connection.execute_fetchall("SELECT platform, user_id, id, person_id FROM account")
    accounts = {(platform, user_id): (account, person) for platform, user_id, account, person in rows}
    people: set[object] = set()
    for who in await _everybody(connection):
        at = max(ledger.get(erasure_digest(key, *who), 0) for key in keys)
        account, person = accounts.get(who, (0, who))
        if at and await _forget_again(connection, account, who, at):
            people.add(person)
    await connection.executemany(_DELETE_PERSON, [(person,) for person in people if isinstance(person, int)])
    return len(people)


async def _everybody(connection: Connection) -> set[tuple[str, str]]:
    """(platform, user id) of everybody a row names."""
    keys = [row[0].partition(":") for row in await connection.execute_fetchall(_NAMED_BY_KEY)]
    named = {(platform, user_id) for platform, user_id in await connection.execute_fetchall(_NAMED)}
    return named | {(platform, user_id) for platform, _, user_id in keys if user_id}


async def _forget_again(connection: Connection, account: int, who: tuple[str, str], at: int) -> bool:
    if account:
        return (await forget_account(connection, account, now=at, until=at)).anything
    return bool(await forget_traces(connection, *who, now=at, until=at))


async def forget_account(connection: Connection, account: int, *, now: int, until: int = FOR_EVER) -> Gone:
    """Delete an account's marks and saves up to an instant, and the account itself unless newer ones are left.

    Instants are in microseconds. Their messages are spent: delivered again, they make no others.
    """
    older = (account, until)
    traces = 0
    for who in await connection.execute_fetchall("SELECT platform, user_id FROM account WHERE id = ?", (account,)):
        traces += await forget_traces(connection, *who, now=now, until=until)
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
    saves = await connection.together(lambda writer: counts.forget_account(writer, account, now, until))
    accounts = await connection.execute(
        "DELETE FROM account WHERE id = ? AND NOT EXISTS (SELECT 1 FROM mark WHERE account_id = account.id)"
        " AND NOT EXISTS (SELECT 1 FROM save WHERE account_id = account.id)"
        " AND NOT EXISTS (SELECT 1 FROM account AS linked JOIN account_link ON account_link.account_id = linked.id"
        " WHERE linked.person_id = account.person_id AND account_link.linked_at > ?)",
        (account, until),
    )
    return Gone(marks.rowcount, accounts.rowcount, tuple(row[0] for row in sessions), traces, saves)


async def forget_traces(connection: Connection, platform: str, user_id: str, *, now: int, until: int = FOR_EVER) -> int:
    """Delete what an account left besides marks, up to an instant: it may never have marked. How many rows changed.

    Its tokens and logins go, its channel is disconnected, and where it acted as a moderator nobody did.
    """
    values = {"platform": platform, "user_id": user_id, "key": f"{platform}:{user_id}", "now": now, "until": until}
    changed = 0
    for statement in _FORGET_TRACES:
        changed += (await connection.execute(statement, values | {"nobody": NOBODY})).rowcount
    return changed


async def forget_person(connection: Connection, person: int) -> None:
    """Delete a person none of whose accounts are left."""
    await connection.execute(_DELETE_PERSON, (person,))


_DELETE_PACE = "DELETE FROM pace WHERE person_id = (SELECT person_id FROM account WHERE id = ?)"
_DELETE_PERSON = "DELETE FROM person WHERE id = ? AND NOT EXISTS (SELECT 1 FROM account WHERE person_id = person.id)"
