"""One EventSub socket: frames are taken as they come, and nothing a server sends ends the reading."""

import asyncio
import ipaddress
from collections.abc import Mapping
from typing import Any, Protocol

import aiohttp
import orjson
import structlog
import yarl
from twitchio.authentication import ManagedHTTPClient
from twitchio.client import AutoClient
from twitchio.eventsub.websockets import Websocket

KEEPALIVE_SECONDS = 10
"""How often Twitch is asked to say that it is still there."""
PATIENCE_SECONDS = KEEPALIVE_SECONDS + 5.0
"""Silence after which a socket is given up: as twitchio has it."""
OPENING_SECONDS = 15.0
"""From connecting to the welcome."""
CLOSING_SECONDS = 2.0
"""How long the other side has for its goodbye."""
FRAMES_IN_A_ROW = 64
"""So many are read before everybody else in the process gets a turn: a burst is drained without waiting for bytes."""

_ENDS = {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR}

_log = structlog.get_logger("twitch")


class Owner(Protocol):
    """Whom a socket tells."""

    def took(self, envelope: Mapping[str, Any]) -> None:
        """A notification or a revocation."""

    def greeted(self, envelope: Mapping[str, Any]) -> None:
        """A welcome or a keepalive: Twitch says that it is there, and what time it has."""

    async def room(self) -> None:
        """Return when there is room for more."""

    def moved(self, socket: "ShardSocket", url: str) -> None:
        """Twitch wants this socket's traffic on another one, at that address."""


class ShardSocket(Websocket):
    """twitchio's socket of one shard, with a reader that hands out raw frames and lives through junk.

    While Twitch moves a session (session_reconnect) this one is read on: Twitch promises to deliver here until the
    new one is welcomed, and twitchio would not look.
    """

    def __init__(
        self,
        *,
        client: AutoClient,
        owner: Owner,
        http: ManagedHTTPClient,
        shard_id: str,
        patience: float = PATIENCE_SECONDS,
        opening: float = OPENING_SECONDS,
    ) -> None:
        """`patience` is how long it may be silent, `opening` how long connecting and its welcome may take."""
        super().__init__(
            client=client, http=http, shard_id=shard_id, keep_alive_timeout=KEEPALIVE_SECONDS, reconnect_attempts=None
        )
        self.shard = shard_id
        self._heard_at = asyncio.get_running_loop().time()
        self._full_since: float | None = None
        self.junk = 0
        """Frames that could not be used."""
        self._owner = owner
        self._patience, self._opening = patience, opening

    @property
    def heard_at(self) -> float:
        """When the last frame came, by the loop's clock; time in which there was no room for more does not count."""
        if self._full_since is None:
            return self._heard_at
        return self._heard_at + asyncio.get_running_loop().time() - self._full_since

    async def open(self, url: str) -> None:
        """Connect and wait for the welcome; whatever goes wrong leaves no socket behind."""
        try:
            async with asyncio.timeout(self._opening):
                await self.connect(url=url, fail_once=True)
        finally:
            if not (self.connected and self._session_id):
                await self.close(reassociate=False)
        if not self.connected:
            raise ConnectionError("It was closed before it was welcomed.")

    async def close(self, cleanup: bool = True, *, reassociate: bool = True) -> None:
        """Close, once; twitchio's own would be cancelled half-way by itself when its keepalive task calls it."""
        watching, self._keep_alive_task = self._keep_alive_task, None
        if watching is not None and watching is not asyncio.current_task():
            watching.cancel()
        try:
            async with asyncio.timeout(CLOSING_SECONDS):
                await super().close(cleanup, reassociate=reassociate)
        except TimeoutError:  # the peer does not answer: aiohttp has cut the connection, and the rest is left to us
            if self._listen_task is not None:
                self._listen_task.cancel()
            self._socket = self._listen_task = None

    async def _listen(self) -> None:
        reader = self._socket
        assert reader is not None, "connect() sets it first"  # noqa: S101 -- narrows the type for mypy
        frames = 0
        while (message := await reader.receive()).type not in _ENDS:
            if message.type is aiohttp.WSMsgType.TEXT:
                self._heard_at = asyncio.get_running_loop().time()
                self._frame(message.data)
            frames += 1
            if frames % FRAMES_IN_A_ROW == 0:
                await asyncio.sleep(0)
            await self._room()
        _log.info("a Twitch socket was closed", shard=self.shard, code=reader.close_code)
        self._ready.set()  # whoever still waits for a welcome need not
        await self.close()

    async def _room(self) -> None:
        self._full_since = asyncio.get_running_loop().time()
        try:
            await self._owner.room()
        finally:
            self._heard_at, self._full_since = self.heard_at, None

    async def _process_keepalive(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            left = self.heard_at + self._patience - loop.time()
            if left <= 0:
                break
            await asyncio.sleep(left)
        _log.warning("a Twitch socket fell silent", shard=self.shard)
        await self.close()

    def _frame(self, data: str) -> None:
        try:
            envelope = orjson.loads(data)
        except orjson.JSONDecodeError:
            envelope = None
        try:
            taken = isinstance(envelope, dict) and self._took(envelope)
        except Exception as error:  # a bug in taking one frame must not make us deaf for the next
            _log.error("a Twitch frame could not be taken", error=type(error).__name__, exc_info=error)
            return
        if not taken:
            self.junk += 1
            _log.debug("a Twitch frame was left out", shard=self.shard, so_far=self.junk)

    def _took(self, envelope: dict[str, Any]) -> bool:
        """Whether the frame could be used."""
        metadata = envelope.get("metadata")
        kind = metadata.get("message_type") if isinstance(metadata, dict) else None
        match kind:
            case "notification" | "revocation":
                self._owner.took(envelope)
            case "session_keepalive":
                self._owner.greeted(envelope)
            case "session_welcome":
                self._owner.greeted(envelope)
                return self._welcomed(_session(envelope).get("id"))
            case "session_reconnect":
                url = _session(envelope).get("reconnect_url")
                if not isinstance(url, str):
                    return False
                self._owner.moved(self, url)
            case _:
                return False
        return True

    def _welcomed(self, session_id: object) -> bool:
        if not isinstance(session_id, str) or not session_id:
            return False
        self._session_id = session_id
        self._ready.set()
        return True


def _session(envelope: Mapping[str, Any]) -> Mapping[str, Any]:
    payload = envelope.get("payload")
    session = payload.get("session") if isinstance(payload, dict) else None
    return session if isinstance(session, dict) else {}


def trusted(url: str, configured: str) -> bool:
    """Whether a reconnect address is where EventSub was configured to be (PLAT-3).

    Of the same registrable host, without a user, and encrypted unless the configured one is not either.
    """
    try:
        asked, ours = yarl.URL(url), yarl.URL(configured)
    except ValueError:
        return False
    if asked.scheme != "wss" and (asked.scheme, ours.scheme) != ("ws", "ws"):
        return False
    if asked.user is not None or asked.password is not None or not asked.host or not ours.host:
        return False
    return _registrable(asked.host) == _registrable(ours.host)


def _registrable(host: str) -> str:
    host = host.lower().rstrip(".")
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return ".".join(host.split(".")[-2:])
