"""From Twitch's EventSub notifications to what Moments hears. Every field is checked and capped here (PLAT-5)."""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeVar

import structlog

from commands.model import Heard, Platform
from moments.live import Author, Place
from moments.people import Role
from moments.sessions import ReplyLevel

T = TypeVar("T")
Json = Mapping[str, Any]

TWITCH = Platform(
    "twitch",
    reply_length=500,
    answers_refusals=False,
    default_level=ReplyLevel.BRIEF,
    bare_off=frozenset({"help", "link", "profile", "export"}),
    private_replies=False,
    once_seconds=30,
    hides_links=True,
)

LONGEST_TEXT = 2_000
"""Characters of a message that are kept; Twitch's own limit is 500, and twice that for some badges."""
LONGEST_WORDS = 500
"""Characters of a name, title or category that are kept."""
OLDEST = timedelta(hours=24)
"""A timestamp further back than that, or ahead of our clock, is nobody's: ours is taken."""

# What chat clients append so that Twitch does not take a repeated message for a duplicate.
_BYPASS = "\U000e0000"
_BADGES = {
    "broadcaster": Role.BROADCASTER,
    "lead_moderator": Role.MODERATOR,
    "moderator": Role.MODERATOR,
    "vip": Role.VIP,
    "subscriber": Role.SUBSCRIBER,
    "founder": Role.SUBSCRIBER,
}
_CHAT_BOT = "bot-badge"
"""Twitch puts it on whatever an application says with its own token, ours as well."""
_MOST_BADGES = 50
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)
_MESSAGE_ID = re.compile(r"[!-~]{1,200}", re.ASCII)
_INSTANT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]{1,6})?[0-9]{0,12}(Z|[+-][0-9]{2}:[0-9]{2})"
)

_log = structlog.get_logger("twitch")

left_out: Counter[str] = Counter()
"""How many notifications of each kind could not be read."""


class WentOnline(NamedTuple):
    """A stream began; `type` is `live` for one that is, and another word for reruns and premieres."""

    place: Place
    message_id: str
    stream_id: str
    type: str


class WentOffline(NamedTuple):
    """A stream ended."""

    place: Place
    message_id: str


class Updated(NamedTuple):
    """A channel's title or category changed."""

    place: Place
    message_id: str
    title: str
    category: str


class MessageDeleted(NamedTuple):
    """A moderator took a chat message back; `deleted` is the message's id."""

    place: Place
    message_id: str
    deleted: str


class PersonSilenced(NamedTuple):
    """Somebody was timed out or banned."""

    place: Place
    message_id: str
    user_id: str


class Revoked(NamedTuple):
    """Twitch ended a subscription: which, for whom, and why."""

    type: str
    channel_id: str
    status: str


Happening = WentOnline | WentOffline | Updated | MessageDeleted | PersonSilenced


def heard(envelope: Json, arrived: datetime) -> Heard | None:
    """A chat message; None for one copied from another channel's shared chat (AZ-2), or that cannot be read."""
    return _readable(lambda: _chat(envelope, arrived), "channel.chat.message")


def from_a_bot(envelope: Json) -> bool:
    """Whether a chat message that could be read was said by an application, not typed (CHAT-5)."""
    badges = _event(envelope).get("badges")
    return isinstance(badges, list) and _CHAT_BOT in _worn(badges)


def happening(envelope: Json) -> Happening | None:
    """Something that is no chat message; None when it cannot be read, or is none of ours."""
    kind = subscription_type(envelope)
    shape = _SHAPES.get(kind)
    return None if shape is None else _readable(lambda: shape(_event(envelope), message_id(envelope)), kind)


def revoked(envelope: Json) -> Revoked | None:
    """What a revocation frame tells; None when it cannot be read."""
    return _readable(lambda: _revoked(_object(_object(envelope, "payload"), "subscription")), "revocation")


def subscription_type(envelope: Json) -> str:
    """The kind of a notification, empty when it has none."""
    metadata = envelope.get("metadata")
    kind = metadata.get("subscription_type") if isinstance(metadata, Mapping) else None
    return kind if isinstance(kind, str) else ""


def sent_at(envelope: Json) -> datetime | None:
    """When Twitch sent a frame, by Twitch's clock; None where it does not say."""
    metadata = envelope.get("metadata")
    return _written(metadata) if isinstance(metadata, Mapping) else None


def message_id(envelope: Json) -> str:
    """The envelope's own id: a notification that is sent again keeps it. Raises Malformed."""
    return _matching(_object(envelope, "metadata"), "message_id", _MESSAGE_ID)


class Malformed(ValueError):
    """A field that is missing or of another kind; names the field, never what was in it."""


def _readable(read: Callable[[], T], kind: str) -> T | None:
    try:
        return read()
    except Malformed as error:
        left_out[kind] += 1
        _log.debug("a Twitch event was left out", type=kind, field=str(error), so_far=left_out[kind])
        return None


def _chat(envelope: Json, arrived: datetime) -> Heard | None:
    event = _event(envelope)
    place = _place(event)
    source = event.get("source_broadcaster_user_id")
    if source is not None and source != place.platform_id:
        return None
    author = Author(TWITCH.name, _id(event, "chatter_user_id"), _name(event, "chatter_user"))
    text = _typed(event, _text(_object(event, "message"), "text", LONGEST_TEXT)).replace(_BYPASS, "").rstrip()
    typed = _instant(_object(envelope, "metadata"), arrived)
    role = Role.BROADCASTER if author.user_id == place.platform_id else _role(event)
    return Heard(TWITCH, place, author, role, text, typed, _matching(event, "message_id", _MESSAGE_ID), arrived)


def _typed(event: Json, text: str) -> str:
    """What was typed: Twitch's Reply button puts the name of whom it answers in front."""
    reply = event.get("reply")
    if not isinstance(reply, Mapping):
        return text
    names = {f"@{reply.get(key)}".casefold() for key in ("parent_user_name", "parent_user_login")}
    first, _, rest = text.partition(" ")
    return rest if first.casefold() in names else text


def _role(event: Json) -> Role:
    """By the badges of this very message."""
    badges = event.get("badges")
    if not isinstance(badges, list):
        raise Malformed("badges")
    return max((_BADGES.get(name, Role.VIEWER) for name in _worn(badges)), default=Role.VIEWER)


def _worn(badges: list[object]) -> list[str]:
    """The names of the badges, of which anything may have been sent."""
    named = (badge.get("set_id") for badge in badges[:_MOST_BADGES] if isinstance(badge, Mapping))
    return [name for name in named if isinstance(name, str)]


def _instant(metadata: Json, arrived: datetime) -> datetime:
    """When it was typed, by Twitch's clock where that can be."""
    typed = _written(metadata)
    return typed if typed is not None and arrived - OLDEST <= typed <= arrived else arrived


def _written(metadata: Json) -> datetime | None:
    """The timestamp of a frame; Twitch writes nanoseconds, we keep microseconds."""
    written = metadata.get("message_timestamp")
    match = _INSTANT.fullmatch(written) if isinstance(written, str) and len(written) < 50 else None
    if match is None:
        return None
    try:
        return datetime.fromisoformat("".join(part or "" for part in match.groups())).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _online(event: Json, message: str) -> WentOnline:
    return WentOnline(_place(event), message, _id(event, "id"), _text(event, "type", LONGEST_WORDS))


def _offline(event: Json, message: str) -> WentOffline:
    return WentOffline(_place(event), message)


def _updated(event: Json, message: str) -> Updated:
    title, category = (_text(event, name, LONGEST_WORDS) for name in ("title", "category_name"))
    return Updated(_place(event), message, title, category)


def _deleted(event: Json, message: str) -> MessageDeleted:
    return MessageDeleted(_place(event), message, _matching(event, "message_id", _MESSAGE_ID))


def _silenced(event: Json, message: str) -> PersonSilenced:
    return PersonSilenced(_place(event), message, _id(event, "target_user_id"))


def _revoked(subscription: Json) -> Revoked:
    kind, status = (_text(subscription, name, LONGEST_WORDS) for name in ("type", "status"))
    return Revoked(kind, _id(_object(subscription, "condition"), "broadcaster_user_id"), status)


_SHAPES: Mapping[str, Callable[[Json, str], Happening]] = {
    "stream.online": _online,
    "stream.offline": _offline,
    "channel.update": _updated,
    "channel.chat.message_delete": _deleted,
    "channel.chat.clear_user_messages": _silenced,
}


def _event(envelope: Json) -> Json:
    return _object(_object(envelope, "payload"), "event")


def _place(event: Json) -> Place:
    return Place(TWITCH.name, _id(event, "broadcaster_user_id"), _name(event, "broadcaster_user"))


def _name(event: Json, whose: str) -> str:
    """The display name; some accounts have none, and show their login."""
    name = _text(event, f"{whose}_name", LONGEST_WORDS)
    return name if name.strip() else _text(event, f"{whose}_login", LONGEST_WORDS)


def _object(fields: Json, name: str) -> Json:
    value = fields.get(name)
    if not isinstance(value, Mapping):
        raise Malformed(name)
    return value


def _text(fields: Json, name: str, longest: int) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        raise Malformed(name)
    return value[:longest]


def _id(fields: Json, name: str) -> str:
    return _matching(fields, name, _ID)


def _matching(fields: Json, name: str, pattern: re.Pattern[str]) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise Malformed(name)
    return value
