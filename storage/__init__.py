"""The shared store: one SQLite file, read by many, written by one.

What a Store promises:

- A write returns only when its transaction is durable (WAL, synchronous=FULL); many writes share one. A write that
  raises left nothing behind.
- Reads never wait for the writer, see only committed changes, and leave out hidden marks.
- It raises moments.errors (StoreError for what a person can mend); anything else is a bug and stays loud.
- Instants are aware UTC. All methods belong to the event loop that opened the store.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from moments.errors import NotFound, StoreError, StoreReadOnly
from moments.live import Place
from moments.sessions import Channel, Defaults
from storage import _sqlite, migrations
from storage.batch import Change
from storage.memory import Memory, Message
from storage.reads import Reads, Totals
from storage.transaction import Forgotten, Transaction
from storage.writer import Job, Writer, WriterStats

READERS = 3
CHECKED_AT_OPENING = 32 * 1024 * 1024
"""Bytes up to which a database is checked through before it is used; larger ones by `moments doctor`."""

__all__ = [
    "Change",
    "Forgotten",
    "Job",
    "Message",
    "Store",
    "Totals",
    "Transaction",
    "WriterStats",
    "open_store",
]


class Store(Reads):
    """Everything that is kept. The reads are storage.reads.Reads; see the package's docstring for the promises."""

    def __init__(self, writer: Writer, readers: Sequence[_sqlite.Connection]) -> None:
        super().__init__(writer.path, readers)
        self._writer = writer
        self.writing = asyncio.create_task(writer.serve(), name="store writer")
        """Ends when the store is closed; if it ends before, nothing can be kept any more and its exception says why."""
        self.mark = writer.mark
        self.run = writer.run

    @property
    def stats(self) -> WriterStats:
        """What the writer has done since the store was opened."""
        return self._writer.stats

    async def known(self, place: Place) -> Channel | None:
        """The channel as it is now, from the writer's memory when it is there; None for one never stored."""
        live = self._writer.memory.channels.get(place[:2])
        return live.channel if live else await self.channel(*place[:2])

    async def ping(self) -> None:
        """Raise a StoreError when the store cannot be read, or not be written any more."""
        if self.writing.done():
            raise StoreError("The store has stopped writing. Restart Moments; its log says why.")
        await super().ping()

    async def close(self) -> None:
        """Write what waits, then end."""
        self._writer.close()
        await self.writing

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
    async with AsyncExitStack() as connections:
        connection = await connections.enter_async_context(_sqlite.opened(path))
        await _prepare(connection, path)
        readers = [await connections.enter_async_context(_sqlite.opened(path, read_only=True)) for _ in range(READERS)]
        store = Store(Writer(connection, path, Memory(connection, defaults), on_commit), readers)
        try:
            yield store
        finally:
            await store.close()


async def _prepare(connection: _sqlite.Connection, path: Path) -> None:
    with _sqlite.sentences(path):
        if path.stat().st_size <= CHECKED_AT_OPENING:
            await _sqlite.check(connection, path)
        await migrations.migrate(connection, path)
        await connection.execute_fetchall("PRAGMA journal_mode = WAL")
