"""twitchio's AutoBot, kept to what it is good for here: the sockets of a conduit's shards, mended when they break.

It is given no user's token and no client secret, writes no file, and makes two calls of its own (the list of conduits,
which socket serves which shard); everything else over HTTP is providers/twitch.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from typing import Any

import aiohttp
import orjson
import structlog
from twitchio.authentication import ManagedHTTPClient
from twitchio.eventsub.websockets import WebsocketClosed
from twitchio.ext import commands as twitch_commands
from twitchio.http import Route
from twitchio.payloads import EventErrorPayload

from bot.twitch import translate
from bot.twitch.shards import KEEPALIVE_SECONDS, OPENING_SECONDS, PATIENCE_SECONDS, ShardSocket, trusted
from commands.services import Clock, utc_now
from moments.errors import NotAuthorised, ProviderDown, ProviderRefused, ProviderUnreadable
from providers.http import BODY_BYTES, TOTAL_SECONDS, Answer
from providers.twitch import Endpoints
from providers.twitch.answers import accepted

LINGER_SECONDS = 2.0
"""How long a socket is read on after its successor was welcomed: what Twitch had sent there may still be under way."""
LONGEST_MENDING_PAUSE = 30.0
CLOCKS_APART_SECONDS = 30.0
"""How far our clock may be from Twitch's: a segment begins by ours, a mark in it carries Twitch's time."""

AppToken = Callable[[], Awaitable[str]]

_log = structlog.get_logger("twitch")


class ShardHttp(ManagedHTTPClient):
    """twitchio's HTTP client with limits: 8 seconds, no redirects, and one new app token a call, not one for ever.

    Raises moments.errors, whose texts hold no URL, instead of twitchio's, which hold everything (LOG-3).
    """

    def __init__(self, client_id: str, base: str, app_token: AppToken) -> None:
        super().__init__(client_id=client_id)
        self._base = base
        self._new_app_token = app_token

    async def request(self, route: Route) -> Any:  # noqa: ANN401 -- parsed JSON
        """One Helix call; after a 401 once more, with a new app token."""
        try:
            return await self._once(route)
        except NotAuthorised:
            self._app_token = await self._new_app_token()
        return await self._once(route)

    async def _once(self, route: Route) -> Any:  # noqa: ANN401 -- parsed JSON
        await self._init_session()
        asked = f"{route.method} /helix/{route.path}"
        headers = {"Authorization": f"Bearer {self._app_token}", "Client-Id": self._client_id}
        answer = None
        try:
            async with self._session.request(
                route.method,
                f"{self._base}/helix/{route.path}",
                params={name: str(value) for name, value in route.params.items() if value is not None},
                json=route.json or None,
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=TOTAL_SECONDS),
            ) as response:
                body = await response.content.read(BODY_BYTES)
                answer = Answer(response.status, response.headers, _parsed(body))
        except (TimeoutError, aiohttp.ClientError) as error:
            problem = type(error).__name__
        if answer is None:  # outside of the handler: twitchio's and aiohttp's words are not even the context
            raise ProviderDown(f"{asked}: {problem}")
        return accepted(asked, answer, utc_now()).json


def _parsed(body: bytes) -> Any:  # noqa: ANN401 -- parsed JSON
    try:
        return orjson.loads(body) if body.strip() else None
    except orjson.JSONDecodeError:
        return None


class TwitchClient(twitch_commands.AutoBot):
    """One attempt at being connected: made, started and closed once (a second start of the same one lies)."""

    def __init__(
        self,
        endpoints: Endpoints,
        client_id: str,
        bot_id: str,
        conduit_id: str,
        app_token: AppToken,
        *,
        took: Callable[[Mapping[str, Any]], None],
        room: Callable[[], Coroutine[Any, Any, None]],
        deaf: Callable[[], None],
        patience: float = PATIENCE_SECONDS,
        opening: float = OPENING_SECONDS,
        linger: float = LINGER_SECONDS,
        mending_pause: float = 1.0,
        clock: Clock = utc_now,
    ) -> None:
        """`took` gets every notification and revocation, `room` is awaited between frames; `deaf` is called after
        events may have been missed.
        """
        logging.getLogger("twitchio").setLevel(logging.CRITICAL + 1)  # its texts hold URLs; we say it in our own
        super().__init__(
            client_id=client_id,
            client_secret="",  # it never needs it: the app token is ours
            bot_id=bot_id,
            conduit_id=conduit_id,
            prefix="!",
            fetch_client_user=False,
        )
        self._http = ShardHttp(client_id, endpoints.api, app_token)
        self.took = took
        self.room = room
        self._deaf = deaf
        self._endpoints = endpoints
        self._fetch_app_token = app_token
        self._patience, self._opening, self._linger, self._mending_pause = patience, opening, linger, mending_pause
        self._clock, self._clocks_told = clock, False
        self._locks: dict[str, asyncio.Lock] = {}
        self._work: set[asyncio.Task[None]] = set()
        self._open_sockets: set[ShardSocket] = set()
        self._ending = False

    @property
    def sockets(self) -> Mapping[str, ShardSocket]:
        """The sockets that serve a shard, by the shard's id."""
        return self._conduit_info._sockets  # type: ignore[return-value]  # noqa: SLF001 -- every one of them is made here

    async def run_until_closed(self) -> None:
        """Connect, then stay until closed or cancelled; raises what hinders the start."""
        try:
            await self.start(await self._fetch_app_token(), with_adapter=False, load_tokens=False, save_tokens=False)
        finally:
            await self.close()  # twitchio does so only when it had started

    async def close(self, **options: Any) -> None:  # noqa: ANN401 -- as twitchio has it
        """Close every socket and end all mending."""
        self._ending = True
        for task in list(self._work):
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
        await super().close(save_tokens=False)
        await asyncio.gather(*(socket.close(reassociate=False) for socket in list(self._open_sockets)))

    async def load_tokens(self, path: str | None = None) -> None:
        """There are none (KEY-5)."""

    async def save_tokens(self, path: str | None = None) -> None:
        """There are none: twitchio would write a file anybody can read (KEY-5)."""

    async def event_error(self, payload: EventErrorPayload) -> None:
        """Without the error's text, which twitchio would log and which may hold a URL (LOG-3)."""
        _log.error("twitchio failed in an event", error=type(payload.error).__name__)

    async def _conduit_check(self) -> None:
        """The supervisor asks Helix itself, and more often."""

    # --- as Owner of the sockets

    def greeted(self, envelope: Mapping[str, Any]) -> None:
        """Say it, once, when Twitch has another time than this machine."""
        told = translate.sent_at(envelope)
        if told is None or self._clocks_told:
            return
        ahead = (self._clock() - told).total_seconds()
        if abs(ahead) > CLOCKS_APART_SECONDS:
            self._clocks_told = True
            apart = f"{abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'}"
            _log.warning(f"this machine's clock is {apart} Twitch's: marks may be refused or misplaced; set it by NTP")

    def moved(self, socket: ShardSocket, url: str) -> None:
        """Go over to another socket, while this one is read on."""
        self._begin(self._hand_over(socket, url), f"hand over twitch shard {socket.shard}")

    # --- keeping every shard on a living socket

    async def _websocket_closed(self, payload: WebsocketClosed) -> None:
        socket = payload.socket
        if isinstance(socket, ShardSocket):
            self._open_sockets.discard(socket)
            if payload.reassociate and self._serves(socket):
                self._begin(self._mend(socket), f"mend twitch shard {socket.shard}")

    def _serves(self, socket: ShardSocket) -> bool:
        return not self._ending and self.sockets.get(socket.shard) is socket

    def _begin(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._work.add(task)  # the loop itself holds it only weakly
        task.add_done_callback(self._work.discard)

    async def _hand_over(self, old: ShardSocket, url: str) -> None:
        async with self._lock(old.shard):
            if not self._serves(old):
                return
            if not trusted(url, self._endpoints.eventsub):
                _log.error("Twitch's reconnect address is not Twitch's; connecting afresh", shard=old.shard)
            elif await self._opened(new := self._socket(old.shard), url):
                self._conduit_info._sockets[old.shard] = new  # noqa: SLF001 -- twitchio has no other way
                self._begin(self._read_out(old), f"read out twitch shard {old.shard}")
                return
        await self._mend(old)

    async def _opened(self, socket: ShardSocket, url: str) -> bool:
        try:
            await socket.open(url)
        except Exception as error:
            _log.warning("a Twitch socket could not be moved", shard=socket.shard, error=type(error).__name__)
            return False
        return True

    async def _read_out(self, old: ShardSocket) -> None:
        await asyncio.sleep(self._linger)
        await old.close(reassociate=False)

    async def _mend(self, broken: ShardSocket) -> None:
        """Put the shard on a new socket, however often it takes."""
        pause = self._mending_pause
        async with self._lock(broken.shard):
            while self._serves(broken):
                try:
                    await self._associate_shards([int(broken.shard)])
                except Exception as error:
                    _log.warning("a Twitch shard could not be mended yet", error=type(error).__name__)
                    await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 -- jitter is no secret
                    pause = min(2 * pause, LONGEST_MENDING_PAUSE)
                else:
                    self._deaf()

    async def _associate_shards(self, shard_ids: list[int]) -> None:
        """Open a socket for each shard and tell Twitch; all or none, and none is left behind."""
        new = [self._socket(str(shard)) for shard in shard_ids]
        url = f"{self._endpoints.eventsub}?keepalive_timeout_seconds={KEEPALIVE_SECONDS}"
        try:
            await _all(socket.open(url) for socket in new)
            await self._assign(new)
        except BaseException:
            await asyncio.gather(*(socket.close(reassociate=False) for socket in new))
            raise
        for socket in new:
            old = self.sockets.get(socket.shard)
            self._conduit_info._sockets[socket.shard] = socket  # noqa: SLF001 -- twitchio has no other way
            if old is not None:
                self._begin(self._read_out(old), f"read out twitch shard {old.shard}")
        self._shard_ids = sorted(int(shard) for shard in self.sockets)

    async def _assign(self, sockets: list[ShardSocket]) -> None:
        assert self._conduit_info.id is not None, "known since _setup()"  # noqa: S101 -- narrows the type for mypy
        shards = [
            {"id": socket.shard, "transport": {"method": "websocket", "session_id": str(socket.session_id)}}
            for socket in sockets
        ]
        body = {"conduit_id": self._conduit_info.id, "shards": shards}
        answer = await self._http.request_json(Route("PATCH", "eventsub/conduits/shards", json=body))
        if not isinstance(answer, dict):
            raise ProviderUnreadable("PATCH /helix/eventsub/conduits/shards, not an object")
        if answer.get("errors"):  # twitchio does not look at them
            raise ProviderRefused("PATCH /helix/eventsub/conduits/shards: refused for a shard", 202)
        if not all(socket.connected for socket in sockets):  # it served no shard yet, so nobody was to mend it
            raise ConnectionError("It was closed while Twitch was told whom it serves.")

    def _socket(self, shard: str) -> ShardSocket:
        socket = ShardSocket(
            client=self,
            owner=self,
            http=self._http,
            shard_id=shard,
            patience=self._patience,
            opening=self._opening,
        )
        self._open_sockets.add(socket)
        return socket

    def _lock(self, shard: str) -> asyncio.Lock:
        return self._locks.setdefault(shard, asyncio.Lock())


async def _all(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Wait for all of it, also after one has failed; then raise what failed first."""
    for failed in await asyncio.gather(*work, return_exceptions=True):
        if failed is not None:
            raise failed
