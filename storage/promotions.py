"""Crowd moments that were turned into real clips: each is asked for once, whatever happens in between."""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from moments.live import Author
from moments.sessions import Session
from storage._sqlite import from_microseconds, to_microseconds
from storage.ledger import account_key
from storage.transaction import Transaction


class State(StrEnum):
    """How far a clip is."""

    ASKED = "asked"
    """It is being asked for; without an answer nobody knows whether it was."""
    MAKING = "making"
    """The platform has said what it will be called."""
    DONE = "done"


class Promotion(NamedTuple):
    """A crowd moment's clip, known by one of its marks."""

    number: int
    state: State
    clip_id: str
    """Empty while it is asked for."""
    requested_at: datetime


async def of_session(transaction: Transaction, session: Session) -> list[Promotion]:
    """Everything that was promoted of a session, newest first."""
    found = await transaction.fetch(
        "SELECT number, state, coalesce(clip_id, ''), requested_at FROM promotion WHERE session_id = ?"
        " ORDER BY requested_at DESC",
        session.row_id,
    )
    return [Promotion(number, State(state), clip_id, from_microseconds(at)) for number, state, clip_id, at in found]


async def ask(transaction: Transaction, session: Session, number: int, by: Author, now: datetime) -> None:
    """Note that a clip is being asked for, in the place of an attempt that came to nothing."""
    await transaction.execute(
        "INSERT INTO promotion (session_id, number, state, requested_by, requested_at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (session_id, number) DO UPDATE SET state = excluded.state, clip_id = NULL, url = NULL,"
        " requested_by = excluded.requested_by, requested_at = excluded.requested_at",
        *(session.row_id, number, State.ASKED, account_key(by), to_microseconds(now)),
    )


async def move(transaction: Transaction, session: Session, number: int, state: State, clip_id: str, url: str) -> None:
    """Note how far a clip is."""
    await transaction.execute(
        "UPDATE promotion SET state = ?, clip_id = ?, url = ? WHERE session_id = ? AND number = ?",
        *(state, clip_id, url, session.row_id, number),
    )


async def withdraw(transaction: Transaction, session: Session, number: int) -> None:
    """Forget an attempt of which nothing was made, so that it may be asked for again."""
    await transaction.execute("DELETE FROM promotion WHERE session_id = ? AND number = ?", session.row_id, number)
