"""Helix: sending a chat message, and the limits Twitch holds senders to."""

import uuid
from collections import deque
from dataclasses import replace
from datetime import datetime, timedelta

from aiohttp import web

from tests.fake_twitch.access import json_body
from tests.fake_twitch.events import Events
from tests.fake_twitch.people import FakeUser
from tests.fake_twitch.tokens import Token, Tokens
from tests.fake_twitch.world import ApiError, Json, Sent, World

LENGTH = 500
WINDOW = timedelta(seconds=30)
NORMAL, AS_MODERATOR = 20, 100
RATE_LIMITED, DUPLICATE = "msg_ratelimit", "msg_duplicate"
"""Our own words: Twitch keeps its drop codes undocumented on purpose."""


class Chat:
    """POST chat/messages. Dropped messages are in `dropped` with the code; those over the limit too."""

    def __init__(self, world: World, tokens: Tokens, events: Events) -> None:
        self._world, self._tokens, self._events = world, tokens, events
        self._recent: dict[tuple[str, str], deque[tuple[datetime, str]]] = {}
        self._drops: deque[str | None] = deque()

    def drop_next(self, code: str | None = "msg_rejected", times: int = 1) -> None:
        """Do not show the next messages: `is_sent` false, with this drop reason or (None) without one."""
        self._drops.extend([code] * times)

    async def send(self, request: web.Request, token: Token) -> web.Response:
        body = await json_body(request)
        channel, sender = self._person(body, "broadcaster_id"), self._person(body, "sender_id")
        text, parent = body.get("message"), body.get("reply_parent_message_id")
        if not isinstance(text, str) or not text.strip():
            raise ApiError(400, "The message field is required")
        if parent is not None and (not isinstance(parent, str) or not parent or " " in parent):
            raise ApiError(400, "The ID in the reply_parent_message_id field is not valid")
        if "for_source_only" in body and token.kind == "user":
            raise ApiError(400, "Cannot set for_source_only if User Access Token is used")
        self._check_rights(token, channel, sender)
        if len(text) > LENGTH:
            raise ApiError(422, "The message is too large")
        sent = Sent(channel.id, sender.id, text, parent, self._world.clock(), str(uuid.uuid4()), token.kind)
        return web.json_response({"data": [await self._show(sent, channel, sender)]})

    def most_sent(self, channel: FakeUser, window: timedelta = WINDOW) -> int:
        """The most messages sent to the channel within any stretch this long: to assert that limits were kept."""
        times = sorted(sent.at for sent in [*self._world.sent, *self._world.dropped] if sent.channel_id == channel.id)
        return max((sum(at - window < other <= at for other in times) for at in times), default=0)

    async def _show(self, sent: Sent, channel: FakeUser, sender: FakeUser) -> Json:
        dropped, code = self._verdict(sent)
        if dropped:
            self._world.dropped.append(replace(sent, message_id="", is_sent=False, drop_code=code or ""))
            self._world.changed()
            reason = {"drop_reason": {"code": code, "message": f"Your message was not sent: {code}"}} if code else {}
            return {"message_id": "", "is_sent": False, **reason}
        self._world.sent.append(sent)
        parent = sent.reply_parent_message_id
        await self._events.say(channel, sender, sent.text, message_id=sent.message_id, reply_to=parent)
        self._world.changed()
        return {"message_id": sent.message_id, "is_sent": True}

    def _verdict(self, sent: Sent) -> tuple[bool, str | None]:
        recent = self._recent.setdefault((sent.channel_id, sent.sender_id), deque())
        while recent and recent[0][0] <= sent.at - WINDOW:
            recent.popleft()
        trusted = self._world.people.is_moderator(sent.channel_id, sent.sender_id)
        repeated = not trusted and any(text == sent.text for _, text in recent)
        recent.append((sent.at, sent.text))
        if len(recent) > (AS_MODERATOR if trusted else NORMAL):
            return True, RATE_LIMITED
        if self._drops:
            return True, self._drops.popleft()
        return repeated, DUPLICATE if repeated else None

    def _person(self, body: Json, name: str) -> FakeUser:
        person = self._world.people.by_id(str(body.get(name, "")))
        if person is None:
            raise ApiError(400, f"The ID in the {name} field is not valid")
        return person

    def _check_rights(self, token: Token, channel: FakeUser, sender: FakeUser) -> None:
        if token.kind == "user":
            token.require_user(sender.id)
            token.require("user:write:chat")
            return
        if not self._tokens.granted(sender.id, "user:write:chat", "user:bot"):
            raise ApiError(401, "Missing scope: user:write:chat and user:bot of the sender")
        invited = self._tokens.granted(channel.id, "channel:bot")
        if not invited and not self._world.people.is_moderator(channel.id, sender.id):
            raise ApiError(403, "The sender is not permitted to send chat messages to the broadcaster's chat room.")
