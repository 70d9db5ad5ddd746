"""MusicBrainz: which recording a link or an ISRC is, and where else that recording is. Its data is CC0."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from moments.errors import BadLink
from providers.address import UUID, Link
from providers.catalogue.budget import Budget, Pace
from providers.catalogue.client import Client, Missing, Said
from providers.catalogue.facts import Absent, Availability, Kind, MediaFacts, expiry
from providers.catalogue.setup import Catalogue, Setup
from providers.catalogue.shapes import Malformed, Row, cleaned, flag, identifier, isrc, length, line, part, parts, words
from providers.http import Answer
from providers.links import deep_link, recognise

API_URL = "https://musicbrainz.org"

_ELSEWHERE = frozenset({"free streaming", "streaming", "download for free", "purchase for download"})
"""The relations between a recording and a URL that say: there it is, itself."""
_MOST_LINKS = 20
_WITH_KEYS = ("soundcloud", "vimeo")


@dataclass(frozen=True, slots=True)
class MusicBrainz:
    """Look-ups by id, link and ISRC, one a second; never its search, whose engine is being replaced."""

    client: Client

    async def look_up(self, link: Link, *, now: datetime) -> MediaFacts:
        """The recording, and its other places; raises Missing."""
        path = f"/ws/2/recording/{_mbid(link.media_id)}"
        # The id may come back as another: recordings are merged there, and the old ids go on working.
        found = await self._read(path, "artist-credits isrcs url-rels", lambda row: [_recording(row, now)], now)
        facts = found[0]
        if facts.media_id == link.media_id:
            return facts
        return replace(facts, media_id=link.media_id, links=(("musicbrainz", facts.media_id), *facts.links))

    async def by_url(self, link: Link, *, now: datetime) -> list[MediaFacts]:
        """The recordings MusicBrainz says are behind this link: none, one, or several; raises Missing."""
        if link.beside and link.provider in _WITH_KEYS:
            return []  # unlisted: its key is nobody else's business
        params = {"resource": deep_link(link)}
        return await self._several("/ws/2/url", "recording-rels", _behind, now, params)

    async def by_isrc(self, code: str, *, now: datetime) -> list[MediaFacts]:
        """The recordings with this ISRC: one ISRC may be on several; raises Missing."""
        return await self._several(f"/ws/2/isrc/{code}", "artist-credits isrcs url-rels", _listed, now, {})

    async def _several(
        self,
        path: str,
        included: str,
        shape: Callable[[Row, datetime], list[MediaFacts]],
        now: datetime,
        params: dict[str, str],
    ) -> list[MediaFacts]:
        try:
            return await self._read(path, included, lambda row: shape(row, now), now, **params)
        except Missing as missing:
            if missing.absent.kind is Kind.GONE:
                return []
            raise

    async def _read(
        self, path: str, included: str, shape: Callable[[Row], list[MediaFacts]], now: datetime, **params: str
    ) -> list[MediaFacts]:
        query = {**params, "inc": included, "fmt": "json"}
        return await self.client.read(path, shape, now=now, params=query)


def _behind(row: Row, now: datetime) -> list[MediaFacts]:
    related = [each for each in parts(row, "relations") if line(each, "target-type") == "recording"]
    return [_recording(part(each, "recording"), now) for each in related if _is_there(each)]


def _listed(row: Row, now: datetime) -> list[MediaFacts]:
    return [_recording(each, now) for each in parts(row, "recordings")]


def _recording(row: Row, now: datetime) -> MediaFacts:
    found = identifier(row, "id")
    if not UUID.fullmatch(found):
        raise Malformed("id is no MBID")
    credit = "".join(line(each, "name") + line(each, "joinphrase") for each in parts(row, "artist-credit"))
    return MediaFacts(
        provider="musicbrainz",
        media_id=found,
        title=words(row, "title"),
        by=cleaned(credit),
        duration_seconds=length(row, "length", 1_000),
        isrc=_first_isrc(row),
        availability=Availability(),
        fetched_at=now,
        expires_at=expiry("musicbrainz", now),
        links=tuple(dict.fromkeys(_links(row)))[:_MOST_LINKS],
    )


def _links(row: Row) -> list[tuple[str, str]]:
    urls = (line(part(each, "url"), "resource") for each in parts(row, "relations") if _is_there(each))
    return [(link.provider, link.media_id) for link in map(_recognised, urls) if link is not None]


def _recognised(url: str) -> Link | None:
    try:
        link = recognise(url)
    except BadLink:
        return None
    return link if isinstance(link, Link) else None


def _mbid(media_id: str) -> str:
    if not UUID.fullmatch(media_id):
        raise Missing(Absent(Kind.UNSUPPORTED))
    return media_id


def _is_there(relation: Row) -> bool:
    return line(relation, "type") in _ELSEWHERE and not flag(relation, "ended")


def _first_isrc(row: Row) -> str | None:
    """One of the recording's ISRCs; it may have several."""
    codes = row.get("isrcs") or []
    if not isinstance(codes, list):
        raise Malformed("isrcs is not a list")
    return next((code for code in (isrc(each) for each in codes if isinstance(each, str)) if code), None)


def _judge(answer: Answer, now: datetime) -> Said | None:
    return Said(Kind.BUSY) if answer.status == 503 else None  # their word for "faster than one a second"


def _open(setup: Setup) -> MusicBrainz:
    budget = Budget(setup.clock, Pace(1, 1.0, setup.clock))
    return MusicBrainz(setup.client("musicbrainz", API_URL, budget, _judge))


CATALOGUE = Catalogue("musicbrainz", (API_URL,), _open)
