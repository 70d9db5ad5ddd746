"""What a request has begun to change is finished also when its browser leaves half-way.

aiohttp cancels the handler of a browser that left, which spares us its reading; a change must not end that way: a
channel disconnected whose token is never given back, settings of which half are kept.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import structlog
from aiohttp import web

from moments.errors import MomentsError
from web_export.csrf import SAFE

T = TypeVar("T")

SETTLE_SECONDS = 1.0
"""How long changes under way may take to end once the site closes; then they are cut."""

log = structlog.stdlib.get_logger("web_export")

_UNDER_WAY = web.AppKey("under way", set[asyncio.Task[Any]])

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def add_finishing(app: web.Application) -> None:
    """Let the application hold changes until they are done, and wait for them when it ends."""
    app[_UNDER_WAY] = set()
    app.on_cleanup.append(_settle)


async def finish(request: web.Request, work: Coroutine[Any, Any, T]) -> T:
    """What `work` returns or raises. It goes on when its asker is cancelled; only the end of the site cuts it."""
    task = asyncio.create_task(work)
    under_way = request.app[_UNDER_WAY]
    under_way.add(task)
    task.add_done_callback(under_way.discard)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(_tell)  # nobody else hears of it any more
        raise


@web.middleware
async def finish_changes(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Finish whatever a button has begun; reading ends with its reader."""
    if request.method in SAFE:
        return await handler(request)
    return await finish(request, _answer(handler, request))


async def _answer(handler: Handler, request: web.Request) -> web.StreamResponse:
    return await handler(request)


def _tell(task: asyncio.Task[Any]) -> None:
    error = None if task.cancelled() else task.exception()
    match error:
        case None | ConnectionError() | web.RequestPayloadError() | web.HTTPException():
            pass  # it is done, or was never fully asked for
        case MomentsError():
            log.warning("a change failed after its browser had left", error=str(error))
        case _:
            log.error("a change failed after its browser had left", exc_info=error)


async def _settle(app: web.Application) -> None:
    under_way = app[_UNDER_WAY]
    if not under_way:
        return
    _, late = await asyncio.wait(tuple(under_way), timeout=SETTLE_SECONDS)
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
