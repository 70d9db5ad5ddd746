"""Things that happen on this Twitch, each in the shape EventSub gives it."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tests.fake_twitch.conduits import Shard
from tests.fake_twitch.eventsub import EventSub
from tests.fake_twitch.people import Badge, FakeUser
from tests.fake_twitch.world import ChannelInfo, Json, Stream, World, second

REMEMBERED = 10_000
"""Chat lines that can still be replied to or deleted with their author's name."""


@dataclass(frozen=True, slots=True)
class Said:
    """A chat line."""

    channel: FakeUser
    chatter: FakeUser
    text: str
    reply: Json | None


class Events:
    """Each method delivers its event; those about streams also change what Helix answers."""

    def __init__(self, world: World, eventsub: EventSub) -> None:
        self._world, self._eventsub = world, eventsub
        self.said: dict[str, Said] = {}

    async def event(
        self,
        type: str,  # noqa: A002
        version: str,
        condition: Mapping[str, str],
        event: Json,
        *,
        at: datetime | None = None,
    ) -> int:
        """Any event, as given, to every subscription the condition fits; how many that were."""
        return await self._eventsub.event(type, version, condition, event, at)

    async def say(
        self,
        channel: FakeUser,
        chatter: FakeUser,
        text: str,
        *,
        message_id: str | None = None,
        sent_at: datetime | None = None,
        source_channel: FakeUser | None = None,
        source_badges: Sequence[Badge] | None = None,
        reply_to: str | None = None,
        badges: Sequence[Badge] | None = None,
    ) -> str:
        """A line in the channel's chat; its message id.

        `sent_at` is the event's own timestamp. A `source_channel` makes it a copy out of a shared chat. A reply arrives
        as on Twitch, with "@name " in front of the text. Badges are those of the person's roles unless given.
        """
        message_id = message_id or str(uuid.uuid4())
        reply = self._reply(reply_to)
        fragments = [_fragment(text)]
        if reply:
            name, text = f"@{reply['parent_user_name']}", f"@{reply['parent_user_name']} {text}"
            fragments = [_mention(name, reply), _fragment(text.removeprefix(name))]
        event = {
            **_named("broadcaster", channel),
            **_named("chatter", chatter, "user_"),
            "message_id": message_id,
            "message": {"text": text, "fragments": fragments},
            "color": "#00FF7F",
            "badges": list(badges) if badges is not None else self._world.people.badges(channel, chatter),
            "message_type": "text",
            "cheer": None,
            "reply": reply,
            "channel_points_custom_reward_id": None,
            "channel_points_animation_id": None,
            **self._source(source_channel, chatter, source_badges),
        }
        self._remember(message_id, Said(channel, chatter, text, reply))
        condition = {"broadcaster_user_id": channel.id}
        await self.event("channel.chat.message", "1", condition, event, at=sent_at)
        return message_id

    async def online(
        self,
        channel: FakeUser,
        title: str | None = None,
        category: str | None = None,
        stream_id: str | None = None,
        type: str = "live",  # noqa: A002
        started_at: datetime | None = None,
    ) -> Stream:
        """The channel goes live."""
        self._describe(channel, title, category)
        stream = Stream(stream_id or self._world.number(), started_at or self._world.clock(), type)
        self._world.streams[channel.id] = stream
        live = {"type": stream.type, "started_at": second(stream.started_at)}
        await self._about("stream.online", "1", channel, {"id": stream.id, **live})
        return stream

    async def offline(self, channel: FakeUser) -> None:
        """The stream ends (or its connection drops: Twitch says the same)."""
        stream = self._world.streams.pop(channel.id, None)
        await self._about("stream.offline", "1", channel, {"id": stream.id if stream else self._world.number()})

    async def update(self, channel: FakeUser, title: str | None = None, category: str | None = None) -> None:
        """Another title or category."""
        info = self._describe(channel, title, category)
        event = {
            "title": info.title,
            "language": "en",
            "category_id": category_id(info.category),
            "category_name": info.category,
            "content_classification_labels": [],
        }
        await self._about("channel.update", "2", channel, event)

    async def delete_message(self, channel: FakeUser, message_id: str, user: FakeUser | None = None) -> None:
        """A moderator deletes one message; `user` is its author when it was not said here."""
        said = self.said.get(message_id)
        author = user or (said.chatter if said else channel)
        event = {**_named("target", author, "user_"), "message_id": message_id}
        await self._about("channel.chat.message_delete", "1", channel, event)

    async def clear_user(self, channel: FakeUser, user: FakeUser) -> None:
        """A timeout or a ban."""
        await self._about("channel.chat.clear_user_messages", "1", channel, _named("target", user, "user_"))

    async def clear_chat(self, channel: FakeUser) -> None:
        """A moderator empties the whole chat."""
        await self._about("channel.chat.clear", "1", channel, {})

    async def raid(self, raider: FakeUser, raided: FakeUser, viewers: int = 12) -> None:
        """One channel sends its viewers to another."""
        event = {**_named("from_broadcaster", raider), **_named("to_broadcaster", raided), "viewers": viewers}
        ends = {"from_broadcaster_user_id": raider.id, "to_broadcaster_user_id": raided.id}
        await self.event("channel.raid", "1", ends, event)

    async def authorization(self, user: FakeUser, word: str) -> None:
        """user.authorization.grant or .revoke."""
        client = {"client_id": self._world.client_id}
        await self.event(f"user.authorization.{word}", "1", client, client | _named("", user, "user_"))

    async def shard_disabled(self, conduit_id: str, shard: Shard) -> None:
        """conduit.shard.disabled."""
        client = {"client_id": self._world.client_id}
        event = {"conduit_id": conduit_id, "shard_id": shard.id, **shard.shape()}
        del event["id"]
        await self.event("conduit.shard.disabled", "1", client, event)

    async def _about(self, type_: str, version: str, channel: FakeUser, event: Json) -> None:
        condition = {"broadcaster_user_id": channel.id}
        await self.event(type_, version, condition, {**_named("broadcaster", channel), **event})

    def _describe(self, channel: FakeUser, title: str | None, category: str | None) -> ChannelInfo:
        info = self._world.channel(channel.id)
        info.title = info.title if title is None else title
        info.category = info.category if category is None else category
        return info

    def _remember(self, message_id: str, said: Said) -> None:
        self.said[message_id] = said
        if len(self.said) > REMEMBERED:
            del self.said[next(iter(self.said))]

    def _reply(self, parent_id: str | None) -> Json | None:
        parent = self.said.get(parent_id or "")
        if parent is None:
            return None
        thread = parent.reply or {}
        return {
            "parent_message_id": parent_id,
            "parent_message_body": parent.text,
            **_named("parent", parent.chatter, "user_"),
            "thread_message_id": thread.get("thread_message_id", parent_id),
            **(_only(thread, "thread_user") or _named("thread", parent.chatter, "user_")),
        }

    def _source(self, channel: FakeUser | None, chatter: FakeUser, badges: Sequence[Badge] | None) -> Json:
        if channel is None:
            names = ("user_id", "user_login", "user_name")
            return {f"source_broadcaster_{name}": None for name in names} | {
                "source_message_id": None,
                "source_badges": None,
            }
        worn = list(badges) if badges is not None else self._world.people.badges(channel, chatter)
        return {
            **_named("source_broadcaster", channel),
            "source_message_id": str(uuid.uuid4()),
            "source_badges": worn,
            "is_source_only": False,
        }


def category_id(name: str) -> str:
    """A stable id for a category's name, empty for none."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, name).int % 10**6) if name else ""


def _named(role: str, user: FakeUser, joint: str = "user_") -> Json:
    prefix = f"{role}_{joint}" if role else joint
    return {f"{prefix}id": user.id, f"{prefix}login": user.login, f"{prefix}name": user.display_name}


def _only(values: Json, prefix: str) -> Json:
    return {name: value for name, value in values.items() if name.startswith(prefix)}


def _fragment(text: str) -> Json:
    return {"type": "text", "text": text, "cheermote": None, "emote": None, "mention": None}


def _mention(text: str, reply: Json) -> Json:
    who = {name: reply[f"parent_{name}"] for name in ("user_id", "user_login", "user_name")}
    return {"type": "mention", "text": text, "cheermote": None, "emote": None, "mention": who}
