"""What the services' official APIs say of a song or a video (R10): facts that expire, or why there are none.

One file per service; adding one is adding a file and a line in CATALOGUES. Services without an official API that tells
(Kick, Bandcamp) have none, and their moments are links.
"""

import asyncio
from collections.abc import Awaitable, Iterable, Mapping
from datetime import datetime
from typing import NamedTuple, TypeVar

from providers.address import Link
from providers.catalogue import (
    apple_music,
    dailymotion,
    deezer,
    musicbrainz,
    soundcloud,
    spotify,
    tiktok,
    twitch,
    vimeo,
    youtube,
)
from providers.catalogue.apple_music import AppleMusic
from providers.catalogue.budget import Clock, Spent
from providers.catalogue.client import Missing
from providers.catalogue.deezer import Deezer
from providers.catalogue.facts import (
    Absent,
    Availability,
    Kind,
    MediaFacts,
    QuarantinedFacts,
    expiry,
    may_embed,
    why_link_only,
)
from providers.catalogue.musicbrainz import MusicBrainz
from providers.catalogue.setup import Keys, Setup, Source, user_agent
from providers.catalogue.shapes import isrc as clean_isrc

__all__ = [
    "CATALOGUES",
    "Absent",
    "Availability",
    "Candidates",
    "Catalogues",
    "Clock",
    "Keys",
    "Kind",
    "MediaFacts",
    "QuarantinedFacts",
    "Setup",
    "Spent",
    "expiry",
    "hosts",
    "may_embed",
    "user_agent",
    "why_link_only",
]

CATALOGUES = (
    apple_music.CATALOGUE,
    dailymotion.CATALOGUE,
    deezer.CATALOGUE,
    musicbrainz.CATALOGUE,
    soundcloud.CATALOGUE,
    tiktok.CATALOGUE,
    twitch.CATALOGUE,
    vimeo.CATALOGUE,
    youtube.CATALOGUE,
)
"""Spotify is not among them: what it says is no MediaFacts."""

ANOTHER_SECONDS = 30
"""Further apart, two lengths are not even two versions of one song (design.md §8, Same track)."""
_WORDS_LENGTH = 150
"""Characters of a title, and of its artists, that go into a search."""

T = TypeVar("T")


class Candidates(NamedTuple):
    """What may be the same recording, and who could not be asked."""

    found: list[MediaFacts]
    missing: list[Absent]
    """When one of them `passes`, asking again later may find more."""


class Catalogues:
    """All the services' APIs, once for the whole process: their budgets are in here.

    Nothing here raises for what a provider does. A look-up may wait for its provider's pace: keep it in the background.
    """

    def __init__(self, setup: Setup) -> None:
        opened = ((each.provider, each.open(setup)) for each in CATALOGUES)
        self._sources: dict[str, Source] = {provider: source for provider, source in opened if source is not None}
        self._apple = _as(AppleMusic, self._sources["apple_music"])
        self._deezer = _as(Deezer, self._sources["deezer"])
        self._musicbrainz = _as(MusicBrainz, self._sources["musicbrainz"])
        self._spotify = spotify.open_spotify(setup)

    async def look_up(self, link: Link, *, now: datetime) -> MediaFacts | Absent:
        """What its service says of this. Never Spotify: see `quarantined`."""
        source = self._sources.get(link.provider)
        return Absent(Kind.UNSUPPORTED) if source is None else await _told(source.look_up(link, now=now))

    async def quarantined(self, link: Link, *, now: datetime) -> QuarantinedFacts | Absent:
        """What Spotify says of this, for Spotify's own card (R6)."""
        if self._spotify is None or link.provider != "spotify":
            return Absent(Kind.UNSUPPORTED)
        return await _told(self._spotify.look_up(link, now=now))

    async def candidates(
        self, title: str, by: str, duration_seconds: int | None, *, now: datetime, isrc: str | None = None
    ) -> Candidates:
        """What may be the same song elsewhere, in no order: after its ISRC, and after title, artist and length.

        Never from Spotify (R6); MusicBrainz by ISRC only. Nothing here is judged: that is for moments.matching.
        """
        asked = [*self._by_isrc(isrc, now), *self._searches(title[:_WORDS_LENGTH], by[:_WORDS_LENGTH], now)]
        everything = await _all_told(asked)
        near = {(each.provider, each.media_id): each for each in everything.found if _near(each, duration_seconds)}
        return Candidates(list(near.values()), everything.missing)

    async def recordings(self, link: Link, *, now: datetime, isrc: str | None = None) -> Candidates:
        """The MusicBrainz recordings behind a link, and behind its ISRC; their `links` say where else they are.

        Several are no proof of anything: leave those to a person. Nothing for a Spotify link's ISRC (R6).
        """
        brainz = self._musicbrainz
        asked = [brainz.by_url(link, now=now)]
        code = clean_isrc(isrc or "") if link.provider != "spotify" else None
        if code:
            asked.append(brainz.by_isrc(code, now=now))
        everything = await _all_told(asked)
        return Candidates(list({each.media_id: each for each in everything.found}.values()), everything.missing)

    def _by_isrc(self, isrc: str | None, now: datetime) -> list[Awaitable[list[MediaFacts]]]:
        code = clean_isrc(isrc or "")
        return [self._deezer.by_isrc(code, now=now), self._musicbrainz.by_isrc(code, now=now)] if code else []

    def _searches(self, title: str, by: str, now: datetime) -> list[Awaitable[list[MediaFacts]]]:
        if not title.strip():
            return []
        return [self._deezer.search(title, by, now=now), self._apple.search(title, by, now=now)]


def hosts(overrides: Mapping[str, str]) -> list[str]:
    """The base URLs `open_http` must let through: each service's own, or the operator's instead."""
    bases = [(each.provider, each.bases) for each in CATALOGUES if each.bases] + [("spotify", spotify.BASES)]
    return [base for provider, own in bases for base in ([overrides[provider]] if provider in overrides else own)]


def _near(facts: MediaFacts, duration_seconds: int | None) -> bool:
    if duration_seconds is None or facts.duration_seconds is None:
        return True
    return abs(facts.duration_seconds - duration_seconds) <= ANOTHER_SECONDS


def _as(kind: type[T], source: Source) -> T:
    if not isinstance(source, kind):
        raise TypeError(f"{kind.__name__} is not in the table")
    return source


async def _told(asked: Awaitable[T]) -> T | Absent:
    try:
        return await asked
    except Missing as missing:
        return missing.absent


async def _all_told(asked: Iterable[Awaitable[list[MediaFacts]]]) -> Candidates:
    everything = Candidates([], [])
    for told in await asyncio.gather(*map(_told, asked)):
        if isinstance(told, Absent):
            everything.missing.append(told)
        else:
            everything.found.extend(told)
    return everything
