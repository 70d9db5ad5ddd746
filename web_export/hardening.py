"""What aiohttp leaves open: times and numbers of sockets (research/security.md finding 1, RES-1).

aiohttp has no time-out for a request's headers or body, nor for a client that takes nothing of its answer.
Each connection here knows since when it keeps us waiting, and a sweep once a second closes those that do so
for too long. Numbers are held at the door, where a socket too many is closed before it is read.
"""

import asyncio
import sys
from collections import Counter
from dataclasses import dataclass
from typing import Final, cast

import structlog
from aiohttp import web
from aiohttp.http import HttpProcessingError

from web_export.access_log import AccessLog, Noise
from web_export.clients import Networks, is_in, key_of, parse_address
from web_export.headers import seal
from web_export.metrics import Metrics

try:
    import resource
except ImportError:  # not on Windows
    resource = None  # type: ignore[assignment]

log: Final = structlog.stdlib.get_logger("web_export")
SPARE_FILES = 200
"""Open files left to the store, the platforms and the downloads: a full site must not stop the bot."""
_THEIR_FAULT = (HttpProcessingError, web.RequestPayloadError, ConnectionError)
"""What a client can cause at will, so it is counted and not logged one by one (LOG-5)."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long, in seconds, and how many sockets."""

    headers: float = 10
    body: float = 10
    idle: float = 30
    """A connection between two requests."""
    stalled: float = 30
    """A client that takes none of the answer waiting for it."""
    sockets_per_client: int = 50
    sockets: int = 2_000
    sweep: float = 1
    """Between two looks at every connection."""


class Connection(web.RequestHandler):
    """One socket, and since when it keeps us waiting."""

    __slots__ = ("_body_since", "_door", "_head_since", "_taken", "_taken_at", "client", "socket")

    def __init__(self, server: web.Server, door: "Door") -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            access_log_class=AccessLog,
            auto_decompress=False,  # nothing of ours takes a compressed body (RES-3)
            keepalive_timeout=door.patience.idle,
            lingering_time=door.patience.body,
        )
        self._door = door
        self._head_since: float | None = None
        self._body_since: float | None = None
        self._taken = 0
        self._taken_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask the door; a socket too many is closed unread."""
        self.socket = cast("asyncio.Transport", transport)
        self.client = _exempt_or_key(self.socket, self._door.trusted)
        self._head_since = self._taken_at = self._loop.time()
        if self._door.enter(self):
            super().connection_made(transport)
        else:
            self.socket.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Give the place at the door back."""
        self._door.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Remember when a request began to arrive whose headers are not complete yet.

        Half a request in one piece with a whole one is not seen here; it counts as idle.
        """
        requests = self._request_count
        super().data_received(data)
        if self._request_count != requests:
            self._head_since = None
        elif self._head_since is None and self._waiter is not None:
            self._head_since = self._loop.time()

    def overdue(self, now: float) -> str | None:
        """What this connection has kept us waiting for too long, if anything; idle ones end by themselves."""
        patience = self._door.patience
        if self._waiter is not None and self._head_since is not None:
            return "headers" if now - self._head_since > patience.headers else None
        request = self._current_request
        if request is None or request.content.is_eof():
            self._body_since = None
        elif self._body_since is None:
            self._body_since = now
        elif now - self._body_since > patience.body:
            return "body"
        return "stalled" if self._stalled(now, request) > patience.stalled else None

    def _stalled(self, now: float, request: web.BaseRequest | None) -> float:
        """Seconds since the client last took a byte of what is waiting for it."""
        waiting = self.socket.get_write_buffer_size()
        taken = (request.writer.output_size if request else 0) - waiting
        if not waiting or taken != self._taken:
            self._taken, self._taken_at = taken, now
        return now - self._taken_at

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what never reached a handler: nothing of the request in it, and no line a request."""
        self.log_exception("Error before a handler was reached", exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("part of an answer is already sent")
        if isinstance(exc, _THEIR_FAULT):
            self.access_logger = None  # the connection ends with this answer
        response = web.Response(status=status, text="That was not a request this server understands.\n")
        seal(response.headers, content_type=response.content_type, https=self._door.https)
        response.force_close()
        return response

    def log_exception(self, *args: object, exc_info: object = None, **_: object) -> None:
        """Count what a client can cause at will; log the rest."""
        if isinstance(exc_info, _THEIR_FAULT):
            self._door.count_malformed()
        else:
            log.error("request failed outside its handler", what=str(args[0]), exc_info=exc_info)


class Door:
    """Who is inside, and who has outstayed."""

    def __init__(self, patience: Patience, trusted: Networks, metrics: Metrics, *, https: bool = False) -> None:
        self.patience = patience
        self._most = min(patience.sockets, sockets_allowed())
        self.trusted = trusted
        self.https = https
        self.noise = Noise()
        self._metrics = metrics
        self._inside: set[Connection] = set()
        self._by_client: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._inside)

    def enter(self, connection: Connection) -> bool:
        """Let a new socket in, unless the house or its client's share is full."""
        client = connection.client
        if len(self._inside) >= self._most:
            return self._refuse("full")
        if client is not None and self._by_client[client] >= self.patience.sockets_per_client:
            return self._refuse("too many from one client")
        self._inside.add(connection)
        if client is not None:
            self._by_client[client] += 1
        return True

    def _refuse(self, why: str) -> bool:
        self._metrics.closed.labels(why).inc()
        return False

    def leave(self, connection: Connection) -> None:
        """Forget a socket that is gone."""
        if connection not in self._inside:
            return
        self._inside.remove(connection)
        client = connection.client
        if client is not None:
            self._by_client[client] -= 1
            if not self._by_client[client]:
                del self._by_client[client]

    def count_malformed(self) -> None:
        """One more request that was not HTTP."""
        self._metrics.malformed.inc()
        self.noise.add()

    def sweep(self, now: float) -> None:
        """Close every connection that is overdue."""
        for connection in tuple(self._inside):
            why = connection.overdue(now)
            if why is not None:
                self._metrics.closed.labels(why).inc()
                # not close(): that would wait for the client to take what is left of its answer
                connection.socket.abort()

    async def keep(self) -> None:
        """Sweep until cancelled."""
        clock = asyncio.get_running_loop().time
        try:
            while True:
                await asyncio.sleep(self.patience.sweep)
                self.sweep(clock())
                self.noise.tell(clock())
        finally:
            self.noise.tell_rest()


def sockets_allowed() -> int:
    """How many sockets the system's limit on open files leaves, with some spared for everything else."""
    if resource is None:
        return sys.maxsize
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else max(soft - SPARE_FILES, soft // 2)


def _exempt_or_key(transport: asyncio.Transport, trusted: Networks) -> str | None:
    """The client this socket counts for; None for a trusted proxy, through which everyone comes."""
    peer = transport.get_extra_info("peername")
    address = parse_address(str(peer[0])) if isinstance(peer, tuple) else None
    return None if address is not None and is_in(address, trusted) else key_of(address)
