"""A site whose logins lead to a fake Twitch, and a browser, without eyes, to walk there and back."""

import re
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import aiohttp

from commands import connecting
from commands.credentials import StoredGrants
from commands.feed import Feed
from commands.services import Guilds, Services, utc_now
from moments.sessions import Defaults
from providers.discord import DiscordOAuth
from providers.http import open_http
from providers.twitch import Endpoints, Helix, TwitchApi, TwitchOAuth
from storage import open_store
from storage.credentials import Vault
from tests.chat import KEYS, Watch
from tests.fake_discord.people import FakeUser as DiscordUser
from tests.fake_discord.server import FakeDiscord
from tests.fake_twitch.server import FakeTwitch, FakeUser
from tests.process import free_port
from web_export.app import Site, make_app
from web_export.keys import SiteConfig
from web_export.limits import Limits

_TOKEN = re.compile(r'name="csrf" value="([0-9a-f]+)"')


@dataclass
class Answer:
    """What a browser was sent."""

    status: int
    text: str
    headers: Mapping[str, str]
    cookies: list[str]

    @property
    def location(self) -> str:
        """Where it is sent on to."""
        return self.headers["Location"]


@dataclass
class Somebody:
    """A browser with cookies of its own, which follows no redirect by itself."""

    http: aiohttp.ClientSession
    site: str
    public: str
    twitch: FakeTwitch
    cookies: dict[str, str] = field(default_factory=dict)

    async def ask(
        self, method: str, path: str, *, data: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request, with our cookies; a page, as a browser asks for one."""
        sent = {"Accept": "text/html", **(headers or {})}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        async with self.http.request(
            method, self.site + path, data=data, headers=sent, allow_redirects=False
        ) as answer:
            for name, morsel in answer.cookies.items():
                self.cookies[name] = morsel.value
                if not morsel.value:
                    del self.cookies[name]
            return Answer(answer.status, await answer.text(), answer.headers, answer.headers.getall("Set-Cookie", []))

    async def get(self, path: str, **headers: str) -> Answer:
        """A page."""
        return await self.ask("GET", path, headers=headers)

    async def press(self, path: str, *, on: str = "/me", **more: str) -> Answer:
        """A form's button on one of our pages."""
        found = _TOKEN.search((await self.get(on)).text)
        data = {"csrf": found[1] if found else "", **more}
        return await self.ask("POST", path, data=data, headers={"Sec-Fetch-Site": "same-origin"})

    async def agree(self, address: str, user: FakeUser | DiscordUser | None) -> str:
        """Press a button of the provider's page; the path it leads back to."""
        choice = user.id if user else ""
        async with self.http.get(f"{address}&fake_user={choice}", allow_redirects=False) as answer:
            assert answer.status == 302, await answer.text()
            parts = urlsplit(answer.headers["Location"])
            assert f"{parts.scheme}://{parts.netloc}" == self.public
            return f"{parts.path}?{parts.query}"

    async def leave(self, path: str, *, pressing: bool = False) -> str:
        """The provider's address, by a link that redirects or a page that leads on; or by a button of one's page."""
        answer = await (self.press(path) if pressing else self.get(path))
        if answer.status == 200:
            return re.search(r'content="0; url=([^"]+)"', answer.text)[1].replace("&amp;", "&")  # type: ignore[index]
        assert answer.status == 303, answer.text
        return answer.location

    async def log_in(self, user: FakeUser | DiscordUser, start: str = "/login/twitch") -> Answer:
        """All the way there and back."""
        return await self.get(await self.agree(await self.leave(start), user))

    async def link(self, user: FakeUser | DiscordUser, provider: str) -> Answer:
        """The same for another account of one's own."""
        return await self.get(await self.agree(await self.leave(f"/me/link/{provider}", pressing=True), user))

    async def connect(self, user: FakeUser, query: str = "") -> Answer:
        """The same for a streamer's channel."""
        return await self.log_in(user, f"/twitch/connect/start{query}")


@dataclass
class Town:
    """The site, the store behind it, and Twitch."""

    services: Services
    site: Site
    twitch: FakeTwitch
    watch: Watch
    http: aiohttp.ClientSession
    states: dict[str, dict[str, str]]
    path: Path
    origin: str

    def somebody(self) -> Somebody:
        """Another browser."""
        return Somebody(self.http, self.origin, self.services.public_url, self.twitch)

    @property
    def api(self) -> TwitchApi:
        assert self.services.twitch
        return self.services.twitch

    def passes(self, **length: float) -> None:
        """Let time pass, here and on Twitch."""
        self.watch.now += timedelta(**length)


@asynccontextmanager
async def open_town(
    folder: Path,
    *,
    twitch: bool = True,
    limits: Limits | None = None,
    public_url: str = "",
    discord: FakeDiscord | None = None,
    guilds: Guilds | None = None,
) -> AsyncIterator[Town]:
    """A site on a free port of 127.0.0.1, its store in `folder`, over a Twitch with the account `moments_bot`.

    With a `discord` one logs in there, too; with `guilds` it is known who may what in its servers.
    """
    watch, feed, path, states = Watch(utc_now()), Feed(), folder / "moments.db", {"twitch": {"state": "ready"}}
    origin = f"http://127.0.0.1:{free_port()}"
    public = public_url or origin
    async with (
        FakeTwitch(clock=watch) as fake,
        open_http([fake.api_url, *([discord.api_url] if discord else [])]) as http,
        open_store(path, defaults=Defaults(), on_commit=feed.announce) as store,
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client,
    ):
        walks = ("/login/twitch", "/twitch/connect", "/me/link/twitch")
        fake.redirect_uris.update(f"{public}{at}/callback" for at in walks)
        endpoints = Endpoints(fake.api_url, fake.auth_url, fake.eventsub_url)
        oauth = TwitchOAuth(http, endpoints, fake.client_id, fake.client_secret, watch)

        async def dead(user_id: str) -> None:
            await connecting.needs_authorisation(services, user_id, watch())

        grants = StoredGrants(store, Vault(KEYS), watch, dead)
        api = TwitchApi(oauth, Helix(http, endpoints, oauth, grants, watch), fake.user("moments_bot").id)
        services = Services(store, feed, watch, Defaults(), public, KEYS, ("csv",), api if twitch else None)
        if discord is not None:
            discord.oauth.redirect_uris.update(f"{public}{at}/discord/callback" for at in ("/login", "/me/link"))
            login = DiscordOAuth(http, discord.api_url, discord.application_id, discord.client_secret)
            services = replace(services, discord_login=login)
        services = replace(services, guilds=guilds)
        config = SiteConfig("127.0.0.1", int(origin.rpartition(":")[2]), platforms=lambda: states)
        site = Site(services, config, app=make_app(services, config, limits=limits))
        await site.start()
        try:
            yield Town(services, site, fake, watch, client, states, path, origin)
        finally:
            await site.close()
            await api.helix.settle()


def state_of(address: str) -> str:
    """The `state` in an address."""
    return dict(parse_qsl(urlsplit(address).query))["state"]


def dump(path: Path) -> list[str]:
    """Everything in the store but the attempts to log in, which a GET may begin (AUTH-6)."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        return [line for line in database.iterdump() if not line.startswith('INSERT INTO "login_attempt"')]


def rows(path: Path, table: str) -> list[tuple[object, ...]]:
    """A table as it is on disk."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        return list(database.execute(f"SELECT * FROM {table}"))  # noqa: S608 -- a test's own word
