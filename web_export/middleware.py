"""Round every handler: which requests are taken at all, how errors are answered, which headers go out."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import orjson
import structlog
from aiohttp import HttpVersion11, hdrs, web

from moments.errors import MomentsError, NotAllowed, NotFound, ProviderError, Refusal, StoreError, UsageError
from web_export import clients, words
from web_export.access_log import route_of
from web_export.csrf import check_forgery
from web_export.finishing import finish_changes
from web_export.headers import PRIVATE, SEALED, keep_private, seal
from web_export.limits import Limits, TooMany
from web_export.render import error_page

log: Final = structlog.stdlib.get_logger("web_export")

LARGEST_BODY = 64 * 1024
LONGEST_QUERY = 2 * 1024
BROKEN = "Something broke on our side."
LIMITS = web.AppKey("limits", Limits)
HOSTS = web.AppKey("hosts", frozenset)
"""The names this site answers to."""
HTTPS = web.AppKey("https", bool)
"""Whether the public address is https."""
_STARTED = web.RequestKey("started", bool)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Problem:
    """An error as it is told: a status and one sentence."""

    status: int
    sentence: str
    headers: Mapping[str, str] = field(default_factory=dict)


# ---------------------------------------------------------------------------------------------- headers


async def finish_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Signal handler: runs once for every response that has a route or misses one, streamed ones too."""
    request[_STARTED] = True
    if SEALED in request:
        return
    if request.path.startswith("/api/v1/") and request.method in {hdrs.METH_GET, hdrs.METH_HEAD}:
        response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = "*"
    if PRIVATE in request:
        keep_private(response.headers)
    not_modified = response.status == HTTPStatus.NOT_MODIFIED
    seal(
        response.headers,
        content_type="" if not_modified else response.content_type,
        https=request.app[HTTPS],
    )


# ----------------------------------------------------------------------------------------------- errors


@web.middleware
async def tell_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The site's one error door."""
    try:
        return await handler(request)
    except (ConnectionError, web.RequestPayloadError):
        return web.Response(status=400)  # the client left, or sent a broken body
    except web.HTTPException as error:
        if error.status < HTTPStatus.BAD_REQUEST:
            raise
        problem = _of_http(error)
    except MomentsError as error:
        problem = _of_ours(request, error)
    except Exception:
        log.exception("request failed", route=route_of(request))
        problem = Problem(500, BROKEN)
    return _answer(request, problem)


def _of_ours(request: web.Request, error: MomentsError) -> Problem:
    sentence = str(error)
    match error:
        case TooMany():
            return Problem(429, sentence, {hdrs.RETRY_AFTER: str(error.retry_after)})
        case NotFound():
            return Problem(404, sentence)
        case NotAllowed():
            return Problem(403, sentence)
        case Refusal():
            return Problem(409, sentence)
        case UsageError():
            return Problem(400, sentence)
        case StoreError():
            # Its sentence is the operator's: it may name the file.
            log.error("the store failed a request", route=route_of(request), error=sentence)
            return Problem(503, "The store cannot answer now. Try again in a moment.", {hdrs.RETRY_AFTER: "5"})
        case ProviderError():
            log.warning("a service failed a request", route=route_of(request), error=sentence)
            who = words.platform(request.match_info.get("provider", "twitch"))
            return Problem(502, f"{who} did not answer as it should. Nothing was changed; try again in a minute.")
    return Problem(500, sentence)


def _of_http(error: web.HTTPException) -> Problem:
    kept = {str(name): error.headers[name] for name in (hdrs.ALLOW, hdrs.RETRY_AFTER) if name in error.headers}
    match error.status:
        case HTTPStatus.NOT_FOUND:
            sentence = "There is nothing at this address."
        case HTTPStatus.METHOD_NOT_ALLOWED:
            sentence = f"This address answers only {kept.get(hdrs.ALLOW) or 'other methods'}."
        case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            sentence = f"That is more than {LARGEST_BODY // 1024} KiB."
        case _ if error.text and not error.text.startswith(f"{error.status}:"):
            sentence = error.text  # raised by a handler of ours with words of its own
        case status:
            sentence = f"{HTTPStatus(status).phrase}."
    return Problem(error.status, sentence, kept)


def _answer(request: web.Request, problem: Problem) -> web.StreamResponse:
    if request.get(_STARTED) and request.transport is not None:
        # Half an answer is out; the client must see it break off, not end.
        request.transport.abort()
    response = _page(request, problem) if _wants_page(request) else problem_document(problem)
    response.headers.update(problem.headers)
    response.headers[hdrs.VARY] = hdrs.ACCEPT
    return response


def _wants_page(request: web.Request) -> bool:
    accepted = request.headers.get(hdrs.ACCEPT, "")
    return "text/html" in accepted and not request.path.startswith("/api/")


def _page(request: web.Request, problem: Problem) -> web.Response:
    try:
        return error_page(request, problem.status, problem.sentence)
    except Exception:
        log.exception("the error page failed")
        return problem_document(problem)


def problem_document(problem: Problem) -> web.Response:
    """RFC 9457; a type of `about:blank` says that the status tells all there is."""
    document = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.sentence,
    }
    return web.Response(body=orjson.dumps(document), status=problem.status, content_type="application/problem+json")


# ---------------------------------------------------------------------------------------------- the gate


@web.middleware
async def check_request(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what no handler should see: other sites' requests, oversized or compressed ones (API-3, RES-3)."""
    if request.path != "/healthz" and not _is_for_us(request):  # probes ask by whatever address they know
        raise web.HTTPMisdirectedRequest(text="This server does not answer for that host.")
    if len(request.rel_url.raw_query_string) > LONGEST_QUERY:
        raise web.HTTPRequestURITooLong(text=f"The query is longer than {LONGEST_QUERY // 1024} KiB.")
    if request.headers.get(hdrs.CONTENT_ENCODING, "identity").lower() != "identity":
        raise web.HTTPUnsupportedMediaType(text="Send the body uncompressed.")
    if (request.content_length or 0) > LARGEST_BODY:
        raise web.HTTPRequestEntityTooLarge(LARGEST_BODY)
    return await handler(request)


def hosts(*names: str | None) -> frozenset[str]:
    """The names a site may be asked by, loopback's among them; a listen-to-everything address is none."""
    given = {name.lower() for name in names if name}
    return frozenset(given - {"0.0.0.0", "::"} | {"localhost", "127.0.0.1", "::1"})  # noqa: S104 -- taken out here


def _is_for_us(request: web.Request) -> bool:
    authorities = request.headers.getall(hdrs.HOST, [])
    if not request.raw_path.startswith(("/", "*")):
        # Absolute and authority forms are asked of proxies; when they name us they are as good as a path.
        authorities.append(urlsplit(request.raw_path).netloc or request.raw_path)
    if not authorities:
        return request.version < HttpVersion11
    return all(_is_ours(request, authority) for authority in authorities)


def _is_ours(request: web.Request, authority: str) -> bool:
    name = _name_in(authority)
    return bool(name) and (name in request.app[HOSTS] or _is_own_address(request, name))


@lru_cache(maxsize=256)
def _name_in(authority: str) -> str:
    """The host's name; empty for what is no authority."""
    try:
        name = urlsplit(f"//{authority}").hostname
    except ValueError:
        return ""
    return "" if not name or "@" in authority else name.removesuffix(".")


def _is_own_address(request: web.Request, name: str) -> bool:
    """Whether it spells the very address this connection came in at, as it does when listening on all."""
    own = request.transport.get_extra_info("sockname") if request.transport else None
    address = clients.parse_address(f"[{name}]")
    return address is not None and isinstance(own, tuple) and address == clients.parse_address(f"[{own[0]}]")


@web.middleware
async def limit_clients(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer 429 to a client that asks too often."""
    limits = request.app[LIMITS]
    if limits.rates.spare_operator and clients.is_operator(request):
        return await handler(request)
    with limits.allow(_asked(request), clients.client_of(request)):
        return await handler(request)


def _asked(request: web.Request) -> str:
    """The path as limits know it: that somebody tries the bot's code shows in the query only."""
    return f"{request.path}?code" if "code" in request.query else request.path


@web.middleware
async def refuse_forgeries(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what another site would do in the name of somebody who is logged in here (AUTH-6)."""
    await check_forgery(request)
    return await handler(request)


MIDDLEWARES = (tell_errors, check_request, limit_clients, refuse_forgeries, finish_changes)
