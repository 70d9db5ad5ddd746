"""`/t/<track>`: one recording across services: where people felt it, its best parts, where it plays, what was said."""

from typing import NamedTuple

from aiohttp import hdrs, web

from commands.recorded import saved_by
from commands.shown import Place, Shown, shown
from moments.errors import NotFound
from moments.ranges import Range, range_words
from moments.saves import Part
from moments.wording import counted
from storage import popularity, public_saves, tracks
from storage.tracks import Track
from web_export import words
from web_export.credits import Credits, credits_of
from web_export.heat import Heat, draw
from web_export.keys import SERVICES
from web_export.moment_page import NoteView, kept_page, tagged
from web_export.recorded_api import PUBLIC_ID, WORDS_CACHE
from web_export.render import html_response, render
from web_export.tallies import TALLIES

NOTES = 20
NO_TRACK = "There is no such song or video here. Check the link."

routes = web.RouteTableDef()


class PartView(NamedTuple):
    """One of the most saved parts."""

    range: str
    people: int
    note: str
    plays_at: str
    opens: str


class PlaceView(NamedTuple):
    """The recording on one service."""

    service: str
    what: str
    """What is known of it there, on one line."""
    url: str
    opens: str


class TrackView(NamedTuple):
    """Everything the page shows."""

    recording: Shown
    length: str
    services: int
    best: tuple[PartView, ...]
    heat: Heat
    places: tuple[PlaceView, ...]
    alone: tuple[PlaceView, ...]
    """Those that may stand beside no other (R6)."""
    notes: tuple[NoteView, ...]
    address: str
    summary: str
    credits: Credits


@routes.get("/t/{track}")
async def track_page(request: web.Request) -> web.Response:
    """The page of a recording; the link of one that was merged leads on to the one it counts as."""
    word, services = request.match_info["track"], request.app[SERVICES]
    found = await tracks.find(services.store, word) if PUBLIC_ID.fullmatch(word) else None
    recording = await shown(services, found) if found else None
    if found is None or recording is None or not recording.places:
        raise NotFound(NO_TRACK)
    if found.id != word:
        raise web.HTTPFound(f"/t/{found.id}", headers={hdrs.CACHE_CONTROL: "no-cache"})
    return kept_page(request, found, recording) or await _made(request, found, recording)


async def _made(request: web.Request, found: Track, recording: Shown) -> web.Response:
    body = render("track.html", page=await _view(request, found, recording))
    return tagged(html_response(body, cache=WORDS_CACHE), (found, recording))


async def _view(request: web.Request, found: Track, recording: Shown) -> TrackView:
    services, duration = request.app[SERVICES], recording.duration_seconds
    heat = await request.app[TALLIES].heat(found, duration)
    best = await services.best.of(services.store, found)
    top = best[0] if best else None
    return TrackView(
        recording,
        words.clock(duration) if duration else "",
        len({place.service for place in recording.places}),
        tuple([await _part(request, found, recording.place, part) for part in best]),
        draw(heat, top, best, label=f"best · {counted(top.people, 'person')}" if top else ""),
        tuple(_place(place, top) for place in recording.places if not place.alone),
        tuple(_place(place, top) for place in recording.places if place.alone),
        await _notes(request, found),
        services.link(f"/t/{found.id}"),
        _summary(recording, top),
        credits_of(recording),
    )


async def _part(request: web.Request, found: Track, place: Place, part: Part) -> PartView:
    said = await popularity.newest_words(request.app[SERVICES].store, found, *part[:2], limit=1)
    return PartView(
        range_words(Range(*part[:2])),
        part.people,
        said[0].note if said else "",
        place.url(part.start_seconds),
        f"Play on {place.service}",
    )


def _place(place: Place, top: Part | None) -> PlaceView:
    at = top.start_seconds if top else None
    known = [words.clock(place.duration_seconds)] if place.duration_seconds else []
    if not place.takes_start and not place.alone:
        known.append("no start time in its links")
    if place.alone:
        opens = f"Listen on {place.service}"
    else:
        opens = f"Open at {words.clock(at)}" if at is not None and place.takes_start else "Open"
    return PlaceView(place.service, " · ".join(known), place.url(at), opens)


async def _notes(request: web.Request, found: Track) -> tuple[NoteView, ...]:
    newest = await public_saves.of_track(request.app[SERVICES].store, found, limit=3 * NOTES)
    worded = [each for each in newest if each.note][:NOTES]
    return tuple(
        NoteView(each.note, range_words(Range(each.start_seconds, each.end_seconds)), words.day(each.created_at))
        for each in worded
    )


def _summary(recording: Shown, top: Part | None) -> str:
    by = f" by {recording.by_line}" if recording.by_line else ""
    if top is None:
        return f"Nobody has saved a part of {recording.title}{by} yet."[:200]
    return f"The best part of {recording.title}{by}: {range_words(Range(*top[:2]))}. {saved_by(top.people)}."[:200]
