"""The catalogues in front of a local server: bodies as the services sent them, and a clock that tests turn."""

import asyncio
from pathlib import Path
from typing import Any

import orjson

from providers.address import Link
from providers.catalogue import CATALOGUES, Absent, Catalogues, Clock, Keys, MediaFacts, Setup, user_agent
from providers.http import Http
from providers.links import recognise
from tests.providers.conftest import NOW
from tests.providers.service import Handler, Service, says

USER_AGENT = user_agent("1.2.3", "https://moments.example.org/contact")
YOUTUBE_KEY = "canary-youtube-key"
SPOTIFY_ID, SPOTIFY_SECRET = "canary-spotify-id", "canary-spotify-secret"
WITH_KEY = Keys(youtube=YOUTUBE_KEY)
WITH_SPOTIFY = Keys(spotify_id=SPOTIFY_ID, spotify_secret=SPOTIFY_SECRET)

URLS = {
    "apple_music": "https://music.apple.com/us/album/monday/1574210519?i=1574210894",
    "dailymotion": "https://www.dailymotion.com/video/xy0wd",
    "deezer": "https://www.deezer.com/track/3135556",
    "musicbrainz": "https://musicbrainz.org/recording/cb2cc207-8125-445c-9ef9-6ea44eee959a",
    "soundcloud": "https://soundcloud.com/zedsdead/zeds-dead-twin-shadow-lost-you-feat-dangelo-lacy",
    "tiktok": "https://www.tiktok.com/@a3noticias/video/6806030056956251397",
    "vimeo": "https://vimeo.com/235352744",
    "youtube": "https://youtu.be/eiHXASgRTcA",
    "spotify": "https://open.spotify.com/track/02WuyBR56QN3B6ZC0BeC3f",
}
"""A link of each, to what its recorded body speaks of."""
PATHS = {
    "apple_music": "/lookup",
    "dailymotion": "/services/oembed",
    "deezer": "/track/3135556",
    "musicbrainz": "/ws/2/recording/cb2cc207-8125-445c-9ef9-6ea44eee959a",
    "soundcloud": "/oembed",
    "tiktok": "/oembed",
    "vimeo": "/api/oembed.json",
    "youtube": "/oembed",
    "youtube with a key": "/youtube/v3/videos",
}
"""Where each is asked about its link."""
BODIES = {
    "apple_music": "itunes/lookup_song",
    "dailymotion": "oembed/dailymotion",
    "deezer": "deezer/track_3135556_2019",
    "musicbrainz": "musicbrainz/recording",
    "soundcloud": "oembed/soundcloud_2",
    "tiktok": "oembed/tiktok",
    "vimeo": "oembed/vimeo_2",
    "youtube": "oembed/youtube_2",
}
"""What each answered, recorded."""


class TurnedClock:
    """Time that passes only when somebody waits for it, or a test turns it."""

    def __init__(self) -> None:
        self.seconds = 1_000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds
        await asyncio.sleep(0)

    @property
    def clock(self) -> Clock:
        return Clock(self.monotonic, self.sleep)


def recorded(shared_data: Path, name: str) -> Any:  # noqa: ANN401 -- whatever the service sent
    """A body of shared/data/providers."""
    return orjson.loads((shared_data / "providers" / f"{name}.json").read_bytes())


def setup(http: Http, service: Service, clock: TurnedClock | None = None, **more: Any) -> Setup:  # noqa: ANN401
    """Every provider is this server."""
    overrides = {each.provider: service.url for each in CATALOGUES} | {"spotify": service.url}
    return Setup(http, USER_AGENT, overrides=overrides, clock=(clock or TurnedClock()).clock, **more)


def catalogues(http: Http, service: Service, clock: TurnedClock | None = None, **more: Any) -> Catalogues:  # noqa: ANN401
    return Catalogues(setup(http, service, clock, **more))


def link(url: str) -> Link:
    found = recognise(url)
    assert isinstance(found, Link)
    return found


def keys_of(name: str) -> Keys:
    return WITH_KEY if name.endswith("with a key") else Keys()


async def told(
    http: Http,
    service: Service,
    name: str,
    *answers: Handler,
    **more: Any,  # noqa: ANN401
) -> MediaFacts | Absent:
    """What becomes of its link when this provider (a name of PATHS) answers so."""
    service.plan("GET", PATHS[name], *answers)
    made = catalogues(http, service, keys=keys_of(name), **more)
    return await made.look_up(link(URLS[name.partition(" ")[0]]), now=NOW)


async def facts_of(http: Http, service: Service, url: str, path: str, body: object, **more: Any) -> MediaFacts:  # noqa: ANN401
    """The facts of this link when its provider answers with this body."""
    service.plan("GET", path, says(200, body))
    found = await catalogues(http, service, **more).look_up(link(url), now=NOW)
    assert isinstance(found, MediaFacts), found
    return found


async def absence_of(
    http: Http,
    service: Service,
    url: str,
    path: str,
    answer: Handler,
    **more: Any,  # noqa: ANN401
) -> Absent:
    """Why there are no facts of this link when its provider answers so."""
    service.plan("GET", path, answer)
    found = await catalogues(http, service, **more).look_up(link(url), now=NOW)
    assert isinstance(found, Absent), found
    return found
