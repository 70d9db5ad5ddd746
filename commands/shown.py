"""What may be shown of a recording: where it is, and what services told of it, while that may be kept (R1).

Without a word of theirs everything still has a name: `A video on YouTube`. Spotify's words are never among those of
the others (R6), so it is a plain link here, whatever is known.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from commands.services import Services
from providers.links import BY_SLUG, Kind, Link, deep_link
from storage import sources, tracks
from storage.saves import Moment
from storage.sources import Live, State, Told
from storage.tracks import Source, Track

ALONE = "spotify"
"""The service whose words may stand beside nobody else's."""
_A_KIND = {
    "video": "A video",
    "track": "A song",
    "episode": "An episode",
    "vod": "A broadcast",
    "clip": "A clip",
    "recording": "A recording",
}

Thing = tuple[str, str]
"""(provider, media id)."""


@dataclass(frozen=True, slots=True)
class Place:
    """A recording on one service."""

    link: Link
    told: Told | None
    """None for what is not known, or not known any more."""

    @property
    def thing(self) -> Thing:
        """What is meant, without its times."""
        return self.link.provider, self.link.media_id

    @property
    def service(self) -> str:
        """The service's name."""
        return service_name(self.link.provider)

    @property
    def alone(self) -> bool:
        """Whether it must stand apart from all others."""
        return self.link.provider == ALONE

    @property
    def name(self) -> str:
        """What to call it without a title."""
        return f"{_A_KIND.get(self.link.kind, 'Something')} on {self.service}"

    @property
    def duration_seconds(self) -> int | None:
        """How long it is; None when nobody says, or it is still going on."""
        return self.told.duration_seconds if self.told and self.told.live is Live.NO else None

    @property
    def title(self) -> str:
        """What to call it."""
        return self.told.title if self.told and self.told.title else self.name

    @property
    def takes_start(self) -> bool:
        """Whether a link into it can say where to start."""
        return self.url(1) != self.url()

    def url(self, start_seconds: int | None = None) -> str:
        """Its page on the service."""
        return deep_link(self.link, start_seconds)


@dataclass(frozen=True, slots=True)
class Shown:
    """A recording with all its places, the one asked for first."""

    track: Track
    places: tuple[Place, ...]

    @property
    def place(self) -> Place:
        """The one asked for."""
        return self.places[0]

    @property
    def named_by(self) -> Place | None:
        """Whose title is shown: that of the place itself, else the first other that has one.

        What is on Spotify borrows no title for its own card: nobody else's words may stand there either (R6).
        """
        if self.place.alone:
            return None
        return next((place for place in self.places if place.told and place.told.title), None)

    @property
    def title(self) -> str:
        """What to call it."""
        return (self.named_by or self.place).title

    @property
    def by_line(self) -> str:
        """Who made it; empty when nobody says."""
        named = self.named_by
        return (named.told.by_line or "") if named and named.told else ""

    @property
    def duration_seconds(self) -> int | None:
        """How long it is, as the longest of what is known: no heatmap loses its end.

        Spotify's card borrows none (R6).
        """
        if self.place.alone:
            return None
        return max(filter(None, (place.duration_seconds for place in self.places)), default=None)


async def shown(services: Services, track: Track, first: Thing | None = None) -> Shown:
    """A recording as it may be shown now; `first` is the place that is asked for. What has expired is asked for anew.

    A track that has lost its last place is never asked for: each has one at least.
    """
    found = await tracks.sources(services.store, track)
    found.sort(key=lambda source: ((source.provider, source.media_id) != first, source.provider == ALONE))
    known = await _known(services, ((source.provider, source.media_id) for source in found))
    shown = Shown(track, tuple(_place(source, known) for source in found))
    if services.enricher is not None:
        for place in shown.places:
            if place.told is None:
                services.enricher.wanted(place.link)
    return shown


async def places(services: Services, moments: Iterable[Moment]) -> dict[Thing, Place]:
    """Where each of several moments plays, for lists."""
    links = {(each.provider, each.media_id): _link(each.provider, each.media_id, each.kind) for each in moments}
    known = await _known(services, links)
    return {thing: Place(link, known.get(thing)) for thing, link in links.items()}


def service_name(provider: str) -> str:
    """`YouTube` for `youtube`; the word itself for a service that is no longer in the table."""
    service = BY_SLUG.get(provider)
    return service.name if service else provider


async def _known(services: Services, things: Iterable[Thing]) -> dict[Thing, Told]:
    wanted = [thing for thing in dict.fromkeys(things) if thing[0] != ALONE]
    return await sources.find_all(services.store, wanted, services.clock())


def _place(source: Source, known: dict[Thing, Told]) -> Place:
    link = _link(source.provider, source.media_id, source.kind)
    return Place(link, known.get((source.provider, source.media_id)))


def _link(provider: str, media_id: str, kind: str) -> Link:
    return Link(provider, media_id, cast("Kind", kind))  # the store holds what a Link said


def link_only(place: Place) -> str:
    """Why it plays on its own service alone, in words; empty when there is nothing to say (R9).

    We do not know where the reader is, so nobody is told that it is blocked for them.
    """
    told = place.told
    if told is None:
        return ""
    if told.state is State.GONE:
        return f"{place.service} no longer has it. What people saved stays."
    if told.state is State.PRIVATE:
        return f"It is private on {place.service} now. What people saved stays."
    if told.state is State.AGE or told.age_restricted:
        return f"It is age-restricted, so it plays on {place.service} only, after you sign in there."
    if told.state is State.REGION or told.regions_blocked or told.regions_allowed is not None:
        return f"{place.service} plays it in some countries only."
    if told.embeddable is False:
        return f"Whoever uploaded it lets it play on {place.service} only."
    return ""
