"""Messages: made of a request's body, edited, deleted, and seen by whom."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.fake_discord.people import Channel, FakeUser
from tests.fake_discord.world import DiscordError, Json, World, stamp

SUPPRESS_EMBEDS, EPHEMERAL, LOADING, SUPPRESS_NOTIFICATIONS, COMPONENTS_V2 = 1 << 2, 1 << 6, 1 << 7, 1 << 12, 1 << 15
SENDABLE = SUPPRESS_EMBEDS | EPHEMERAL | SUPPRESS_NOTIFICATIONS | COMPONENTS_V2
EDITABLE = SUPPRESS_EMBEDS | COMPONENTS_V2
NONCES_FOR = timedelta(minutes=5)
BUTTON, LINK = 2, 5
Files = dict[str, tuple[str, bytes]]
"""Uploaded files by their field: name and contents."""


@dataclass(slots=True, eq=False)
class Message:
    """One message. `bodies` are the request bodies it was made of: the first, then every edit."""

    id: str
    channel: Channel = field(repr=False)
    author: FakeUser = field(repr=False)
    at: datetime = field(repr=False)
    content: str = ""
    embeds: list[Json] = field(default_factory=list)
    components: list[Json] = field(default_factory=list)
    attachments: list[Json] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict, repr=False)
    flags: int = 0
    nonce: str | int | None = None
    only_for: FakeUser | None = field(default=None, repr=False)
    edited_at: datetime | None = None
    deleted: bool = False
    bodies: list[Json] = field(default_factory=list, repr=False)
    webhook: Json = field(default_factory=dict, repr=False)

    @property
    def ephemeral(self) -> bool:
        """Whether only the person who asked sees it."""
        return bool(self.flags & EPHEMERAL)

    @property
    def loading(self) -> bool:
        """Whether it is but "… is thinking"."""
        return bool(self.flags & LOADING)

    @property
    def empty(self) -> bool:
        return not (self.content or self.embeds or self.components or self.attachments)

    @property
    def embed(self) -> Json:
        """Its only embed."""
        (only,) = self.embeds
        return only

    @property
    def buttons(self) -> list[Json]:
        """Every button, in order, wherever it is nested."""
        return [each for each in walk_components(self.components) if each["type"] == BUTTON]

    def button(self, name: str) -> Json:
        """The one with this label or custom_id (a label's beginning is enough when it is the only one)."""
        exact = [each for each in self.buttons if name in (each.get("label"), each.get("custom_id"))]
        found = exact or [each for each in self.buttons if str(each.get("label")).startswith(name)]
        labels = [each.get("label") or each.get("custom_id") for each in self.buttons]
        assert len(found) == 1, f"no such button {name!r}; there are {labels}"
        return found[0]

    def json(self) -> Json:
        """As Discord tells it."""
        told: Json = {
            "id": self.id,
            "type": 20 if self.webhook.get("interaction_metadata", {}).get("type") == 2 else 0,
            "channel_id": self.channel.id,
            "author": self.author.json(),
            "content": self.content,
            "timestamp": stamp(self.at),
            "edited_timestamp": stamp(self.edited_at) if self.edited_at else None,
            "tts": False,
            "mention_everyone": False,
            "mentions": [],
            "mention_roles": [],
            "attachments": self.attachments,
            "embeds": self.embeds,
            "components": self.components,
            "pinned": False,
            "flags": self.flags,
            **self.webhook,
        }
        return told | ({"nonce": self.nonce} if self.nonce is not None else {})

    def without_content(self) -> Json:
        """As an application without the MESSAGE_CONTENT intent sees somebody else's."""
        return self.json() | {"content": "", "embeds": [], "components": [], "attachments": []}


def walk_components(components: list[Json]) -> Iterator[Json]:
    """Every component, nested ones too."""
    for each in components:
        yield each
        inner = [each[name] for name in ("component", "accessory") if each.get(name)]
        yield from walk_components([*inner, *(each.get("components") or [])])


class Messages:
    """All of them."""

    def __init__(self, world: World, bot: FakeUser) -> None:
        self._world, self._bot = world, bot
        self.all: dict[str, Message] = {}
        self._nonces: dict[tuple[str, str | int], Message] = {}

    def make(
        self,
        channel: Channel,
        body: Json,
        files: Files | None = None,
        *,
        only_for: FakeUser | None = None,
        webhook: Json | None = None,
    ) -> Message:
        """The bot's new message; `only_for` makes it ephemeral."""
        flags = (body.get("flags") or 0) & SENDABLE & ~EPHEMERAL | (EPHEMERAL if only_for else 0)
        message = Message(
            self._world.snowflake(), channel, self._bot, self._world.now(), flags=flags, only_for=only_for
        )
        message.webhook = webhook or {}
        self._fill(message, body, files or {})
        self.all[message.id] = message
        return message

    def thinking(self, channel: Channel, only_for: FakeUser | None, webhook: Json) -> Message:
        """A deferred answer, until it is edited."""
        message = self.make(channel, {}, only_for=only_for, webhook=webhook)
        message.flags |= LOADING
        return message

    def say(self, channel: Channel, author: FakeUser, text: str) -> Message:
        """A person's."""
        message = Message(self._world.snowflake(), channel, author, self._world.now(), text)
        self.all[message.id] = message
        self._world.changed()
        return message

    def edit(self, message: Message, body: Json, files: Files | None = None) -> None:
        """What the body does not name stays."""
        before = (message.content, message.embeds, message.components, message.attachments)
        self._fill(message, body, files or {})
        if message.empty:
            message.content, message.embeds, message.components, message.attachments = before
            raise DiscordError(400, 50006, "Cannot send an empty message")
        if not message.loading:
            message.edited_at = self._world.now()
        if "flags" in body:
            message.flags = message.flags & ~EDITABLE | (body["flags"] or 0) & EDITABLE
        message.flags &= ~LOADING
        self._world.changed()

    def delete(self, message: Message) -> None:
        message.deleted = True
        self._world.changed()

    def visible(self, channel: Channel) -> list[Message]:
        """The bot's that everybody in the channel sees, oldest first."""
        here = [each for each in self.all.values() if each.channel is channel and each.author is self._bot]
        return [each for each in here if not (each.deleted or each.ephemeral or each.loading)]

    def with_nonce(self, channel: Channel, nonce: str | int) -> Message | None:
        """The message that was sent with it within the last minutes."""
        known = self._nonces.get((channel.id, nonce))
        return known if known and self._world.now() - known.at < NONCES_FOR else None

    def note_nonce(self, message: Message, nonce: str | int) -> None:
        message.nonce = nonce
        self._nonces[message.channel.id, nonce] = message

    def _fill(self, message: Message, body: Json, files: Files) -> None:
        message.bodies.append(body)
        for name, (filename, contents) in files.items():
            message.files[filename] = contents
            message.attachments = [*message.attachments, self._attachment(message, filename, contents, body, name)]
        if "attachments" in body:
            kept = {str(each.get("id")) for each in body["attachments"] or []}
            new = {filename for filename, _ in files.values()}
            message.attachments = [
                each for each in message.attachments if each["id"] in kept or each["filename"] in new
            ]
        if "content" in body:
            message.content = body["content"] or ""
        if "embeds" in body:
            message.embeds = [self._embed(each, message.attachments) for each in body["embeds"] or []]
        if "components" in body:
            message.components = _numbered(body["components"] or [], itertools.count(1))

    def _attachment(self, message: Message, filename: str, contents: bytes, body: Json, name: str) -> Json:
        url = f"https://cdn.discordapp.com/attachments/{message.channel.id}/{message.id}/{filename}"
        told: Json = {
            "id": self._world.snowflake(),
            "filename": filename,
            "size": len(contents),
            "url": url,
            "proxy_url": url,
        }
        number = name.removeprefix("files[").rstrip("]")
        described: Json = next((each for each in body.get("attachments") or [] if str(each.get("id")) == number), {})
        return told | ({"description": described["description"]} if described.get("description") else {})

    def _embed(self, embed: Json, attachments: list[Json]) -> Json:
        told: Json = {name: _without_nulls(value) for name, value in embed.items() if value is not None}
        told["type"] = "rich"
        for name in ("image", "thumbnail"):
            wanted = str(told.get(name, {}).get("url", ""))
            if wanted.startswith("attachment://"):
                urls = {each["filename"]: each["url"] for each in attachments}
                told[name] = told[name] | {"url": urls.get(wanted.removeprefix("attachment://"), wanted)}
        return told


def _numbered(components: list[Json], numbers: Iterator[int]) -> list[Json]:
    """As Discord gives them back: each with an id, and without nulls."""
    told = []
    for each in components:
        new = {name: _without_nulls(value) for name, value in each.items() if value is not None}
        new["id"] = each.get("id") or next(numbers)
        for name in ("component", "accessory"):
            if name in new:
                (new[name],) = _numbered([new[name]], numbers)
        if "components" in new:
            new["components"] = _numbered(new["components"], numbers)
        told.append(new)
    return told


def _without_nulls(value: Any) -> Any:  # noqa: ANN401 - JSON
    return {name: each for name, each in value.items() if each is not None} if isinstance(value, dict) else value
