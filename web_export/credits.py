"""Whose words a page shows, and what their terms ask us to say beside them (LEG-1, LEG-2, R5)."""

from collections.abc import Iterator
from typing import NamedTuple

from commands.shown import Place, Shown, service_name

YOUTUBE = "youtube"
LEGAL = {
    YOUTUBE: (
        ("YouTube’s terms", "https://www.youtube.com/t/terms"),
        ("Google’s privacy policy", "https://policies.google.com/privacy"),
    ),
    "musicbrainz": (("MusicBrainz’s licence", "https://musicbrainz.org/doc/About/Data_License"),),
}
"""What must be linked wherever a service's own words stand."""


class Credit(NamedTuple):
    """A service whose words are shown, and its own page of the recording."""

    service: str
    url: str


class Credits(NamedTuple):
    """The small print of a page."""

    ours: str
    """That the counts are our users', and no service's data (R5)."""
    told_by: tuple[Credit, ...]
    legal: tuple[tuple[str, str], ...]
    not_ours: str
    """The services that have nothing to do with us, in a sentence."""


def credits_of(recording: Shown, *, only: Place | None = None) -> Credits:
    """The small print beside a recording; `only` when a single place of it is shown."""
    places = (only,) if only else recording.places
    telling = [place for place in recording.places if place.told and (place.told.title or place.duration_seconds)]
    told = [place for place in telling if place in places or _lends(place, recording)]
    named = tuple(dict.fromkeys(place.service for place in (*places, *told)))
    slugs = dict.fromkeys(place.link.provider for place in told)
    return Credits(
        ours=_ours([place.link.provider for place in (*places, *told)]),
        told_by=tuple(_first_of_each(told)),
        legal=tuple(link for slug in slugs for link in LEGAL.get(slug, ())),
        not_ours=f"Moments is not affiliated with {_listed(named)}.",
    )


def _first_of_each(told: list[Place]) -> Iterator[Credit]:
    credited: set[str] = set()
    for place in told:
        if place.service not in credited:
            credited.add(place.service)
            yield Credit(place.service, place.url())


def _lends(place: Place, recording: Shown) -> bool:
    """Whether the title or the length shown is this place's, whichever place the card is of (LEG-1)."""
    return place is recording.named_by or place.duration_seconds == (recording.duration_seconds or -1)


def _ours(providers: list[str]) -> str:
    data = service_name(YOUTUBE if YOUTUBE in providers else providers[0])
    return f"From Moments users, not {data} data."


def _listed(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
