"""Our Twitch, all of it, against the fake one: real twitchio, real sockets, a real store; only the pace is quicker."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from pydantic import SecretStr

from bot.settings import TwitchSettings
from bot.twitch.connection import Pace
from bot.twitch.intake import Use
from bot.twitch.outbox import Outbox
from bot.twitch.supervisor import run_twitch
from commands.credentials import StoredGrants
from commands.dispatch import Dispatcher
from commands.feed import Feed
from commands.services import Services, utc_now
from moments.grants import Grant
from moments.live import Place
from moments.marks import Timestamp
from moments.sessions import Defaults
from providers.http import open_http
from providers.twitch import Endpoints, TwitchApi
from providers.twitch.helix import Helix
from providers.twitch.oauth import TwitchOAuth
from storage import Change, Transaction, connections, credentials, open_store
from storage.credentials import Vault
from tests.chat import KEYS
from tests.fake_twitch.people import FakeUser
from tests.fake_twitch.server import FakeTwitch

T = TypeVar("T")

BOT_SCOPES = ("user:read:chat", "user:write:chat", "user:bot")
QUICK = Pace(
    look=0.2,
    reconcile=30,
    overdue=0.2,
    lock=0.05,
    authorised=0.1,
    first_pause=0.05,
    longest_pause=0.2,
    healthy_for=60,
    start=10,
    silence=0.8,
    drain=0.2,
    patience=0.5,
    opening=1.0,
    linger=0.1,
)
"""Minutes as tenths of a second; the fake says every 0.1 s that it is there."""


class Pulse:
    """Wakes whoever waits for something to become true."""

    def __init__(self) -> None:
        self._beat = asyncio.Event()

    def beat(self) -> None:
        """Something has changed."""
        self._beat.set()
        self._beat = asyncio.Event()

    async def until(self, true: Callable[[], Awaitable[T]]) -> T:
        """What it gives once that is anything, asked again at every beat; TimeoutError after ten seconds."""
        async with asyncio.timeout(10):
            while True:
                beat = self._beat
                if answer := await true():
                    return answer
                await beat.wait()


async def eventually(true: Callable[[], T]) -> T:
    """What it gives once that is anything, for what tells nobody when it changes; TimeoutError after ten seconds."""
    async with asyncio.timeout(10):
        while True:
            if answer := true():
                return answer
            await asyncio.sleep(0.005)


class Board:
    """What /readyz would say of Twitch, and everything it has said."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self._pulse = Pulse()

    def set(self, platform: str, state: str) -> None:
        assert platform == "twitch"
        self.said.append(state)
        self._pulse.beat()

    @property
    def now(self) -> str:
        """The state."""
        return self.said[-1] if self.said else ""

    async def until(self, state: str) -> None:
        """Return once that is the state (its beginning is enough)."""

        async def so() -> bool:
            return self.now.startswith(state)

        await self._pulse.until(so)


@dataclass
class Rig:
    """A database, and the fake Twitch it talks to."""

    twitch: FakeTwitch
    services: Services
    api: TwitchApi
    settings: TwitchSettings
    bot: FakeUser
    vault: Vault
    pulse: Pulse
    """Beats whenever something was stored."""
    board: Board = field(default_factory=Board)
    asked: int = 0
    asking_fails: list[Exception] = field(default_factory=list)

    def mint(self, user: FakeUser, scopes: Iterable[str]) -> Grant:
        """What `user` just granted."""
        token, refresh = self.twitch.mint(user, scopes)
        return Grant("twitch", user.id, user.login, token.value, refresh, frozenset(scopes))

    async def authorise_bot(self) -> None:
        """The operator lets the bot's account in."""
        grant = self.mint(self.bot, BOT_SCOPES)

        async def job(transaction: Transaction) -> None:
            await credentials.save(transaction, self.vault, grant, utc_now())

        await self.services.store.run(job, message=None, now=utc_now())
        self.services.changed.set()

    async def streamer(self, login: str) -> FakeUser:
        """Somebody who has connected their channel."""
        user = self.twitch.user(login)
        await self.connect(user)
        return user

    async def connect(self, user: FakeUser) -> None:
        """They grant us what we need, and are noted as connected."""
        grant, place = self.mint(user, ["channel:bot"]), Place("twitch", user.id, user.display_name)

        async def job(transaction: Transaction) -> None:
            await transaction.save_settings(place, (await transaction.live(place)).channel)
            await connections.connect(transaction, place, grant.scopes, utc_now())
            await credentials.save(transaction, self.vault, grant, utc_now())

        await self.services.store.run(job, message=None, now=utc_now())
        self.services.changed.set()

    async def disconnect(self, user: FakeUser) -> None:
        """They take the bot out of their channel."""

        async def job(transaction: Transaction) -> None:
            await connections.change(transaction, "twitch", user.id, connections.State.DISCONNECTED, utc_now())

        await self.services.store.run(job, message=None, now=utc_now())
        self.services.changed.set()

    async def state(self, channel: FakeUser) -> connections.State | None:
        """How far its streamer's leave reaches."""
        found = await connections.of_channel(self.services.store, "twitch", channel.id)
        return found.state if found else None

    @staticmethod
    def pace(**changed: float) -> Pace:
        """The quick pace, but for some of it."""
        return replace(QUICK, **changed)

    async def marks(self, channel: FakeUser) -> list[Timestamp]:
        """The newest session's visible marks."""
        session = await self.services.store.newest_session("twitch", channel.id)
        return [] if session is None else await self.services.store.marks(session, limit=100_000)

    async def notes(self, channel: FakeUser) -> list[str | None]:
        """Their words, in the order they were made."""
        return [mark.note for mark in sorted(await self.marks(channel), key=lambda mark: mark.number)]

    async def until_notes(self, channel: FakeUser, count: int) -> list[str | None]:
        """The marks' words once there are so many."""

        async def enough() -> list[str | None] | None:
            notes = await self.notes(channel)
            return notes if len(notes) >= count else None

        return await self.pulse.until(enough) or []

    async def until_subscribed(self, channels: int = 1) -> None:
        """Return once Twitch would send us everything of so many channels."""
        await self.twitch.until(lambda: len(self.enabled()) == 6 * channels)

    async def live(self, login: str = "nightowl") -> FakeUser:
        """A connected channel whose session has just been started by its streamer; call it while running."""
        streamer = await self.streamer(login)
        await self.ready(len(self.enabled()) // 6 + 1)
        await self.twitch.say(streamer, streamer, "!start Any%")
        await self.twitch.until(lambda: any(sent.channel_id == streamer.id for sent in self.twitch.sent))
        return streamer

    def enabled(self) -> list[tuple[str, str]]:
        """What Twitch would send us: the kind and the channel."""
        return [
            (sub.type, sub.condition["broadcaster_user_id"])
            for sub in self.twitch.eventsub.subscriptions.values()
            if sub.status == "enabled"
        ]

    async def ready(self, channels: int = 1) -> None:
        """Return once it is connected and subscribed."""
        await self.board.until("ready")
        await self.until_subscribed(channels)

    @asynccontextmanager
    async def running(self, pace: Pace = QUICK, use: Use | None = None) -> AsyncIterator[asyncio.Task[None]]:
        """Twitch runs meanwhile; at the end it is cancelled, as the process does."""

        async def ask() -> None:
            self.asked += 1
            if self.asking_fails:
                raise self.asking_fails.pop()

        async def send(channel_id: str, text: str, reply_to: str | None) -> object:
            return await self.api.helix.send_message(channel_id, self.bot.id, text, reply_to)

        outbox = Outbox(send)  # type: ignore[arg-type]
        work = run_twitch(
            self.services, Dispatcher(self.services), self.settings, outbox, self.board, ask=ask, use=use, pace=pace
        )
        task = asyncio.create_task(work)
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if not task.cancelled():
            task.result()


@asynccontextmanager
async def open_rig(
    database: Path, *, bot_authorised: bool = True, twitch: FakeTwitch | None = None
) -> AsyncIterator[Rig]:
    """A rig over the database; open it again, with the same fake, to see what a restart would."""
    if twitch is None:
        async with FakeTwitch() as twitch:
            twitch.sockets.keepalive_seconds = 0.1
            async with open_rig(database, bot_authorised=bot_authorised, twitch=twitch) as rig:
                yield rig
        return
    endpoints = Endpoints(twitch.api_url, twitch.auth_url, twitch.eventsub_url)
    bot = twitch.people.by_login("moments_bot") or twitch.user("moments_bot")
    feed, vault, pulse = Feed(), Vault(KEYS), Pulse()

    def on_commit(changes: Sequence[Change]) -> None:
        feed.announce(changes)
        pulse.beat()

    async with (
        open_http([endpoints.api, endpoints.auth]) as http,
        open_store(database, defaults=Defaults(cooldown_seconds=0), on_commit=on_commit) as store,
    ):
        oauth = TwitchOAuth(http, endpoints, twitch.client_id, twitch.client_secret)

        async def on_dead(_user_id: str) -> None:
            services.changed.set()

        helix = Helix(http, endpoints, oauth, StoredGrants(store, vault, utc_now, on_dead), utc_now)
        api = TwitchApi(oauth, helix, bot.id)
        services = Services(
            store, feed, utc_now, Defaults(cooldown_seconds=0), "http://localhost:8080", KEYS, twitch=api
        )
        settings = TwitchSettings(twitch.client_id, SecretStr(twitch.client_secret), bot.id, endpoints)
        rig = Rig(twitch, services, api, settings, bot, vault, pulse)
        if bot_authorised:
            await rig.authorise_bot()
        yield rig
        await helix.settle()
