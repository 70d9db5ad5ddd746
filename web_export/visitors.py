"""Who asks: the login a browser's cookie stands for, how long it lasts, and how it begins and ends (AUTH-5, AUTH-7).

Only private pages ask for it. A public page is the same for everyone and never looks at a cookie (API-1).
"""

import re
import secrets
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import NamedTuple

import structlog
from aiohttp import web

from commands.authority import Viewer
from moments.errors import StoreError
from storage import Transaction, web_sessions
from storage.keys import digest_of
from storage.retention import LOGIN_IDLE, LOGIN_LONGEST
from storage.web_sessions import WebSession
from web_export.keys import SERVICES

SEEN_ONCE_IN = timedelta(minutes=5)
"""Uses closer together than this are noted once."""
_COOKIE = re.compile(r"([\w-]{22})\.([\w-]{43})", re.ASCII)
_VISITOR = web.RequestKey("visitor", object)

log = structlog.stdlib.get_logger("web_export")


class Cookie(NamedTuple):
    """What a browser brings: who it says it is, and the proof."""

    id: str
    secret: str


def cookie_name(request: web.Request, what: str = "moments", path: str = "/") -> str:
    """The cookie's name: on https one that no plain page, and where it is for all paths no other host, can set."""
    if not _is_https(request):
        return what
    return f"__Host-{what}" if path == "/" else f"__Secure-{what}"  # browsers take the first for no other path


def set_cookie(
    request: web.Request, response: web.StreamResponse, what: str, value: str, lasts: timedelta, path: str = "/"
) -> None:
    """Give the browser a cookie that no script reads and no other site's form sends."""
    response.set_cookie(
        cookie_name(request, what, path),
        value,
        max_age=int(lasts.total_seconds()),
        path=path,
        secure=_is_https(request),
        httponly=True,
        samesite="Lax",
    )


def cookie_of(request: web.Request) -> Cookie | None:
    """What the browser brought, when it has the shape of a login; nothing is checked yet."""
    found = _COOKIE.fullmatch(request.cookies.get(cookie_name(request), ""))
    return Cookie(*found.groups()) if found else None


async def visitor_of(request: web.Request) -> WebSession | None:
    """The login this request belongs to; None for one that is over, wrong or missing."""
    if _VISITOR not in request:
        request[_VISITOR] = await _look_up(request)
    found = request[_VISITOR]
    return found if isinstance(found, WebSession) else None


def look_again(request: web.Request) -> None:
    """Look the login up afresh when it is next asked for: a request that lasts may outlive it."""
    request.pop(_VISITOR, None)


async def viewer_of(request: web.Request) -> Viewer | None:
    """The account that is logged in, for `role_of`."""
    visitor = await visitor_of(request)
    return None if visitor is None else viewer(visitor)


def viewer(visitor: WebSession) -> Viewer:
    """The account of a login."""
    return Viewer(visitor.platform, visitor.user_id, visitor.display_name, visitor.moderates, visitor.moderates_at)


async def let_in(request: web.Request, response: web.StreamResponse, who: Viewer) -> None:
    """Log a browser in: a new session, in the place of the one it had."""
    store, now = request.app[SERVICES].store, request.app[SERVICES].clock()
    before, cookie = await visitor_of(request), Cookie(secrets.token_urlsafe(16), secrets.token_urlsafe(32))
    session = WebSession(
        *(cookie.id, digest_of(cookie.secret), who.platform, who.user_id, who.display_name, now, now),
        moderates=who.moderates,
        moderates_at=who.moderates_at,
    )

    async def job(transaction: Transaction) -> None:
        if before is not None:
            await web_sessions.end(transaction, before.id, before.platform, before.user_id)
        await web_sessions.add(transaction, session)

    await store.run(job, message=None, now=now)
    set_cookie(request, response, "moments", f"{cookie.id}.{cookie.secret}", LOGIN_LONGEST)


async def let_out(request: web.Request, response: web.StreamResponse) -> None:
    """Log this browser out."""
    if cookie_name(request) not in request.cookies:
        return  # another site's form brings none; its answer must not make the browser drop the one it has
    visitor = await visitor_of(request)
    if visitor is not None:
        await end(request, visitor, visitor.id)
    forget_cookie(request, response)


async def end(request: web.Request, visitor: WebSession, session_id: str) -> bool:
    """End one of the visitor's own logins; whether there was such a one."""
    services = request.app[SERVICES]

    async def job(transaction: Transaction) -> bool:
        return await web_sessions.end(transaction, session_id, visitor.platform, visitor.user_id)

    return await services.store.run(job, message=None, now=services.clock())


def forget_cookie(request: web.Request, response: web.StreamResponse) -> None:
    """Have the browser drop its login's cookie."""
    response.del_cookie(cookie_name(request), path="/", secure=_is_https(request), httponly=True, samesite="Lax")


def is_over(session: WebSession, now: datetime) -> bool:
    """Whether a login has run out."""
    return now - session.seen_at > LOGIN_IDLE or now - session.created_at > LOGIN_LONGEST


async def _look_up(request: web.Request) -> WebSession | None:
    cookie, services = cookie_of(request), request.app[SERVICES]
    found = await web_sessions.find(services.store, cookie.id) if cookie else None
    if cookie is None or found is None or not compare_digest(found.secret_digest, digest_of(cookie.secret)):
        return None
    now = services.clock()
    if is_over(found, now):
        return None
    if now - found.seen_at > SEEN_ONCE_IN:
        await _note_seen(request, found.id, now)
    return found


async def _note_seen(request: web.Request, session_id: str, now: datetime) -> None:
    async def job(transaction: Transaction) -> None:
        await web_sessions.seen(transaction, session_id, now)

    try:
        await request.app[SERVICES].store.run(job, message=None, now=now)
    except StoreError as error:  # no reason to keep the page from whoever may read it
        log.warning("that a login was used could not be noted", error=str(error))


def _is_https(request: web.Request) -> bool:
    return request.app[SERVICES].public_url.startswith("https:")
