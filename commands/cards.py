"""Cards: answers worth sharing, made of what is kept and may be shown at this moment, and made anew when that changes.

Spotify's words are in none, and a card names the service whose words it shows (docs/compliance.md).
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime

from commands.model import Button, Card
from commands.pasted import track_key
from commands.recorded import saved_by
from commands.services import Services
from commands.shown import Place, Shown, Thing, shown
from moments.ranges import Range, range_words
from storage import popularity, saves
from storage.answers import Trace
from storage.popularity import Words
from storage.saves import Moment
from storage.tracks import Track

_YOUTUBE = "YouTube"
_BEYOND = "It ends after the recording does, so it is not counted."


async def card_of(services: Services, moment_id: str) -> Card | None:
    """A saved moment as things are now; None when it is gone.

    Words that are not for everybody are not on it. A moment typed in private has no picture, as that is public.
    """
    moment = await saves.moment(services.store, moment_id)
    if moment is None:
        return None
    recording = await shown(services, moment.track, (moment.provider, moment.media_id))
    if not recording.places:
        return None
    part = Range(moment.start_seconds, moment.end_seconds)
    card = await _card(services, recording, part, f"/m/{moment.id}", f"save:{moment.id}")
    return card._replace(
        note=moment.note,
        lines=(*((_BEYOND,) if moment.beyond else ()), *card.lines),
        picture="" if moment.private else _picture(services, moment),
        moment=moment.id,
        shows=(Trace(moment_id=moment.id, words=moment.note),),
    )


def without_press(card: Card) -> Card:
    """The card of a moment for its author alone, who has it."""
    return card._replace(buttons=tuple(button for button in card.buttons if not button.press))


def without_note(card: Card) -> Card:
    """The card of a moment where words are not repeated."""
    return card._replace(note="", shows=tuple(each._replace(words="") for each in card.shows))


async def part_card(
    services: Services, track: Track, part: Range, first: Thing | None = None, said: tuple[Words, ...] = ()
) -> Card | None:
    """A part of a track, and what people said of it; `first` is the place that was asked for. None when it is gone."""
    recording = await shown(services, track, first)
    if not recording.places:
        return None
    times = f"{part.start_seconds}-{part.end_seconds}"
    card = await _card(services, recording, part, f"/t/{track.id}", f"save:{track_key(track.id)} {times}")
    return card._replace(
        lines=(*(f"“\u2068{each.note}\u2069”" for each in said), *card.lines),  # isolated: no link in it is one
        picture=services.link(f"/t/{track.id}/heat.png?v={track.version}&part={times}"),
        shows=tuple(map(trace_of, said)),
    )


def trace_of(said: Words) -> Trace:
    """What an answer that repeats somebody's words shows."""
    return Trace(moment_id=said.id, words=said.note)


async def follow(services: Services, card: Card, until: datetime) -> AsyncIterator[Card]:
    """The card anew each time what is shown on it has changed by what a service told, until an instant.

    Ends early when its moment is gone, or when too many are being followed.
    """
    moment = await saves.moment(services.store, card.moment) if card.moment else None
    if moment is None:
        return
    with services.arrivals.of((moment.provider, moment.media_id)) as news:
        while news is not None:
            newer = await card_of(services, card.moment)
            if newer is None:
                return
            newer = newer if card.note else without_note(newer)  # where words are not repeated they stay away
            newer = newer if any(button.press for button in card.buttons) else without_press(newer)
            if newer != card:
                card = newer
                yield card
            if not await _arrives(news, (until - services.clock()).total_seconds()):
                return


async def _arrives(news: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await news.wait()
    except TimeoutError:
        return False
    news.clear()
    return True


async def _card(services: Services, recording: Shown, part: Range, page: str, press: str) -> Card:
    place = recording.place
    found = await popularity.saved_by(services.store, *place.thing, part.start_seconds, part.end_seconds)
    opens = f"{'Listen' if place.alone else 'Open'} on {place.service}"
    return Card(
        head=f"{range_words(part)} · {saved_by(found.people if found else 0)}",
        title=recording.title,
        by_line=recording.by_line,
        lines=(_credit(recording),),
        buttons=(
            Button(opens, url=place.url(part.start_seconds)),
            Button("Page", url=services.link(page)),
            Button("Save this too", press=press),
        ),
    )


def _picture(services: Services, moment: Moment) -> str:
    return services.link(f"/m/{moment.id}/heat.png?v={moment.track.version}")


def _credit(recording: Shown) -> str:
    """Whose the words are, and that the count is nobody's but our users' (R5)."""
    told: Place | None = recording.named_by
    services = [place.service for place in (told, recording.place) if place]
    data = _YOUTUBE if _YOUTUBE in services else services[0]
    ours = f"From Moments users, not {data} data."
    return f"Title by {told.service}. {ours}" if told else ours
