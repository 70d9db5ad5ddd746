"""SQLite: opening a database of ours, and its errors as sentences. No business logic.

Only errors a person can mend become ours; anything else stays loud.
"""

import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar, cast

import aiosqlite

from moments.errors import StoreBusy, StoreDamaged, StoreError, StoreFull, StoreReadOnly

APPLICATION_ID = 0x4D6D7473
"""`Mmts`: stamped into every database of ours, so that nobody else's file is ever migrated."""
BUSY_SECONDS = 3
"""How long a write waits for another process; short enough to answer, and to stop within five seconds."""

WRITER_CACHE_KIBIBYTES = 16 * 1024
CHECKPOINT_PAGES = 4000
"""Of 4 KiB: the write-ahead log's length at which SQLite copies it into the database."""

T = TypeVar("T")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Connection(aiosqlite.Connection):
    """One connection, on a thread of its own."""

    async def together(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run several statements in one visit to that thread: under load each visit waits its turn twice."""
        return cast("T", await self._execute(work, self._conn))  # type: ignore[no-untyped-call]  # aiosqlite's own


def to_microseconds(instant: datetime) -> int:
    """An aware instant as the store keeps it: whole microseconds since 1970 in UTC."""
    return (instant - _EPOCH) // _MICROSECOND


def from_microseconds(microseconds: int) -> datetime:
    """The aware UTC instant that was kept."""
    return _EPOCH + timedelta(microseconds=microseconds)


@contextmanager
def sentences(path: Path) -> Iterator[None]:
    """Turn what a person can mend into a StoreError with one sentence."""
    try:
        yield
    except sqlite3.Error as error:
        ours = _sentence(error, path)
        if ours is None:
            raise
        raise ours from error


def _sentence(error: sqlite3.Error, path: Path) -> StoreError | None:
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StoreBusy("Another program is writing to the database. Nothing was saved; try again in a moment.")
        case sqlite3.SQLITE_FULL:
            return StoreFull("The disk is full. Nothing was saved; free some space and try again.")
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM | sqlite3.SQLITE_AUTH:
            return StoreReadOnly(
                f"{path} or its folder cannot be written. Check who owns it, or set MOMENTS_DATABASE_URL."
            )
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return StoreDamaged(f"{path} is damaged or not a database. Restore a backup: moments restore FILE.")
        case sqlite3.SQLITE_IOERR:
            return StoreFull("The disk did not take it: it may be full or failing. Nothing was saved; try again.")
    return None


def create_file(path: Path) -> None:
    """Make an empty database file that only its owner can read; SQLite gives its companions the same mode."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise StoreReadOnly(
            f"{path} cannot be opened for writing ({error.strerror}). Check its folder, or set MOMENTS_DATABASE_URL."
        ) from error


async def connect(path: Path, *, read_only: bool = False, untouched: bool = False) -> Connection:
    """Open an existing file. Statements run in autocommit: the writer begins and commits by hand.

    `untouched` makes not even the files a reader needs; only right while nobody writes.
    """
    with sentences(path):
        mode = "ro&immutable=1" if untouched else "ro" if read_only else "rw"
        address = f"{path.absolute().as_uri()}?mode={mode}"
        connection = Connection(
            lambda: sqlite3.connect(address, uri=True, isolation_level=None, cached_statements=256), iter_chunk_size=64
        )
        await connection
        try:
            await connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
            await connection.execute("PRAGMA trusted_schema = OFF")
            await connection.execute("PRAGMA foreign_keys = ON")
            await connection.execute("PRAGMA synchronous = FULL")
            if not read_only:
                # Message ids are random, so a flood writes all over their index: it should stay in memory, and each
                # page go back into the database once for many commits.
                await connection.execute(f"PRAGMA cache_size = -{WRITER_CACHE_KIBIBYTES}")
                await connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        except BaseException:
            await connection.close()
            raise
    return connection


@asynccontextmanager
async def opened(path: Path, *, read_only: bool = False) -> AsyncIterator[Connection]:
    """A connection that is closed at the end, whatever it is doing then."""
    connection = await connect(path, read_only=read_only)
    try:
        yield connection
    finally:
        if read_only:
            await connection.interrupt()
        await connection.close()


async def scalar(connection: aiosqlite.Connection, sql: str, parameters: tuple[object, ...] = ()) -> int:
    """The one integer a query answers."""
    rows = list(await connection.execute_fetchall(sql, parameters))
    return int(rows[0][0])


async def check(connection: aiosqlite.Connection, path: Path) -> None:
    """Read every page once; StoreDamaged with the first thing that is wrong."""
    rows = list(await connection.execute_fetchall("PRAGMA quick_check(1)"))
    if rows[0][0] != "ok":
        raise StoreDamaged(f"{path} is damaged ({rows[0][0].splitlines()[0]}). Restore a backup: moments restore FILE.")
