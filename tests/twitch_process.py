"""`moments run` as a process of its own beside a fake Twitch: kill it, start it again, and ask both what they know."""

import asyncio
import mmap
import re
import signal
import sqlite3
import struct
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import ExitStack, asynccontextmanager, closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import aiohttp

from tests.fake_twitch.server import FakeTwitch, FakeUser
from tests.fake_twitch.world import Sent, now_utc
from tests.process import PATIENCE, Running, running
from tests.twitch_site import Answer, Somebody

T = TypeVar("T")

PLAIN = (sys.executable, "-m", "bot", "run")

_HURRIED = """
import mmap, struct, sys
from datetime import timedelta

from commands import services

with open(sys.argv.pop(1), "rb") as file:
    shift = mmap.mmap(file.fileno(), 8, access=mmap.ACCESS_READ)
real = services.utc_now
services.utc_now = lambda: real() + timedelta(seconds=struct.unpack("d", shift)[0])

from bot.twitch import connection

connection.USUAL = connection.Pace(
    look=0.3, reconcile=30, overdue=0.3, lock=0.1, authorised=0.2, first_pause=0.1, longest_pause=0.5, healthy_for=60,
    start=15, silence=2.5, drain=3, patience=2.0, opening=2.0, linger=0.5,
)

from bot.cli import main

sys.exit(main())
"""
"""The same program with a clock that can be set from outside, and its minutes of waiting as tenths of a second."""

_LINK = re.compile(r"open this link.*?(http://\S+/twitch/connect\?code=\S+)")
_MARKED = re.compile(r"Marked #(\d+) at ")
_KEPT = re.compile(r"(\d+) marks? kept\.")
CALLBACKS = ("/twitch/connect/callback", "/login/twitch/callback", "/me/link/twitch/callback")
KINDS = 6
"""Subscriptions of a channel."""


class Hours:
    """A clock for the process and for Twitch: the real one, and what `passes`, also backwards."""

    def __init__(self, file: Path) -> None:
        file.write_bytes(bytes(8))
        with file.open("r+b") as opened:
            self._shift = mmap.mmap(opened.fileno(), 8)
        self.path = file

    def __call__(self) -> datetime:
        return now_utc() + timedelta(seconds=self._seconds)

    def passes(self, **length: float) -> None:
        """Let it be later, or earlier, everywhere at once."""
        self._shift[:] = struct.pack("d", self._seconds + timedelta(**length).total_seconds())

    def as_now(self) -> Callable[[], datetime]:
        """The same clock, for somebody whom later jumps do not concern."""
        shift = timedelta(seconds=self._seconds)
        return lambda: now_utc() + shift

    @property
    def _seconds(self) -> float:
        return float(struct.unpack("d", self._shift)[0])


class Stage:
    """A folder with a database, the Twitch it speaks to, and the process while there is one."""

    def __init__(self, folder: Path, twitch: FakeTwitch, hours: Hours, http: aiohttp.ClientSession) -> None:
        self.folder, self.twitch, self.hours, self._http = folder, twitch, hours, http
        self.bot = twitch.user("moments_bot")
        self.hurried = (sys.executable, "-c", _HURRIED, str(hours.path), "run")
        self.settings = {
            "MOMENTS_TWITCH_CLIENT_ID": twitch.client_id,
            "MOMENTS_TWITCH_CLIENT_SECRET": twitch.client_secret,
            "MOMENTS_TWITCH_BOT_ID": self.bot.id,
            "MOMENTS_TWITCH_API_URL": twitch.api_url,
            "MOMENTS_TWITCH_AUTH_URL": twitch.auth_url,
            "MOMENTS_TWITCH_EVENTSUB_URL": twitch.eventsub_url,
        }
        self._it: Running | None = None
        self.said_before = 0
        """How many answers are not this process's."""

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
            started = running(self.folder, command or self.hurried, **self.settings, **settings)
            self.said_before = len(self.twitch.sent)
            self._it = await asyncio.to_thread(stack.enter_context, started)
            self.twitch.redirect_uris.update(self.site + path for path in CALLBACKS)
            yield self._it

    def beside(self) -> "Stage":
        """The same for a second process on the same database."""
        return Stage(self.folder, self.twitch, self.hours, self._http)

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

    async def until(self, found: Callable[[], T | None], what: str) -> T:
        """What it gives once that is anything; nobody outside this process rings a bell, so it is asked again."""

        async def ask() -> T | None:
            return found()

        return await self._until(ask, what)

    async def until_it_says(self, state: str) -> None:
        """Return once /readyz tells this state of Twitch; its beginning is enough."""

        async def so() -> bool:
            return (await self.state()).startswith(state)

        await self._until(so, f"Twitch is {state}")

    async def _until(self, ask: Callable[[], Awaitable[T | None]], what: str) -> T:
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while not (found := await ask()):
            assert asyncio.get_running_loop().time() < deadline, f"it never came to this: {what}\n{self.log[-3000:]}"
            await asyncio.sleep(0.02)
        return found

    # --- people

    def somebody(self) -> Somebody:
        """A browser without eyes."""
        return Somebody(self._http, self.site, self.site, self.twitch)

    async def page(self, path: str) -> Answer:
        """What the site tells a stranger, who follows one redirect."""
        answer = await self.somebody().get(path)
        return await self.somebody().get(answer.location) if answer.status in {302, 303} else answer

    async def bot_link(self) -> str:
        """What it prints for the operator."""
        found = await self.until(lambda: _LINK.search(self.log), "the link for the bot's account is printed")
        return found[1]

    async def lets_bot_in(self) -> None:
        """The operator opens the printed link."""
        code = (await self.bot_link()).partition("?")[2]
        answer = await self.somebody().log_in(self.bot, f"/twitch/connect/start?{code}")
        assert answer.status == 303, answer.text

    async def connects(self, *logins: str) -> list[FakeUser]:
        """Streamers connect their channels; the bot hears all of them."""
        users = [self.twitch.user(login, login.title()) for login in logins]
        for user in users:
            answer = await self.somebody().connect(user)
            assert answer.status == 303, answer.text
        await self.subscribed()
        return users

    async def subscribed(self) -> None:
        """Return once Twitch would send it everything of every connected channel."""
        await self.until(self._is_subscribed, "everything is subscribed to")
        await self.until_it_says("ready")

    async def goes_live(self, *channels: FakeUser) -> None:
        """Streams begin, and sessions with them."""
        known = len(self.rows("session"))
        for channel in channels:
            await self.twitch.online(channel, title=f"{channel.login} plays", category="Hollow Deep")
        await self.until(lambda: len(self.rows("session")) == known + len(channels), "the sessions begin")

    async def opens(self, *logins: str) -> list[FakeUser]:
        """Channels that are live, with the bot for a moderator: it may answer more often."""
        channels = await self.connects(*logins)
        for channel in channels:
            self.twitch.make_moderator(channel, self.bot)
        await self.goes_live(*channels)
        return channels

    async def says(self, channel: FakeUser, viewer: FakeUser | str, text: str, **more: Any) -> str:  # noqa: ANN401
        """A line in a channel's chat; its message id."""
        who = self.twitch.user(viewer, viewer.title()) if isinstance(viewer, str) else viewer
        return await self.twitch.say(channel, who, text, **more)

    async def answer(self, message_id: str) -> Sent:
        """What was answered to it."""

        def found() -> Sent | None:
            return next((sent for sent in self.twitch.sent if sent.reply_parent_message_id == message_id), None)

        return await self.until(found, "the message is answered")

    async def marks_again(self, channel: FakeUser, words: str) -> str:
        """A viewer nobody saw yet marks until that is kept and answered; the message's id.

        What is typed while we are deaf never reaches us, so people type it again.
        """
        for number in range(60):
            message_id = await self.says(channel, f"{words}{number}".replace(" ", "_"), f"!clip {words}")
            for _ in range(25):
                answered = [sent.text for sent in self.twitch.sent if sent.reply_parent_message_id == message_id]
                if any(map(_MARKED.match, answered)):
                    return message_id
                await asyncio.sleep(0.02)
        raise AssertionError(f"marks do not flow: {self.log[-3000:]}")

    # --- what is on disk, and what was answered

    def rows(self, table: str, columns: str = "*") -> list[tuple[Any, ...]]:
        """A table as it is on disk; none before there is one."""
        path = self.folder / "moments.db"
        if not path.exists():
            return []
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as database:
            return list(database.execute(f"SELECT {columns} FROM {table}"))  # noqa: S608 -- a test's own words

    def kept(self) -> Counter[str]:
        """Marks by the message that made them."""
        return Counter(message for (message,) in self.rows("mark", "source_message_id"))

    def kept_of(self, channel: FakeUser) -> dict[str, str]:
        """The notes of a channel's marks, by message."""
        joined = "mark JOIN session ON session.id = session_id JOIN channel ON channel.id = channel_id"
        rows = self.rows(joined, "channel.platform_id, source_message_id, note")
        return {message: note for platform_id, message, note in rows if platform_id == channel.id}

    def answers(self) -> Counter[str]:
        """Messages answered since the process began, with how often."""
        sent = self.twitch.sent[self.said_before :]
        return Counter(each.reply_parent_message_id for each in sent if each.reply_parent_message_id)

    def told(self, channel: FakeUser) -> int:
        """Marks a channel was told of, one by one or together."""
        texts = [sent.text for sent in self.twitch.sent if sent.channel_id == channel.id]
        summed = sum(int(found[1]) for text in texts if (found := _KEPT.match(text)))
        return summed + sum(_MARKED.match(text) is not None for text in texts)

    def assert_nothing_lost_or_doubled(self, *, of: Iterable[str] = ()) -> None:
        """Every answered mark is on disk, once, under the number that was told; `of`: so are these messages.

        A message delivered again is answered again only by another process: nobody knows how far the last one came.
        """
        kept: dict[str, int] = dict(self.rows("mark", "source_message_id, number"))
        assert len(kept) == len(self.rows("mark"))
        told = {(sent.reply_parent_message_id, _MARKED.match(sent.text)) for sent in self.twitch.sent}
        assert {message for message, marked in told if marked and kept.get(message or "") != int(marked[1])} == set()
        assert set(of) - kept.keys() == set()
        assert {message for message, times in self.answers().items() if times > 1} == set()

    # --- what it says of itself

    async def state(self) -> str:
        """What /readyz tells of Twitch."""
        async with self._http.get(f"{self.site}/readyz") as answer:
            said = await answer.json(content_type=None)
        return str(said["platforms"].get("twitch", {}).get("state", ""))

    def _is_subscribed(self) -> bool:
        channels = len(self.rows("connection WHERE state = 'connected'"))
        enabled = [sub for sub in self.twitch.eventsub.subscriptions.values() if sub.status == "enabled"]
        return channels > 0 and len(enabled) == KINDS * channels


@asynccontextmanager
async def open_stage(folder: Path, home: Path | None = None) -> AsyncIterator[Stage]:
    """An empty folder to run in (`home`, when that is somewhere else), and a Twitch that nobody has been to."""
    here = home or folder / "home"
    here.mkdir(exist_ok=True)
    hours = Hours(folder / "hours")
    async with (
        FakeTwitch(clock=hours) as twitch,
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http,
    ):
        twitch.sockets.keepalive_seconds = 0.2
        yield Stage(here, twitch, hours, http)
