"""Who is logged in on the site. Of a session's secret only a digest is kept: a stolen row logs nobody in (AUTH-5)."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from moments.live import Author
from storage._sqlite import from_microseconds, to_microseconds
from storage.reads import Reads
from storage.transaction import Transaction

_COLUMNS = "id, secret_digest, platform, user_id, display_name, created_at, seen_at, moderates, moderates_at"
_SELECT = f"SELECT {_COLUMNS} FROM web_session"  # noqa: S608 -- constants only
_INSERT = f"INSERT INTO web_session ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 -- constants only


class WebSession(NamedTuple):
    """One browser, logged in as one account."""

    id: str
    secret_digest: str
    platform: str
    user_id: str
    display_name: str
    created_at: datetime
    seen_at: datetime
    moderates: frozenset[str] = frozenset()
    """Ids of the channels the platform said this account moderates …"""
    moderates_at: datetime | None = None
    """… and when it said so; None when it was not asked."""

    @property
    def author(self) -> Author:
        """Whose it is, as everything else knows them."""
        return Author(self.platform, self.user_id, self.display_name)


async def add(transaction: Transaction, session: WebSession) -> None:
    """Keep a new session."""
    moderates_at = None if session.moderates_at is None else to_microseconds(session.moderates_at)
    await transaction.execute(
        _INSERT,
        *(session.id, session.secret_digest, session.platform, session.user_id, session.display_name),
        *(to_microseconds(session.created_at), to_microseconds(session.seen_at)),
        *(json.dumps(sorted(session.moderates)), moderates_at),
    )


async def find(store: Reads, session_id: str) -> WebSession | None:
    """The session with this id, however old."""
    found = await store.fetch(f"{_SELECT} WHERE id = ?", session_id)
    return next(map(_session, found), None)


async def of_account(store: Reads, platform: str, user_id: str) -> list[WebSession]:
    """Every session of an account, the one seen last first."""
    found = await store.fetch(
        f"{_SELECT} WHERE platform = ? AND user_id = ? ORDER BY seen_at DESC, id", platform, user_id
    )
    return [_session(row) for row in found]


async def seen(transaction: Transaction, session_id: str, now: datetime) -> None:
    """Note that a session was used."""
    await transaction.execute("UPDATE web_session SET seen_at = ? WHERE id = ?", to_microseconds(now), session_id)


async def end(transaction: Transaction, session_id: str, platform: str, user_id: str) -> bool:
    """End an account's own session; whether there was such a one."""
    own = (session_id, platform, user_id)
    return bool(
        await transaction.execute("DELETE FROM web_session WHERE id = ? AND platform = ? AND user_id = ?", *own)
    )


async def end_all_of(
    transaction: Transaction, platform: str, user_id: str, *, begun_before: datetime | None = None
) -> None:
    """End every session of an account, or those that began before an instant."""
    before = 2**62 if begun_before is None else to_microseconds(begun_before)
    await transaction.execute(
        "DELETE FROM web_session WHERE platform = ? AND user_id = ? AND created_at < ?", platform, user_id, before
    )


def _session(row: Sequence[Any]) -> WebSession:
    session_id, digest, platform, user_id, name, created_at, seen_at, moderates, moderates_at = row
    return WebSession(
        session_id,
        digest,
        platform,
        user_id,
        name,
        from_microseconds(created_at),
        from_microseconds(seen_at),
        frozenset(json.loads(moderates)),
        None if moderates_at is None else from_microseconds(moderates_at),
    )
