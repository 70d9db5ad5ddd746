"""No other site acts in the name of somebody who is logged in here (AUTH-6)."""

import hashlib
import hmac

import orjson
from aiohttp import hdrs, web

from moments.errors import NotAllowed
from web_export.keys import SERVICES
from web_export.visitors import Cookie, cookie_name, cookie_of, visitor_of

PURPOSE = "csrf"
"""What its key is derived for (storage.keys)."""
FIELD, HEADER = "csrf", "X-CSRF-Token"
SAFE = frozenset({hdrs.METH_GET, hdrs.METH_HEAD})
"""Methods that change nothing, and so need no token."""
_REFUSED = "That form was not from this page, or from another login. Go back, reload the page and press it again."

routes = web.RouteTableDef()


async def check_forgery(request: web.Request) -> None:
    """NotAllowed unless a request with a login's cookie that may change something comes from a page of ours."""
    if request.method in SAFE or cookie_name(request) not in request.cookies:
        return
    cookie = cookie_of(request)
    if cookie is None or not _is_same_origin(request):
        raise NotAllowed(_REFUSED)
    if not hmac.compare_digest(token(request, cookie).encode(), (await _given(request)).encode("utf-8", "replace")):
        raise NotAllowed(_REFUSED)


def token(request: web.Request, cookie: Cookie) -> str:
    """What the forms of this one login carry; it ends with the login."""
    key = request.app[SERVICES].keys.derive(PURPOSE)
    return hmac.new(key, f"{cookie.id}.{cookie.secret}".encode(), hashlib.sha256).hexdigest()


async def token_of(request: web.Request) -> str:
    """The token for a page's forms; empty when nobody is logged in."""
    cookie = cookie_of(request) if await visitor_of(request) else None
    return token(request, cookie) if cookie else ""


@routes.get("/session/csrf")
async def csrf(request: web.Request) -> web.Response:
    """The token, for scripts on pages that are the same for everyone."""
    return web.Response(body=orjson.dumps({"csrf": await token_of(request) or None}), content_type="application/json")


def _is_same_origin(request: web.Request) -> bool:
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    return request.headers.get(hdrs.ORIGIN) == request.app[SERVICES].public_url


async def _given(request: web.Request) -> str:
    if HEADER in request.headers:
        return request.headers[HEADER]
    if request.content_type != "application/x-www-form-urlencoded":
        return ""
    given = (await request.post()).get(FIELD, "")
    return given if isinstance(given, str) else ""
