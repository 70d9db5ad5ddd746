"""The two yardsticks of storing marks, on the real schema and the very rows the measured run has stored."""

import asyncio
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import aiosqlite

from bench.load import Run, closed_loop

DURABLE = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
"""The pragmas of our own store, as SQLite tells them back; synchronous 2 is FULL."""


class Stored(NamedTuple):
    """The marks of a database in the order they were stored, and the plain statement that stores one."""

    insert: str
    rows: Sequence[tuple[Any, ...]]


def take_marks(source: Path, target: Path) -> Stored:
    """Copy a database of ours to `target` without its marks, and hand out the marks it held."""
    assert not target.exists(), f"{target} is left from another run"
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)
        cursor = new.execute("SELECT * FROM mark ORDER BY rowid")
        columns = [column[0] for column in cursor.description]
        rows = cursor.fetchall()
        new.execute("DELETE FROM mark")
        new.commit()
        new.execute("VACUUM")
    places = ", ".join("?" * len(columns))
    return Stored(f"INSERT INTO mark ({', '.join(columns)}) VALUES ({places})", rows)


def one_transaction(target: Path, stored: Stored) -> float:
    """Seconds of one `executemany` of all rows in one durable transaction, on a database without marks."""
    with _checked(target, len(stored.rows)), closing(sqlite3.connect(target)) as connection:
        _make_durable(connection)
        begun = time.perf_counter()
        connection.executemany(stored.insert, stored.rows)
        connection.commit()
        return time.perf_counter() - begun


async def locked_commits(target: Path, stored: Stored, people: int, marks: int) -> Run:
    """Let `people` in flight store the first `marks` rows through aiosqlite, a durable commit each.

    The lock is the point: without it the first commit takes everybody's waiting inserts along, which is an
    accidental group commit and several times faster (research/performance.md §1).
    """
    rows = list(islice(stored.rows, marks))
    lock = asyncio.Lock()
    with _checked(target, len(rows)):
        async with aiosqlite.connect(target) as connection:
            for pragma, means in DURABLE.items():
                await connection.execute(f"PRAGMA {pragma} = {means}")
                assert list(await connection.execute_fetchall(f"PRAGMA {pragma}")) == [(means,)]

            async def store(_: int, number: int) -> None:
                async with lock:
                    await connection.execute(stored.insert, rows[number])
                    await connection.commit()

            return await closed_loop(store, people, range(len(rows)))


def _make_durable(connection: sqlite3.Connection) -> None:
    for pragma, means in DURABLE.items():
        connection.execute(f"PRAGMA {pragma} = {means}")
        assert connection.execute(f"PRAGMA {pragma}").fetchall() == [(means,)]


@contextmanager
def _checked(target: Path, expected: int) -> Iterator[None]:
    """A figure counts only when the database held nothing before and holds every row afterwards."""
    assert _count(target) == 0
    yield
    assert _count(target) == expected


def _count(target: Path) -> int:
    with closing(sqlite3.connect(target)) as connection:
        return int(connection.execute("SELECT count(*) FROM mark").fetchone()[0])
