"""The JSON API for reading sessions; web_export/openapi.py describes it."""

import re
from hashlib import sha256

import orjson
from aiohttp import ETag, hdrs, web

from moments.crowd import Position
from moments.errors import NotFound, UsageError
from moments.marks import Timestamp
from moments.sessions import Session, Visibility
from storage import Store
from web_export.keys import SERVICES
from web_export.openapi import LARGEST_PAGE, OPENAPI
from web_export.shapes import session_json, timestamp_json

routes = web.RouteTableDef()

_LIMIT = re.compile(r"[0-9]{1,3}", re.ASCII)
_CURSOR = re.compile(r"([0-9]{1,9})-([0-9]{1,9})-([0-9]{1,9})", re.ASCII)


@routes.get("/api/v1/sessions/{session}")
async def session(request: web.Request) -> web.Response:
    """One session with its channel, segments and totals."""
    store = request.app[SERVICES].store
    found = await find_public(store, request.match_info["session"])
    totals = await store.totals(found)
    return json_response(request, {**session_json(found), "marks": totals.marks, "people": totals.people})


@routes.get("/api/v1/sessions/{session}/timestamps")
async def timestamps(request: web.Request) -> web.Response:
    """A page of a session's marks in (segment, offset, number) order."""
    store = request.app[SERVICES].store
    limit = parse_limit(_once(request, "limit"))
    after = parse_cursor(_once(request, "cursor"))
    found = await find_public(store, request.match_info["session"])
    marks = await store.marks(found, after=after, limit=limit + 1)
    page = marks[:limit]
    return json_response(
        request,
        {
            "timestamps": [timestamp_json(mark) for mark in page],
            "next": cursor_of(page[-1]) if len(marks) > limit else None,
        },
    )


@routes.get("/api/v1/openapi.json")
async def openapi(request: web.Request) -> web.Response:
    """What this API is, for programs."""
    return json_response(request, OPENAPI)


async def find_public(store: Store, word: str) -> Session:
    """The session meant by an id, `latest` or a channel; NotFound for none and for a private one's alike."""
    try:
        found = await store.find_session(word)
    except NotFound:
        found = None
    if found is None or found.channel.visibility is Visibility.PRIVATE:
        raise NotFound("There is no such session. Ask for an id, a channel, or latest.")
    return found


def _once(request: web.Request, name: str) -> str | None:
    given = request.query.getall(name, [])
    if len(given) > 1:
        raise UsageError(f"{name} is given more than once.")
    return given[0] if given else None


def parse_limit(word: str | None) -> int:
    """A page's length; UsageError unless 1 to 100."""
    if word is None:
        return LARGEST_PAGE
    if not _LIMIT.fullmatch(word) or not 1 <= int(word) <= LARGEST_PAGE:
        raise UsageError(f"limit is a whole number from 1 to {LARGEST_PAGE}.")
    return int(word)


def parse_cursor(word: str | None) -> Position | None:
    """Where a page begins; UsageError for what no page handed out."""
    if word is None:
        return None
    parts = _CURSOR.fullmatch(word)
    if not parts:
        raise UsageError("cursor is the word another page gave as next; leave it out to begin at the start.")
    segment, offset, number = map(int, parts.groups())
    return segment, offset, number


def cursor_of(mark: Timestamp) -> str:
    """The cursor of the page after this mark."""
    return f"{mark.segment_index}-{mark.offset_seconds}-{mark.number}"


def json_response(request: web.Request, value: object) -> web.Response:
    """A public answer, the same for everyone (API-1); 304 when the client's copy is still right (API-2)."""
    body = orjson.dumps(value)
    etag = sha256(body).hexdigest()[:32]
    known = request.if_none_match or ()
    if any(tag.value in {etag, "*"} for tag in known):
        response = web.Response(status=304)
    else:
        response = web.Response(body=body, content_type="application/json")
    response.etag = ETag(etag)
    response.headers[hdrs.CACHE_CONTROL] = "public, max-age=30"
    return response
