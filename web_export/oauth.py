"""The way to a provider and back (AUTH-1…3): only the browser that left comes back, once, for what it left for."""

import re
import secrets
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple

from aiohttp import hdrs, web

from commands.services import Services
from moments.errors import NotAuthorised, NotFound, ProviderRefused, UsageError
from moments.grants import Grant
from providers.twitch import TwitchApi
from storage import Transaction, login_attempts
from storage.keys import digest_of
from storage.login_attempts import Attempt
from storage.retention import LOGIN_ATTEMPT
from web_export.keys import SERVICES
from web_export.visitors import cookie_name, set_cookie
from web_export.ways import NOT_SET_UP, TWITCH, way_of

PROVIDER = TWITCH
"""Whose channels are connected."""
_RETURN = re.compile(r"/(?![/\\])[A-Za-z0-9/_.~?&=:,@+-]{0,500}", re.ASCII)
_SECRET = re.compile(r"[\w-]{43}", re.ASCII)
_CODE = re.compile(r"[!-~]{1,512}", re.ASCII)
OTHER_WAY = "That login is over, or was begun in another browser. Nothing was changed; please start it again."


class Purpose(StrEnum):
    """What somebody goes to the provider for."""

    LOGIN = "login"
    LINK = "link"
    CONNECT = "connect"
    BOT = "bot"


CALLBACKS = {
    Purpose.LOGIN: "/login/{}/callback",
    Purpose.LINK: "/me/link/{}/callback",
    Purpose.CONNECT: "/{}/connect/callback",
    Purpose.BOT: "/{}/connect/callback",
}
"""One for each provider and purpose: what was begun for one ends nowhere else (AUTH-3)."""


class Returned(NamedTuple):
    """Somebody who came back: what they had left for, and what they granted; None when they said no."""

    attempt: Attempt
    grant: Grant | None
    display_name: str = ""
    """How the provider calls them, where it says so unasked."""


def twitch_of(services: Services) -> TwitchApi:
    """Twitch; NotFound, in words for the operator, where it is not set up."""
    if services.twitch is None:
        raise NotFound(NOT_SET_UP[TWITCH])
    return services.twitch


def return_path(word: str | None) -> str:
    """Where to go afterwards: a page of our own, the front page for anything else (AUTH-8)."""
    return word if word is not None and _RETURN.fullmatch(word) and ".." not in word else "/"


def see_other(location: str) -> web.Response:
    """On to another page, by GET and not from any cache."""
    return web.Response(status=303, headers={hdrs.LOCATION: location})


async def leave(
    request: web.Request,
    purpose: Purpose,
    scopes: Iterable[str] = (),
    *,
    provider: str = PROVIDER,
    return_to: str = "/",
    details: Mapping[str, str] | None = None,
) -> tuple[str, str]:
    """Remember who leaves; the provider's address for them, and what `remember()` gives their browser."""
    services, now = request.app[SERVICES], request.app[SERVICES].clock()
    way, state, secret = way_of(services, provider), secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    browser = _browser(request) or secrets.token_urlsafe(32)  # two logins at once, in two tabs, are one browser's
    attempt = Attempt(provider, purpose, digest_of(browser), secret, return_to, details or {})

    async def job(transaction: Transaction) -> None:
        await login_attempts.begin(transaction, digest_of(state), attempt, now + LOGIN_ATTEMPT)

    await services.store.run(job, message=None, now=now)
    back = services.link(CALLBACKS[purpose].format(provider))
    return way.address(back, scopes, state, secret, ask_anew=purpose is not Purpose.LOGIN), browser


def remember(request: web.Request, response: web.StreamResponse, browser: str) -> None:
    """Let the browser prove, when it comes back, that it is the one that left."""
    set_cookie(request, response, "moments-login", browser, LOGIN_ATTEMPT)


async def returned(request: web.Request, *purposes: Purpose, provider: str = PROVIDER) -> Returned:
    """Who came back; UsageError when they never left, came back before, or are not whom the provider speaks of.

    The attempt is used up before the code is. What was granted is the caller's to keep or to give back.
    """
    attempt = await _take(request, provider, purposes)
    if attempt is None:
        raise UsageError(OTHER_WAY)
    code = request.query.get("code", "")
    if not _CODE.fullmatch(code):
        return Returned(attempt, None)  # its `error` is the provider's word, or anybody's; it is not repeated (AUTH-11)
    services = request.app[SERVICES]
    redirect_uri = services.link(CALLBACKS[Purpose(attempt.purpose)].format(provider))
    try:
        return Returned(attempt, *await way_of(services, provider).proven(code, redirect_uri, attempt.nonce))
    except NotAuthorised:
        raise UsageError(OTHER_WAY) from None
    except ProviderRefused as error:
        if error.status != 400 or "client" in error.code.lower():
            raise
        raise UsageError(OTHER_WAY) from None


async def _take(request: web.Request, provider: str, purposes: tuple[Purpose, ...]) -> Attempt | None:
    browser, state = _browser(request), request.query.get("state", "")
    if browser is None or not _SECRET.fullmatch(state):
        return None
    services, now = request.app[SERVICES], request.app[SERVICES].clock()

    async def job(transaction: Transaction) -> Attempt | None:
        return await login_attempts.take(
            transaction,
            digest_of(state),
            provider=provider,
            purposes=purposes,
            browser_digest=digest_of(browser),
            now=now,
        )

    return await services.store.run(job, message=None, now=now)


def _browser(request: web.Request) -> str | None:
    brought = request.cookies.get(cookie_name(request, "moments-login"), "")
    return brought if _SECRET.fullmatch(brought) else None
