"""A session's changes as they happen, over server-sent events (design.md §8 "Shapes")."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import orjson
from aiohttp import hdrs, web

from commands.feed import Event, Feed, Kind
from commands.services import Services
from commands.shared import Shared
from moments.errors import NotFound, StoreError
from web_export.clients import TRUSTED, client_key
from web_export.headers import PRIVATE
from web_export.keys import SERVICES
from web_export.reading import may_still_read, readable_session
from web_export.shapes import session_json, timestamp_json
from web_export.vods import VodsKept

HEARTBEAT_SECONDS = 20
RETRY_MS = 3000
"""How long a browser that lost the stream rests before it asks again."""
LIFETIME_SECONDS = 30 * 60
STREAMS_AN_ADDRESS, STREAMS_IN_ALL = 10, 500
CATCH_UP_SECONDS = 2
"""How long a watcher that fell behind rests before it is told to read afresh."""
FRAMES_KEPT = 2000
_NO_LONGER = "This session is not to be seen here any more."
EVENT_STREAM = "text/event-stream"

FrameKey = tuple[str, str, Kind]
"""(session id, event id, kind)."""

routes = web.RouteTableDef()


class Streams:
    """The open streams: how many, whose, and how to end them all; and the frames they share."""

    def __init__(self) -> None:
        self._addresses: Counter[str] = Counter()
        self._open: set[asyncio.Timeout] = set()
        self._frames: dict[FrameKey, bytes] = {}
        self._making: Shared[FrameKey, bytes] = Shared()
        self._vods = VodsKept()

    @contextlib.contextmanager
    def place(self, address: str) -> Iterator[None]:
        """A place for one more stream; 429 or 503 when there is none (security.md RES-5)."""
        if self._addresses.total() >= STREAMS_IN_ALL:
            raise web.HTTPServiceUnavailable(text="Too many people are watching live.", headers={"Retry-After": "60"})
        if self._addresses[address] >= STREAMS_AN_ADDRESS:
            raise web.HTTPTooManyRequests(text="Too many live pages are open here.", headers={"Retry-After": "60"})
        self._addresses[address] += 1
        try:
            yield
        finally:
            self._addresses[address] -= 1
            self._addresses += Counter()  # drops those at zero

    @contextlib.asynccontextmanager
    async def lifetime(self) -> AsyncIterator[asyncio.Timeout]:
        """Ends its block after half an hour, or when the site shuts down."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LIFETIME_SECONDS) as scope:
                self._open.add(scope)
                try:
                    yield scope
                finally:
                    self._open.discard(scope)

    def end_all(self) -> None:
        """End every stream now."""
        for scope in self._open:
            end(scope)

    async def close(self) -> None:
        """End the work that streams left behind."""
        await self._making.close()

    def forget(self, session_id: str) -> None:
        """Keep no copy of what was said of this session: something of it was taken back."""
        for key in [key for key in self._frames if key[0] == session_id]:
            del self._frames[key]

    async def frame(self, services: Services, session_id: str, event: Event) -> bytes:
        """An event as it is sent, worked out once for all who watch."""
        key = (session_id, event.id, event.kind)
        frame = self._frames.get(key)
        if frame is None:
            frame = await self._making.once(key, lambda: _frame(services, self._vods, session_id, event))
            self._frames[key] = frame
            if len(self._frames) > FRAMES_KEPT:
                del self._frames[next(iter(self._frames))]
        return frame


STREAMS = web.AppKey("streams", Streams)


def add_live(app: web.Application) -> None:
    """Add the stream, and end all of them when the site shuts down."""
    app[STREAMS] = streams = Streams()
    app.add_routes(routes)

    app[SERVICES].feed.withdrawn.append(streams.forget)

    async def end_all(_: web.Application) -> None:
        streams.end_all()

    async def close(_: web.Application) -> None:
        app[SERVICES].feed.withdrawn.remove(streams.forget)
        await streams.close()

    app.on_shutdown.append(end_all)
    app.on_cleanup.append(close)


def end(scope: asyncio.Timeout) -> None:
    """Let a lifetime run out now."""
    if not scope.expired():
        scope.reschedule(asyncio.get_running_loop().time())


@routes.get("/s/{session}/events")
async def events(request: web.Request) -> web.StreamResponse:
    """Every change after the id in Last-Event-ID, else in `?after=`, else from now."""
    services, streams = request.app[SERVICES], request.app[STREAMS]
    session = await readable_session(request, request.match_info["session"])
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    if request.method == hdrs.METH_HEAD:
        return web.Response(headers=headers, content_type=EVENT_STREAM)
    after = request.headers.get("Last-Event-ID") or request.query.get("after") or None
    with streams.place(client_key(request, request.app[TRUSTED])):
        response = web.StreamResponse(headers=headers)
        response.content_type = EVENT_STREAM

        async def send(event: Event) -> None:
            # The channel may have become private: that is told before anything that came after it.
            if event.kind in {"session", "stale"} and not await may_still_read(request, session.id):
                raise NotFound(_NO_LONGER)
            await response.write(await streams.frame(services, session.id, event))

        # A reader who left shows as a ConnectionError; when the session or the store is gone, the browser asks again.
        with contextlib.suppress(ConnectionError, NotFound, StoreError):
            await response.prepare(request)
            await response.write(b"retry: %d\n\n" % RETRY_MS)
            async with streams.lifetime() as scope:
                pulse = asyncio.create_task(_beat(request, response, session.id, scope))
                try:
                    await _follow(services.feed, session.id, after, send)
                finally:
                    pulse.cancel()
    return response


async def _follow(feed: Feed, session_id: str, after: str | None, send: Callable[[Event], Awaitable[None]]) -> None:
    """Pass every event on. One who fell behind in a flood rests, is told to read afresh, and goes on from there."""
    while True:
        async with contextlib.aclosing(feed.watch(session_id, after)) as changes:
            async for event in changes:
                await send(event)
        await asyncio.sleep(CATCH_UP_SECONDS)
        after = feed.position(session_id)
        await send(Event(after, "stale"))


async def _beat(request: web.Request, response: web.StreamResponse, session_id: str, scope: asyncio.Timeout) -> None:
    """Keep proxies from closing a quiet stream; a reader who left is known at once (handler_cancellation in app.py).

    Who reads what is not for everyone must still be allowed to (RES-5).
    """
    with contextlib.suppress(ConnectionError, StoreError):
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            if PRIVATE in request and not await may_still_read(request, session_id):
                break
            await response.write(b": still here\n\n")
    end(scope)


async def _frame(services: Services, vods: VodsKept, session_id: str, event: Event) -> bytes:
    name, data = await _name_and_data(services, vods, session_id, event)
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (event.id.encode(), name, orjson.dumps(data))


async def _name_and_data(services: Services, vods: VodsKept, session_id: str, event: Event) -> tuple[bytes, object]:
    if event.kind == "timestamp" and event.mark is not None:
        place = await vods.place_of(services, event.mark)
        return b"timestamp", {**timestamp_json(event.mark, place), "people": event.people}
    if event.kind == "removed":
        return b"removed", {"number": event.number}
    vods.forget(session_id)  # it may be another segment, or a moderator's correction
    session = await services.store.session(session_id)
    if session is None:
        raise NotFound(_NO_LONGER)
    totals = await services.store.totals(session)
    counts = {"marks": totals.marks, "people": totals.people}
    stale = {"reload": True} if event.kind == "stale" else {}
    return b"session", {**session_json(session), **counts, **stale}
