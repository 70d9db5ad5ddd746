"""What every response says to the browser (research/security.md §4, WEB-3, WEB-6)."""

from collections.abc import MutableMapping

from aiohttp import hdrs, web
from multidict import CIMultiDict

PAGE_POLICY = (
    "default-src 'none'; base-uri 'none'; object-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "font-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'"
)
DATA_POLICY = "default-src 'none'; sandbox"
"""For whatever is not a page: opened by itself it may run, load and submit nothing."""
_EVERYWHERE = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    # autoplay, fullscreen and their like stay unnamed: naming them switches players off (finding 5)
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=(), display-capture=()",
    hdrs.CACHE_CONTROL: "private, no-store",
}
_PARTS_OF_PAGES = frozenset({"text/css", "text/javascript"})
"""Governed by the policy of the page that loads them; a worker would take a policy of its own to heart."""
_YEAR = 365 * 86_400


PRIVATE = web.RequestKey("private", bool)
"""Set once a request has been let in to what is not for everyone."""
SEALED = web.RequestKey("sealed", bool)
"""Set by who answers with headers that are sealed already, the same each time."""
NO_INDEX = "X-Robots-Tag"


def is_known(request: web.Request, tag: str) -> bool:
    """Whether the client's copy is still right, so that a 304 will do (API-2); never of what is not for everyone."""
    return PRIVATE not in request and any(known.value in (tag, "*") for known in request.if_none_match or ())


def keep_private(headers: MutableMapping[str, str]) -> None:
    """Whatever a handler said of caching: this answer is one reader's, and for no search engine (API-1, LINK-5)."""
    headers[hdrs.CACHE_CONTROL] = "private, no-store"
    headers[hdrs.VARY] = hdrs.COOKIE
    headers[NO_INDEX] = "noindex"
    for name in (hdrs.ETAG, hdrs.ACCESS_CONTROL_ALLOW_ORIGIN):
        headers.pop(name, None)


def sealed(content_type: str, *, https: bool, **more: str) -> CIMultiDict[str]:
    """All headers of a public answer of the API, for who gives the same one many times (API-1, API-4)."""
    headers = CIMultiDict(more)
    headers[hdrs.CONTENT_TYPE] = content_type
    headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = "*"
    seal(headers, content_type=content_type, https=https)
    return headers


def seal(headers: MutableMapping[str, str], *, content_type: str, https: bool = False) -> None:
    """Add what is missing; a handler's own Cache-Control or policy stays.

    A response without a content type (a 304) gets no Content-Security-Policy: browsers write the headers of
    a 304 over those of the page they kept.
    """
    for name, value in _EVERYWHERE.items():
        headers.setdefault(name, value)
    if content_type == "text/html":
        headers.setdefault("Content-Security-Policy", PAGE_POLICY)
    elif content_type and content_type not in _PARTS_OF_PAGES:
        headers.setdefault("Content-Security-Policy", DATA_POLICY)
    if https:
        headers.setdefault("Strict-Transport-Security", f"max-age={_YEAR}")
    headers[hdrs.SERVER] = "Moments"
