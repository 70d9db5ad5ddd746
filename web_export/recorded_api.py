"""The JSON API for saved moments: what a link means, who saved a part of it, its track, and saving one."""

import re

import orjson
from aiohttp import hdrs, web

from commands import recorded
from commands.pasted import find_own, read_link, read_range
from commands.shown import places, shown
from moments.errors import NotFound, Refusal, Repeated, UsageError
from moments.live import Author
from moments.saves import NEAR
from providers.links import Link, recognise
from storage import popularity, public_saves, saves, tracks
from storage.tracks import Track
from web_export.api import json_response, once, parse_limit
from web_export.clients import client_of
from web_export.headers import SEALED, is_known
from web_export.keys import SERVICES
from web_export.middleware import HTTPS, LIMITS
from web_export.moment_shapes import best_json, length_of, moment_json, track_json
from web_export.tallies import TALLIES, Answer, Asked, Recent, Tallies
from web_export.visitors import visitor_of

NOTES_A_PART = 3
QUERIES_KEPT = 4096
ASKED_BEFORE = web.AppKey("asked_before", Recent[str, Asked])
"""What a query means follows from its letters alone, unless there is a short link in it."""
WORDS_CACHE = "public, no-cache"
"""Words may be taken back, so a copy is asked about each time."""
ORIGIN = "web"
PUBLIC_ID = re.compile(r"[0-9A-Za-z]{1,64}", re.ASCII)
"""The ids in links of moments and tracks."""

_CURSOR = re.compile(r"[0-9]{1,18}", re.ASCII)
_KEY = re.compile(r"[!-~]{1,64}", re.ASCII)
_NO_CURSOR = "cursor is the word another page gave as next; leave it out to begin at the newest."
_NO_TRACK = "There is no such track. Ask /api/v1/resolve which one a link means."
_NO_MOMENT = "There is no such moment. Its author may have deleted it."
_NO_LINK = "Say which song or video: url=https://…"
_LOG_IN = "Log in to save moments: open /me in your browser."
_AS_JSON = "Send JSON, as application/json."
_BODY = 'Send a JSON object: {"url": "https://…", "range": "0:45-1:00", "note": "that drop!"}.'
_DELETED = "That was saved, and deleted since. Use another Idempotency-Key to save it again."
_NO_KEY = "Idempotency-Key is one word of at most 64 letters, digits and signs."

routes = web.RouteTableDef()


def add_recorded(app: web.Application) -> None:
    """Add the routes, and what is kept between them; `app[SERVICES]` must be set."""
    app[TALLIES] = tallies = Tallies(app[SERVICES].store, https=app[HTTPS])
    app[ASKED_BEFORE] = Recent(QUERIES_KEPT)
    app.add_routes(routes)

    async def close(_: web.Application) -> None:
        await tallies.close()

    app.on_cleanup.append(close)


@routes.get("/api/v1/resolve")
async def resolve(request: web.Request) -> web.Response:
    """What a link and a range mean; nulls for what nobody saved, or where no times are named."""
    services, url, part = request.app[SERVICES], _url(request), once(request, "range")
    found = await recorded.resolve(services, url, part, person=client_of(request))
    return json_response(
        request,
        {
            "provider": found.provider,
            "media_id": found.media_id,
            "track": found.track,
            "start_seconds": found.start_seconds,
            "end_seconds": found.end_seconds,
        },
    )


@routes.get("/api/v1/saved")
async def saved(request: web.Request) -> web.Response:
    """How many people saved a part of something, on whichever service."""
    before, query = request.app[ASKED_BEFORE], request.rel_url.raw_query_string
    asked = before.get(query)
    if asked is None:
        asked = await _part(request)
    return _answer(request, await request.app[TALLIES].saved(asked))


async def _part(request: web.Request) -> Asked:
    url, typed = _url(request), once(request, "range") or ""
    found = None if find_own(request.app[SERVICES].public_url, url) else recognise(url)
    link = found if isinstance(found, Link) else await read_link(request.app[SERVICES], url, client_of(request))
    part, _ = read_range(link, typed)
    asked = Asked(link.provider, link.media_id, part.start_seconds, part.end_seconds)
    if link is found:
        request.app[ASKED_BEFORE].keep(request.rel_url.raw_query_string, asked)
    return asked


def _url(request: web.Request) -> str:
    url = once(request, "url")
    if not url or not url.strip():
        raise UsageError(_NO_LINK)
    return url.strip()


def _answer(request: web.Request, answer: Answer) -> web.Response:
    """What is already worded; 304 when the client's copy is still right (API-2)."""
    if is_known(request, answer.etag):
        known = {name: answer.headers[name] for name in (hdrs.ETAG, hdrs.CACHE_CONTROL)}
        return web.Response(status=304, headers=known)
    request[SEALED] = True
    return web.Response(body=answer.body, headers=answer.headers)


# --- tracks


@routes.get("/api/v1/tracks/{track}")
async def track(request: web.Request) -> web.Response:
    """A recording and where it is; a merged one's id means the one it counts as."""
    services = request.app[SERVICES]
    return json_response(request, track_json(services, await shown(services, await _track(request))))


@routes.get("/api/v1/tracks/{track}/heatmap")
async def heatmap(request: web.Request) -> web.Response:
    """How many people's saves cover each second."""
    found = await _track(request)
    duration = length_of(await shown(request.app[SERVICES], found))
    heat = await request.app[TALLIES].heat(found, duration)
    return json_response(request, {"duration_seconds": duration, "savers": list(heat)})


@routes.get("/api/v1/tracks/{track}/best")
async def best(request: web.Request) -> web.Response:
    """The most saved parts, with what people said of them."""
    services, found = request.app[SERVICES], await _track(request)
    place = (await shown(services, found)).place
    parts = []
    for part in await services.best.of(services.store, found):
        words = await popularity.newest_words(services.store, found, *part[:2], limit=NOTES_A_PART)
        parts.append(best_json(part, place, [each.note for each in words]))
    return _worded(json_response(request, {"parts": parts, "tolerance_seconds": NEAR}))


@routes.get("/api/v1/tracks/{track}/moments")
async def moments_of_track(request: web.Request) -> web.Response:
    """A page of what people saved of a track, newest first."""
    store, (before, limit) = request.app[SERVICES].store, _page(request)
    found = await public_saves.of_track(store, await _track(request), before=before, limit=limit + 1)
    return await _listed(request, found, limit)


async def _track(request: web.Request) -> Track:
    word = request.match_info["track"]
    found = await tracks.find(request.app[SERVICES].store, word) if PUBLIC_ID.fullmatch(word) else None
    if found is None:
        raise NotFound(_NO_TRACK)
    return found


# --- moments


@routes.get("/api/v1/moments")
async def newest(request: web.Request) -> web.Response:
    """A page of what people saved in public, newest first."""
    before, limit = _page(request)
    found = await public_saves.newest(request.app[SERVICES].store, before=before, limit=limit + 1)
    return await _listed(request, found, limit)


@routes.get("/api/v1/moments/{moment}")
async def moment(request: web.Request) -> web.Response:
    """One saved moment; a replaced one's id means the newest."""
    word = request.match_info["moment"]
    if not PUBLIC_ID.fullmatch(word):
        raise NotFound(_NO_MOMENT)
    return _worded(json_response(request, await _moment(request, word)))


@routes.post("/api/v1/moments")
async def save(request: web.Request) -> web.Response:
    """Save a part of something, as the person who is logged in; the same Idempotency-Key saves once."""
    visitor = await visitor_of(request)
    if visitor is None:
        raise web.HTTPUnauthorized(text=_LOG_IN)
    url, typed, note = await _body(request)
    key, who, services = request.headers.get("Idempotency-Key"), visitor.platform, request.app[SERVICES]
    if key is not None and not _KEY.fullmatch(key):
        raise UsageError(_NO_KEY)
    request.app[LIMITS].allow_write(who, visitor.user_id)
    try:
        kept = await recorded.save_moment(
            services,
            Author(who, visitor.user_id, visitor.display_name),
            url,
            typed,
            note,
            origin=ORIGIN,
            message_id=key and f"web:{visitor.user_id}:{key}",
            now=services.clock(),
        )
    except Repeated as repeated:
        raise Refusal(_DELETED) from repeated
    answer = {
        **await _moment(request, kept.moment_id),
        "replaced": [{"start_seconds": gone.start_seconds, "end_seconds": gone.end_seconds} for gone in kept.replaced],
        "note_cut": kept.note_cut,
    }
    address = services.link(f"/m/{kept.moment_id}")
    return web.Response(
        body=orjson.dumps(answer), status=201, content_type="application/json", headers={hdrs.LOCATION: address}
    )


async def _body(request: web.Request) -> tuple[str, str, str]:
    """(url, range, note) of what is to be saved; 422 for JSON of another shape (TXT-5)."""
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(text=_AS_JSON)
    try:
        given = orjson.loads(await request.read())
    except orjson.JSONDecodeError:
        raise web.HTTPUnprocessableEntity(text=_BODY) from None
    if not isinstance(given, dict) or not given.keys() <= {"url", "range", "note"}:
        raise web.HTTPUnprocessableEntity(text=_BODY)
    url, typed, note = (_words(given.get(name)) for name in ("url", "range", "note"))
    if not url.strip():
        raise web.HTTPUnprocessableEntity(text=_BODY)
    return url.strip(), typed, note


def _words(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or "\0" in value:
        raise web.HTTPUnprocessableEntity(text=_BODY)
    return value


async def _moment(request: web.Request, word: str) -> dict[str, object]:
    services = request.app[SERVICES]
    found = await saves.moment(services.store, word)
    if found is None:
        raise NotFound(_NO_MOMENT)
    recording = await shown(services, found.track, (found.provider, found.media_id))
    people = await popularity.saved_by(services.store, *found[3:7])
    return {
        **moment_json(services, found, recording.place),
        "saved_by": people.people if people else 0,
        "tolerance_seconds": NEAR,
    }


async def _listed(request: web.Request, found: list[saves.Moment], limit: int) -> web.Response:
    services, page = request.app[SERVICES], found[:limit]
    where = await places(services, page)
    after = str(page[-1].row_id) if len(found) > limit else None
    listed = [moment_json(services, each, where[each.provider, each.media_id]) for each in page]
    return _worded(json_response(request, {"moments": listed, "next": after}))


def _page(request: web.Request) -> tuple[int | None, int]:
    limit, cursor = parse_limit(once(request, "limit")), once(request, "cursor")
    if cursor is None:
        return None, limit
    if not _CURSOR.fullmatch(cursor):
        raise UsageError(_NO_CURSOR)
    return int(cursor), limit


def _worded(response: web.Response) -> web.Response:
    response.headers[hdrs.CACHE_CONTROL] = WORDS_CACHE
    return response
