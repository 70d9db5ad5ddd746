"""What is true on this Discord, what was asked of it, and who waits for a change."""

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

Json = dict[str, Any]
Clock = Callable[[], datetime]
T = TypeVar("T")

EPOCH_MS = 1_420_070_400_000
"""Discord's: the first millisecond of 2015."""


def now_utc() -> datetime:
    """The real time."""
    return datetime.now(UTC)


def stamp(instant: datetime) -> str:
    """An instant as Discord writes it: microseconds and +00:00."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds")


def instant_of(snowflake: str) -> datetime:
    """When an id was made, to the millisecond."""
    return datetime.fromtimestamp(((int(snowflake) >> 22) + EPOCH_MS) / 1000, UTC)


class DiscordError(Exception):
    """An answer in Discord's error shape: an HTTP status and a JSON error code."""

    def __init__(self, status: int, code: int, message: str, **more: object) -> None:
        super().__init__(message)
        self.status, self.code = status, code
        self.body: Json = {"message": message, "code": code, **more}


@dataclass(slots=True)
class Request:
    """One request; its repr holds no secret.

    `status` is 0 until answered, and for ever when the connection was cut; `token_kind` is "bot", "user", "unknown" or
    "none".
    """

    method: str
    path: str = field(repr=False)
    body: Any = field(repr=False)
    at: datetime
    status: int = 0
    token_kind: str = "none"
    files: dict[str, bytes] = field(default_factory=dict, repr=False)


class World:
    """Shared by every room of the fake."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.requests: list[Request] = []
        self.violations: list[str] = []
        self.secrets: set[str] = set()
        self._numbers = itertools.count(1)
        self._changed = asyncio.Event()

    def now(self) -> datetime:
        """By whichever clock is set at the moment."""
        return self.clock()

    def snowflake(self, at: datetime | None = None) -> str:
        """A new id that holds this instant (now)."""
        milliseconds = int((at or self.clock()).timestamp() * 1000) - EPOCH_MS
        return str(milliseconds << 22 | next(self._numbers) & 0x3FFFFF)

    def secret(self, value: str) -> str:
        """The value, noted among those that may turn up in no log."""
        self.secrets.add(value)
        return value

    def changed(self) -> None:
        """Wake whoever waits."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def until(self, predicate: Callable[[], T | None], timeout: float = 10) -> T:  # noqa: ASYNC109 - its own error says what happened meanwhile
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
        last = ", ".join(f"{each.method} {each.path[:60]} {each.status}" for each in self.requests[-5:]) or "none"
        return f"{len(self.requests)} requests, the last: {last}; violations: {self.violations or 'none'}"
