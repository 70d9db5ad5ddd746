"""An evening on the fake Twitch: a connected channel with its chat, its archives, and a clock of its own."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from commands import connecting
from commands.credentials import StoredGrants
from commands.dispatch import Dispatcher
from commands.feed import Feed
from commands.mirror import Mirror
from commands.model import Heard, Platform, Reply
from commands.services import Services
from moments.grants import Grant
from moments.live import Author, Place
from moments.people import Role
from moments.sessions import Defaults, Session
from moments.vod import Archive
from providers.http import open_http
from providers.twitch import Endpoints, Helix, TwitchApi, TwitchOAuth
from storage import Change, open_store
from storage.credentials import Vault
from tests.chat import EVENING, KEYS, Watch
from tests.fake_twitch.people import FakeUser
from tests.fake_twitch.server import FakeTwitch

TWITCH = Platform("twitch")
SCOPES = frozenset({"channel:bot", connecting.MARKERS, connecting.CLIPS})
DEFAULTS = Defaults(cooldown_seconds=0)


@dataclass
class Recorded:
    """One channel, nightowl's. No time passes unless `passes` says so, at Twitch neither."""

    twitch: FakeTwitch
    services: Services
    watch: Watch
    owl: FakeUser
    mirror: Mirror

    @property
    def place(self) -> Place:
        """Its chat."""
        return Place("twitch", self.owl.id, self.owl.display_name)

    async def connect(self, scopes: frozenset[str] = SCOPES) -> None:
        """Its streamer lets us in."""
        token, refresh = self.twitch.mint(self.owl, scopes)
        grant = Grant("twitch", self.owl.id, self.owl.login, token.value, refresh, scopes)
        await connecting.connect(self.services, grant, self.owl.display_name, self.owl.login, self.watch())

    async def hears(self, text: str, name: str = "nightowl", message_id: str | None = None) -> Reply | None:
        """The reply to a line; nightowl is the broadcaster, everybody else a viewer."""
        who = Author("twitch", self.owl.id if name == "nightowl" else f"id of {name}", name)
        role = Role.BROADCASTER if name == "nightowl" else Role.VIEWER
        heard = Heard(TWITCH, self.place, who, role, text, self.watch(), message_id)
        return await Dispatcher(self.services).hear(heard)

    async def says(self, text: str, name: str = "nightowl", message_id: str | None = None) -> str:
        """The reply's text, empty when nothing is said."""
        reply = await self.hears(text, name, message_id)
        return reply.text if reply else ""

    def passes(self, seconds: float) -> None:
        """Let time pass."""
        self.watch.now += timedelta(seconds=seconds)

    def archive(
        self, lasts: int, *, ago: float = 0, muted: Sequence[tuple[int, int]] = (), video_id: str | None = None
    ) -> str:
        """An archive that began so many seconds ago."""
        began = self.watch() - timedelta(seconds=ago)
        return self.twitch.archive(self.owl, "stream-1", began, lasts, muted, video_id=video_id)

    async def session(self) -> Session:
        """Its newest."""
        found = await self.services.store.newest_session(*self.place[:2])
        assert found is not None
        return found

    async def archives(self) -> tuple[Archive, ...]:
        """What the newest session's pages are given."""
        return await self.services.archives.of(self.services, await self.session())

    def asked(self, path: str, method: str = "GET") -> int:
        """How often Twitch was asked for something."""
        return sum((one.method, one.path) == (method, f"/helix/{path}") for one in self.twitch.requests)


@asynccontextmanager
async def recorded(database: Path) -> AsyncIterator[Recorded]:
    """A channel that was connected this evening, without a session."""
    watch, feed, mirror = Watch(EVENING.replace(microsecond=0)), Feed(), Mirror()

    def committed(changes: Sequence[Change]) -> None:
        feed.announce(changes)
        mirror.announce(changes)

    async with (
        FakeTwitch(clock=watch) as twitch,
        open_http([twitch.api_url]) as http,
        open_store(database, defaults=DEFAULTS, on_commit=committed) as store,
    ):
        endpoints = Endpoints(twitch.api_url, twitch.auth_url, twitch.eventsub_url)
        oauth = TwitchOAuth(http, endpoints, twitch.client_id, twitch.client_secret, watch)

        async def on_dead(user_id: str) -> None:
            await connecting.needs_authorisation(services, user_id, watch())

        helix = Helix(http, endpoints, oauth, StoredGrants(store, Vault(KEYS), watch, on_dead), watch)
        api = TwitchApi(oauth, helix, twitch.user("moments_bot").id)
        services = Services(store, feed, watch, DEFAULTS, "http://localhost:8080", KEYS, ("csv",), twitch=api)
        evening = Recorded(twitch, services, watch, twitch.user("nightowl"), mirror)
        await evening.connect()
        try:
            yield evening
        finally:
            await services.archives.close()
            await helix.settle()
