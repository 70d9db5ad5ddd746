"""oEmbed, for the providers whose only door without a key it is: a title, an author, and that there is a player."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from providers.address import Link
from providers.catalogue.client import Client, Said
from providers.catalogue.facts import Availability, Kind, MediaFacts, expiry
from providers.catalogue.shapes import Malformed, Row, length, line, words
from providers.http import Answer
from providers.links import deep_link

Proof = Callable[[Row, str], bool]
"""Whether an answer speaks of this media id, and not of another thing."""


def title_as_it_is(row: Row) -> str | None:
    return words(row, "title")


def player_names(pattern: str) -> Proof:
    """The proof that the player's HTML names the id, as this pattern's group. The HTML itself goes no further."""
    named = re.compile(pattern, re.ASCII)

    def proof(row: Row, media_id: str) -> bool:
        found = named.search(line(row, "html"))
        return found is not None and found[1] == media_id

    return proof


@dataclass(frozen=True, slots=True)
class OEmbed:
    """One provider's oEmbed."""

    provider: str
    client: Client
    path: str
    proof: Proof
    title: Callable[[Row], str | None] = title_as_it_is
    page: Callable[[Link], str] = deep_link
    """The thing's page, built by us from its id (OUT-1)."""

    async def look_up(self, link: Link, *, now: datetime) -> MediaFacts:
        """What it says of this; raises `client.Missing`."""
        params = {"url": self.page(link), "format": "json"}
        return await self.client.read(self.path, lambda row: self._facts(row, link, now), now=now, params=params)

    def _facts(self, row: Row, link: Link, now: datetime) -> MediaFacts:
        if not self.proof(row, link.media_id):
            raise Malformed("it is about another thing")
        title = self.title(row)
        # Vimeo hands out a player but no title for what its owner keeps to some sites.
        embeddable = title is not None and bool(line(row, "html")) and line(row, "type") in ("video", "rich")
        return MediaFacts(
            provider=self.provider,
            media_id=link.media_id,
            title=title,
            by=words(row, "author_name"),
            duration_seconds=length(row, "duration"),
            isrc=None,
            availability=Availability(embeddable=embeddable),
            fetched_at=now,
            expires_at=expiry(self.provider, now),
        )


def oembed_judge(answer: Answer, now: datetime) -> Said | None:
    """401 and 403 are for what is private: oEmbed 1.0, §2.3.4."""
    return Said(Kind.PRIVATE) if answer.status in (401, 403) else None
