"""For probes and Prometheus, and what crawlers should leave alone."""

import asyncio
import hmac
from typing import Any

import orjson
import structlog
from aiohttp import hdrs, web

from moments.errors import StoreError
from web_export.clients import is_operator
from web_export.keys import CONFIG, SERVICES
from web_export.metrics import METRICS

PING_SECONDS = 3
ROBOTS = "User-agent: *\nDisallow: /api/\nDisallow: /s/*/events\nDisallow: /s/*/export.\n"

log = structlog.stdlib.get_logger("web_export")
routes = web.RouteTableDef()


@routes.get("/healthz")
async def healthz(_request: web.Request) -> web.Response:
    """The process is up and its event loop turns."""
    return web.Response(text="ok\n")


@routes.get("/readyz")
async def readyz(request: web.Request) -> web.Response:
    """Whether the store answers; each platform's state for the operator only (API-5)."""
    store = await _store_state(request)
    answer: dict[str, Any] = {"store": store}
    if may_look_inside(request):
        answer["platforms"] = dict(request.app[CONFIG].platforms())
    return web.Response(
        body=orjson.dumps(answer), status=200 if store == "ok" else 503, content_type="application/json"
    )


async def _store_state(request: web.Request) -> str:
    try:
        async with asyncio.timeout(PING_SECONDS):
            await request.app[SERVICES].store.ping()
    except (StoreError, TimeoutError) as error:
        log.warning("the store is not ready", error=str(error) or "no answer in time")
        return "down"
    return "ok"


@routes.get("/metrics")
async def metrics(request: web.Request) -> web.Response:
    """Prometheus figures, to the operator; to everyone else there is nothing here."""
    if not may_look_inside(request):
        raise web.HTTPNotFound
    return web.Response(
        body=request.app[METRICS].text(),
        headers={hdrs.CONTENT_TYPE: "text/plain; version=0.0.4; charset=utf-8"},
    )


def may_look_inside(request: web.Request) -> bool:
    """The metrics token, or this very machine without any proxy between."""
    token = request.app[CONFIG].metrics_token
    given = request.headers.get(hdrs.AUTHORIZATION, "")
    if token is not None and token.get_secret_value():
        expected = f"Bearer {token.get_secret_value()}"
        # compare_digest takes only ASCII strings, so bytes
        if hmac.compare_digest(given.encode("utf-8", "surrogateescape"), expected.encode()):
            return True
    return is_operator(request)


@routes.get("/robots.txt")
async def robots(_request: web.Request) -> web.Response:
    """Pages may be indexed; data and downloads need not be crawled."""
    return web.Response(text=ROBOTS, headers={hdrs.CACHE_CONTROL: "public, max-age=86400"})
