"""The JSON API for reading sessions; web_export/openapi.py describes it."""

import re
from hashlib import sha256

import orjson
from aiohttp import ETag, hdrs, web

from commands.vod import vods
from moments.errors import UsageError
from moments.sessions import Session
from web_export.digest import TOTALS
from web_export.headers import is_known
from web_export.keys import SERVICES
from web_export.openapi import OPENAPI
from web_export.openapi_parts import LARGEST_PAGE
from web_export.positions import parse_position, position_of
from web_export.reading import readable_session
from web_export.shapes import session_json, timestamp_json

routes = web.RouteTableDef()

_LIMIT = re.compile(r"[0-9]{1,3}", re.ASCII)
_NO_SESSION = "There is no such session. Ask for an id, a channel, or latest."
_NO_CURSOR = "cursor is the word another page gave as next; leave it out to begin at the start."


@routes.get("/api/v1/sessions/{session}")
async def session(request: web.Request) -> web.Response:
    """One session with its channel, segments and totals."""
    found = await _asked(request)
    totals = await request.app[TOTALS].of(found)
    return json_response(request, {**session_json(found), "marks": totals.marks, "people": totals.people})


@routes.get("/api/v1/sessions/{session}/timestamps")
async def timestamps(request: web.Request) -> web.Response:
    """A page of a session's marks in (segment, offset, number) order."""
    services = request.app[SERVICES]
    store = services.store
    limit = parse_limit(once(request, "limit"))
    after = parse_position(once(request, "cursor"), _NO_CURSOR)
    found = await _asked(request)
    marks = await store.marks(found, after=after, limit=limit + 1)
    page = marks[:limit]
    linked = await vods(services, found)
    return json_response(
        request,
        {
            "timestamps": [timestamp_json(mark, linked.place_of(mark)) for mark in page],
            "next": position_of(page[-1]) if len(marks) > limit else None,
        },
    )


@routes.get("/api/v1/openapi.json")
async def openapi(request: web.Request) -> web.Response:
    """What this API is, for programs."""
    return json_response(request, OPENAPI)


async def _asked(request: web.Request) -> Session:
    """The session meant by an id, `latest` or a channel; NotFound for none and for one that is not theirs alike."""
    return await readable_session(request, request.match_info["session"], refusal=_NO_SESSION)


def once(request: web.Request, name: str) -> str | None:
    """A parameter of the query; UsageError when it is given twice."""
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


def json_response(request: web.Request, value: object) -> web.Response:
    """A public answer, the same for everyone (API-1); 304 when the client's copy is still right (API-2)."""
    body = orjson.dumps(value)
    etag = sha256(body).hexdigest()[:32]
    if is_known(request, etag):
        response = web.Response(status=304)
    else:
        response = web.Response(body=body, content_type="application/json")
    response.etag = ETag(etag)
    response.headers[hdrs.CACHE_CONTROL] = "public, max-age=30"
    return response
