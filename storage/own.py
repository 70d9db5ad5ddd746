"""What is somebody's own: their accounts, and their marks wherever they are.

Of an account that was linked lately, by a code, it is not: until that is settled it is counted with theirs, and no
more (AZ-5).
"""

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


PERSONS = "SELECT id FROM account WHERE person_id = (SELECT person_id FROM account WHERE platform = ? AND user_id = ?)"
"""The ids of the accounts an account is counted with."""
SETTLED = "coalesce(mine.settled, 1) = 1 AND coalesce(theirs.settled, 1) = 1"
LINKS = (
    "account AS self JOIN account AS other ON other.person_id = self.person_id"
    " LEFT JOIN account_link AS mine ON mine.account_id = self.id"
    " LEFT JOIN account_link AS theirs ON theirs.account_id = other.id"
)
"""An account beside each of its person's; SETTLED says of the two whether each reaches what is the other's."""
OWN = f"SELECT other.id FROM {LINKS} WHERE self.platform = ? AND self.user_id = ? AND (other.id = self.id OR {SETTLED})"  # noqa: S608 -- constants only
"""The ids of the accounts whose marks and saves an account lists, exports and forgets as its own."""
_MARKS = (
    "SELECT session.id, mark.number, session.public_id, session.title, mark.segment_index, mark.offset_seconds,"  # noqa: S608 -- constants only
    " mark.note, mark.created_at, channel.display_name, channel.visibility = 'public' FROM mark"
    " JOIN session ON session.id = mark.session_id JOIN channel ON channel.id = session.channel_id"
    f" WHERE mark.account_id IN ({OWN}) AND mark.hidden_by IS NULL AND (mark.session_id, mark.number) < (?, ?)"
    " ORDER BY mark.session_id DESC, mark.number DESC LIMIT ?"
)


async def accounts(asked: Asked, author: Author) -> set[tuple[str, str]]:
    """(platform, user id) of every account that is this one's own person's; at least this one, known or not."""
    found = await asked.fetch(
        f"SELECT platform, user_id FROM account WHERE id IN ({OWN})",  # noqa: S608 -- constants only
        *author[:2],
    )
    return {(platform, user_id) for platform, user_id in found} | {(author.platform, author.user_id)}


async def marks_of(asked: Asked, platform: str, user_id: str) -> int | None:
    """How many marks are somebody's own, hidden ones too; None for somebody we do not know."""
    found = await asked.fetch(
        f"SELECT (SELECT count(*) FROM mark WHERE account_id IN ({OWN})) FROM account"  # noqa: S608 -- constants only
        " WHERE platform = ? AND user_id = ?",
        *(platform, user_id, platform, user_id),
    )
    return int(found[0][0]) if found else None


async def marks(
    asked: Asked, platform: str, user_id: str, *, before: tuple[int, int] | None = None, limit: int = 50
) -> list[OwnMark]:
    """A person's visible marks, newest first; `before` is the (row, number) of the last one seen."""
    found = await asked.fetch(_MARKS, platform, user_id, *(before or (2**62, 0)), limit)
    return [OwnMark._make((*row[:7], from_microseconds(row[7]), row[8], bool(row[9]))) for row in found]
