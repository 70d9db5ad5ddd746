"""Apple Music, by the iTunes lookup and search: without a key, some twenty requests a minute."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from providers.address import Link
from providers.catalogue.budget import Budget, Pace
from providers.catalogue.client import Client, Missing, Said
from providers.catalogue.facts import Absent, Availability, Kind, MediaFacts, expiry
from providers.catalogue.setup import Catalogue, Setup
from providers.catalogue.shapes import Malformed, Row, identifier, length, line, parts, words
from providers.http import Answer

API_URL = "https://itunes.apple.com"
MINUTE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class AppleMusic:
    """The shops of some countries: what one does not sell, the next may."""

    client: Client
    shops: Sequence[str]

    async def look_up(self, link: Link, *, now: datetime) -> MediaFacts:
        """What the first shop that has it says; raises Missing, gone when none has."""
        closed: list[str] = []
        for shop in self.shops:
            query = {"id": link.media_id, "country": shop}
            for song in await self._songs("/lookup", query, now):
                if song.media_id != link.media_id:
                    raise Missing(Absent(Kind.UNREADABLE, "GET /lookup: 200, it is about another song"))
                return replace(song, availability=Availability(regions_blocked=tuple(sorted(closed))))
            closed.append(shop.upper())
        raise Missing(Absent(Kind.GONE, "GET /lookup: 200"))

    async def search(self, title: str, by: str, *, now: datetime) -> list[MediaFacts]:
        """Songs that may be this one; raises Missing."""
        words = f"{by} {title}".strip()
        query = {"term": words, "media": "music", "entity": "song", "limit": "10", "country": self.shops[0]}
        return await self._songs("/search", query, now)

    async def _songs(self, path: str, query: dict[str, str], now: datetime) -> list[MediaFacts]:
        return await self.client.read(path, lambda row: _songs(row, now), now=now, params=query)


def _songs(row: Row, now: datetime) -> list[MediaFacts]:
    if not isinstance(row.get("results"), list):
        raise Malformed("results is not a list of objects")
    return [_song(each, now) for each in parts(row, "results") if line(each, "wrapperType") == "track"]


def _song(row: Row, now: datetime) -> MediaFacts:
    return MediaFacts(
        provider="apple_music",
        media_id=identifier(row, "trackId"),
        title=words(row, "trackName"),
        by=words(row, "artistName"),
        duration_seconds=length(row, "trackTimeMillis", 1_000),
        isrc=None,
        availability=Availability(),
        fetched_at=now,
        expires_at=expiry("apple_music", now),
    )


def _judge(answer: Answer, now: datetime) -> Said | None:
    # Over the limit Apple answers 403, and says nothing of when again.
    return Said(Kind.BUSY, seconds=MINUTE_SECONDS) if answer.status == 403 else None


def _open(setup: Setup) -> AppleMusic:
    budget = Budget(setup.clock, Pace(20, MINUTE_SECONDS, setup.clock))
    return AppleMusic(setup.client("apple_music", API_URL, budget, _judge), setup.shops)


CATALOGUE = Catalogue("apple_music", (API_URL,), _open)
