"""The EventSub websocket: welcome, keepalive, handover, and every way a connection dies."""

import asyncio
import math
import secrets
import uuid
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import datetime
from typing import Any

import orjson
from aiohttp import WSMsgType, web

from tests.fake_twitch.world import Json, World, stamp

UNUSED, INBOUND, RECONNECT_EXPIRED, INVALID_RECONNECT = 4003, 4001, 4004, 4007
REASONS = {
    UNUSED: "websocket_connection_unused",
    INBOUND: "websocket_received_inbound_traffic",
    RECONNECT_EXPIRED: "websocket_failed_to_reconnect",
}


class Session:
    """One connected socket. `subscribed` says that a subscription or a shard uses it."""

    def __init__(self, ws: web.WebSocketResponse, request: web.Request, now: datetime, keepalive: float) -> None:
        self.id = secrets.token_urlsafe(24)
        self.connected_at, self.keepalive_seconds = now, keepalive
        self.ws, self._request = ws, request
        self.subscribed = False
        self.silent = False
        self.replaced = False
        self.sent = asyncio.Event()

    async def send(self, frame: str | bytes) -> bool:
        """Whether it left; a silent socket swallows it."""
        if self.silent or self.ws.closed:
            return not self.ws.closed
        self.sent.set()
        try:
            await (self.ws.send_str(frame) if isinstance(frame, str) else self.ws.send_bytes(frame))
        except ConnectionError:
            return False
        return True

    def abort(self) -> None:
        """Cut the wire: no closing handshake."""
        if self._request.transport:
            self._request.transport.abort()

    def hold(self) -> None:
        """Stay connected but say nothing and read nothing, so that pings go unanswered."""
        self.silent = True
        if isinstance(self._request.transport, asyncio.Transport):
            self._request.transport.pause_reading()


class Sockets:
    """Accepts sockets and disturbs them.

    `keepalive_seconds` overrides what clients ask for (fractions are fine), `unused_seconds` is how long a socket may
    go without a subscription, `reconnect_seconds` how long a handover may take, `welcome_delay` holds the welcome back,
    `refuse` turns that many next connections away with 503.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.url = ""
        self.keepalive_seconds: float | None = None
        self.unused_seconds, self.reconnect_seconds = 10.0, 30.0
        self.welcome_delay = 0.0
        self.refuse = 0
        self.live: dict[str, Session] = {}
        self.opened = self.refused = 0
        self.closed: list[str] = []
        self._handovers: dict[str, Session] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.on_moved: Callable[[Session, Session], None] = lambda old, new: None
        self.on_gone: Callable[[Session, str], None] = lambda session, status: None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """GET /ws."""
        if self.refuse > 0:
            self.refuse -= 1
            self.refused += 1
            self._world.changed()
            raise web.HTTPServiceUnavailable
        ws = web.WebSocketResponse(timeout=1, compress=False)
        await ws.prepare(request)
        old = self._handovers.pop(request.query.get("reconnect", ""), None)
        if "reconnect" in request.query and old is None:
            await ws.close(code=INVALID_RECONNECT, message=b"invalid reconnect")
            return ws
        session = Session(ws, request, self._world.clock(), self._keepalive(request, old))
        self.opened += 1
        welcome = asyncio.create_task(self._welcome(session, old))
        try:
            await self._read(session)
        finally:
            welcome.cancel()
            with suppress(asyncio.CancelledError):
                await welcome
            self._gone(session)
        return ws

    async def reconnect(self, url: str | None = None) -> None:
        """Ask every live socket to move to a new connection (or to this URL); it goes on until that one is welcomed."""
        for session in list(self.live.values()):
            if url is None:
                token = secrets.token_hex(12)
                self._handovers[token] = session
                target = f"{self.url}?reconnect={token}"
            else:
                target = url
            await session.send(_frame("session_reconnect", self._world.clock(), self._told(session, target)))
            self.start(self._expire(session))

    def abort(self) -> None:
        """Cut every live socket without a closing handshake."""
        for session in list(self.live.values()):
            session.abort()

    async def close(self, code: int = 4000) -> None:
        """Close every live socket with this code."""
        for session in list(self.live.values()):
            await self._close(session, code)

    def silence(self, *, pongs: bool = False) -> None:
        """Every live socket stays open and says nothing any more; pings are answered only with `pongs`."""
        for session in list(self.live.values()):
            if pongs:
                session.silent = True
            else:
                session.hold()

    async def junk(self, frame: str | bytes) -> None:
        """Send a raw frame to every live socket: text as it is, bytes as a binary frame."""
        for session in list(self.live.values()):
            await session.send(frame)

    async def stop(self) -> None:
        """Leave nothing running."""
        for task in self._tasks:
            task.cancel()
        self.abort()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Do this soon; it ends with the sockets."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _keepalive(self, request: web.Request, old: Session | None) -> float:
        if self.keepalive_seconds is not None:
            return self.keepalive_seconds
        if old is not None:
            return old.keepalive_seconds
        asked = request.query.get("keepalive_timeout_seconds", "10")
        return float(min(600, max(10, int(asked)))) if asked.isdigit() else 10.0

    async def _welcome(self, session: Session, old: Session | None) -> None:
        await asyncio.sleep(self.welcome_delay)
        self.live[session.id] = session
        if old is not None:
            session.subscribed = old.subscribed
            old.replaced = True
            self.live.pop(old.id, None)
            self.on_moved(old, session)
        self._world.changed()
        await session.send(_frame("session_welcome", self._world.clock(), self._told(session)))
        await asyncio.gather(self._keep_alive(session), self._close_unused(session))

    async def _keep_alive(self, session: Session) -> None:
        while not session.ws.closed:
            session.sent.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(session.keepalive_seconds):
                    await session.sent.wait()
                    continue
            if not session.replaced:
                await session.send(_frame("session_keepalive", self._world.clock(), {}))

    async def _close_unused(self, session: Session) -> None:
        await asyncio.sleep(self.unused_seconds)
        if not session.subscribed:
            await self._close(session, UNUSED, b"connection unused")

    async def _expire(self, session: Session) -> None:
        """After a handover Twitch closes the old connection itself, whether it went well or not."""
        await asyncio.sleep(self.reconnect_seconds)
        await self._close(session, RECONNECT_EXPIRED, b"reconnect grace time expired")

    async def _read(self, session: Session) -> None:
        async for message in session.ws:
            if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                await self._close(session, INBOUND, b"client sent inbound traffic")

    async def _close(self, session: Session, code: int, reason: bytes = b"") -> None:
        self._gone(session, REASONS.get(code, "websocket_internal_error"))
        await session.ws.close(code=code, message=reason)

    def _gone(self, session: Session, status: str | None = None) -> None:
        if self.live.pop(session.id, None) is None:
            return
        polite = session.ws.close_code not in (None, 1006)
        status = status or ("websocket_disconnected" if polite else "websocket_network_error")
        self.closed.append(status)
        self.on_gone(session, status)
        self._world.changed()

    def _told(self, session: Session, reconnect_url: str | None = None) -> Json:
        moving = reconnect_url is not None
        return {
            "session": {
                "id": session.id,
                "status": "reconnecting" if moving else "connected",
                "connected_at": stamp(session.connected_at),
                "keepalive_timeout_seconds": None if moving else math.ceil(session.keepalive_seconds),
                "reconnect_url": reconnect_url,
                "recovery_url": None,
            }
        }


def _frame(message_type: str, now: datetime, payload: Json) -> str:
    metadata = {"message_id": str(uuid.uuid4()), "message_type": message_type, "message_timestamp": stamp(now)}
    return orjson.dumps({"metadata": metadata, "payload": payload}).decode()
