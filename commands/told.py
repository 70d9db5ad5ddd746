"""What services tell of recordings, between their catalogues, the store and the matching."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from moments.matching import Recording
from providers.catalogue import Absent, Availability, Kind, MediaFacts, expiry
from providers.links import Link
from storage.sources import Live, State, Told

UNTOLD_KEPT = timedelta(days=1)
"""How long "gone" and the like are believed: what was private may be public again."""

_STATES = {Kind.GONE: State.GONE, Kind.PRIVATE: State.PRIVATE, Kind.REGION: State.REGION, Kind.AGE: State.AGE}
_LISTED = frozenset({"apple_music", "deezer", "musicbrainz"})
"""Catalogues, whose artists are a complete list."""


def told_of(facts: MediaFacts) -> Told:
    """Facts as the store keeps them, until they expire."""
    said = facts.availability
    return Told(
        provider=facts.provider,
        media_id=facts.media_id,
        fetched_at=facts.fetched_at,
        expires_at=facts.expires_at,
        title=facts.title,
        by_line=facts.by,
        duration_seconds=facts.duration_seconds,
        isrc=facts.isrc,
        embeddable=said.embeddable,
        age_restricted=bool(said.age_restricted),
        regions_allowed=said.regions_allowed,
        regions_blocked=said.regions_blocked,
        live=Live(said.live),
        links=facts.links,
    )


def told_without_facts(link: Link, absent: Absent, now: datetime) -> Told | None:
    """That there is nothing to tell, in the place of whatever was told before (R3); None when that may pass."""
    state = _STATES.get(absent.kind)
    if state is None:
        return None
    until = now + UNTOLD_KEPT
    return Told(link.provider, link.media_id, now, min(until, expiry(link.provider, now) or until), state)


def facts_of(told: Told) -> MediaFacts:
    """What the store keeps, as its service told it."""
    return MediaFacts(
        provider=told.provider,
        media_id=told.media_id,
        title=told.title,
        by=told.by_line,
        duration_seconds=told.duration_seconds,
        isrc=told.isrc,
        availability=Availability(
            told.embeddable, told.age_restricted, told.regions_allowed, told.regions_blocked, told.live.value
        ),
        fetched_at=told.fetched_at,
        expires_at=told.expires_at,
        links=told.links,
    )


def recording(facts: MediaFacts) -> Recording:
    """Facts as the matching compares them. Never Spotify's: they are no MediaFacts (R6)."""
    listed = facts.provider in _LISTED
    by = facts.by or ""
    names = tuple(by.split(", ")) if listed else (by,)
    return Recording(facts.title or "", names if by else (), facts.duration_seconds, facts.isrc, is_listed=listed)


def lasting(evidence: Iterable[str]) -> tuple[str, ...]:
    """Evidence that may be kept for good: without the words and codes of a service, which expire (R1)."""
    return tuple(dict.fromkeys(map(_without_words, evidence)))


def _without_words(reason: str) -> str:
    if reason.startswith("the same ISRC"):
        return "the same ISRC"
    before, quoted, _ = reason.partition("“")
    return f"{before}some words" if quoted else reason
