"""Signed links: a page without content, one button, and the cookie that opens what the link is for (LINK-4, LINK-5)."""

import re

from aiohttp import hdrs, web

from commands import private_links
from moments.errors import NotAllowed
from moments.sessions import Session
from web_export.csrf import token
from web_export.headers import PRIVATE
from web_export.keys import SERVICES
from web_export.oauth import see_other
from web_export.personal import PERSONAL_CACHE
from web_export.render import html_response, render
from web_export.visitors import cookie_name, cookie_of, set_cookie

COOKIE = "moments-links"
MOST_OPEN = 8
"""Links one browser holds at once; the oldest makes room."""
_TOKEN = re.compile(r"\.?[\w-]{20,400}\.[\w-]{43}", re.ASCII)

routes = web.RouteTableDef()


@routes.get("/link/{token}")
async def landing(request: web.Request) -> web.Response:
    """One button. Nothing is looked at or used up: programs that make previews open links, too."""
    _token(request)
    request[PRIVATE] = True
    cookie = cookie_of(request)  # also of a login that is over: the button is checked against it all the same
    body = render("link.html", csrf=token(request, cookie) if cookie else "")
    return html_response(body, cache=PERSONAL_CACHE)


@routes.post("/link/{token}")
async def redeem(request: web.Request) -> web.Response:
    """Open what the link is for in this browser; 403 when it does not work, or not any more."""
    word = _token(request)
    request[PRIVATE] = True
    if not _may_be_ours(request):
        raise NotAllowed("Open the link itself, and press the button there.")
    services = request.app[SERVICES]
    link = await private_links.redeem(services, word)
    now = services.clock()
    read = {other: private_links.read(services.keys, other) for other in _brought(request)}
    others = [other for other, said in read.items() if said and said.ends_at > now and other != word]
    response = see_other(link.path)
    set_cookie(request, response, COOKIE, "~".join([word, *others[: MOST_OPEN - 1]]), private_links.LONGEST)
    return response


async def has_link(request: web.Request, session: Session, file: str) -> bool:
    """Whether this browser brought a link that opens the session, or this download of it, now (LINK-3)."""
    services = request.app[SERVICES]
    for word in _brought(request):
        link = private_links.read(services.keys, word)
        if link and link.opens(session.id, file) and await private_links.works(services, link, session):
            return True
    return False


def _token(request: web.Request) -> str:
    word = request.match_info["token"]
    if not _TOKEN.fullmatch(word):
        raise web.HTTPNotFound
    return word


def _brought(request: web.Request) -> list[str]:
    words = request.cookies.get(cookie_name(request, COOKIE), "").split("~")[:MOST_OPEN]
    return [word for word in words if _TOKEN.fullmatch(word)]


def _may_be_ours(request: web.Request) -> bool:
    """Whether the button can have been pressed on our page. On plain http browsers do not say where it was."""
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get(hdrs.ORIGIN, "null")
    return site == "same-origin" if site is not None else origin in {"null", request.app[SERVICES].public_url}
