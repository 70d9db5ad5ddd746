"""What Twitch answers, checked at the border: unknown fields are passed over, a wrong one spoils the whole answer."""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar

from moments.errors import ProviderUnreadable

T = TypeVar("T")
Row = Mapping[str, Any]


class User(NamedTuple):
    """An account; only `id` stays the same for ever."""

    id: str
    login: str
    display_name: str
    created_at: datetime


class Stream(NamedTuple):
    """A stream that is on the air now."""

    id: str
    user_id: str
    type: str
    """`live`, or empty when Twitch cannot tell."""
    title: str
    category: str
    started_at: datetime


class ChannelInfo(NamedTuple):
    """What a channel is set to, also while it is off the air."""

    user_id: str
    login: str
    display_name: str
    title: str
    category: str


class Video(NamedTuple):
    """An archive of a stream."""

    id: str
    stream_id: str | None
    title: str
    created_at: datetime
    duration_seconds: int
    muted: tuple[tuple[int, int], ...]
    """Stretches without sound: where each begins, and how long it lasts, in whole seconds."""


class Sent(NamedTuple):
    """What became of a chat message. Twitch answers 200 for one it dropped, too."""

    message_id: str
    is_sent: bool
    drop_code: str
    """Empty when it was sent. The codes are not documented and change."""


class Marker(NamedTuple):
    """A stream marker; `position_seconds` is counted from the stream's beginning, by Twitch itself."""

    id: str
    created_at: datetime
    position_seconds: int


class ClipMade(NamedTuple):
    """A clip that is being made. `clips()` lists it when it exists, in about 15 seconds or never."""

    id: str
    edit_url: str


class Clip(NamedTuple):
    """A clip that exists."""

    id: str
    url: str
    title: str
    created_at: datetime
    video_id: str
    """Empty when the video is gone."""


class ModeratedChannel(NamedTuple):
    """A channel somebody moderates."""

    user_id: str
    login: str
    display_name: str


class Subscription(NamedTuple):
    """An EventSub subscription; events come only while `status` is `enabled`."""

    id: str
    type: str
    version: str
    status: str
    condition: Mapping[str, str]
    conduit_id: str | None
    """None for one that goes to a socket or a webhook."""


class Conduit(NamedTuple):
    """A conduit of this client's."""

    id: str
    shard_count: int


class Shard(NamedTuple):
    """A conduit's shard; events come only while `status` is `enabled`."""

    id: str
    status: str


class Malformed(ValueError):
    """A field that is missing or of another kind; names the field, never what was in it."""


def rows(answer: object, shape: Callable[[Row], T], asked: str) -> list[T]:
    """The rows of a Helix answer's `data`; ProviderUnreadable when any of it is not as documented."""
    try:
        return [shape(row) for row in _rows(answer, "data")]
    except Malformed as error:
        raise ProviderUnreadable(f"{asked}, {error}") from None


def cursor(answer: Row, asked: str) -> str | None:
    """Where the next page begins; None after the last one."""
    pagination = answer.get("pagination") or {}
    found = pagination.get("cursor") if isinstance(pagination, dict) else pagination
    if found is not None and not isinstance(found, str):
        raise ProviderUnreadable(f"{asked}, pagination is malformed")
    return found or None


def text(row: Row, name: str) -> str:
    """A field that must be text; it may be empty."""
    value = row.get(name)
    if not isinstance(value, str):
        raise Malformed(f"{name} is not text")
    return value


def identifier(row: Row, name: str) -> str:
    """A field that must be text and name something."""
    value = text(row, name)
    if not value:
        raise Malformed(f"{name} is empty")
    return value


def number(row: Row, name: str) -> int:
    """A field that must be a whole number, 0 or more; true and false are none."""
    value = row.get(name)
    if type(value) is not int or value < 0:
        raise Malformed(f"{name} is not a whole number")
    return value


def flag(row: Row, name: str) -> bool:
    """A field that must be true or false."""
    value = row.get(name)
    if not isinstance(value, bool):
        raise Malformed(f"{name} is neither true nor false")
    return value


def instant(row: Row, name: str) -> datetime:
    """A field that must be an RFC 3339 instant, as aware UTC; finer than microseconds is cut."""
    try:
        found = datetime.fromisoformat(text(row, name))
        if found.tzinfo is not None:
            return found.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise Malformed(f"{name} is not an instant")


_DURATION = re.compile(r"(?=.)(?:([0-9]{1,4})h)?(?:([0-9]{1,4})m)?(?:([0-9]{1,6})s)?")


def duration(row: Row, name: str) -> int:
    """A field like `3h2m1s`, in seconds."""
    match = _DURATION.fullmatch(text(row, name))
    if match is None:
        raise Malformed(f"{name} is not a duration")
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds


def user(row: Row) -> User:
    return User(identifier(row, "id"), identifier(row, "login"), text(row, "display_name"), instant(row, "created_at"))


def stream(row: Row) -> Stream:
    return Stream(
        identifier(row, "id"),
        identifier(row, "user_id"),
        text(row, "type"),
        text(row, "title"),
        text(row, "game_name"),
        instant(row, "started_at"),
    )


def channel(row: Row) -> ChannelInfo:
    return ChannelInfo(
        identifier(row, "broadcaster_id"),
        identifier(row, "broadcaster_login"),
        text(row, "broadcaster_name"),
        text(row, "title"),
        text(row, "game_name"),
    )


def video(row: Row) -> Video:
    muted = _rows(row, "muted_segments") if row.get("muted_segments") is not None else ()
    return Video(
        identifier(row, "id"),
        identifier(row, "stream_id") if row.get("stream_id") is not None else None,
        text(row, "title"),
        instant(row, "created_at"),
        duration(row, "duration"),
        tuple((number(stretch, "offset"), number(stretch, "duration")) for stretch in muted),
    )


def sent(row: Row) -> Sent:
    is_sent = flag(row, "is_sent")
    reason = row.get("drop_reason")
    code = text(reason, "code") if isinstance(reason, dict) else ""
    return Sent(text(row, "message_id"), is_sent, "" if is_sent else code or "unknown")


def marker(row: Row) -> Marker:
    # Documented as text, published as a number; a marker that was made must not count as failed for that.
    marker_id = identifier(row, "id") if isinstance(row.get("id"), str) else str(number(row, "id"))
    return Marker(marker_id, instant(row, "created_at"), number(row, "position_seconds"))


def clip_made(row: Row) -> ClipMade:
    return ClipMade(identifier(row, "id"), text(row, "edit_url"))


def clip(row: Row) -> Clip:
    return Clip(
        identifier(row, "id"),
        text(row, "url"),
        text(row, "title"),
        instant(row, "created_at"),
        text(row, "video_id"),
    )


def moderated(row: Row) -> ModeratedChannel:
    return ModeratedChannel(
        identifier(row, "broadcaster_id"), identifier(row, "broadcaster_login"), text(row, "broadcaster_name")
    )


def subscription(row: Row) -> Subscription:
    condition, transport = _object(row, "condition"), _object(row, "transport")
    return Subscription(
        identifier(row, "id"),
        identifier(row, "type"),
        text(row, "version"),
        text(row, "status"),
        {name: text(condition, name) for name in condition},
        transport.get("conduit_id") and identifier(transport, "conduit_id"),
    )


def conduit(row: Row) -> Conduit:
    return Conduit(identifier(row, "id"), number(row, "shard_count"))


def shard(row: Row) -> Shard:
    return Shard(identifier(row, "id"), text(row, "status"))


def _object(row: Row, name: str) -> Row:
    value = row.get(name)
    if not isinstance(value, dict):
        raise Malformed(f"{name} is not an object")
    return value


def _rows(row: object, name: str) -> Iterator[Row]:
    listed = row.get(name) if isinstance(row, dict) else None
    if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
        raise Malformed(f"{name} is not a list of objects")
    return iter(listed)
