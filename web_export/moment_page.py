"""`/m/<moment>`: one saved part, where it plays, who agrees, and what was said of it. The same for everyone (API-1)."""

import hashlib
from typing import NamedTuple

from aiohttp import ETag, hdrs, web

from commands.recorded import saved_by
from commands.shown import Shown, link_only, places, shown
from moments.errors import NotFound
from moments.ranges import Range, range_words
from moments.saves import Part
from storage import popularity, public_saves, saves
from storage.popularity import Words
from storage.saves import Moment
from web_export import words
from web_export.credits import Credits, credits_of
from web_export.headers import NO_INDEX, is_known
from web_export.heat import Heat, draw
from web_export.keys import SERVICES
from web_export.recorded_api import PUBLIC_ID, WORDS_CACHE
from web_export.render import LOOK, html_response, render
from web_export.tallies import TALLIES

NOTES = 12
NEWEST = 9
NO_MOMENT = "There is no such moment. Its author may have deleted it, or the link is cut short."

routes = web.RouteTableDef()


class NoteView(NamedTuple):
    """What somebody said; who it was is told of nobody (PRIV-2)."""

    note: str
    range: str
    day: str


class MomentView(NamedTuple):
    """Everything the page shows."""

    recording: Shown
    range: str
    length: str
    """The recording's; empty when nobody knows."""
    people: int
    beyond: bool
    note: str
    day: str
    opens: str
    """What the button says."""
    plays_at: str
    why: str
    heat: Heat
    others: tuple[NoteView, ...]
    track_url: str
    address: str
    summary: str
    credits: Credits


class NewestView(NamedTuple):
    """A moment on the front page, which is kept for a while: without words, since those may be taken back."""

    id: str
    title: str
    range: str
    service: str
    day: str


async def newest_moments(request: web.Request) -> list[NewestView]:
    """What was saved in public last."""
    services = request.app[SERVICES]
    found = await public_saves.newest(services.store, limit=NEWEST)
    where = await places(services, found)
    return [
        NewestView(
            each.id,
            where[each.provider, each.media_id].title,
            range_words(Range(each.start_seconds, each.end_seconds)),
            where[each.provider, each.media_id].service,
            words.day(each.created_at),
        )
        for each in found
    ]


@routes.get("/m/{moment}")
async def moment_page(request: web.Request) -> web.Response:
    """The page of one save; the link of a replaced one leads on to the newest."""
    word, services = request.match_info["moment"], request.app[SERVICES]
    found = await saves.moment(services.store, word) if PUBLIC_ID.fullmatch(word) else None
    if found is None:
        raise NotFound(NO_MOMENT)
    if found.id != word:
        raise web.HTTPFound(f"/m/{found.id}", headers={hdrs.CACHE_CONTROL: "no-cache"})
    recording = await shown(services, found.track, (found.provider, found.media_id))
    response = kept_page(request, found.id, found.track, recording) or await _made(request, found, recording)
    if not found.note:
        response.headers[NO_INDEX] = "noindex"  # also what is not for everybody to read (WEB-12)
    return response


def kept_page(request: web.Request, *state: object) -> web.Response | None:
    """A 304 when the client's copy still shows this state; the tag must be said of what is made otherwise."""
    etag = tag_of(state)
    if not is_known(request, etag):
        return None
    return tagged(web.Response(status=304), state)


def tagged(response: web.Response, state: tuple[object, ...]) -> web.Response:
    """A page that a copy is asked about each time: words may be taken back."""
    response.etag = ETag(tag_of(state), is_weak=True)
    response.headers[hdrs.CACHE_CONTROL] = WORDS_CACHE
    return response


def tag_of(state: tuple[object, ...]) -> str:
    """What a page depends on: the version of its track, what services tell of it now, and how pages look."""
    return hashlib.sha256(repr((state, LOOK)).encode()).hexdigest()[:24]


async def _made(request: web.Request, found: Moment, recording: Shown) -> web.Response:
    body = render("moment.html", page=await _view(request, found, recording))
    return tagged(html_response(body, cache=WORDS_CACHE), (found.id, found.track, recording))


async def _view(request: web.Request, found: Moment, recording: Shown) -> MomentView:
    services, part = request.app[SERVICES], Range(found.start_seconds, found.end_seconds)
    people = await popularity.saved_by(services.store, *found[3:7])
    count = people.people if people else 0
    duration = recording.duration_seconds
    heat = await request.app[TALLIES].heat(found.track, duration)
    best = await services.best.of(services.store, found.track)
    said = await popularity.newest_words(services.store, found.track, *found[5:7], limit=NOTES + 1)
    place = recording.place
    asked = Part(found.start_seconds, found.end_seconds, count)
    return MomentView(
        recording,
        range_words(part),
        words.clock(duration) if duration else "",
        count,
        found.beyond,
        found.note,
        words.day(found.created_at),
        _opens(recording, found),
        place.url(found.start_seconds),
        link_only(place),
        draw(heat, asked, best, label="this moment"),
        tuple(note_view(each) for each in said if each.id != found.id)[:NOTES],
        f"/t/{found.track.id}",
        services.link(f"/m/{found.id}"),
        _summary(recording, range_words(part), count, found.note),
        credits_of(recording, only=recording.place),
    )


def _opens(recording: Shown, found: Moment) -> str:
    place = recording.place
    if place.alone:
        return f"Listen on {place.service}"
    return f"Open in {place.service}" + (f" at {words.clock(found.start_seconds)}" if place.takes_start else "")


def note_view(said: Words) -> NoteView:
    """One of the notes of a list."""
    part = Range(said.start_seconds, said.end_seconds)
    return NoteView(said.note, range_words(part), words.day(said.created_at))


def _summary(recording: Shown, part: str, people: int, note: str) -> str:
    """What chats show of a link, and search engines of the page."""
    said = f"“{note}” · " if note else ""
    by = f" by {recording.by_line}" if recording.by_line else ""
    return f"{said}{part} of {recording.title}{by}. {saved_by(people)}."[:200]
