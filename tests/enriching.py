"""People who save, a server that is every service, and the enricher between them; time stands still until told."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from commands.enrich import Enricher, SpentUnits, load_spent
from commands.feed import Feed
from commands.services import Services
from moments.live import Author
from providers.catalogue import Clock, Keys
from providers.http import open_http
from storage import Store, Transaction, open_store, popularity, saves, sources, tracks
from storage.saves import Saved, SaveRequest
from storage.sources import Told
from storage.tracks import Track
from tests.chat import DEFAULTS, KEYS, Watch
from tests.providers.catalogue_server import WITH_KEY, catalogues, link
from tests.providers.service import Handler, Service, running, says

NOW = datetime(2026, 11, 20, 20, 0, tzinfo=UTC)
YOUTUBE, DEEZER, APPLE = (
    "https://youtu.be/GGhKPm18E48",
    "https://www.deezer.com/track/3135556",
    "https://music.apple.com/us/album/x/697194953?i=697195462",
)
SPOTIFY = "https://open.spotify.com/track/5W3cjX2J3tjhG8zb6u0qHn"
MBID = "cb2cc207-8125-445c-9ef9-6ea44eee959a"
MUSICBRAINZ = f"https://musicbrainz.org/recording/{MBID}"
ISRC = "GBDUW0000059"


class HeldClock:
    """Pauses that end when the test says so."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self._turned = asyncio.Event()

    @property
    def clock(self) -> Clock:
        return Clock(lambda: 0.0, self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await self._turned.wait()

    async def turn(self) -> None:
        """Every pause there is ends now."""
        self._turned.set()
        self._turned = asyncio.Event()
        for _ in range(5):
            await asyncio.sleep(0)


@dataclass
class World:
    store: Store
    service: Service
    services: Services
    enricher: Enricher
    watch: Watch
    held: HeldClock
    running: list[asyncio.Task[None]] = field(default_factory=list)

    async def save(self, who: str, url: str, start: int = 45, end: int = 60, *, want: bool = True) -> Saved:
        """Somebody saves a part, as commands do it."""
        thing = link(url)
        author = Author("twitch", who.lower(), who)
        named = (thing.provider, thing.media_id, thing.kind)
        request = SaveRequest(author, *named, start, end, self.watch.now, note=f"{who} was here", url=url)

        async def job(transaction: Transaction) -> Saved:
            return await saves.save(transaction, request)

        saved = await self.store.run(job, message=None, now=self.watch.now)
        if want:
            self.enricher.wanted(thing)
        return saved

    async def saves(self, *who_and_url: tuple[str, str]) -> None:
        """One after the other, each looked up to the end."""
        for who, url in who_and_url:
            await self.save(who, url)
            await self.settle()

    def start(self) -> asyncio.Task[None]:
        """Let the enricher run."""
        self.running.append(asyncio.create_task(self.enricher.run(self.services)))
        return self.running[-1]

    async def settle(self) -> None:
        async with asyncio.timeout(20):
            await self.enricher.settle()

    async def told(self, url: str) -> Told | None:
        thing = link(url)
        return await sources.find(self.store, thing.provider, thing.media_id, self.watch.now)

    async def track(self, url: str) -> Track:
        thing = link(url)
        found = await tracks.of_source(self.store, thing.provider, thing.media_id)
        assert found is not None
        return found

    async def people(self, url: str, start: int = 45, end: int = 60) -> int:
        """What its page says."""
        thing = link(url)
        found = await popularity.saved_by(self.store, thing.provider, thing.media_id, start, end)
        return found.people if found else 0

    async def rows(self, table: str) -> list[Any]:
        return await self.store.fetch(f"SELECT * FROM {table}")  # noqa: S608 -- names of our own

    async def everything(self) -> str:
        """Every row of every table, as text."""
        names = await self.store.fetch("SELECT name FROM sqlite_master WHERE type = 'table'")
        return repr([await self.rows(name) for (name,) in names])


@asynccontextmanager
async def open_world(path: Path, keys: Keys = WITH_KEY, *, start: bool = True) -> AsyncIterator[World]:
    """The store at `path`, a server for all services, and an enricher that runs."""
    held, watch, units = HeldClock(), Watch(NOW), SpentUnits()
    async with running() as service, open_http([service.url]) as http, open_store(path, defaults=DEFAULTS) as store:
        spent = await load_spent(store)
        made = catalogues(http, service, keys=keys, youtube_spent=spent, on_youtube_spent=units.note)
        services = Services(store, Feed(), watch, DEFAULTS, "https://moments.example.org", KEYS)
        world = World(store, service, services, Enricher(made, units, held.clock), watch, held)
        if start:
            world.start()
        try:
            yield world
        finally:
            for task in world.running:
                task.cancel()
            await asyncio.gather(*world.running, return_exceptions=True)


# --- what services say of one song. Synthetic, in the shapes of the recorded bodies.

TITLE, ARTIST, SECONDS = "Harder Better Faster Stronger", "Daft Punk", 224


def deezer_track(number: int = 3135556, seconds: int = SECONDS, **more: object) -> dict[str, object]:
    artist = {"name": ARTIST}
    return {"id": number, "title": TITLE, "duration": seconds, "isrc": ISRC, "artist": artist} | more


def apple_song(number: int = 697195462, seconds: int = SECONDS, title: str = TITLE) -> dict[str, object]:
    named = {"wrapperType": "track", "trackId": number, "trackName": title, "artistName": ARTIST}
    return named | {"trackTimeMillis": seconds * 1_000}


def youtube_video(
    video: str = "GGhKPm18E48", seconds: int = SECONDS, title: str = f"{ARTIST} - {TITLE} (Official Audio)"
) -> dict[str, object]:
    minutes, left = divmod(seconds, 60)
    return {
        "id": video,
        "snippet": {"title": title, "channelTitle": ARTIST, "liveBroadcastContent": "none"},
        "contentDetails": {"duration": f"PT{minutes}M{left}S"},
        "status": {"privacyStatus": "public", "uploadStatus": "processed", "embeddable": True},
    }


def recording(*links: str, seconds: int = SECONDS, mbid: str = MBID) -> dict[str, object]:
    stream = {"type": "free streaming", "target-type": "url", "ended": False}
    credit = [{"name": ARTIST, "joinphrase": ""}]
    return {
        "id": mbid,
        "title": TITLE,
        "length": seconds * 1_000,
        "artist-credit": credit,
        "isrcs": [ISRC],
        "relations": [{**stream, "url": {"resource": url}} for url in links],
    }


def by(parameter: str, answers: Mapping[str, object], otherwise: Handler | None = None) -> Handler:
    """The body for what a parameter of the query names."""

    async def handler(request: web.Request) -> web.StreamResponse:
        body = answers.get(request.query.get(parameter, ""))
        return await (says(200, body) if body is not None else otherwise or says(404))(request)

    return handler


def searches(deezer: Sequence[object] = (), apple: Sequence[object] = ()) -> Handler:
    """Deezer's and Apple's searches have one path on two hosts, which are one here."""

    async def handler(request: web.Request) -> web.StreamResponse:
        body = {"data": list(deezer)} if "q" in request.query else {"results": list(apple)}
        return await says(200, body)(request)

    return handler


def plan_song(service: Service, deezer_seconds: int = SECONDS, apple_seconds: int = SECONDS) -> None:
    """All of YouTube, Deezer and Apple have the song; MusicBrainz knows of none of it."""
    deezer, apple = deezer_track(seconds=deezer_seconds), apple_song(seconds=apple_seconds)
    service.plan("GET", "/youtube/v3/videos", by("id", {"GGhKPm18E48": {"items": [youtube_video()]}}))
    service.plan("GET", "/track/3135556", says(200, deezer))
    service.plan("GET", f"/track/isrc:{ISRC}", says(200, deezer))
    service.plan("GET", "/lookup", by("id", {"697195462": {"results": [apple]}}))
    service.plan("GET", "/search", searches([deezer], [apple]))


def plan_recording(service: Service, body: dict[str, object], *urls: str) -> None:
    """MusicBrainz has a recording behind these links."""
    behind = {"type": "free streaming", "target-type": "recording", "ended": False, "recording": body}
    pages = {url: {"relations": [behind]} for url in urls}
    service.plan("GET", "/ws/2/url", by("resource", pages))
    service.plan("GET", f"/ws/2/recording/{body['id']}", says(200, body))
