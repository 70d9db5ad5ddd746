"""Accounts that are one person's: how they become it and stop being it, and the codes that lead there (VOTE-3, AZ-5).

All counts follow, as if it had always been so; powers stay with each account. Until a link is settled, each account
keeps to what is its own: it lists, exports and forgets nothing of the other's.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from moments.live import Author
from storage import counts
from storage._sqlite import Connection, from_microseconds, to_microseconds
from storage.own import LINKS, PERSONS, SETTLED, Asked
from storage.transaction import Transaction

PURPOSE = "link code"
"""What the key of their digests is derived for (storage.keys)."""
SETTLES_AFTER = timedelta(days=7)
"""How long a link made by codes may be undone before each account reaches what is the other's."""
CHANGES_REMEMBERED = timedelta(days=30)
CODE_LASTS = timedelta(minutes=10)

_OTHERS = (
    "SELECT other.platform, other.user_id, other.display_name,"  # noqa: S608 -- constants only
    f" max(coalesce(mine.linked_at, 0), coalesce(theirs.linked_at, 0)), {SETTLED} FROM {LINKS}"
    " WHERE self.platform = ? AND self.user_id = ? AND other.id <> self.id ORDER BY other.platform, other.id"
)
_CHANGES = (
    f"WITH own AS (SELECT platform, user_id FROM account WHERE id IN ({PERSONS}))"  # noqa: S608 -- constants only
    " SELECT count(*) FROM link_change WHERE at > ? AND id IN ("
    "SELECT link_change.id FROM own JOIN link_change USING (platform, user_id)"
    " UNION SELECT link_change.id FROM own JOIN link_change"
    " ON other_platform = own.platform AND other_user_id = own.user_id)"
)
_LOG = (
    "INSERT INTO link_change (at, platform, user_id, other_platform, other_user_id, act, told)"
    " VALUES (?, ?, ?, ?, ?, ?, 0)"
)
_UNTOLD = (
    "SELECT link_change.id, link_change.platform, link_change.user_id, coalesce(account.display_name, ''), act, at"
    " FROM link_change LEFT JOIN account"
    " ON account.platform = link_change.platform AND account.user_id = link_change.user_id"
    " WHERE other_platform = ? AND other_user_id = ? AND told = 0"
    " AND (act <> 'linked' OR EXISTS (SELECT 1 FROM account AS self WHERE self.person_id = account.person_id"
    " AND self.platform = link_change.other_platform AND self.user_id = link_change.other_user_id))"
    " ORDER BY link_change.id"
)
_KEEP_CODE = (
    "INSERT INTO link_code (platform, user_id, display_name, digest, expires_at) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (platform, user_id) DO UPDATE SET display_name = excluded.display_name, digest = excluded.digest,"
    " expires_at = excluded.expires_at, tries = 0, by_platform = NULL, by_user_id = NULL"
)


class Linked(NamedTuple):
    """Another account of the same person."""

    account: Author
    linked_at: datetime
    settled: bool
    """Whether each of the two reaches what is the other's: by two logins at once, by a code after seven days."""


class Code(NamedTuple):
    """A code that was given to an account and is not used yet."""

    account: Author
    tries: int
    """How often it was confirmed with a wrong name."""
    brought_by: tuple[str, str] | None
    """(platform, user id) of the account that typed it first: nobody else's words count from then on."""


class News(NamedTuple):
    """What became of an account by another's doing, and it has yet to hear of."""

    row_id: int
    account: Author
    """Who did it; nobody's when they were forgotten since."""
    act: str
    """`linked`, `unlinked` by leaving it, or `sent off`: unlinked by making it leave."""
    at: datetime


async def others(asked: Asked, platform: str, user_id: str) -> list[Linked]:
    """The other accounts of whose account this is."""
    return [
        Linked(Author(*row[:3]), from_microseconds(row[3]), bool(row[4]))
        for row in await asked.fetch(_OTHERS, platform, user_id)
    ]


async def changes(asked: Asked, author: Author, now: datetime) -> int:
    """How often accounts of this person were linked or unlinked in the last 30 days."""
    found = await asked.fetch(_CHANGES, *author[:2], to_microseconds(now - CHANGES_REMEMBERED))
    return int(found[0][0])


async def join(transaction: Transaction, by: Author, other: Author, now: datetime, *, settled: bool) -> None:
    """Let two accounts, of which one at least is alone, be one person's from now on; `by` is whose doing it is."""
    mover, stays = await transaction.account(by), await transaction.account(other)
    if await others(transaction, *by[:2]):
        mover, stays = stays, mover
    if not await others(transaction, stays.platform, stays.user_id):
        await _let_go(transaction, stays.id)  # what is left of a link whose other side was forgotten
    await _let_go(transaction, mover.id)
    await transaction.move_account(mover, stays.person_id)
    await transaction.execute(
        "INSERT INTO account_link (account_id, linked_at, settled) VALUES (?, ?, ?)",
        *(mover.id, to_microseconds(now), int(settled)),
    )
    await transaction.execute(_LOG, to_microseconds(now), *by[:2], *other[:2], "linked")


async def part(transaction: Transaction, leaver: Author, by: Author, now: datetime) -> list[Linked]:
    """Let an account be a person of its own again, with what it made itself; whom it leaves, nobody if it was alone.

    `by` is whose doing it is: the leaver, or one of those it leaves.
    """
    left = await others(transaction, *leaver[:2])
    if not left:
        return []
    account = await transaction.account(leaver)
    await _let_go(transaction, account.id)
    if len(left) == 1:
        await _let_go(transaction, (await transaction.account(left[0].account)).id)
    await transaction.move_account(account, None)
    other, act = (left[0].account, "unlinked") if by[:2] == leaver[:2] else (leaver, "sent off")
    await transaction.execute(_LOG, to_microseconds(now), *by[:2], *other[:2], act)
    return left


async def part_from_unsettled(transaction: Transaction, author: Author, now: datetime) -> None:
    """Leave behind every account whose link is not settled yet: nothing of theirs is reached through this one."""
    for each in await others(transaction, *author[:2]):
        if not each.settled:
            await part(transaction, each.account, author, now)


async def confirm(transaction: Transaction, one: Author, other: Author) -> None:
    """Settle the link of two accounts: the same browser logged in with both."""
    await transaction.execute(
        "UPDATE account_link SET settled = 1 WHERE account_id IN (SELECT id FROM account"
        " WHERE (platform = ? AND user_id = ?) OR (platform = ? AND user_id = ?))",
        *(*one[:2], *other[:2]),
    )


async def settle(transaction: Transaction, now: datetime) -> int:
    """Settle the links nobody has undone for seven days; how many."""
    return await transaction.execute(
        "UPDATE account_link SET settled = 1 WHERE settled = 0 AND linked_at <= ?",
        to_microseconds(now - SETTLES_AFTER),
    )


async def _let_go(transaction: Transaction, account: int) -> None:
    await transaction.execute("DELETE FROM account_link WHERE account_id = ?", account)


# --- codes


async def keep_code(transaction: Transaction, author: Author, digest: str, now: datetime) -> None:
    """Remember the digest of an account's new code for ten minutes; the one before is void."""
    await transaction.execute(_KEEP_CODE, *author, digest, to_microseconds(now + CODE_LASTS))


async def code(transaction: Transaction, digest: str, now: datetime) -> Code | None:
    """The code with this digest; None for one that never was, is used or is over."""
    found = await transaction.fetch(
        "SELECT platform, user_id, display_name, tries, by_platform, by_user_id FROM link_code"
        " WHERE digest = ? AND expires_at > ?",
        *(digest, to_microseconds(now)),
    )
    return next((Code(Author(*row[:3]), row[3], (row[4], row[5]) if row[4] else None) for row in found), None)


async def bring_code(transaction: Transaction, account: Author, author: Author) -> None:
    """Note who typed an account's code first."""
    await transaction.execute(
        "UPDATE link_code SET by_platform = ?, by_user_id = ? WHERE platform = ? AND user_id = ?",
        *(*author[:2], *account[:2]),
    )


async def miss_code(transaction: Transaction, account: Author) -> None:
    """Note that an account's code was confirmed with a wrong name."""
    await transaction.execute("UPDATE link_code SET tries = tries + 1 WHERE platform = ? AND user_id = ?", *account[:2])


async def drop_code(transaction: Transaction, account: Author) -> None:
    """Let an account's code be good no more."""
    await transaction.execute("DELETE FROM link_code WHERE platform = ? AND user_id = ?", *account[:2])


# --- telling the other side


async def untold(asked: Asked, author: Author) -> list[News]:
    """What others did to this account's links that it has not heard of, oldest first; no link that is over."""
    found = await asked.fetch(_UNTOLD, *author[:2])
    return [News(row[0], Author(*row[1:4]), row[4], from_microseconds(row[5])) for row in found]


async def told(transaction: Transaction, news: Sequence[News]) -> None:
    """Say these no second time."""
    for each in news:
        await transaction.execute("UPDATE link_change SET told = 1 WHERE id = ?", each.row_id)


# --- purge and restore

Change = tuple[int, str, str, str, str, str, int]
"""A row of link_change."""


async def purge(transaction: Transaction, now: datetime) -> int:
    """Forget codes and changes that are old enough, and settle links that are; how many rows went."""
    await settle(transaction, now)
    gone = await transaction.execute("DELETE FROM link_code WHERE expires_at <= ?", to_microseconds(now))
    before = to_microseconds(now - CHANGES_REMEMBERED)
    return gone + await transaction.execute("DELETE FROM link_change WHERE at <= ?", before)


async def all_changes(connection: Connection) -> list[Change]:
    """Every change a database remembers, oldest first."""
    found = await connection.execute_fetchall(
        "SELECT at, platform, user_id, other_platform, other_user_id, act, told FROM link_change ORDER BY id"
    )
    return [tuple(row) for row in found]


async def undo_again(connection: Connection, changes: Sequence[Change]) -> None:
    """Undo in a backup what was undone since; `changes` are those of the database it takes the place of.

    Links made since are gone with what else was; no code of a backup is good.
    """
    await connection.execute("DELETE FROM link_code")
    if not changes:
        return
    await connection.execute("DELETE FROM link_change")
    await connection.executemany(
        "INSERT INTO link_change (at, platform, user_id, other_platform, other_user_id, act, told)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        changes,
    )
    for at, *pair, act, _ in changes:
        leaver = {"unlinked": pair[:2], "sent off": pair[2:]}.get(act)
        for account, person in await connection.execute_fetchall(_STILL_LINKED, (*leaver, at)) if leaver else ():
            await _part_in_backup(connection, account, person)


_STILL_LINKED = (
    "SELECT self.id, self.person_id FROM account AS self WHERE self.platform = ? AND self.user_id = ?"
    " AND EXISTS (SELECT 1 FROM account AS other JOIN account_link ON account_link.account_id ="
    " coalesce((SELECT account_id FROM account_link WHERE account_id = self.id), other.id)"
    " WHERE other.person_id = self.person_id AND other.id <> self.id AND account_link.linked_at <= ?)"
)
"""When who left had joined: its own row says so; who has none was there first, and the others joined it."""


async def _part_in_backup(connection: Connection, account: int, person: int) -> None:
    created = await connection.execute_fetchall("INSERT INTO person DEFAULT VALUES RETURNING id")
    alone = int(next(iter(created))[0])
    await connection.together(lambda writer: counts.move_account(writer, account, alone))
    await connection.execute("DELETE FROM account_link WHERE account_id = ?", (account,))
    await connection.execute(
        "DELETE FROM account_link WHERE account_id IN (SELECT id FROM account WHERE person_id = ?)"
        " AND (SELECT count(*) FROM account WHERE person_id = ?) = 1",
        (person, person),
    )
