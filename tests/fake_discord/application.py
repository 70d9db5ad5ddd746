"""A bare application of this Discord: calls, a command or two, one shard. For tests of the fake itself."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Self

import aiohttp
import orjson
import zstandard

from tests.fake_discord.gateway import GUILDS, HEARTBEAT, HELLO, IDENTIFY, RESUME
from tests.fake_discord.interactions import Interaction
from tests.fake_discord.server import FakeDiscord
from tests.fake_discord.world import Json

NOBODY: Json = {"parse": []}
CLIP: Json = {
    "name": "clip",
    "description": "Mark it.",
    "type": 1,
    "contexts": [0, 1, 2],
    "integration_types": [0, 1],
    "options": [{"type": 3, "name": "note", "description": "What happened", "max_length": 100, "autocomplete": True}],
}
SAVE: Json = {"name": "Save moment", "type": 3, "contexts": [0, 1, 2], "integration_types": [0, 1]}


class Answer:
    """A status, headers, and a JSON body (None when there is none)."""

    def __init__(self, status: int, headers: Mapping[str, str], text: bytes) -> None:
        self.status, self.headers = status, headers
        self.body: Any = orjson.loads(text) if text[:1] in (b"{", b"[") else None

    @property
    def code(self) -> int:
        """Discord's JSON error code."""
        return int(self.body["code"])


class Application:
    """Speaks as the bot unless told otherwise."""

    def __init__(self, discord: FakeDiscord, http: aiohttp.ClientSession) -> None:
        self.discord, self.http = discord, http

    @classmethod
    @asynccontextmanager
    async def at(cls, discord: FakeDiscord) -> AsyncIterator[Self]:
        async with aiohttp.ClientSession() as http:
            yield cls(discord, http)

    async def call(
        self,
        method: str,
        path: str,
        json: object = None,
        *,
        token: str | None = "",
        files: Mapping[str, bytes] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request; `path` follows /api/v10; `token` None sends none."""
        headers = {} if token is None else {"Authorization": token or f"Bot {self.discord.token}"}
        data: Any = None if json is None else orjson.dumps(json)
        if files:
            data = aiohttp.FormData(quote_fields=False)
            data.add_field("payload_json", orjson.dumps(json).decode(), content_type="application/json")
            for number, (name, contents) in enumerate(files.items()):
                data.add_field(f"files[{number}]", contents, filename=name, content_type="image/png")
        elif data:
            headers["Content-Type"] = "application/json"
        url = f"{self.discord.api_url}/v10{path}"
        async with self.http.request(method, url, data=data, headers=headers, params=params) as response:
            return Answer(response.status, response.headers, await response.read())

    async def sync(self, *commands: Json) -> Answer:
        return await self.call("PUT", f"/applications/{self.discord.application_id}/commands", list(commands))

    async def post(self, channel_id: str, **fields: object) -> Answer:
        """A channel message that notifies nobody."""
        return await self.call("POST", f"/channels/{channel_id}/messages", {"allowed_mentions": NOBODY} | fields)

    async def ack(self, asked: Interaction, kind: int, **data: object) -> Answer:
        """The callback of this type."""
        message = {"allowed_mentions": NOBODY} if kind in (4, 7) else {}
        return await self.raw_ack(asked, {"type": kind} | ({"data": message | data} if message or data else {}))

    async def raw_ack(self, asked: Interaction, body: object, **params: str) -> Answer:
        return await self.call(
            "POST", f"/interactions/{asked.id}/{asked.token}/callback", body, token=None, params=params
        )

    async def hook(self, method: str, asked: Interaction, path: str = "", **fields: object) -> Answer:
        """On the interaction's webhook; `path` "" is a follow-up, "/messages/@original" the original."""
        body = None if method in ("GET", "DELETE") else {"allowed_mentions": NOBODY} | fields
        webhook = f"/webhooks/{self.discord.application_id}/{asked.token}"
        return await self.call(method, webhook + path, body, token=None)

    async def connect(self, compress: str = "") -> "Ear":
        """A websocket that has said hello."""
        query = f"?v=10&encoding=json{f'&compress={compress}' if compress else ''}"
        ear = Ear(await self.http.ws_connect(self.discord.gateway_url + query, compress=0), compress, self.discord)
        assert (await ear.frame())["op"] == HELLO
        return ear

    async def shard(self, compress: str = "", **fields: object) -> "Ear":
        """A websocket that is ready."""
        ear = await self.connect(compress)
        await ear.identify(**fields)
        ear.session = (await ear.hears("READY"))["d"]
        return ear


class Ear:
    """A connection's frames as they come."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse, compress: str, discord: FakeDiscord) -> None:
        self.ws, self._discord = ws, discord
        self.session: Json = {}
        self.seq: int | None = None
        streams: dict[str, Callable[[bytes], bytes]] = {"zlib-stream": zlib.decompressobj().decompress}
        streams["zstd-stream"] = zstandard.ZstdDecompressor().decompressobj().decompress
        self._read = streams.get(compress, bytes)

    async def frame(self) -> Json:
        """The next one."""
        message = await self.ws.receive(timeout=10)
        text = message.data if isinstance(message.data, str) else self._read(message.data)
        frame: Json = orjson.loads(text)
        self.seq = frame.get("s") or self.seq
        return frame

    async def hears(self, event: str) -> Json:
        """The next event of this name."""
        while (frame := await self.frame())["t"] != event:
            pass
        return frame

    async def hears_op(self, op: int) -> Json:
        while (frame := await self.frame())["op"] != op:
            pass
        return frame

    async def say(self, op: int, data: object = None) -> None:
        await self.ws.send_bytes(orjson.dumps({"op": op, "d": data}))

    async def identify(self, **fields: object) -> None:
        about: Json = {"token": self._discord.token, "intents": GUILDS, "properties": {}}
        await self.say(IDENTIFY, about | fields)

    async def resume(self, before: "Ear", **fields: object) -> None:
        about: Json = {"token": self._discord.token, "session_id": before.session["session_id"], "seq": before.seq}
        await self.say(RESUME, about | fields)

    async def beat(self) -> None:
        await self.say(HEARTBEAT, self.seq)

    async def closed(self) -> int | None:
        """Read to the end; the code the other side closed with."""
        async with asyncio.timeout(10):
            async for _ in self.ws:
                pass
        return self.ws.close_code
