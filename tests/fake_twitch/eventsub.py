"""Helix's /eventsub/subscriptions, and the way from an event to a socket."""

import uuid
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import orjson
from aiohttp import web

from tests.fake_twitch.access import json_body, page, take_page
from tests.fake_twitch.conduits import Conduits
from tests.fake_twitch.rules import UNAUTHORISED, Condition, kinds
from tests.fake_twitch.sockets import Session, Sockets
from tests.fake_twitch.tokens import Token, Tokens
from tests.fake_twitch.world import ApiError, Json, World, stamp

MAX_COST = {"conduit": 10_000, "websocket": 10}
KEPT_DELIVERIES = 1000


@dataclass(slots=True, eq=False)
class Subscription:
    """One subscription; only an enabled one gets events. `token` is the user's for websocket transports."""

    id: str
    type: str
    version: str
    condition: Condition
    transport: dict[str, str]
    cost: int
    created_at: datetime
    token: Token | None = None
    status: str = "enabled"

    def shape(self) -> Json:
        return {
            "id": self.id,
            "status": self.status,
            "type": self.type,
            "version": self.version,
            "condition": self.condition,
            "created_at": stamp(self.created_at),
            "transport": self.transport,
            "cost": self.cost,
        }

    def matches(self, facts: Mapping[str, str]) -> bool:
        """Some condition the event speaks of, and none that differs."""
        spoken = [(value, facts[name]) for name, value in self.condition.items() if value and name in facts]
        return bool(spoken) and all(wanted == fact for wanted, fact in spoken)


@dataclass(slots=True, eq=False)
class Delivery:
    """One envelope on its way: `session_id` is None when no socket was there to take it."""

    message_id: str
    type: str
    subscription: Subscription
    frame: str = field(repr=False)
    session_id: str | None = None


class EventSub:
    """Subscriptions by id."""

    def __init__(self, world: World, tokens: Tokens, sockets: Sockets, conduits: Conduits) -> None:
        self._world, self._tokens, self._sockets, self._conduits = world, tokens, sockets, conduits
        self._kinds = kinds(world, tokens)
        self.subscriptions: dict[str, Subscription] = {}
        self._by_type: dict[str, list[Subscription]] = {}
        self.deliveries: deque[Delivery] = deque(maxlen=KEPT_DELIVERIES)
        self.undelivered: deque[Delivery] = deque(maxlen=KEPT_DELIVERIES)

    async def create(self, request: web.Request, token: Token) -> web.Response:
        """POST eventsub/subscriptions."""
        body = await json_body(request)
        kind = self._kinds.get((str(body.get("type")), str(body.get("version"))))
        if kind is None:
            raise ApiError(400, "The combination of values in the version and type fields is not valid")
        condition = body.get("condition")
        if not isinstance(condition, dict) or not all(isinstance(value, str) for value in condition.values()):
            raise ApiError(400, "The condition field is required")
        transport = self._transport(body.get("transport"), token)
        user_token = token if transport["method"] == "websocket" else None
        kind.check(condition, user_token, self._world)
        new = self._new(body["type"], body["version"], condition, transport, user_token)
        self.subscriptions[new.id] = new
        self._by_type.setdefault(new.type, []).append(new)
        self._world.changed()
        return web.json_response({"data": [new.shape()], **self._totals(token)}, status=202)

    async def listed(self, request: web.Request, token: Token) -> web.Response:
        """GET eventsub/subscriptions."""
        query = request.query
        filters = [name for name in ("status", "type", "user_id", "subscription_id") if name in query]
        if len(filters) > 1:
            raise ApiError(400, "The request may specify only one filter query parameter")
        seen = [sub for sub in self._visible(token) if all(_fits(sub, name, query[name]) for name in filters)]
        items, pagination = take_page(seen, query, self._world.page_size)
        answer = page([sub.shape() for sub in items], pagination)
        return web.json_response(answer | self._totals(token))

    async def delete(self, request: web.Request, token: Token) -> web.Response:
        """DELETE eventsub/subscriptions."""
        if "id" not in request.query:
            raise ApiError(400, "The id query parameter is required")
        sub = self.subscriptions.get(request.query["id"])
        if sub is None or sub not in self._visible(token):
            raise ApiError(404, "The subscription was not found")
        self._drop(sub)
        self._world.changed()
        return web.Response(status=204)

    async def event(
        self, type_: str, version: str, condition: Mapping[str, str], event: Json, at: datetime | None
    ) -> int:
        """Deliver to every enabled subscription this condition fits; how many there were."""
        at = at or self._world.clock()
        fitting = [
            sub
            for sub in self._by_type.get(type_, ())
            if sub.version == version and sub.status == "enabled" and sub.matches(condition)
        ]
        for sub in fitting:
            await self._deliver(sub, "notification", at, {"subscription": sub.shape(), "event": event})
        self._world.changed()
        return len(fitting)

    async def redeliver(self, delivery: Delivery | None = None) -> None:
        """Send the same envelope again, message_id and all; the last one when none is named."""
        await self._send(delivery or self.deliveries[-1])

    async def review(self) -> None:
        """Revoke the subscriptions whose right to exist has gone, each with its message; their status stays listed."""
        for sub in self._enabled():
            try:
                self._kinds[sub.type, sub.version].check(sub.condition, sub.token, self._world)
            except ApiError as gone:
                sub.status = "authorization_revoked" if gone.message == UNAUTHORISED else "user_removed"
                await self._deliver(sub, "revocation", self._world.clock(), {"subscription": sub.shape()})
        self._world.changed()

    def moved(self, old: Session, new: Session) -> None:
        """A handover: what was the old session's is the new one's."""
        for sub in self.subscriptions.values():
            if sub.transport.get("session_id") == old.id:
                sub.transport = sub.transport | {"session_id": new.id}

    def conduit_deleted(self, conduit_id: str) -> None:
        """Its subscriptions lead nowhere now."""
        for sub in self.subscriptions.values():
            if sub.transport.get("conduit_id") == conduit_id:
                sub.status = "conduit_deleted"

    def gone(self, session: Session, status: str) -> None:
        """A websocket's own subscriptions end with it."""
        for sub in self.subscriptions.values():
            if sub.transport.get("session_id") == session.id:
                sub.status = status

    def _transport(self, given: object, token: Token) -> dict[str, str]:
        transport = given if isinstance(given, dict) else {}
        method = transport.get("method")
        if method == "conduit":
            if token.kind != "app":
                raise ApiError(401, "The conduit transport requires an app access token")
            self._conduits.find(transport.get("conduit_id"), status=400)
            return {"method": "conduit", "conduit_id": str(transport["conduit_id"])}
        if method == "websocket":
            session = self._sockets.live.get(str(transport.get("session_id")))
            if token.kind != "user":
                raise ApiError(400, "invalid transport and auth combination")
            if session is None:
                raise ApiError(400, "websocket transport session does not exist or has already disconnected")
            session.subscribed = True
            return {"method": "websocket", "session_id": session.id, "connected_at": stamp(session.connected_at)}
        raise ApiError(400, "The value specified in the method field is not valid")

    def _new(
        self, type_: str, version: str, condition: Condition, transport: dict[str, str], token: Token | None
    ) -> Subscription:
        for known in self._by_type.get(type_, ()):
            same = (known.version, known.condition, known.transport) == (version, condition, transport)
            if same and known.status == "enabled":
                raise ApiError(409, "subscription already exists")
        free = "user_id" in condition or any(self._tokens.granted(user_id) for user_id in condition.values())
        cost = 0 if free or "client_id" in condition else 1
        used = sum(sub.cost for sub in self._enabled() if sub.transport["method"] == transport["method"])
        if used + cost > MAX_COST[transport["method"]]:
            raise ApiError(429, "cost exceeded")
        return Subscription(str(uuid.uuid4()), type_, version, condition, transport, cost, self._world.clock(), token)

    def _visible(self, token: Token) -> list[Subscription]:
        return [
            sub
            for sub in self.subscriptions.values()
            if (
                sub.token is None
                if token.kind == "app"
                else sub.token is not None and sub.token.user_id == token.user_id
            )
        ]

    def _totals(self, token: Token) -> Json:
        seen = self._visible(token)
        maximum = MAX_COST["conduit" if token.kind == "app" else "websocket"]
        return {
            "total": len(seen),
            "total_cost": sum(sub.cost for sub in seen if sub.status == "enabled"),
            "max_total_cost": maximum,
        }

    def _enabled(self) -> list[Subscription]:
        return [sub for sub in self.subscriptions.values() if sub.status == "enabled"]

    def _drop(self, sub: Subscription) -> None:
        del self.subscriptions[sub.id]
        self._by_type[sub.type].remove(sub)

    async def _deliver(self, sub: Subscription, message_type: str, at: datetime, payload: Json) -> None:
        message_id = str(uuid.uuid4())
        metadata = {
            "message_id": message_id,
            "message_type": message_type,
            "message_timestamp": stamp(at),
            "subscription_type": sub.type,
            "subscription_version": sub.version,
        }
        frame = orjson.dumps({"metadata": metadata, "payload": payload}).decode()
        await self._send(Delivery(message_id, sub.type, sub, frame))

    async def _send(self, delivery: Delivery) -> None:
        transport = delivery.subscription.transport
        if transport["method"] == "conduit":
            session = self._conduits.next_session(transport["conduit_id"])
        else:
            session = self._sockets.live.get(transport["session_id"])
        sent = session is not None and await session.send(delivery.frame)
        delivery.session_id = session.id if session and sent else None
        (self.deliveries if sent else self.undelivered).append(delivery)


def _fits(sub: Subscription, name: str, value: str) -> bool:
    if name == "user_id":
        return value in sub.condition.values()
    return bool(getattr(sub, {"subscription_id": "id"}.get(name, name)) == value)
