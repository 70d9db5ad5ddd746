"""`moments run` as a process of its own beside a fake Discord: kill it, start it again, and ask both what they know."""

import asyncio
import re
import signal
import sqlite3
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import ExitStack, asynccontextmanager, closing
from pathlib import Path
from typing import Any, TypeVar

import aiohttp

from tests.fake_discord.interactions import Interaction
from tests.fake_discord.people import MANAGE_MESSAGES, Channel, FakeUser
from tests.fake_discord.server import FakeDiscord
from tests.process import PATIENCE, Running, running
from tests.twitch_process import Hours

T = TypeVar("T")

HURRIED = """
import mmap, struct, sys
from datetime import timedelta

from commands import services

with open(sys.argv.pop(1), "rb") as file:
    shift = mmap.mmap(file.fileno(), 8, access=mmap.ACCESS_READ)
real = services.utc_now
services.utc_now = lambda: real() + timedelta(seconds=struct.unpack("d", shift)[0])

from bot.discord import supervisor

supervisor.run_discord.__kwdefaults__["pace"] = supervisor.Pace(
    look=0.05, lock=0.1, first_pause=0.1, longest_pause=0.5, healthy_for=60, start=15, resume=2.0, silence=4.0,
    between_starts=0.1, drain=3,
)

from bot.cli import main

sys.exit(main())
"""
"""The same program with a clock that can be set from outside, and its minutes of waiting as tenths of a second."""

_MARKED = re.compile(r"Marked #(\d+) at ")


class Stage:
    """A folder with a database, the Discord it speaks to, and the process while there is one."""

    def __init__(self, folder: Path, discord: FakeDiscord, hours: Hours, http: aiohttp.ClientSession) -> None:
        self.folder, self.discord, self.hours, self._http = folder, discord, hours, http
        self.hurried = (sys.executable, "-c", HURRIED, str(hours.path), "run")
        self.settings = {
            "MOMENTS_DISCORD_TOKEN": discord.token,
            "MOMENTS_DISCORD_APPLICATION_ID": discord.application_id,
            "MOMENTS_DISCORD_CLIENT_SECRET": discord.client_secret,
            "MOMENTS_DISCORD_API_URL": discord.api_url,
            "MOMENTS_DISCORD_GATEWAY_URL": discord.gateway_url,
            "MOMENTS_COOLDOWN_SECONDS": "0",
        }
        self.asked: list[Interaction] = []
        """All that was typed."""
        self._it: Running | None = None

    # --- the process

    @property
    def it(self) -> Running:
        """The process that runs now, or ran last."""
        assert self._it, "none has been started"
        return self._it

    @property
    def site(self) -> str:
        """Its public address."""
        return f"http://localhost:{self.it.port}"

    @asynccontextmanager
    async def running(self, command: tuple[str, ...] = (), **settings: str) -> AsyncIterator[Running]:
        """The process, in a hurry unless `command` says otherwise; killed at the end if it still runs."""
        with ExitStack() as stack:
            started = running(self.folder, command or self.hurried, **self.settings | settings)
            self._it = await asyncio.to_thread(stack.enter_context, started)
            yield self._it

    def beside(self) -> "Stage":
        """The same for a second process on the same database."""
        return Stage(self.folder, self.discord, self.hours, self._http)

    async def kill(self) -> None:
        """End it as `kill -9` does."""
        self.it.process.kill()
        await asyncio.to_thread(self.it.ends)

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """Ask it to end: its exit code, and the seconds it took."""
        return await asyncio.to_thread(self.it.stop, number)

    @property
    def log(self) -> str:
        """What it has written on standard error."""
        return "".join(self.it.log)

    async def state(self, platform: str = "discord") -> str:
        """What /readyz tells of a platform."""
        async with self._http.get(f"{self.site}/readyz") as answer:
            said = await answer.json(content_type=None)
        return str(said["platforms"].get(platform, {}).get("state", ""))

    async def page(self, path: str) -> tuple[int, str]:
        """What the site tells a stranger: a status, and the page."""
        async with self._http.get(f"{self.site}{path}", headers={"Accept": "text/html"}) as answer:
            return answer.status, await answer.text()

    async def until(self, found: Callable[[], T | None], what: str) -> T:
        """What it gives once that is anything; nobody outside this process rings a bell, so it is asked again."""

        async def ask() -> T | None:
            return found()

        return await self._until(ask, what)

    async def until_it_says(self, state: str) -> None:
        """Return once /readyz tells this state of Discord; its beginning is enough."""

        async def so() -> bool:
            return (await self.state()).startswith(state)

        await self._until(so, f"Discord is {state}")

    async def _until(self, ask: Callable[[], Awaitable[T | None]], what: str) -> T:
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while not (found := await ask()):
            assert asyncio.get_running_loop().time() < deadline, f"it never came to this: {what}\n{self.log[-3000:]}"
            await asyncio.sleep(0.02)
        return found

    # --- people

    async def ready(self) -> None:
        """Return once it is connected, and Discord knows its commands."""
        await self.until_it_says("ready")
        await self.until(lambda: self.discord.commands and self.rows("fact WHERE name = 'discord commands'"), "synced")

    async def opens(self, name: str = "Night Owls") -> Channel:
        """A server's channel with a session that a moderator started."""
        guild = self.discord.guild(name)
        channel, moderator = self.discord.channel(guild, "clips"), self.discord.user(f"mod_{guild.id}")
        self.discord.member(guild, moderator, permissions=MANAGE_MESSAGES)
        started = await self.types(moderator, channel, "start", title="Any%")
        await self.discord.answered(started)
        assert self.rows("session"), started.text
        return channel

    async def types(self, who: FakeUser | str, channel: Channel, command: str, **options: Any) -> Interaction:  # noqa: ANN401 -- as the fake takes them
        """Somebody types a command, which reaches the gateway."""
        user = self.discord.user(who) if isinstance(who, str) else who
        typed: Interaction = await self.discord.slash(user, channel, command, **options)
        self.asked.append(typed)
        return typed

    async def answer(self, typed: Interaction) -> str:
        """The words that answer it."""
        await self.discord.answered(typed, timeout=PATIENCE)
        return typed.text

    async def marks(self, channel: Channel, words: str) -> Interaction:
        """Somebody new marks, and is answered."""
        typed = await self.types(f"viewer_{len(self.asked)}", channel, "clip", note=words)
        assert _MARKED.search(await self.answer(typed)), typed.text
        return typed

    # --- what is on disk, and what was answered

    def rows(self, table: str, columns: str = "*") -> list[tuple[Any, ...]]:
        """A table as it is on disk; none before there is one."""
        path = self.folder / "moments.db"
        if not path.exists():
            return []
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as database:
            return list(database.execute(f"SELECT {columns} FROM {table}"))  # noqa: S608 -- a test's own words

    def kept(self) -> Counter[str]:
        """Marks by the interaction that made them."""
        return Counter(message for (message,) in self.rows("mark", "source_message_id"))

    def marked(self) -> dict[str, int]:
        """The number each answered mark was told."""
        found = {each.id: _MARKED.search(each.text) for each in self.asked}
        return {which: int(marked[1]) for which, marked in found.items() if marked}

    def assert_nothing_lost_or_doubled(self, *, of: Iterable[str] = ()) -> None:
        """Every answered mark is on disk, once, under the number that was told; `of`: so are these interactions."""
        kept: dict[str, int] = dict(self.rows("mark", "source_message_id, number"))
        assert len(kept) == len(self.rows("mark"))
        told = self.marked()
        assert {which: number for which, number in told.items() if kept.get(which) != number} == {}
        assert set(of) - kept.keys() == set()


@asynccontextmanager
async def open_stage(folder: Path) -> AsyncIterator[Stage]:
    """An empty folder to run in, and a Discord that nobody has been to."""
    here = folder / "home"
    here.mkdir(exist_ok=True)
    hours = Hours(folder / "hours")
    async with (
        FakeDiscord(clock=hours) as discord,
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http,
    ):
        discord.gateway.heartbeat_seconds = 0.5
        yield Stage(here, discord, hours, http)
