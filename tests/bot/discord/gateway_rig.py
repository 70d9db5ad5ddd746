"""Our Discord's gateway and REST against the fake one: real discord.py, real sockets, a real store; a quicker pace."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import SecretStr

from bot.discord.client import DiscordClient
from bot.discord.rest import Rest, open_rest
from bot.discord.supervisor import Pace, run_discord
from bot.settings import DiscordSettings
from commands.feed import Feed
from commands.services import Services, utc_now
from moments.errors import MomentsError
from moments.sessions import Defaults
from storage import open_store
from storage.keys import SecretKeys
from tests.fake_discord.interactions import Interaction
from tests.fake_discord.people import Channel, FakeUser
from tests.fake_discord.server import FakeDiscord

T = TypeVar("T")

KEYS = SecretKeys(("k" * 40,))
SITE = "https://moments.example"

QUICK = Pace(
    look=0.02,
    lock=0.05,
    first_pause=0.05,
    longest_pause=0.2,
    healthy_for=60,
    start=5,
    resume=0.6,
    silence=1.5,
    between_starts=0.05,
    drain=1.0,
)
"""Minutes as tenths of a second; the fake wants a heartbeat every 0.2 s."""

PING = {
    "name": "ping",
    "description": "Answers.",
    "type": 1,
    "contexts": [0, 1, 2],
    "integration_types": [0, 1],
    "options": [],
}
PONG = {"type": 4, "data": {"content": "pong", "flags": 64, "allowed_mentions": {"parse": []}}}


class Board:
    """What /readyz would say of Discord, and everything it has said."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self._beat = asyncio.Event()

    def set(self, platform: str, state: str) -> None:
        assert platform == "discord"
        self.said.append(state)
        self._beat.set()
        self._beat = asyncio.Event()

    @property
    def now(self) -> str:
        """The state."""
        return self.said[-1] if self.said else ""

    async def until(self, state: str) -> None:
        """Return once that is the state (its beginning is enough)."""
        async with asyncio.timeout(10):
            while not self.now.startswith(state):
                beat = self._beat
                await beat.wait()


class Echo:
    """An intake that answers everything at once, and remembers it."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self.taken: list[Mapping[str, Any]] = []
        self.failed: list[MomentsError] = []
        self.drained = False
        self.slowly: asyncio.Event | None = None
        """Answers wait for it."""
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, payload: Mapping[str, Any]) -> None:
        self.taken.append(payload)
        task = asyncio.create_task(self._answer(payload["id"], payload["token"]))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def drain(self, seconds: float) -> None:
        self.drained = True
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=seconds)

    async def _answer(self, interaction_id: str, token: str) -> None:
        try:
            if self.slowly:
                await self.slowly.wait()
            await self._rest.callback(interaction_id, token, PONG, deadline=asyncio.get_running_loop().time() + 2.5)
        except MomentsError as error:
            self.failed.append(error)


class Silent:
    """A poster that has nothing to post; `last` is done while it drains."""

    def __init__(self) -> None:
        self.runs = self.drained = 0
        self.last: Callable[[], Awaitable[object]] | None = None

    async def run(self) -> None:
        self.runs += 1
        await asyncio.get_running_loop().create_future()

    async def drain(self, _seconds: float) -> None:
        self.drained += 1
        if self.last:
            await self.last()


async def eventually(true: Callable[[], T]) -> T:
    """What it gives once that is anything, for what tells nobody when it changes; TimeoutError after ten seconds."""
    async with asyncio.timeout(10):
        while True:
            if answer := true():
                return answer
            await asyncio.sleep(0.005)


@dataclass
class Rig:
    """A database, and the fake Discord it talks to."""

    discord: FakeDiscord
    services: Services
    settings: DiscordSettings
    rest: Rest
    echo: Echo
    poster: Silent = field(default_factory=Silent)
    board: Board = field(default_factory=Board)
    commands: list[dict[str, Any]] = field(default_factory=lambda: [dict(PING)])

    @staticmethod
    def pace(**changed: float) -> Pace:
        """The quick pace, but for some of it."""
        return replace(QUICK, **changed)

    def place(self, guild: str = "Night Owls") -> tuple[FakeUser, Channel]:
        """Somebody, and a server's channel they are in."""
        channel = self.discord.channel(self.discord.guild(guild), "clips")
        return self.discord.user("sable"), channel

    async def ready(self) -> None:
        """Return once it is connected, and Discord knows the commands."""
        await self.board.until("ready")
        await self.discord.until(lambda: self.discord.commands)

    async def rest_knows_ping(self) -> None:
        """Discord knows the command from before, whatever becomes of telling it now."""
        async with DiscordClient(self.settings, lambda _: None, lambda _: None) as client:
            await client.enter()
            self.rest.bind(client)
            await self.rest.sync(self.commands)
            self.rest.unbound()
        self.discord.requests.clear()

    async def falls_silent(self) -> None:
        """Nothing comes from the gateway any more, and nothing is closed either."""
        gateway = self.discord.gateway
        gateway.heartbeat_seconds, beats = 60.0, gateway.beats  # how long the fake is patient from the next beat on
        await self.discord.until(lambda: gateway.beats > beats + 1)
        await gateway.silence()
        gateway.heartbeat_seconds = 0.2

    async def asks(self, user: FakeUser, channel: Channel) -> Interaction:
        """Somebody's `/ping`, answered."""
        asked = await self.discord.slash(user, channel, "ping")
        answered: Interaction = await self.discord.answered(asked)
        assert answered.text == "pong"
        return answered

    def count(self, method: str, path: str) -> int:
        """How often that was asked for."""
        return sum((each.method, each.path) == (method, path) for each in self.discord.requests)

    @asynccontextmanager
    async def running(self, pace: Pace = QUICK) -> AsyncIterator[asyncio.Task[None]]:
        """Discord runs meanwhile; at the end it is cancelled, as the process does."""
        work = run_discord(
            self.services,
            self.settings,
            self.board,
            rest=self.rest,
            intake=self.echo,
            poster=self.poster,
            commands=self.commands,
            pace=pace,
        )
        task = asyncio.create_task(work)
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if not task.cancelled():
            task.result()


def settings_for(discord: FakeDiscord, **changed: str) -> DiscordSettings:
    """Where the fake is."""
    urls = {"api_url": discord.api_url, "gateway_url": discord.gateway_url} | changed
    return DiscordSettings(SecretStr(discord.token), **urls)


@asynccontextmanager
async def open_rig(database: Path, discord: FakeDiscord | None = None) -> AsyncIterator[Rig]:
    """A rig over the database; open it again, with the same fake, to see what a restart would."""
    if discord is None:
        async with FakeDiscord() as discord:
            discord.gateway.heartbeat_seconds = 0.2
            async with open_rig(database, discord) as rig:
                yield rig
        return
    settings = settings_for(discord)
    async with open_rest(settings, SITE) as rest, open_store(database, defaults=Defaults()) as store:
        services = Services(store, Feed(), utc_now, Defaults(), "http://localhost:8080", KEYS)
        yield Rig(discord, services, settings, rest, Echo(rest))
