"""The shared store: one SQLite file, read by many, written by one.

What a Store promises:

- A write returns only when its transaction is durable (WAL, synchronous=FULL); many writes share one. A write that
  raises left nothing behind.
- Reads never wait for the writer, see only committed changes, and leave out hidden marks.
- It raises moments.errors (StoreError for what a person can mend); anything else is a bug and stays loud.
- Instants are aware UTC. All methods belong to the event loop that opened the store.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from moments.errors import NotFound, StoreReadOnly
from moments.sessions import Defaults
from storage import _sqlite, migrations
from storage.memory import Memory, Message
from storage.reads import Reads, Totals
from storage.transaction import Change, Forgotten, Repeated, Transaction
from storage.writer import Job, Writer, WriterStats

READERS = 3
CHECKED_AT_OPENING = 32 * 1024 * 1024
"""Bytes up to which a database is checked through before it is used; larger ones by `moments doctor`."""
MESSAGES_REMEMBERED_DAYS = 7

__all__ = [
    "Change",
    "Forgotten",
    "Job",
    "Message",
    "Repeated",
    "Store",
    "Totals",
    "Transaction",
    "WriterStats",
    "open_store",
]


class Store(Reads):
    """Everything that is kept. The reads are storage.reads.Reads; see the package's docstring for the promises."""

    def __init__(self, path: Path, writer: Writer, readers: asyncio.Queue[_sqlite.Connection]) -> None:
        super().__init__(path, readers)
        self._writer = writer
        self.mark = writer.mark
        self.run = writer.run

    @property
    def stats(self) -> WriterStats:
        """What the writer has done since the store was opened."""
        return self._writer.stats

    @asynccontextmanager
    async def one_transaction(self) -> AsyncIterator[None]:
        """All writes inside become durable together at the end, or none; they are answered, and read, before that.

        Other processes cannot write meanwhile. Raises what broke the transaction, whoever was told of it before.
        """
        async with self._writer.one_transaction():
            self._inside = self._writer.connection
            try:
                yield
            finally:
                self._inside = None


def _tell_nobody(_changes: Sequence[Change]) -> None:
    return


@asynccontextmanager
async def open_store(
    path: Path,
    *,
    defaults: Defaults,
    create: bool = True,
    on_commit: Callable[[Sequence[Change]], None] = _tell_nobody,
) -> AsyncIterator[Store]:
    """Open, and bring up to date, the database at `path`; closing writes what still waits.

    Raises NotFound when there is none and `create` is False, and StoreError in words for a file that cannot be used.
    """
    if not create and not path.exists():
        raise NotFound(f"There is no database at {path}. Start Moments once, or set MOMENTS_DATABASE_URL.")
    if path.is_dir():
        raise StoreReadOnly(f"{path} is a folder. Set MOMENTS_DATABASE_URL to a file.")
    _sqlite.create_file(path)
    connection = await _sqlite.connect(path)
    readers: asyncio.Queue[_sqlite.Connection] = asyncio.Queue()
    try:
        await _prepare(connection, path)
        for _ in range(READERS):
            readers.put_nowait(await _sqlite.connect(path, read_only=True))
        writer = Writer(connection, path, Memory(connection, defaults), on_commit)
        serving = asyncio.create_task(writer.serve(), name="store writer")
        try:
            yield Store(path, writer, readers)
        finally:
            writer.close()
            await serving
    finally:
        while not readers.empty():
            await readers.get_nowait().close()
        await connection.close()


async def _prepare(connection: _sqlite.Connection, path: Path) -> None:
    with _sqlite.sentences(path):
        if path.stat().st_size <= CHECKED_AT_OPENING:
            await _sqlite.check(connection, path)
        await migrations.migrate(connection, path)
        await connection.execute_fetchall("PRAGMA journal_mode = WAL")
        horizon = int((time.time() - MESSAGES_REMEMBERED_DAYS * 86_400) * 1e6)
        old = "FROM handled_message WHERE handled_at < ?"
        if await _sqlite.scalar(connection, f"SELECT count(*) {old}", (horizon,)):
            await connection.execute(f"DELETE {old}", (horizon,))
