"""A shard's session, and the websocket it speaks through while it is connected."""

import asyncio
import secrets

import orjson
from aiohttp import web

from tests.fake_discord.compression import compression

DISPATCH = 0


class Session:
    """One shard's: lives on while it is disconnected, and remembers all it sent."""

    def __init__(self, shard: tuple[int, int], intents: int) -> None:
        self.id = secrets.token_hex(16)
        self.shard, self.intents = shard, intents
        self.sent: list[bytes] = []
        self.connection: Connection | None = None

    def dispatch(self, event: str, data: object) -> None:
        """To the connection, or kept until it comes back."""
        frame = orjson.dumps({"op": DISPATCH, "t": event, "s": len(self.sent) + 1, "d": data})
        self.sent.append(frame)
        if self.connection is not None:
            self.connection.put(frame)


class Connection:
    """One websocket."""

    def __init__(self, ws: web.WebSocketResponse, request: web.Request) -> None:
        self.ws, self._request = ws, request
        self.compress = request.query.get("compress", "")
        self._compression = compression(self.compress)
        self.session: Session | None = None
        self.silent = False
        self.closed_with: int | None = None
        self.beats = 0
        self.commands: list[float] = []
        self._outbox: asyncio.Queue[bytes | int] = asyncio.Queue()

    def put(self, frame: bytes) -> None:
        """Send this soon, in order."""
        self._outbox.put_nowait(frame)

    def say(self, op: int, data: object = None) -> None:
        self.put(orjson.dumps({"op": op, "t": None, "s": None, "d": data}))

    def close(self, code: int) -> None:
        """After what is already on its way."""
        self._outbox.put_nowait(code)

    def abort(self) -> None:
        """Cut the wire: no closing handshake."""
        if self._request.transport:
            self._request.transport.abort()

    async def write(self) -> None:
        """Until the connection ends."""
        while True:
            frame = await self._outbox.get()
            if isinstance(frame, int):
                self.closed_with = frame
                await self.ws.close(code=frame)
                return
            if self.silent:
                continue
            sent = self._compression.frame(frame)
            try:
                await (self.ws.send_str(sent) if isinstance(sent, str) else self.ws.send_bytes(sent))
            except ConnectionError:
                return
