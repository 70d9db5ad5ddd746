"""What is written down about requests: enough to run the site, nothing about who asked (LOG-4, LOG-5)."""

from http import HTTPStatus
from typing import Final

import structlog
from aiohttp import hdrs, web
from aiohttp.abc import AbstractAccessLogger

from web_export.metrics import METRICS

log: Final = structlog.stdlib.get_logger("web_export.access")
_PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
_COUNTED_ONLY = frozenset({"/api/v1/saved"})
"""Reads that a single program may ask thousands of times a second: /metrics counts them, the log tells what failed."""
_METHODS = hdrs.METH_ALL
UNKNOWN_ROUTE = "(none)"


def route_of(request: web.Request) -> str:
    """The route's template, `/s/{session}`: never the path, whose parts may be tokens."""
    resource = request.match_info.route.resource
    return resource.canonical if resource else UNKNOWN_ROUTE


class AccessLog(AbstractAccessLogger):
    """One event a request: method, route template, status, ms, bytes. No query, Referer, cookie or address."""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """Write it, and count it for /metrics; `time` in seconds."""
        if not isinstance(request, web.Request):
            return
        route = route_of(request)
        request.app[METRICS].count(route, response.status, time)
        if route in _COUNTED_ONLY and response.status < HTTPStatus.BAD_REQUEST:
            return
        write = log.debug if route in _PROBES else log.info
        write(
            "request",
            method=request.method if request.method in _METHODS else "other",
            route=route,
            status=response.status,
            ms=round(time * 1000, 1),
            bytes=response.body_length if response.prepared else 0,
        )


class Noise:
    """Malformed requests, which anybody can send by the thousand: counted, and told in one line a minute."""

    def __init__(self, every: float = 60.0) -> None:
        self._every = every
        self._count = 0
        self._told = float("-inf")

    def add(self) -> None:
        """Count one."""
        self._count += 1

    def tell(self, now: float) -> None:
        """Write the line when one is due; `now` in seconds of any clock that only goes forward."""
        if self._count and now - self._told >= self._every:
            self._told = now
            self.tell_rest()

    def tell_rest(self) -> None:
        """Write the line for whatever is still untold."""
        if self._count:
            log.warning("malformed requests refused", count=self._count)
            self._count = 0
