"""Conduits and their shards: the way events take to the application's sockets."""

import itertools
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from aiohttp import web

from tests.fake_twitch.access import json_body, page, take_page
from tests.fake_twitch.sockets import Session, Sockets
from tests.fake_twitch.tokens import Token
from tests.fake_twitch.world import ApiError, Json, World, stamp

MAX_CONDUITS, MAX_SHARDS = 5, 20_000


@dataclass(slots=True, eq=False)
class Shard:
    """A place in a conduit that a socket fills."""

    id: str
    session_id: str
    connected_at: datetime
    status: str = "enabled"
    disconnected_at: datetime | None = None

    def shape(self) -> Json:
        transport = {"method": "websocket", "session_id": self.session_id, "connected_at": stamp(self.connected_at)}
        if self.disconnected_at:
            transport["disconnected_at"] = stamp(self.disconnected_at)
        return {"id": self.id, "status": self.status, "transport": transport}


@dataclass(slots=True, eq=False)
class Conduit:
    """A conduit; its shards take turns."""

    id: str
    shard_count: int
    shards: dict[str, Shard] = field(default_factory=dict)
    turns: Iterator[int] = field(default_factory=itertools.count)

    def shape(self) -> Json:
        return {"id": self.id, "shard_count": self.shard_count}


class Conduits:
    """Helix's /eventsub/conduits and /eventsub/conduits/shards; all of it is the application's own."""

    def __init__(self, world: World, sockets: Sockets) -> None:
        self._world, self._sockets = world, sockets
        self.all: dict[str, Conduit] = {}
        self.on_deleted: Callable[[str], None] = lambda conduit_id: None

    def find(self, conduit_id: object, status: int = 404) -> Conduit:
        conduit = self.all.get(str(conduit_id))
        if conduit is None:
            raise ApiError(status, "The conduit was not found")
        return conduit

    def next_session(self, conduit_id: str) -> Session | None:
        """The socket whose turn it is."""
        conduit = self.all.get(conduit_id)
        fit = [shard for shard in conduit.shards.values() if shard.status == "enabled"] if conduit else []
        if conduit is None or not fit:
            return None
        return self._sockets.live.get(fit[next(conduit.turns) % len(fit)].session_id)

    async def listed(self, request: web.Request, token: Token) -> web.Response:
        _app_only(token)
        return web.json_response({"data": [conduit.shape() for conduit in self.all.values()]})

    async def create(self, request: web.Request, token: Token) -> web.Response:
        _app_only(token)
        count = _count(await json_body(request))
        if len(self.all) >= MAX_CONDUITS:
            raise ApiError(429, "The application has too many conduits")
        conduit = Conduit(str(uuid.uuid4()), count)
        self.all[conduit.id] = conduit
        self._world.changed()
        return web.json_response({"data": [conduit.shape()]})

    async def update(self, request: web.Request, token: Token) -> web.Response:
        _app_only(token)
        body = await json_body(request)
        conduit = self.find(body.get("id"))
        conduit.shard_count = _count(body)
        conduit.shards = {name: shard for name, shard in conduit.shards.items() if int(name) < conduit.shard_count}
        self._world.changed()
        return web.json_response({"data": [conduit.shape()]})

    async def delete(self, request: web.Request, token: Token) -> web.Response:
        _app_only(token)
        conduit = self.find(request.query.get("id"))
        del self.all[conduit.id]
        self.on_deleted(conduit.id)
        self._world.changed()
        return web.Response(status=204)

    async def shards(self, request: web.Request, token: Token) -> web.Response:
        """GET eventsub/conduits/shards: those ever assigned."""
        _app_only(token)
        conduit = self.find(request.query.get("conduit_id"))
        wanted = request.query.get("status")
        found = [shard for shard in conduit.shards.values() if wanted in (None, shard.status)]
        items, pagination = take_page(found, request.query, self._world.page_size)
        return web.json_response(page([shard.shape() for shard in items], pagination))

    async def assign(self, request: web.Request, token: Token) -> web.Response:
        """PATCH eventsub/conduits/shards."""
        _app_only(token)
        body = await json_body(request)
        conduit = self.find(body.get("conduit_id"))
        shards = body.get("shards")
        if not isinstance(shards, list) or not all(isinstance(asked, dict) for asked in shards):
            raise ApiError(400, "The shards field is required")
        data: list[Json] = []
        errors: list[Json] = []
        for asked in shards:
            shard_id, transport = str(asked.get("id")), asked.get("transport") or {}
            if problem := self._problem(conduit, shard_id, transport):
                errors.append({"id": shard_id, "message": problem, "code": "invalid_parameter"})
            else:
                data.append(self._assign(conduit, shard_id, transport["session_id"]).shape())
        self._world.changed()
        return web.json_response({"data": data, "errors": errors}, status=202)

    def moved(self, old: Session, new: Session) -> None:
        """A handover: the new socket fills the old one's places."""
        for shard in self._of(old):
            shard.session_id, shard.connected_at = new.id, new.connected_at

    def gone(self, session: Session, status: str) -> list[tuple[str, Shard]]:
        """Whose places are empty now, by conduit id."""
        for shard in self._of(session):
            shard.status, shard.disconnected_at = status, self._world.clock()
        return [(conduit.id, shard) for conduit in self.all.values() for shard in self._of(session, conduit)]

    def _of(self, session: Session, conduit: Conduit | None = None) -> list[Shard]:
        conduits = [conduit] if conduit else self.all.values()
        return [shard for each in conduits for shard in each.shards.values() if shard.session_id == session.id]

    def _problem(self, conduit: Conduit, shard_id: str, transport: Json) -> str | None:
        if not shard_id.isdigit() or int(shard_id) >= conduit.shard_count:
            return "The shard id is outside the conduit's range"
        if transport.get("method") != "websocket":
            return "This Twitch has websocket shards only"
        if str(transport.get("session_id")) not in self._sockets.live:
            return "The websocket session does not exist or has already disconnected"
        return None

    def _assign(self, conduit: Conduit, shard_id: str, session_id: str) -> Shard:
        session = self._sockets.live[session_id]
        session.subscribed = True
        conduit.shards[shard_id] = Shard(shard_id, session.id, session.connected_at)
        return conduit.shards[shard_id]


def _app_only(token: Token) -> None:
    if token.kind != "app":
        raise ApiError(401, "Conduits require an app access token")


def _count(body: Json) -> int:
    count = str(body.get("shard_count"))
    if not count.isdigit() or not 1 <= int(count) <= MAX_SHARDS:
        raise ApiError(400, "The value in the shard_count field is not valid")
    return int(count)
