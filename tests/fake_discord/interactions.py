"""Interactions: the callback, and the webhook of an interaction's token."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from aiohttp import web

from tests.fake_discord.messages import EPHEMERAL, Files, Message, Messages
from tests.fake_discord.people import Channel, FakeUser
from tests.fake_discord.wire import BODY, FILES, answer
from tests.fake_discord.world import DiscordError, Json, World

COMMAND, COMPONENT, AUTOCOMPLETE, MODAL_SUBMIT = 2, 3, 4, 5
MESSAGE, DEFER, DEFER_UPDATE, UPDATE, CHOICES, MODAL = 4, 5, 6, 7, 8, 9
USER_INSTALLED_FOLLOW_UPS = 5


@dataclass(slots=True, eq=False)
class Interaction:
    """What one person did, and all that was answered.

    `original` is the message as it is now (None: none or deleted), `edits` counts what was edited into it, `ack` is
    the callback's body, `acked_after` in real seconds, `callbacks` are all bodies (also those refused).
    """

    id: str
    type: int
    user: FakeUser = field(repr=False)
    channel: Channel = field(repr=False)
    payload: Json = field(repr=False)
    token: str = field(repr=False)
    at: datetime
    delivered: float
    message: Message | None = None
    only_installed: bool = False
    private_only: bool = False
    ack: Json | None = None
    acked_after: float | None = None
    callbacks: list[Json] = field(default_factory=list)
    first: Message | None = None
    follow_ups: list[Message] = field(default_factory=list)
    edits: int = 0

    @property
    def original(self) -> Message | None:
        return None if self.first is None or self.first.deleted else self.first

    @property
    def ack_type(self) -> int | None:
        return self.ack["type"] if self.ack else None

    @property
    def shown(self) -> Message | None:
        """What answers the person: of a command the original (or the last follow-up); of a button the follow-up."""
        original = self.original if self.original and not self.original.loading else None
        last = next((each for each in reversed(self.follow_ups) if not each.deleted), None)
        if self.type == COMPONENT and self.ack_type in (DEFER_UPDATE, UPDATE):
            return last or original
        return original or last

    @property
    def text(self) -> str:
        """The words of what is shown: its content and its embeds' titles and descriptions."""
        if self.shown is None:
            return ""
        parts = [self.shown.content]
        for embed in self.shown.embeds:
            parts += [embed.get("title", ""), embed.get("description", "")]
        return "\n".join(part for part in parts if part)

    @property
    def ephemeral(self) -> bool:
        """Whether what is shown is for this person alone."""
        return self.shown is not None and self.shown.ephemeral

    @property
    def choices(self) -> list[Json]:
        """Of an autocomplete."""
        return list(self.ack["data"]["choices"]) if self.ack and self.ack_type == CHOICES else []

    @property
    def modal(self) -> Json | None:
        """The form that was opened."""
        return self.ack["data"] if self.ack and self.ack_type == MODAL else None

    @property
    def is_answered(self) -> bool:
        """Nothing more is owed: a deferred answer was edited or deleted, or (of a button) followed up."""
        if self.first is not None and self.first.deleted:
            return True
        if self.ack_type == DEFER:
            return self.edits > 0
        if self.ack_type == DEFER_UPDATE:
            return self.edits > 0 or bool(self.follow_ups)
        return self.ack is not None

    def metadata(self) -> Json:
        """What a message says about the interaction it came from."""
        kind = COMMAND if self.type == COMMAND else COMPONENT if self.type == COMPONENT else MODAL_SUBMIT
        owners = self.payload["authorizing_integration_owners"]
        told: Json = {"id": self.id, "type": kind, "user": self.user.json(), "authorizing_integration_owners": owners}
        if kind == COMPONENT and self.message:
            told["interacted_message_id"] = self.message.id
        if kind == MODAL_SUBMIT:
            before = {"id": self.id, "type": COMMAND, "authorizing_integration_owners": owners}
            told["triggering_interaction_metadata"] = before
        return told


class Interactions:
    """Their routes. `ack_seconds` and `token_seconds` are Discord's limits; `changed` wakes who waits."""

    def __init__(self, world: World, messages: Messages, application_id: str) -> None:
        self._world, self._messages, self._application_id = world, messages, application_id
        self.all: dict[str, Interaction] = {}
        self._by_token: dict[str, Interaction] = {}
        self.ack_seconds, self.token_seconds = 3.0, 900.0

    def add(self, interaction: Interaction) -> None:
        self.all[interaction.id] = interaction
        self._by_token[interaction.token] = interaction

    async def callback(self, request: web.Request) -> web.StreamResponse:
        """POST /interactions/{id}/{token}/callback."""
        body: Json = request[BODY]
        interaction = self.all.get(request.match_info["id"])
        if interaction is None or interaction.token != request.match_info["token"]:
            raise DiscordError(404, 10062, "Unknown interaction")
        interaction.callbacks.append(body)
        if interaction.ack is not None:
            raise DiscordError(400, 40060, "Interaction has already been acknowledged.")
        if self._world.now() - interaction.at > timedelta(seconds=self.ack_seconds):
            raise DiscordError(404, 10062, "Unknown interaction")
        self._act(interaction, body, request[FILES])
        interaction.ack = body
        interaction.acked_after = asyncio.get_running_loop().time() - interaction.delivered
        self._world.changed()
        if request.query.get("with_response", "").lower() in ("1", "true"):
            return answer(_told(interaction))
        return web.Response(status=204)

    async def original(self, request: web.Request) -> web.StreamResponse:
        """GET, PATCH, DELETE …/messages/@original."""
        interaction = self._of(request)
        return await self._on_message(request, interaction, self._alive(interaction.original))

    async def message(self, request: web.Request) -> web.StreamResponse:
        """GET, PATCH, DELETE …/messages/{id}: the original or a follow-up."""
        interaction = self._of(request)
        mine = [each for each in (interaction.first, *interaction.follow_ups) if each]
        found = next((each for each in mine if each.id == request.match_info["message_id"]), None)
        return await self._on_message(request, interaction, self._alive(found))

    async def follow_up(self, request: web.Request) -> web.StreamResponse:
        """POST: a further message; but the first to a deferred answer becomes that answer and stays as private."""
        interaction = self._of(request)
        body: Json = request[BODY]
        first = interaction.original
        if interaction.ack_type == DEFER and first is not None and first.loading:
            self._edit(interaction, first, body, request[FILES])
            return answer(first.json())
        if interaction.only_installed and len(interaction.follow_ups) >= USER_INSTALLED_FOLLOW_UPS:
            raise DiscordError(400, 40094, "This interaction has reached the maximum number of follow-up messages.")
        message = self._new(interaction, body, request[FILES])
        interaction.follow_ups.append(message)
        self._world.changed()
        return answer(message.json())

    def _of(self, request: web.Request) -> Interaction:
        interaction = self._by_token.get(request.match_info["token"])
        if interaction is None or request.match_info["application_id"] != self._application_id:
            raise DiscordError(404, 10015, "Unknown Webhook")
        if self._world.now() - interaction.at > timedelta(seconds=self.token_seconds):
            raise DiscordError(401, 50027, "Invalid Webhook Token")
        if interaction.ack is None:
            raise DiscordError(404, 10015, "Unknown Webhook")
        return interaction

    async def _on_message(self, request: web.Request, interaction: Interaction, message: Message) -> web.StreamResponse:
        if request.method == "DELETE":
            self._messages.delete(message)
            return web.Response(status=204)
        if request.method == "PATCH":
            self._edit(interaction, message, request[BODY], request[FILES])
        return answer(message.json())

    def _alive(self, message: Message | None) -> Message:
        if message is None or message.deleted:
            raise DiscordError(404, 10008, "Unknown Message")
        return message

    def _edit(self, interaction: Interaction, message: Message, body: Json, files: Files) -> None:
        if message is interaction.first:
            interaction.edits += 1
        try:
            self._messages.edit(message, body, files)
        except DiscordError:
            interaction.edits -= message is interaction.first
            raise

    def _act(self, interaction: Interaction, body: Json, files: Files) -> None:
        acts: dict[int, Callable[[Interaction, Json, Files], None]] = {
            MESSAGE: self._message,
            DEFER: self._defer,
            DEFER_UPDATE: self._defer_update,
            UPDATE: self._update,
            CHOICES: lambda *_: None,
            MODAL: lambda *_: None,
        }
        allowed = {
            COMMAND: {MESSAGE, DEFER, MODAL},
            COMPONENT: {MESSAGE, DEFER, DEFER_UPDATE, UPDATE, MODAL},
            AUTOCOMPLETE: {CHOICES},
            MODAL_SUBMIT: {MESSAGE, DEFER} | ({DEFER_UPDATE, UPDATE} if interaction.message else set()),
        }
        if body["type"] not in allowed[interaction.type]:
            raise DiscordError(400, 50035, "Invalid Form Body")
        acts[body["type"]](interaction, body.get("data") or {}, files)

    def _message(self, interaction: Interaction, data: Json, files: Files) -> None:
        interaction.first = self._new(interaction, data, files)

    def _defer(self, interaction: Interaction, data: Json, files: Files) -> None:
        only_for = self._only_for(interaction, data)
        interaction.first = self._messages.thinking(interaction.channel, only_for, self._webhook(interaction))

    def _defer_update(self, interaction: Interaction, data: Json, files: Files) -> None:
        interaction.first = interaction.message

    def _update(self, interaction: Interaction, data: Json, files: Files) -> None:
        assert interaction.message
        interaction.first = interaction.message
        self._edit(interaction, interaction.message, data, files)

    def _new(self, interaction: Interaction, body: Json, files: Files) -> Message:
        only_for = self._only_for(interaction, body)
        webhook = self._webhook(interaction)
        return self._messages.make(interaction.channel, body, files, only_for=only_for, webhook=webhook)

    def _only_for(self, interaction: Interaction, body: Json) -> FakeUser | None:
        private = (body.get("flags") or 0) & EPHEMERAL or interaction.private_only
        return interaction.user if private else None

    def _webhook(self, interaction: Interaction) -> Json:
        of_application = {"webhook_id": self._application_id, "application_id": self._application_id}
        return of_application | {"interaction_metadata": interaction.metadata()}


def _told(interaction: Interaction) -> Json:
    """The body of a callback that asked for its response."""
    told: Json = {"id": interaction.id, "type": interaction.type}
    answer: Json = {"interaction": told}
    message = interaction.first
    if message is not None and interaction.ack_type in (MESSAGE, DEFER, UPDATE):
        told |= {"response_message_id": message.id, "response_message_loading": message.loading}
        told["response_message_ephemeral"] = message.ephemeral
        if interaction.ack_type == MESSAGE or interaction.ack_type == UPDATE:
            answer["resource"] = {"type": interaction.ack_type, "message": message.json()}
        else:
            answer["resource"] = {"type": MESSAGE, "message": message.json()}
    return answer
