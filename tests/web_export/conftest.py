"""A real site on a real socket over a real store, for tests that speak HTTP."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from commands.dispatch import Dispatcher
from commands.feed import Feed
from commands.model import Heard, Platform
from commands.services import Services, utc_now
from moments.live import Author, Place
from moments.people import Role
from moments.sessions import Defaults
from storage import open_store
from storage.keys import secret_keys
from web_export.app import Site, make_app
from web_export.hardening import Patience
from web_export.keys import SiteConfig
from web_export.limits import Limits

StartSite = Callable[..., Awaitable[Site]]
PUBLIC_URL = "https://moments.example"


@dataclass(frozen=True)
class Chat:
    """Type into a channel's chat, as anybody."""

    services: Services

    async def says(self, text: str, name: str = "ann", channel: str = "riverdeer", back: int = 0) -> str:
        """One line and its reply; `back` seconds ago."""
        instant = utc_now() - timedelta(seconds=back)
        role = Role.BROADCASTER if name == channel else Role.VIEWER
        heard = Heard(
            Platform("console"), Place("console", channel, channel), Author("console", name, name), role, text, instant
        )
        reply = await Dispatcher(self.services).hear(heard)
        return reply.text if reply else ""


@pytest.fixture
async def services(tmp_path: Path) -> AsyncIterator[Services]:
    """A store with a public session of 25 marks, and a private channel's session named `hidden`."""
    path = tmp_path / "moments.db"
    keys = secret_keys([], path)
    async with open_store(path, defaults=Defaults()) as store:
        services = Services(store, Feed(), utc_now, Defaults(), PUBLIC_URL, keys)
        chat = Chat(services)
        await chat.says("!start Hidden evening", name="hidden", channel="hidden")
        await chat.says("!clip a secret", channel="hidden")
        with sqlite3.connect(path) as database:
            database.execute("UPDATE channel SET visibility = 'private' WHERE platform_id = 'hidden'")
        database.close()
        await chat.says("!start The long way down | Celeste", name="riverdeer")
        for number in range(25):
            await chat.says(f"!clip moment {number}", name=f"viewer{number}")
        yield services


@pytest.fixture
def chat(services: Services) -> Chat:
    return Chat(services)


@pytest.fixture
async def start_site(services: Services) -> AsyncIterator[StartSite]:
    """Starts sites on free ports, with the given patience, limits and configuration; they end with the test."""
    async with AsyncExitStack() as stack:

        async def start(
            patience: Patience | None = None,
            limits: Limits | None = None,
            extra_routes: Sequence[web.RouteDef] = (),
            public_url: str = PUBLIC_URL,
            **config: object,
        ) -> Site:
            settings = SiteConfig(**{"host": "127.0.0.1", "port": 0, **config})  # type: ignore[arg-type]
            app = make_app(replace(services, public_url=public_url), settings, limits=limits)
            app.add_routes(extra_routes)
            site = Site(services, settings, app=app, patience=patience)
            await site.start()
            stack.push_async_callback(site.close)
            return site

        yield start


@pytest.fixture
async def site(start_site: StartSite) -> Site:
    return await start_site()


@pytest.fixture
async def http(site: Site) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of `site`; it keeps bodies as they come, so that tests see what was sent."""
    async with aiohttp.ClientSession(f"http://127.0.0.1:{site.port}") as client:
        yield client


@pytest.fixture
def raw() -> Callable[[int, bytes], Awaitable[bytes]]:
    """Send bytes to a port and read until the other side closes."""

    async def ask(port: int, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        try:
            return await reader.read()
        finally:
            writer.close()

    return ask
