"""The way to a provider and back (AUTH-1…3): only the browser that left comes back, once, for what it left for."""

import hashlib
import re
import secrets
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple

from aiohttp import hdrs, web

from commands import connecting
from commands.services import Services
from moments.errors import NotAuthorised, NotFound, ProviderRefused, UsageError
from moments.grants import Grant
from providers.twitch import TwitchApi
from providers.twitch.oauth import check_identity
from storage import Transaction, login_attempts
from storage.login_attempts import Attempt
from storage.purge import LOGIN_ATTEMPT
from web_export.keys import SERVICES
from web_export.visitors import cookie_name, set_cookie

PROVIDER = "twitch"
_RETURN = re.compile(r"/(?![/\\])[A-Za-z0-9/_.~?&=:,@+-]{0,500}", re.ASCII)
_SECRET = re.compile(r"[\w-]{43}", re.ASCII)
_CODE = re.compile(r"[!-~]{1,512}", re.ASCII)
_OTHER_WAY = "That login is over, or was begun in another browser. Nothing was changed; please start it again."
_NOT_SET_UP = (
    "Twitch is not set up here yet. Whoever runs this Moments sets MOMENTS_TWITCH_CLIENT_ID, "
    "MOMENTS_TWITCH_CLIENT_SECRET and MOMENTS_TWITCH_BOT_ID, and starts it again."
)


class Purpose(StrEnum):
    """What somebody goes to the provider for."""

    LOGIN = "login"
    CONNECT = "connect"
    BOT = "bot"


_CALLBACKS = {
    Purpose.LOGIN: "/login/twitch/callback",
    Purpose.CONNECT: "/twitch/connect/callback",
    Purpose.BOT: "/twitch/connect/callback",
}


class Returned(NamedTuple):
    """Somebody who came back: what they had left for, and what they granted; None when they said no."""

    attempt: Attempt
    grant: Grant | None


def twitch_of(services: Services) -> TwitchApi:
    """Twitch; NotFound, in words for the operator, where it is not set up."""
    if services.twitch is None:
        raise NotFound(_NOT_SET_UP)
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
    scopes: Iterable[str],
    *,
    return_to: str = "/",
    details: Mapping[str, str] | None = None,
) -> tuple[str, str]:
    """Remember who leaves; the provider's address for them, and what `remember()` gives their browser."""
    services, now = request.app[SERVICES], request.app[SERVICES].clock()
    twitch, state, nonce = twitch_of(services), secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    browser = _browser(request) or secrets.token_urlsafe(32)  # two logins at once, in two tabs, are one browser's
    attempt = Attempt(PROVIDER, purpose, _digest(browser), nonce, return_to, details or {})

    async def job(transaction: Transaction) -> None:
        await login_attempts.begin(transaction, _digest(state), attempt, now + LOGIN_ATTEMPT)

    await services.store.run(job, message=None, now=now)
    address = twitch.oauth.authorize_url(
        redirect_uri=services.link(_CALLBACKS[purpose]),
        scopes=frozenset(scopes) | {"openid"},
        state=state,
        nonce=nonce,
        force_verify=purpose is not Purpose.LOGIN,
    )
    return address, browser


def remember(request: web.Request, response: web.StreamResponse, browser: str) -> None:
    """Let the browser prove, when it comes back, that it is the one that left."""
    set_cookie(request, response, "moments-login", browser, LOGIN_ATTEMPT)


async def returned(request: web.Request, *purposes: Purpose) -> Returned:
    """Who came back; UsageError when they never left, came back before, or are not whom the provider speaks of.

    The attempt is used up before the code is. What was granted is the caller's to keep or to give back.
    """
    attempt = await _take(request, purposes)
    if attempt is None:
        raise UsageError(_OTHER_WAY)
    code = request.query.get("code", "")
    if not _CODE.fullmatch(code):
        return Returned(attempt, None)  # its `error` is the provider's word, or anybody's; it is not repeated (AUTH-11)
    services = request.app[SERVICES]
    oauth, redirect_uri = twitch_of(services).oauth, services.link(_CALLBACKS[Purpose(attempt.purpose)])
    try:
        grant, claims = await oauth.exchange(code, redirect_uri)
    except NotAuthorised:
        raise UsageError(_OTHER_WAY) from None
    except ProviderRefused as error:
        if error.status != 400 or "client" in error.code.lower():
            raise
        raise UsageError(_OTHER_WAY) from None
    try:
        proven = check_identity(claims, attempt.nonce, oauth.client_id, services.clock())
    except NotAuthorised:
        proven = ""
    if proven != grant.user_id:
        await connecting.give_back(services, grant)
        raise UsageError(_OTHER_WAY)
    return Returned(attempt, grant)


async def _take(request: web.Request, purposes: tuple[Purpose, ...]) -> Attempt | None:
    browser, state = _browser(request), request.query.get("state", "")
    if browser is None or not _SECRET.fullmatch(state):
        return None
    services, now = request.app[SERVICES], request.app[SERVICES].clock()

    async def job(transaction: Transaction) -> Attempt | None:
        return await login_attempts.take(
            transaction,
            _digest(state),
            provider=PROVIDER,
            purposes=purposes,
            browser_digest=_digest(browser),
            now=now,
        )

    return await services.store.run(job, message=None, now=now)


def _browser(request: web.Request) -> str | None:
    brought = request.cookies.get(cookie_name(request, "moments-login"), "")
    return brought if _SECRET.fullmatch(brought) else None


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
