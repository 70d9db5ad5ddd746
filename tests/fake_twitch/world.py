"""What is true on this Twitch, what was asked of it, and who waits for a change."""

import asyncio
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from tests.fake_twitch.people import FakeUser, People

Json = dict[str, Any]
Clock = Callable[[], datetime]
T = TypeVar("T")


def now_utc() -> datetime:
    """The real time."""
    return datetime.now(UTC)


def stamp(instant: datetime) -> str:
    """An instant as EventSub writes it: nanoseconds, and Z."""
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}000Z"


def second(instant: datetime) -> str:
    """An instant as Helix writes it: whole seconds, and Z."""
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%S}Z"


class ApiError(Exception):
    """An answer in Twitch's error shape."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


@dataclass(slots=True)
class ChannelInfo:
    """What Get Channel Information tells."""

    title: str = ""
    category: str = ""


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream that is live now; `type` as in stream.online, and only "live" is in Get Streams."""

    id: str
    started_at: datetime
    type: str = "live"


@dataclass(frozen=True, slots=True)
class Video:
    """An archive; `muted` are (offset, duration) in seconds."""

    id: str
    channel: FakeUser
    stream_id: str
    title: str
    created_at: datetime
    duration_seconds: int
    muted: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip made by POST clips or POST videos/clips; `vod_offset` is its END, as Twitch has it, `start` its start."""

    id: str
    channel: FakeUser
    creator_id: str
    title: str
    duration: float
    created_at: datetime
    video_id: str = ""
    vod_offset: int | None = None


@dataclass(frozen=True, slots=True)
class Marker:
    """A stream marker."""

    id: str
    channel_id: str
    description: str
    position_seconds: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Sent:
    """A chat message somebody sent through Helix; `drop_code` says why it was not shown ("": not said)."""

    channel_id: str
    sender_id: str
    text: str
    reply_parent_message_id: str | None
    at: datetime
    message_id: str
    token_kind: str
    is_sent: bool = True
    drop_code: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """One request; `token_kind` is "app", "user", "unknown" or "none". Its repr holds no secret."""

    method: str
    path: str
    query: Mapping[str, str] = field(repr=False)
    json: Any = field(repr=False)
    form: Mapping[str, str] = field(repr=False)
    token_kind: str
    user_id: str | None
    at: datetime


class World:
    """Shared by every room of the fake."""

    def __init__(self, clock: Clock, client_id: str, client_secret: str) -> None:
        self.clock, self.client_id, self.client_secret = clock, client_id, client_secret
        self.people = People(self.now)
        self.channels: dict[str, ChannelInfo] = {}
        self.streams: dict[str, Stream] = {}
        self.videos: list[Video] = []
        self.clips: list[Clip] = []
        self.markers: list[Marker] = []
        self.sent: list[Sent] = []
        self.dropped: list[Sent] = []
        self.requests: list[Request] = []
        self.secrets: set[str] = {client_secret}
        self.page_size = 100
        self._numbers = itertools.count(40_000_001)
        self._changed = asyncio.Event()

    def now(self) -> datetime:
        """By whichever clock is set at the moment."""
        return self.clock()

    def number(self) -> str:
        """A new id in Twitch's numeric form."""
        return str(next(self._numbers))

    def channel(self, user_id: str) -> ChannelInfo:
        """The channel's information, empty at first."""
        return self.channels.setdefault(user_id, ChannelInfo())

    def changed(self) -> None:
        """Wake whoever waits."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def until(self, predicate: Callable[[], T], timeout: float = 10) -> T:  # noqa: ASYNC109 - its own error says what happened meanwhile
        """What the predicate gives once it is true; asked again at every change here, for `timeout` seconds."""
        deadline = asyncio.get_running_loop().time() + timeout
        while not (answer := predicate()):
            try:
                async with asyncio.timeout_at(deadline):
                    await self._changed.wait()
            except TimeoutError:
                raise TimeoutError(f"not so within {timeout} s; {self._summary()}") from None
        return answer

    def _summary(self) -> str:
        last = ", ".join(f"{request.method} {request.path}" for request in self.requests[-5:]) or "none"
        return f"{len(self.requests)} requests, the last: {last}; {len(self.sent)} chat messages sent"
