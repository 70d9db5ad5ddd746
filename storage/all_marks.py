"""A session's marks as its moderators see them: hidden ones too, and whose each one is."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from moments.crowd import Position
from moments.live import Author
from moments.marks import Timestamp
from moments.sessions import Session
from storage import rows
from storage.reads import Reads

_SELECT = (
    f"SELECT account.platform, account.user_id, account.display_name, {rows.MARK}"  # noqa: S608 -- constants only
    " FROM mark JOIN account ON account.id = mark.account_id WHERE mark.session_id = ?"
)
_POSITION = "(mark.segment_index, mark.offset_seconds, mark.number)"


class Authored(NamedTuple):
    """A mark, hidden or not, and the account that made it."""

    mark: Timestamp
    author: Author


async def newest(store: Reads, session: Session, *, before: Position | None = None, limit: int = 50) -> list[Authored]:
    """The marks furthest on in the session first; `before` is the position of the last one seen."""
    found = await store.fetch(
        f"{_SELECT} AND {_POSITION} < (?, ?, ?)"
        " ORDER BY mark.segment_index DESC, mark.offset_seconds DESC, mark.number DESC LIMIT ?",
        *(session.row_id, *(before or (2**62, 0, 0)), limit),
    )
    return [_authored(session, row) for row in found]


async def numbered(store: Reads, session: Session, number: int) -> Authored | None:
    """The mark of this number; None when this session has none."""
    found = await store.fetch(f"{_SELECT} AND mark.number = ?", session.row_id, number)
    return next((_authored(session, row) for row in found), None)


async def names(store: Reads, accounts: Collection[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """What accounts, (platform, user id), call themselves, as far as we know; those with marks, and those logged in."""
    if not accounts:
        return {}
    listed = f"(platform, user_id) IN (VALUES {', '.join(['(?, ?)'] * len(accounts))})"
    found = await store.fetch(
        f"SELECT platform, user_id, display_name FROM web_session WHERE {listed}"  # noqa: S608 -- question marks only
        f" UNION ALL SELECT platform, user_id, display_name FROM account WHERE {listed}",
        *(word for _ in range(2) for account in accounts for word in account),
    )
    return {(platform, user_id): name for platform, user_id, name in found if name}


def _authored(session: Session, row: Sequence[Any]) -> Authored:
    return Authored(rows.mark(session.id, row[3:]), Author(*row[:3]))
