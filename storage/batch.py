"""The marks of one transaction: gathered, judged in memory, and inserted together."""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple, TypeVar

from moments.crowd import CrowdIndex
from moments.errors import Repeated
from moments.live import Author, LiveChannel, Marked, MarkRequest, Place
from moments.marks import Timestamp
from moments.people import Account
from storage import rows
from storage._sqlite import Connection, to_microseconds
from storage.memory import Memory, Message, Row

T = TypeVar("T")

_INSERT_MARK = f"INSERT INTO mark ({rows.MARK_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 -- constants only
_INSERT_PERSON = "INSERT INTO person (id) VALUES (?) ON CONFLICT (id) DO NOTHING"
_SAVE_ACCOUNT = (
    "INSERT INTO account (id, person_id, platform, user_id, display_name) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (id) DO UPDATE SET display_name = excluded.display_name"
)
_TOUCH_SESSION = (
    "UPDATE session SET last_number = ?, revision = revision + 1,"
    # An ended session's is when it ended: people are told how long ago that was.
    " updated_at = CASE status WHEN 'ended' THEN updated_at ELSE ? END WHERE id = ?"
)


class Change(NamedTuple):
    """Something watchers of a session may want to know, once it is durable."""

    kind: Literal["timestamp", "removed", "session", "stale"]
    session_id: str
    mark: Timestamp | None = None
    people: int = 1
    number: int | None = None


class Batch:
    """What every transaction does: marks in bulk, and rows by statements of their own."""

    def __init__(self, connection: Connection, memory: Memory) -> None:
        self.changes: list[Change] = []
        self.marks_added = 0
        self._connection = connection
        self._memory = memory
        self._asked: Sequence[MarkRequest] = ()
        self._repeated: dict[Message, Row | None] = {}
        self._accounts: dict[int, Account] = {}
        """New or renamed, by id; not written yet."""
        self._new_marks: list[tuple[object, ...]] = []
        self._touched: dict[int, tuple[LiveChannel, datetime]] = {}
        self._edited: tuple[int, int] | None = None

    async def look_ahead(self, requests: Sequence[MarkRequest]) -> None:
        """Ask the disk once for the whole batch: which messages came before, and who the authors are."""
        messages = {(request.author.platform, request.message_id) for request in requests if request.message_id}
        self._repeated = await self._memory.repeated(messages)
        self._asked = requests
        await self._memory.learn_authors(requests)

    async def mark(self, request: MarkRequest) -> Marked:
        """Accept one mark, or answer a repeated message with the mark it made. The rows are written by flush()."""
        message = (request.author.platform, request.message_id) if request.message_id else None
        if message in self._repeated:
            return await self._marked_before(request, message)
        live = self._memory.recall(request.place) or await self.live(request.place)
        segment = live.segment_for(request)
        if segment.index not in live.crowds:
            await self._crowd(live, segment.index)
        if not self._memory.next_account:  # a job of this batch has made us forget everybody
            await self.flush()
            await self._memory.learn_authors(self._asked)
        known = self._memory.accounts.get(request.author[:2])
        account = known or self._memory.stranger(request.author)
        marked = live.accept(request, segment, account)
        if known is None or known.display_name != request.author.display_name:
            self._accounts[account.id] = self._memory.meet(account, request.author)
        session_row = live.session.row_id if live.session else 0
        if message:
            self._repeated[message] = (session_row, marked.mark.number)
        self._new_marks.append(rows.mark_values(session_row, account.id, marked.mark, request))
        self._touched[session_row] = (live, request.arrived)
        self._tell(live, marked.mark, marked.people)
        self.marks_added += 1
        return marked

    async def flush(self, *, commit: bool = False) -> None:
        """Write what has been gathered, so that a statement of its own may follow; or commit it, then it is durable."""
        if not (commit or self._accounts or self._new_marks or self._touched):
            return
        accounts, self._accounts = list(self._accounts.values()), {}
        marks, self._new_marks = self._new_marks, []
        touched, self._touched = self._touched, {}

        def write(connection: sqlite3.Connection) -> None:
            if accounts:
                connection.executemany(_INSERT_PERSON, [(account.person_id,) for account in accounts])
                connection.executemany(
                    _SAVE_ACCOUNT, [(a.id, a.person_id, a.platform, a.user_id, a.display_name) for a in accounts]
                )
            connection.executemany(_INSERT_MARK, marks)
            connection.executemany(
                _TOUCH_SESSION,
                [(live.last_number, to_microseconds(at), row) for row, (live, at) in touched.items()],
            )
            if commit:
                connection.execute("COMMIT")

        await self._connection.together(write)

    async def live(self, place: Place) -> LiveChannel:
        """The channel as it is now; one that was never stored has the id 0."""
        if place[:2] not in self._memory.channels:
            await self.flush()
        return await self._memory.channel(place)

    async def own_last_mark(self, place: Place, author: Author) -> Timestamp | None:
        """The author's newest visible mark of the channel's newest session."""
        return await self._find_mark(
            place,
            "account.platform = ? AND account.user_id = ? AND mark.hidden_by IS NULL ORDER BY number DESC LIMIT 1",
            author[:2],
        )

    async def mark_numbered(self, place: Place, number: int) -> Timestamp | None:
        """The visible mark with this number in the channel's newest session."""
        return await self._find_mark(place, "mark.number = ? AND mark.hidden_by IS NULL", (number,))

    async def fetch(self, sql: str, *parameters: object) -> list[Any]:
        """The rows a statement gives; for the nouns of storage/, which own their SQL."""
        await self.flush()
        return list(await self._fetch(sql, parameters))

    async def execute(self, sql: str, *parameters: object) -> int:
        """How many rows a statement changed; for the nouns of storage/, which own their SQL."""
        await self.flush()
        return (await self._connection.execute(sql, parameters)).rowcount

    async def together(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Several statements in one visit to the connection; for the nouns of storage/, which own their SQL."""
        await self.flush()
        return await self._connection.together(work)

    async def _fetch(self, sql: str, parameters: Iterable[Any] = ()) -> Iterable[Any]:
        return await self._connection.execute_fetchall(sql, parameters)

    def _tell(self, live: LiveChannel, mark: Timestamp, people: int) -> None:
        shown = mark if live.channel.settings.names else mark._replace(submitted_by="")
        self.changes.append(Change("timestamp", mark.session_id, shown, people))

    async def _marked_before(self, request: MarkRequest, message: Message | None) -> Marked:
        made = self._repeated[message] if message else None
        live = await self.live(request.place)
        if made is None or live.session is None or live.session.row_id != made[0]:
            raise Repeated("That message was handled before.")
        await self.flush()
        mark = await self.mark_numbered(request.place, made[1])
        if mark is None:
            raise Repeated("That message was handled before.")
        await self._crowd(live, mark.segment_index)
        return live.crowd_of(mark)

    async def _find_mark(self, place: Place, condition: str, parameters: Sequence[Any]) -> Timestamp | None:
        live = await self.live(place)
        if live.session is None:
            return None
        found = await self._fetch(
            f"SELECT {rows.MARK} FROM mark JOIN account ON account.id = mark.account_id"  # noqa: S608 -- constants only
            f" WHERE mark.session_id = ? AND {condition}",
            (live.session.row_id, *parameters),
        )
        return next((rows.mark(live.session.id, row) for row in found), None)

    async def _crowd(self, live: LiveChannel, segment_index: int) -> CrowdIndex:
        if segment_index not in live.crowds:
            await self.flush()
            await self._memory.learn_crowd(live, segment_index)
        return live.crowds[segment_index]
