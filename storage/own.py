"""What is somebody's own: their accounts, and their marks wherever they are."""

from datetime import datetime
from typing import NamedTuple, Protocol

from moments.live import Author
from storage import rows
from storage._sqlite import from_microseconds


class Asked(Protocol):
    """The store, or a transaction of it."""

    async def fetch(self, sql: str, *parameters: object) -> list[rows.Row]:
        """The rows a query gives."""


class OwnMark(NamedTuple):
    """A mark as its author sees it in a list."""

    row: int
    """The session's; with the number it is the mark's place in the list."""
    number: int
    session_id: str
    title: str
    segment_index: int
    offset_seconds: int
    note: str
    created_at: datetime
    channel: str
    is_public: bool


_OWN = "SELECT id FROM account WHERE person_id = (SELECT person_id FROM account WHERE platform = ? AND user_id = ?)"
_MARKS = (
    "SELECT session.id, mark.number, session.public_id, session.title, mark.segment_index, mark.offset_seconds,"  # noqa: S608 -- constants only
    " mark.note, mark.created_at, channel.display_name, channel.visibility = 'public' FROM mark"
    " JOIN session ON session.id = mark.session_id JOIN channel ON channel.id = session.channel_id"
    f" WHERE mark.account_id IN ({_OWN}) AND mark.hidden_by IS NULL AND (mark.session_id, mark.number) < (?, ?)"
    " ORDER BY mark.session_id DESC, mark.number DESC LIMIT ?"
)


async def accounts(asked: Asked, author: Author) -> set[tuple[str, str]]:
    """(platform, user id) of every account of the same person; at least this one, known or not."""
    found = await asked.fetch(
        f"SELECT platform, user_id FROM account WHERE id IN ({_OWN})",  # noqa: S608 -- constants only
        *author[:2],
    )
    return {(platform, user_id) for platform, user_id in found} | {(author.platform, author.user_id)}


async def marks(
    asked: Asked, platform: str, user_id: str, *, before: tuple[int, int] | None = None, limit: int = 50
) -> list[OwnMark]:
    """A person's visible marks, newest first; `before` is the (row, number) of the last one seen."""
    found = await asked.fetch(_MARKS, platform, user_id, *(before or (2**62, 0)), limit)
    return [OwnMark._make((*row[:7], from_microseconds(row[7]), row[8], bool(row[9]))) for row in found]
