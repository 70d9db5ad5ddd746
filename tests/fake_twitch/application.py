"""A bare application of this Twitch: an app token, Helix calls, a conduit, a socket. For tests of the fake itself."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Self

import aiohttp
import orjson

from tests.fake_twitch.people import FakeUser
from tests.fake_twitch.server import FakeTwitch
from tests.fake_twitch.world import Json


class Answer:
    """A status, headers, and a JSON body (None when there is none)."""

    def __init__(self, status: int, headers: Mapping[str, str], text: str) -> None:
        self.status, self.headers = status, headers
        self.body: Any = orjson.loads(text) if text.startswith(("{", "[")) else None
        self.text = text

    @property
    def data(self) -> Any:  # noqa: ANN401 - JSON
        """The body's `data`."""
        return self.body["data"]


class Application:
    """Speaks with its app token unless told otherwise."""

    def __init__(self, twitch: FakeTwitch, http: aiohttp.ClientSession) -> None:
        self.twitch, self.http = twitch, http
        self.token = twitch.tokens.app_token().value
        self.conduit_id = ""

    @classmethod
    @asynccontextmanager
    async def at(cls, twitch: FakeTwitch) -> AsyncIterator[Self]:
        async with aiohttp.ClientSession() as http:
            yield cls(twitch, http)

    async def helix(
        self,
        method: str,
        path: str,
        params: Any = None,  # noqa: ANN401 - whatever aiohttp takes
        *,
        json: Json | None = None,
        token: str | None = None,
    ) -> Answer:
        """One request; `path` is what follows /helix/."""
        headers = {"Authorization": f"Bearer {token or self.token}", "Client-Id": self.twitch.client_id}
        url = f"{self.twitch.api_url}/helix/{path}"
        async with self.http.request(method, url, params=params, json=json, headers=headers) as response:
            return Answer(response.status, response.headers, await response.text())

    async def oauth(self, path: str, **fields: str) -> Answer:
        """A POST to /oauth2/…, with the client's id and secret."""
        given = {"client_id": self.twitch.client_id, "client_secret": self.twitch.client_secret} | fields
        async with self.http.post(f"{self.twitch.auth_url}/oauth2/{path}", data=given) as response:
            return Answer(response.status, response.headers, await response.text())

    async def validate(self, token: str) -> Answer:
        """GET /oauth2/validate."""
        headers = {"Authorization": f"OAuth {token}"}
        async with self.http.get(f"{self.twitch.auth_url}/oauth2/validate", headers=headers) as response:
            return Answer(response.status, response.headers, await response.text())

    async def open_socket(self, shard: int | None = None, url: str | None = None) -> "Ear":
        """A welcomed socket, filling this shard of the conduit (made when there is none)."""
        ear = Ear(await self.http.ws_connect(url or self.twitch.eventsub_url))
        ear.session = (await ear.hears("session_welcome"))["payload"]["session"]
        if shard is not None:
            if not self.conduit_id:
                made = await self.helix("POST", "eventsub/conduits", json={"shard_count": 2})
                self.conduit_id = made.data[0]["id"]
            transport = {"method": "websocket", "session_id": ear.session["id"]}
            shards = {"conduit_id": self.conduit_id, "shards": [{"id": str(shard), "transport": transport}]}
            await self.helix("PATCH", "eventsub/conduits/shards", json=shards)
        return ear

    async def subscribe(self, type_: str, version: str = "1", /, **condition: str) -> Answer:
        """POST eventsub/subscriptions, on the conduit."""
        transport = {"method": "conduit", "conduit_id": self.conduit_id}
        body = {"type": type_, "version": version, "condition": condition, "transport": transport}
        return await self.helix("POST", "eventsub/subscriptions", json=body)

    async def subscribe_chat(self, channel: FakeUser, bot: FakeUser) -> Answer:
        return await self.subscribe("channel.chat.message", broadcaster_user_id=channel.id, user_id=bot.id)


class Ear:
    """A socket's frames as they come."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws = ws
        self.session: Json = {}

    async def frame(self) -> Json:
        """The next one."""
        frame: Json = orjson.loads(await self.ws.receive_str(timeout=10))
        return frame

    async def hears(self, message_type: str = "notification") -> Json:
        """The next frame of this type."""
        while (frame := await self.frame())["metadata"]["message_type"] != message_type:
            pass
        return frame

    async def event(self) -> Json:
        """The next notification's event."""
        event: Json = (await self.hears())["payload"]["event"]
        return event

    async def closed(self) -> int | None:
        """Read to the end; the code the other side closed with."""
        async with asyncio.timeout(10):
            async for _ in self.ws:
                pass
        return self.ws.close_code
