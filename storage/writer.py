"""The one writer: whatever waits shares a transaction, and nobody is answered before it is on disk.

A batch is decided and written inside one transaction, in the order asked. New marks are decided by the rules of
moments.live against channels kept in memory and inserted together; every other change is a job of its own, behind a
savepoint. If the transaction fails, everyone who waited for it is told (when it is one row that cannot be written,
its asker alone), what is kept in memory is thrown away, and the next batch starts from what the disk says. So it does
when another process has written in between.
"""

import asyncio
import sqlite3
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

import structlog

from moments.errors import StoreBusy, StoreError
from moments.live import Marked, MarkRequest
from storage._sqlite import Connection, sentences
from storage.batch import Change
from storage.memory import Memory, Message
from storage.transaction import Transaction

T = TypeVar("T")

MOST_IN_A_BATCH = 1024
"""Jobs in one transaction: the more share a commit the cheaper each is, and the longer the first one waits."""
DECIDED_AT_ONCE = 64
"""Marks decided before the event loop gets a turn."""
WOKEN_AT_ONCE = 32
"""Waiters woken before the event loop gets a turn: each of them goes on to word its answer."""

STOPPING = "Moments is stopping. Nothing was saved; try again in a moment."

_log = structlog.get_logger("storage")

Job = Callable[[Transaction], Awaitable[T]]


class _Alone(NamedTuple):
    job: Job[Any]
    message: Message | None
    now: datetime


_Waiting = tuple[MarkRequest | _Alone, asyncio.Future[Any]]
"""What was asked, and where its asker waits for the answer."""


@dataclass(slots=True)
class WriterStats:
    """What the writer has done since it started."""

    commits: int = 0
    marks: int = 0
    failures: int = 0


@dataclass
class Writer:
    """Owns the only connection that writes."""

    connection: Connection
    path: Path
    memory: Memory
    on_commit: Callable[[Sequence[Change]], None]
    """Told what changed once it is durable, before anyone is answered; must not fail."""
    stats: WriterStats = field(default_factory=WriterStats)
    _queue: deque[_Waiting] = field(default_factory=deque)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _idle: asyncio.Lock = field(default_factory=asyncio.Lock)
    _held: bool = False
    _broken: Exception | None = None
    """What ended the one transaction that is held, if anything did."""
    _closing: bool = False
    _data_version: int = -1
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)

    def mark(self, request: MarkRequest) -> Awaitable[Marked]:
        """Keep a mark; awaited, it is durable. Raises Refusal, or StoreError when nothing could be kept."""
        return self._enqueue(request)

    async def run(self, job: Job[T], *, message: Message | None, now: datetime) -> T:
        """Run a job inside the next transaction; returns once that is durable. Raises Repeated for a known message.

        A job may run more than once before one of its runs counts: it has no effect outside the transaction.
        """
        return cast("T", await self._enqueue(_Alone(job, message, now)))

    def _enqueue(self, asked: MarkRequest | _Alone) -> asyncio.Future[Any]:
        if self._closing:
            raise StoreError(STOPPING)
        answer: asyncio.Future[Any] = self._loop.create_future()
        self._queue.append((asked, answer))
        self._wake.set()
        return answer

    async def serve(self) -> None:
        """Write until close() is called and nothing waits any more. If it ends otherwise, nobody waits in vain."""
        batch: list[_Waiting] = []
        try:
            while not (self._closing and not self._queue):
                await self._wake.wait()
                self._wake.clear()
                while self._queue:
                    batch = [self._queue.popleft() for _ in range(min(len(self._queue), MOST_IN_A_BATCH))]
                    async with self._idle:
                        await self._write(batch)
        finally:
            self._closing = True
            self._fail([*batch, *self._queue], StoreError(STOPPING))

    def close(self) -> None:
        """Take nothing new; serve() returns when what waits is written."""
        self._closing = True
        self._wake.set()

    @asynccontextmanager
    async def one_transaction(self) -> AsyncIterator[None]:
        """Everything written inside becomes durable together at the end, or not at all; answers come before that."""
        async with self._idle:
            self._broken = None
            with sentences(self.path):
                await self._begin()
            self._held = True
        try:
            yield
            async with self._idle:
                if self._broken is not None:
                    raise self._broken
                with sentences(self.path):
                    await self.connection.execute("COMMIT")
        finally:
            async with self._idle:
                self._held = False
                await self._roll_back()

    async def _write(self, batch: list[_Waiting]) -> None:
        transaction = Transaction(self.connection, self.memory)
        try:
            with sentences(self.path):
                await self._begin()
                outcomes = await self._decide(transaction, batch)
                await transaction.flush(commit=not self._held)
        except Exception as error:
            await self._roll_back()
            if self._closing and isinstance(error, StoreBusy):  # waiting again for each batch would take too long
                batch += self._queue
                self._queue.clear()
            if len(batch) == 1 or self._held or isinstance(error, StoreError):
                self._fail(batch, error)
            else:  # one of them cannot be written; the others can
                middle = len(batch) // 2
                await self._write(batch[:middle])
                await self._write(batch[middle:])
            return
        self.stats.commits += 1
        self.stats.marks += transaction.marks_added
        if not self._held:
            self._tell(transaction.changes)
        await _answer(batch, outcomes)

    def _tell(self, changes: Sequence[Change]) -> None:
        try:
            self.on_commit(changes)
        except Exception:
            _log.exception("a watcher failed; what it was told of is on disk all the same")

    async def _decide(self, transaction: Transaction, batch: list[_Waiting]) -> list[Any]:
        """Each job's result, or the exception it alone ended with; sqlite3.Error ends the whole batch."""
        await transaction.look_ahead([asked for asked, _ in batch if isinstance(asked, MarkRequest)])
        outcomes: list[Any] = []
        for at, (asked, _) in enumerate(batch, start=1):
            if at % DECIDED_AT_ONCE == 0:
                await asyncio.sleep(0)
            try:
                if isinstance(asked, MarkRequest):
                    outcomes.append(await transaction.mark(asked))
                else:
                    outcomes.append(await transaction.alone(*asked))
            except sqlite3.Error:
                raise
            except Exception as refusal:
                outcomes.append(refusal)
            except asyncio.CancelledError:
                if (task := asyncio.current_task()) and task.cancelling():
                    raise
                outcomes.append(StoreError("That was called off before it was done. Nothing was saved."))
        return outcomes

    async def _begin(self) -> None:
        if self._held:
            if self._broken is not None:
                raise self._broken
            return
        data_version = await self.connection.together(_begin)
        if data_version != self._data_version:
            self._data_version = data_version
            self.memory.clear()

    def _fail(self, batch: list[_Waiting], error: Exception) -> None:
        self._broken = self._broken or error  # also when nobody waits: what is held has been rolled back
        waiting = [answer for _, answer in batch if not answer.done()]
        if not waiting:
            return
        self.stats.failures += 1
        _log.error("nothing of a batch could be kept", waiting=len(waiting), error=str(error))
        for answer in waiting:
            answer.set_exception(error)

    async def _roll_back(self) -> None:
        self.memory.clear()
        if self.connection.in_transaction:
            try:
                await self.connection.execute("ROLLBACK")
            except sqlite3.Error:
                # SQLite has rolled back by itself already when the disk failed under a statement.
                if self.connection.in_transaction:
                    raise


def _begin(connection: sqlite3.Connection) -> int:
    """Begin, and tell the number that changes whenever another process has written."""
    connection.execute("BEGIN IMMEDIATE")
    (data_version,) = connection.execute("PRAGMA data_version").fetchone()
    return int(data_version)


async def _answer(batch: list[_Waiting], outcomes: list[Any]) -> None:
    for at, ((_, answer), outcome) in enumerate(zip(batch, outcomes, strict=True), start=1):
        if answer.done():  # its asker has gone; the mark is kept all the same
            continue
        if isinstance(outcome, Exception):
            answer.set_exception(outcome)
        else:
            answer.set_result(outcome)
        if at % WOKEN_AT_ONCE == 0:
            await asyncio.sleep(0)
