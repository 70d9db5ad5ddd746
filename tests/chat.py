"""A chat to type into: the console's grammar, a clock of its own, and a real store."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot.console import author
from commands.dispatch import Dispatcher
from commands.feed import Feed
from commands.model import Heard, Platform, Reply
from commands.services import Services
from moments.chatlog import parse_line
from moments.live import Place
from moments.marks import Timestamp
from moments.people import Role
from moments.sessions import Defaults
from storage import Store, open_store
from storage.keys import SecretKeys

KEYS = SecretKeys(("a test's own secret, long enough to be one",))
EVENING = datetime(2026, 11, 20, 20, 0, 0, 250_000, tzinfo=UTC)
CONSOLE = Platform("console")
DEFAULTS = Defaults()
ROOM = Place("console", "nightowl", "Nightowl")


class Watch:
    """A clock that moves only when told to."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """The time it shows."""
        return self.now


@dataclass
class Chat:
    """One channel's chat. No time passes between two lines unless `passes` says so."""

    store: Store
    services: Services
    watch: Watch
    dispatcher: Dispatcher
    platform: Platform = CONSOLE

    async def hears(
        self,
        line: str,
        *,
        late: float = 0,
        message_id: str | None = None,
        place: Place = ROOM,
        role: Role | None = None,
    ) -> Reply | None:
        """The reply to `<name> text`; `late` is how many seconds the message took to reach us."""
        said = parse_line(line)
        assert said is not None
        instant = self.watch.now - timedelta(seconds=late)
        who = author(said.name or "nightowl")
        role = said.role if role is None else role
        return await self.dispatcher.hear(Heard(self.platform, place, who, role, said.text, instant, message_id))

    async def says(self, line: str, *, late: float = 0, message_id: str | None = None) -> str:
        """The reply's text, empty when nothing is said."""
        reply = await self.hears(line, late=late, message_id=message_id)
        return reply.text if reply else ""

    def passes(self, seconds: float) -> None:
        """Let time pass."""
        self.watch.now += timedelta(seconds=seconds)

    async def marks(self) -> list[Timestamp]:
        """The newest session's visible marks, in order."""
        session = await self.store.newest_session(*ROOM[:2])
        return [] if session is None else await self.store.marks(session, limit=100_000)


@asynccontextmanager
async def open_chat(path: Path, *, defaults: Defaults = DEFAULTS, now: datetime = EVENING) -> AsyncIterator[Chat]:
    """A chat over the database at `path`; open it again to see what a restart would."""
    feed, watch = Feed(), Watch(now)
    async with open_store(path, defaults=defaults, on_commit=feed.announce) as store:
        services = Services(store, feed, watch, defaults, "http://localhost:8080", KEYS, ("csv", "edl"))
        yield Chat(store, services, watch, Dispatcher(services))
