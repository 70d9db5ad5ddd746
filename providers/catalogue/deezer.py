"""Deezer, without a key: tracks, their ISRCs, and a search for candidates."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from providers.address import Link
from providers.catalogue.budget import Budget, Pace
from providers.catalogue.client import Client, Missing, Said
from providers.catalogue.facts import Absent, Availability, Kind, MediaFacts, expiry
from providers.catalogue.setup import Catalogue, Setup
from providers.catalogue.shapes import (
    Malformed,
    Row,
    cleaned,
    identifier,
    isrc,
    length,
    line,
    part,
    parts,
    regions,
    words,
)
from providers.http import Answer

API_URL = "https://api.deezer.com"
REQUESTS = 50
WINDOW_SECONDS = 5.0

# Their own codes, which mostly come with status 200 (R12).
_CODES = {4: Said(Kind.BUSY, "QUOTA", WINDOW_SECONDS), 700: Said(Kind.BUSY, "SERVICE_BUSY"), 800: Said(Kind.GONE)}


@dataclass(frozen=True, slots=True)
class Deezer:
    """What Deezer says of its tracks."""

    client: Client

    async def look_up(self, link: Link, *, now: datetime) -> MediaFacts:
        """What it says of this; raises Missing."""
        path = f"/track/{quote(link.media_id, safe='')}"
        facts = await self.client.read(path, lambda row: _track(row, now), now=now)
        if facts.media_id != link.media_id:
            raise Missing(Absent(Kind.UNREADABLE, f"GET {path}: 200, it is about another track"))
        return facts

    async def by_isrc(self, code: str, *, now: datetime) -> list[MediaFacts]:
        """The track Deezer has under this ISRC, if any; raises Missing."""
        try:
            facts = await self.client.read(f"/track/isrc:{code}", lambda row: _track(row, now), now=now)
        except Missing as missing:
            if missing.absent.kind is Kind.GONE:
                return []
            raise
        return [facts] if facts.isrc == code else []

    async def search(self, title: str, by: str, *, now: datetime) -> list[MediaFacts]:
        """Tracks that may be this one; raises Missing."""
        query = {"q": f"{by} {title}".strip(), "limit": "10"}
        return await self.client.read("/search", lambda row: _tracks(row, now), now=now, params=query)


def _tracks(row: Row, now: datetime) -> list[MediaFacts]:
    if not isinstance(row.get("data"), list):
        raise Malformed("data is not a list of objects")
    return [_track(each, now) for each in parts(row, "data")]


def _track(row: Row, now: datetime) -> MediaFacts:
    people = [line(each, "name") for each in parts(row, "contributors")] or [line(part(row, "artist"), "name")]
    names = dict.fromkeys(name for name in people if name)
    return MediaFacts(
        provider="deezer",
        media_id=identifier(row, "id"),
        title=words(row, "title"),
        by=cleaned(", ".join(names)),
        duration_seconds=length(row, "duration"),
        isrc=isrc(line(row, "isrc")),
        # `readable` is about the country our server stands in: nothing that a viewer elsewhere should hear of.
        availability=Availability(embeddable=True, regions_allowed=regions(row, "available_countries")),
        fetched_at=now,
        expires_at=expiry("deezer", now),
    )


def _judge(answer: Answer, now: datetime) -> Said | None:
    error = answer.json.get("error") if isinstance(answer.json, dict) else None
    if not error:
        return None
    code = error.get("code") if isinstance(error, dict) else None
    if type(code) is int and code in _CODES:
        return _CODES[code]
    return Said(Kind.REFUSED, str(code) if type(code) is int else "")


def _open(setup: Setup) -> Deezer:
    budget = Budget(setup.clock, Pace(REQUESTS, WINDOW_SECONDS, setup.clock))
    return Deezer(setup.client("deezer", API_URL, budget, _judge))


CATALOGUE = Catalogue("deezer", (API_URL,), _open)
