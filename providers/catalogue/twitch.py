"""Twitch's VODs and clips, through the one Helix client there is."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from moments.errors import NotAuthorised, ProviderBusy, ProviderDown, ProviderError, ProviderRefused
from providers.address import Link
from providers.catalogue.client import Missing
from providers.catalogue.facts import Absent, Availability, Kind, Live, MediaFacts, expiry
from providers.catalogue.setup import Catalogue, Setup
from providers.catalogue.shapes import cleaned, length, line, plausible
from providers.twitch import shapes
from providers.twitch.helix import Helix

GROWING = timedelta(minutes=10)
"""An archive that ends so short ago may still be growing: its length would refuse what comes next."""


@dataclass(frozen=True, slots=True)
class Twitch:
    """What Helix says of a VOD or a clip."""

    helix: Helix

    async def look_up(self, link: Link, *, now: datetime) -> MediaFacts:
        """What it says of this; raises Missing."""
        path = "/clips" if link.kind == "clip" else "/videos"
        try:
            found = await self.helix.by_id(path, [link.media_id], _named)
            facts = [_facts(row, path, now) for row in found]
        except ProviderError as error:
            absent = _absent(error, now)
        except shapes.Malformed as error:
            absent = Absent(Kind.UNREADABLE, f"GET /helix{path}: 200, {error}")
        else:
            return _the_one(facts, link.media_id, path)
        raise Missing(absent)


def _named(row: shapes.Row) -> shapes.Row:
    shapes.identifier(row, "id")
    return row


def _the_one(facts: list[MediaFacts], media_id: str, path: str) -> MediaFacts:
    said = f"GET /helix{path}: 200"
    if not facts:
        raise Missing(Absent(Kind.GONE, said))
    if len(facts) != 1 or facts[0].media_id != media_id:
        raise Missing(Absent(Kind.UNREADABLE, f"{said}, it is about another one"))
    return facts[0]


def _facts(row: shapes.Row, path: str, now: datetime) -> MediaFacts:
    if row.get("viewable") == "private":
        raise Missing(Absent(Kind.PRIVATE, f"GET /helix{path}: 200"))
    live: Live = "live" if path == "/videos" and _grows(row, now) else "no"
    return MediaFacts(
        provider="twitch",
        media_id=shapes.identifier(row, "id"),
        title=cleaned(shapes.text(row, "title")),
        by=cleaned(line(row, "user_name" if path == "/videos" else "broadcaster_name")),
        duration_seconds=None if live == "live" else _seconds(row, path),
        isrc=None,
        # Nothing in these bodies says "mature" or "subscribers only": Twitch's own player asks.
        availability=Availability(embeddable=True, live=live),
        fetched_at=now,
        expires_at=expiry("twitch", now, live),
    )


def _seconds(row: shapes.Row, path: str) -> int | None:
    return plausible(shapes.duration(row, "duration")) if path == "/videos" else length(row, "duration")


def _grows(row: shapes.Row, now: datetime) -> bool:
    ended = shapes.instant(row, "created_at") + timedelta(seconds=shapes.duration(row, "duration"))
    return row.get("type") == "archive" and now - ended < GROWING


def _absent(error: ProviderError, now: datetime) -> Absent:
    if isinstance(error, ProviderBusy):
        return Absent(Kind.BUSY, str(error), now + timedelta(seconds=error.retry_after))
    if isinstance(error, ProviderRefused) and error.status == 404:
        return Absent(Kind.GONE, str(error))
    if isinstance(error, ProviderRefused | NotAuthorised):
        return Absent(Kind.REFUSED, str(error))
    return Absent(Kind.DOWN if isinstance(error, ProviderDown) else Kind.UNREADABLE, str(error))


def _open(setup: Setup) -> Twitch | None:
    return None if setup.helix is None else Twitch(setup.helix)


CATALOGUE = Catalogue("twitch", (), _open)
