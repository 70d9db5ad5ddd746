"""What a provider's API said of one thing: for how long it may be kept, and where it may be played (R1, R4, R6, R9)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

KEPT: Mapping[str, timedelta | None] = {
    "youtube": timedelta(days=29),  # III.E.4.d: 30 calendar days; the purge runs once a night
    "twitch": timedelta(hours=23),  # Schedule 1 §C: 24 hours
    "spotify": timedelta(hours=23),  # "only temporary caching", no number given: 24 hours by our own choice
    "musicbrainz": None,  # core data is CC0
}
"""R1: how long a provider's words are kept; None is for good."""
KEPT_ELSEWHERE = timedelta(days=7)
"""Where nobody has read the terms yet: long enough to spare the provider, short enough for any of them."""
KEPT_LIVE = timedelta(hours=6)
"""What is on the air, or will be, says of itself what is soon untrue."""

Live = Literal["no", "live", "upcoming"]


@dataclass(frozen=True, slots=True)
class Availability:
    """Who may play it where. None is: the provider did not say."""

    embeddable: bool | None = None
    age_restricted: bool | None = None
    regions_allowed: tuple[str, ...] | None = None
    """ISO 3166-1 alpha-2. When given, nowhere else; empty is nowhere."""
    regions_blocked: tuple[str, ...] | None = None
    live: Live = "no"


@dataclass(frozen=True, slots=True)
class MediaFacts:
    """One song or video in its provider's words. No field for views, likes or popularity, ever (R4)."""

    provider: str
    media_id: str
    title: str | None
    by: str | None
    """The artists or the channel, in one line."""
    duration_seconds: int | None
    isrc: str | None
    availability: Availability
    fetched_at: datetime
    expires_at: datetime | None
    links: tuple[tuple[str, str], ...] = ()
    """(provider, media id) of the same recording elsewhere, after MusicBrainz."""


@dataclass(frozen=True, slots=True)
class QuarantinedFacts:
    """Spotify's words: for a card of their own that names and links Spotify, and for nothing else (R6, LEG-2).

    Not a MediaFacts, so that mypy keeps it out of matching, exports, the language model and other services' cards.
    """

    media_id: str
    quarantined_title: str | None
    quarantined_by: str | None
    quarantined_seconds: int | None
    playable: bool | None
    """None when Spotify was not asked for a market."""
    fetched_at: datetime
    expires_at: datetime


class Kind(StrEnum):
    """Why there are no facts."""

    GONE = "gone"
    PRIVATE = "private"
    REGION = "region"
    AGE = "age"
    QUOTA = "quota"
    """Nothing more until `retry_at`: the day's or the developer's share is used up."""
    BUSY = "busy"
    """Too fast; again at `retry_at`."""
    DOWN = "down"
    REFUSED = "refused"
    """It said no for a reason of ours: a wrong key, a project that is not set up. The operator can mend it."""
    UNREADABLE = "unreadable"
    UNSUPPORTED = "unsupported"
    """No official API tells (Kick, Bandcamp), or none was set up."""


@dataclass(frozen=True, slots=True)
class Absent:
    """No facts. `said` holds method, path and status only; `code` is the provider's own word for the reason."""

    kind: Kind
    said: str = ""
    retry_at: datetime | None = None
    code: str = ""

    @property
    def wipes(self) -> bool:
        """R3: what the provider told us before must go at once."""
        return self.kind in (Kind.GONE, Kind.PRIVATE)

    @property
    def passes(self) -> bool:
        """Whether asking again later may help."""
        return self.kind in (Kind.QUOTA, Kind.BUSY, Kind.DOWN, Kind.UNREADABLE)


def expiry(provider: str, now: datetime, live: Live = "no") -> datetime | None:
    """When these words must be forgotten or fetched again (R1)."""
    kept = KEPT.get(provider, KEPT_ELSEWHERE)
    return None if kept is None else now + (min(kept, KEPT_LIVE) if live != "no" else kept)


def why_link_only(facts: MediaFacts, region: str | None) -> Literal["embedding", "age", "region"] | None:
    """What keeps the player off the page for a viewer there; None when nothing does. A link stays, always."""
    said = facts.availability
    if said.embeddable is not True:
        return "embedding"
    if said.age_restricted:
        return "age"
    return None if _plays_in(said, region.upper() if region else None) else "region"


def may_embed(facts: MediaFacts | None, region: str | None) -> bool:
    """R9: whether the provider's player may be shown to a viewer in that country; without facts, no.

    A country we do not know gets a link wherever the provider draws borders, and nobody is told "blocked" for it.
    """
    return facts is not None and why_link_only(facts, region) is None


def _plays_in(said: Availability, region: str | None) -> bool:
    if said.regions_allowed is None and not said.regions_blocked:
        return True
    if region is None or region in (said.regions_blocked or ()):
        return False
    return said.regions_allowed is None or region in said.regions_allowed
