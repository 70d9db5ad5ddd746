"""Taking marks, and the words of saved moments, out of everyone's sight and back."""

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from moments.crowd import Point
from moments.live import Place
from moments.marks import Timestamp
from moments.sessions import Channel, Session
from storage import counts, rows
from storage._sqlite import to_microseconds
from storage.memory import Message
from storage.reads import Reads
from storage.saves import NEWER, NEWEST_OF_LINK
from storage.transaction import Transaction

_HIDE = "UPDATE mark SET hidden_by = ?, hidden_reason = ? WHERE hidden_by IS NULL AND session_id = ?"
_GONE = "RETURNING segment_index, offset_seconds, number, (SELECT person_id FROM account WHERE id = account_id)"
_OF_ACCOUNT = "account_id = (SELECT id FROM account WHERE platform = ? AND user_id = ?)"
_MARKS = f"SELECT {rows.MARK} FROM mark JOIN account ON account.id = mark.account_id"  # noqa: S608 -- constants only
# "last worded" (design.md §8): the newest message that put words on the mark, whichever that was before.
_MADE_OR_WORDED = (
    "SELECT mark.session_id, mark.number FROM mark WHERE platform = ?1 AND source_message_id = ?2"
    " UNION SELECT said.session_id, said.number FROM handled_message AS said"
    " WHERE said.platform = ?1 AND said.message_id = ?2 AND said.number IS NOT NULL AND NOT EXISTS ("
    " SELECT 1 FROM handled_message AS later WHERE later.session_id = said.session_id AND later.number = said.number"
    " AND later.handled_at > said.handled_at)"
)
_NEWEST_OF_ROW = "WITH RECURSIVE newer (id, replaced_by) AS (SELECT id, replaced_by FROM save WHERE id = ?" + NEWER  # noqa: S608 -- constants only


class MarkOf(NamedTuple):
    """A mark, known by its session (the store's own id and the public one) and its number."""

    session_row: int
    session_id: str
    number: int


async def of_message(transaction: Transaction, channel: Channel, message_id: str) -> list[MarkOf]:
    """The marks in a channel that a message made, or last worded; hidden ones too."""
    found = await transaction.fetch(
        f"SELECT session.id, session.public_id, said.number FROM ({_MADE_OR_WORDED}) AS said"  # noqa: S608 -- constants only
        " JOIN session ON session.id = said.session_id WHERE session.channel_id = ?3",
        *(channel.platform, message_id, channel.id),
    )
    return [MarkOf(*row) for row in found]


async def hide(transaction: Transaction, place: Place, mark: MarkOf, by: str, reason: str) -> bool:
    """Hide one mark; False when it is hidden already, or not there."""
    gone = await transaction.fetch(f"{_HIDE} AND number = ? {_GONE}", by, reason, mark.session_row, mark.number)
    return bool(await _went(transaction, place, mark[:2], gone))


async def hide_all_of(
    transaction: Transaction, place: Place, session: Session, account: tuple[str, str], by: str, reason: str
) -> int:
    """Hide every mark an account, (platform, user id), has in a session; how many were to be seen until now."""
    gone = await transaction.fetch(f"{_HIDE} AND {_OF_ACCOUNT} {_GONE}", by, reason, session.row_id, *account)
    return await _went(transaction, place, (session.row_id, session.id), gone)


async def _went(transaction: Transaction, place: Place, session: tuple[int, str], gone: list[Any]) -> int:
    if gone:
        await transaction.marks_went(place, *session, [Point(*row) for row in gone])
    return len(gone)


async def restore(transaction: Transaction, place: Place, session: Session, number: int) -> Timestamp | None:
    """Show a hidden mark again; the mark as it was hidden, or None when no hidden one has this number."""
    found = await transaction.fetch(
        f"{_MARKS} WHERE mark.session_id = ? AND mark.number = ? AND mark.hidden_by IS NOT NULL",
        *(session.row_id, number),
    )
    for row in found:
        hidden = rows.mark(session.id, row)
        await transaction.execute(
            "UPDATE mark SET hidden_by = NULL, hidden_reason = NULL WHERE session_id = ? AND number = ?",
            *(session.row_id, number),
        )
        shown = hidden._replace(hidden_by=None, hidden_reason=None)
        await transaction.mark_came_back(place, session.row_id, shown)
        return hidden
    return None


async def hidden(store: Reads, session: Session, *, after: int = 0, limit: int = 100) -> list[Timestamp]:
    """A session's hidden marks with who hid them and why, by number; `after` is the number of the last one seen."""
    found = await store.fetch(
        f"{_MARKS} WHERE mark.session_id = ? AND mark.number > ? AND mark.hidden_by IS NOT NULL"
        " ORDER BY mark.number LIMIT ?",
        *(session.row_id, after, limit),
    )
    return [rows.mark(session.id, row) for row in found]


# --- the words of saved moments


async def hide_words(transaction: Transaction, public_id: str, by: str, reason: str) -> bool:
    """Take the words of a save out of everyone's sight; it counts all the same. False when it shows none.

    `by` is an account_key.
    """
    found = await transaction.fetch(
        f"UPDATE save SET hidden_by = ?, hidden_reason = ? WHERE hidden_by IS NULL AND id IN ("  # noqa: S608 -- constants only
        f"SELECT words_id FROM save WHERE id IN ({NEWEST_OF_LINK})) RETURNING id",
        *(by, reason, public_id),
    )
    return await _show_anew(transaction, found)


async def hide_words_of(transaction: Transaction, message: Message, by: str, reason: str) -> bool:
    """The same for the words of a message, when that is deleted on its platform (design.md §8)."""
    found = await transaction.fetch(
        "UPDATE save SET hidden_by = ?, hidden_reason = ? WHERE hidden_by IS NULL"
        " AND platform = ? AND source_message_id = ? RETURNING id",
        *(by, reason, *message),
    )
    return await _show_anew(transaction, found)


async def hide_words_by(
    transaction: Transaction, account: tuple[str, str], origin: str, since: datetime, by: str, reason: str
) -> bool:
    """The same for all words an account, (platform, user id), has typed in one place since an instant."""
    found = await transaction.fetch(
        "UPDATE save SET hidden_by = ?, hidden_reason = ? WHERE hidden_by IS NULL AND note <> ''"
        " AND account_id = (SELECT id FROM account WHERE platform = ? AND user_id = ?)"
        " AND origin = ? AND created_at >= ? RETURNING id",
        *(by, reason, *account, origin, to_microseconds(since)),
    )
    return await _show_anew(transaction, found)


async def show_words(transaction: Transaction, public_id: str) -> bool:
    """Show words again that were hidden; False when they were not."""
    found = await transaction.fetch(
        f"UPDATE save SET hidden_by = NULL, hidden_reason = NULL WHERE hidden_by IS NOT NULL AND id IN ("  # noqa: S608 -- constants only
        f"SELECT words_id FROM save WHERE id IN ({NEWEST_OF_LINK})) RETURNING id",
        public_id,
    )
    return await _show_anew(transaction, found)


async def _show_anew(transaction: Transaction, words: Sequence[rows.Row]) -> bool:
    def work(connection: sqlite3.Connection) -> None:
        for (words_id,) in words:
            carried = connection.execute(
                f"SELECT id, replaced_by, words_id FROM save WHERE id IN ({_NEWEST_OF_ROW}) AND words_id = ?",  # noqa: S608 -- constants only
                (words_id, words_id),
            ).fetchall()
            counts.settle(connection, carried)
            _, track = counts.group_of(connection, words_id)
            connection.execute("UPDATE track SET version = version + 1 WHERE id = ?", (track,))

    await transaction.together(work)
    return bool(words)
