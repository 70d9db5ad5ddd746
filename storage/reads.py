"""What can be asked of the store. Every read takes a connection of its own and never waits for the writer."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from moments.crowd import Point, Position
from moments.errors import NotFound
from moments.marks import Timestamp
from moments.sessions import Channel, Session, Visibility
from storage import rows
from storage._sqlite import Connection, sentences

T = TypeVar("T")

STREAMED_AT_ONCE = 1000
"""Marks read in one go while streaming: more is no faster and takes more memory."""

_SESSIONS = f"SELECT {rows.SESSION} FROM session JOIN channel ON channel.id = session.channel_id"  # noqa: S608 -- constants only
_MARKS = f"SELECT {rows.MARK} FROM mark JOIN account ON account.id = mark.account_id"  # noqa: S608 -- constants only
_NAMELESS_MARKS = f"SELECT {rows.NAMELESS_MARK} FROM mark JOIN account ON account.id = mark.account_id"  # noqa: S608 -- constants only
_POSITION = "(mark.segment_index, mark.offset_seconds, mark.number)"
_ROWS_AFTER = (
    "SELECT segment_index, offset_seconds, note, submitted_by, created_at, number FROM mark"  # noqa: S608 -- constants only
    f" WHERE session_id = ? AND hidden_by IS NULL AND {_POSITION} > (?, ?, ?)"
    " ORDER BY segment_index, offset_seconds, number LIMIT ?"
)
_NAMELESS_ROWS_AFTER = _ROWS_AFTER.replace("submitted_by", "''", 1)
_SEGMENTS = f"SELECT {rows.SEGMENT} FROM segment"  # noqa: S608 -- constants only
_PUBLIC = f"channel.visibility = '{Visibility.PUBLIC}'"
_MAY_SEE = f"({_PUBLIC} OR ?)"
_OF_CHANNEL = "lower(channel.platform_id) = lower(?) AND (channel.platform = ? OR ?)"
_NEWEST = "ORDER BY session.id DESC LIMIT 1"
_POINTS = (
    "SELECT segment_index, offset_seconds, number, account.person_id"
    " FROM mark JOIN account ON account.id = mark.account_id WHERE session_id = ? AND hidden_by IS NULL"
    " ORDER BY segment_index, offset_seconds, number"
)


MarkRow = tuple[int, int, str, str, int, int]
"""(segment_index, offset_seconds, note, submitted_by, created_at, number); created_at is microseconds since 1970."""


class Totals(NamedTuple):
    """How many visible marks a session has, and how many people made them."""

    marks: int
    people: int


class Reads:
    """The reading half of a Store. Hidden marks never come out of it, nor private sessions out of its lists."""

    def __init__(self, path: Path, readers: Iterable[Connection]) -> None:
        self.path = path
        self._readers: asyncio.Queue[Connection] = asyncio.Queue()
        for reader in readers:
            self._readers.put_nowait(reader)
        self._inside: Connection | None = None
        """The writer's connection while one_transaction() lasts: what it has not committed is seen by no other."""

    async def ping(self) -> None:
        """Raise a StoreError when the store is down."""
        await self.fetch("SELECT count(*) FROM channel WHERE id = 0")

    async def session(self, session_id: str) -> Session | None:
        """The session with this public id."""
        return next(iter(await self._sessions("WHERE public_id = ?", session_id)), None)

    async def find_session(self, word: str, *, public_only: bool = False) -> Session:
        """The session meant by an id, by `latest`, or by a channel (`name` or `platform/name`): its newest."""
        hidden_too = not public_only
        found = await self._sessions(f"WHERE public_id = ? AND {_MAY_SEE}", word, hidden_too)
        if not found and word.lower() == "latest":
            found = await self._sessions(f"WHERE {_MAY_SEE} {_NEWEST}", hidden_too)
        if not found:
            platform, slash, name = word.rpartition("/")
            where = f"WHERE {_OF_CHANNEL} AND {_MAY_SEE} {_NEWEST}"
            found = await self._sessions(where, name, platform, not slash, hidden_too)
        if not found:
            raise NotFound(f"There is no session {word[:60]!r}. Say an id, a channel, or latest.")
        return found[0]

    async def live_sessions(self, limit: int = 12) -> list[Session]:
        """Public sessions that are running or paused, newest first."""
        return await self._newest(f"WHERE session.status <> 'ended' AND {_PUBLIC}", limit)

    async def ended_sessions(self, limit: int = 12) -> list[Session]:
        """Public sessions that are over, newest first."""
        return await self._newest(f"WHERE session.status = 'ended' AND {_PUBLIC}", limit)

    async def channel(self, platform: str, platform_id: str) -> Channel | None:
        """The channel a platform knows by this id."""
        found = await self.fetch(
            f"SELECT {rows.CHANNEL} FROM channel WHERE platform = ? AND platform_id = ?",  # noqa: S608 -- constants only
            platform,
            platform_id,
        )
        return next(map(rows.channel, found), None)

    async def channel_sessions(self, channel: Channel, *, before: int | None = None, limit: int = 50) -> list[Session]:
        """A channel's sessions, newest first; `before` is the row_id of the last one seen."""
        return await self._sessions(
            "WHERE channel_id = ? AND session.id < ? ORDER BY session.id DESC LIMIT ?",
            *(channel.id, before if before is not None else 2**62, limit),
        )

    async def newest_session(self, platform: str, platform_id: str) -> Session | None:
        """The channel's newest session, whatever its state."""
        where = "WHERE channel.platform = ? AND channel.platform_id = ? ORDER BY session.id DESC"
        return next(iter(await self._sessions(f"{where} LIMIT 1", platform, platform_id)), None)

    async def open_sessions(self) -> list[Session]:
        """Every session that is not ended, private ones too, oldest first."""
        return await self._sessions("WHERE session.status <> 'ended' ORDER BY session.created_at")

    async def totals(self, session: Session) -> Totals:
        """How many visible marks, by how many people."""
        found = await self.fetch(
            "SELECT coalesce(sum(marks), 0), count(DISTINCT account.person_id) FROM"
            " (SELECT account_id, count(*) AS marks FROM mark WHERE session_id = ? AND hidden_by IS NULL"
            " GROUP BY account_id) AS by_account JOIN account ON account.id = by_account.account_id",
            session.row_id,
        )
        return Totals(*found[0])

    async def revision(self, session: Session) -> int:
        """A number that grows with every change of the session or of its marks."""
        found = await self.fetch("SELECT revision FROM session WHERE id = ?", session.row_id)
        return int(found[0][0]) if found else 0

    async def marks(
        self, session: Session, *, after: Position | None = None, limit: int = 100, newest_first: bool = False
    ) -> list[Timestamp]:
        """Visible marks in the order of their positions, or backwards; `after` is the position of the last one seen."""
        comes_after, direction = ("<", "DESC") if newest_first else (">", "ASC")
        columns = _MARKS if session.channel.settings.names else _NAMELESS_MARKS
        found = await self.fetch(
            f"{columns} WHERE mark.session_id = ? AND mark.hidden_by IS NULL"
            + (f" AND {_POSITION} {comes_after} (?, ?, ?)" if after else "")
            + f" ORDER BY mark.segment_index {direction}, mark.offset_seconds {direction}, mark.number {direction}"
            + " LIMIT ?",
            *(session.row_id, *(after or ()), limit),
        )
        return [rows.mark(session.id, row) for row in found]

    async def stream_marks(self, session: Session) -> AsyncIterator[list[Timestamp]]:
        """All visible marks in order, in chunks; each chunk is a read of its own, so no transaction stays open."""
        after: Position | None = None
        while chunk := await self.marks(session, after=after, limit=STREAMED_AT_ONCE):
            yield chunk
            last = chunk[-1]
            after = (last.segment_index, last.offset_seconds, last.number)

    async def stream_rows(self, session: Session) -> AsyncIterator[list[MarkRow]]:
        """The same marks as bare rows: making objects of a million of them takes longer than writing the file."""
        after: Position = (0, -1, 0)
        rows_after = _ROWS_AFTER if session.channel.settings.names else _NAMELESS_ROWS_AFTER
        while chunk := await self.fetch(rows_after, session.row_id, *after, STREAMED_AT_ONCE):
            yield chunk
            segment_index, offset, _, _, _, number = chunk[-1]
            after = (segment_index, offset, number)

    async def points(self, session: Session) -> list[Point]:
        """What counting the crowd needs of each visible mark, in order."""
        row = (session.row_id,)
        # Made on the connection's own thread: a hundred thousand of them would hold the event loop.
        return await self._read(lambda connection: list(map(Point._make, connection.execute(_POINTS, row))))

    async def notes(self, session: Session, numbers: Sequence[int]) -> dict[int, str]:
        """The words of these marks, by number; those without words are left out."""
        marks = ", ".join("?" * len(numbers))
        found = await self.fetch(
            f"SELECT number, note FROM mark WHERE session_id = ? AND hidden_by IS NULL AND note <> ''"  # noqa: S608 -- question marks only
            f" AND number IN ({marks})",
            *(session.row_id, *numbers),
        )
        return dict(found)

    async def _newest(self, where: str, limit: int) -> list[Session]:
        return await self._sessions(f"{where} ORDER BY session.created_at DESC, session.id DESC LIMIT ?", limit)

    async def _sessions(self, where: str, *parameters: object) -> list[Session]:
        found = await self.fetch(f"{_SESSIONS} {where}", *parameters)
        if not found:
            return []
        ids = [row[0] for row in found]
        segments = await self.fetch(
            f"{_SEGMENTS} WHERE session_id IN ({', '.join('?' * len(ids))}) ORDER BY session_id, segment_index", *ids
        )
        return [rows.session(row, [segment for segment in segments if segment[0] == row[0]]) for row in found]

    async def fetch(self, sql: str, *parameters: object) -> list[Any]:
        """The rows a query gives; for the nouns of storage/, which own their SQL."""
        return await self._read(lambda connection: connection.execute(sql, parameters).fetchall())

    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do work on a connection of its own; it is broken off when its asker goes away."""
        if self._inside is not None:
            with sentences(self.path):
                return await self._inside.together(work)
        connection = await self._readers.get()
        reading = asyncio.ensure_future(connection.together(work))
        reading.add_done_callback(partial(self._give_back, connection))
        try:
            with sentences(self.path):
                return await asyncio.shield(reading)
        except asyncio.CancelledError:
            await connection.interrupt()
            raise

    def _give_back(self, connection: Connection, reading: asyncio.Future[Any]) -> None:
        if not reading.cancelled():
            reading.exception()  # its asker has been told, or has gone
        self._readers.put_nowait(connection)
