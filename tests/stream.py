"""One channel of a store, driven without the command layer."""

import asyncio
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from moments import sessions
from moments.live import Author, Marked, MarkRequest, Place
from moments.marks import Timestamp
from moments.sessions import Defaults, Session
from storage import Forgotten, Store, Transaction
from storage.keys import SecretKeys
from storage.ledger import PURPOSE, erasure_digest

DEFAULTS = Defaults()
KEYS = SecretKeys(("k" * 40,))
KEY = KEYS.derive(PURPOSE)
BEGAN = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=3)
"""Recent: messages are remembered for a week."""


class Stream:
    """A channel of a store; times are seconds since BEGAN."""

    def __init__(self, store: Store, name: str = "geralt", platform: str = "console") -> None:
        self.store = store
        self.place = Place(platform, name, name.title())

    async def start(self, at: float = 0, title: str = "") -> Session:
        """Open a session."""
        now = BEGAN + timedelta(seconds=at)
        session_id = os.urandom(8).hex()

        async def job(transaction: Transaction) -> Session:
            live = await transaction.live(self.place)
            session = sessions.started(live.session, live.channel, title, "", now, session_id)
            return await transaction.save_session(self.place, session)

        return await self.store.run(job, message=None, now=now)

    async def move(self, rule: Callable[[Session | None, datetime], Session | None], at: float) -> Session | None:
        """Pause, resume or end."""
        now = BEGAN + timedelta(seconds=at)

        async def job(transaction: Transaction) -> Session | None:
            moved = rule((await transaction.live(self.place)).session, now)
            return moved and await transaction.save_session(self.place, moved)

        return await self.store.run(job, message=None, now=now)

    async def mark(self, user: str, at: float, note: str = "", message: str | None = None) -> Marked:
        """Clip."""
        return await self.store.mark(self.request(user, at, note, message))

    def request(self, user: str, at: float, note: str = "", message: str | None = None) -> MarkRequest:
        """What mark() asks."""
        now = BEGAN + timedelta(seconds=at)
        author = Author(self.place.platform, user, user.title())
        return MarkRequest(self.place, author, now, now, note, message_id=message)

    async def remove(self, number: int, at: float, message: str | None = None) -> None:
        """Unclip."""
        now = BEGAN + timedelta(seconds=at)

        async def job(transaction: Transaction) -> None:
            await transaction.remove_mark(self.place, await _found(transaction, self.place, number), now)

        await self.store.run(job, message=(self.place.platform, message) if message else None, now=now)

    async def hide(self, number: int, moderator: str, at: float) -> None:
        """Delclip."""
        now = BEGAN + timedelta(seconds=at)

        async def job(transaction: Transaction) -> None:
            mark = await _found(transaction, self.place, number)
            hidden = mark._replace(hidden_by=f"{self.place.platform}:{moderator}", hidden_reason="delclip")
            await transaction.change_mark(self.place, mark, hidden, now)

        await self.store.run(job, message=None, now=now)

    async def forget(self, user: str, at: float, key: bytes = KEY) -> Forgotten:
        """Forgetme."""
        now = BEGAN + timedelta(seconds=at)
        author = Author(self.place.platform, user, user)

        async def job(transaction: Transaction) -> Forgotten:
            return await transaction.forget(author, lambda *who: erasure_digest(key, *who), now)

        return await self.store.run(job, message=None, now=now)

    async def marks(self) -> list[Timestamp]:
        """All visible marks of the newest session, in order."""
        session = await self.store.newest_session(*self.place[:2])
        assert session is not None
        return [mark async for chunk in self.store.stream_marks(session) for mark in chunk]

    async def fill(self, people: int, note: str = "") -> None:
        """Very many marks at once, each by somebody else."""
        await asyncio.gather(*(self.mark(f"viewer{n}", n % 60, note) for n in range(people)))


async def _found(transaction: Transaction, place: Place, number: int) -> Timestamp:
    mark = await transaction.mark_numbered(place, number)
    assert mark is not None
    return mark
