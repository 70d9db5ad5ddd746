"""How often a provider may be asked: one budget for each, shared by the whole process (R11, R12)."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone, tzinfo
from math import inf
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from providers.catalogue.facts import Kind


@dataclass(frozen=True, slots=True)
class Clock:
    """Time as it passes; tests bring their own."""

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class Pace:
    """At most `count` requests in any `seconds`: a rolling window, exact wherever a request is held up on its way.

    A place stays taken from before the request until `seconds` after its answer. A token bucket would let twice as
    many through in one window; one that counts beginnings is wrong as soon as connecting takes long.
    """

    def __init__(self, count: int, seconds: float, clock: Clock) -> None:
        self._places = asyncio.Semaphore(count)
        self._free_at = deque([-inf] * count)
        self._seconds = seconds
        self._clock = clock

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a place, first come, first served, and hold it."""
        async with self._places:
            free_at = self._free_at.popleft()
            try:
                wait = free_at - self._clock.monotonic()
                if wait > 0:
                    await self._clock.sleep(wait)
            except asyncio.CancelledError:
                self._free_at.appendleft(free_at)
                raise
            try:
                yield
            finally:
                self._free_at.append(self._clock.monotonic() + self._seconds)


class Spent(NamedTuple):
    """What went on one day; to be kept, and handed back after a restart."""

    day: date
    units: int


def pacific() -> tzinfo:
    """Where YouTube's day begins. Without a table of zones its winter time: the day then starts an hour late."""
    try:
        return ZoneInfo("America/Los_Angeles")
    except ZoneInfoNotFoundError:
        return timezone(timedelta(hours=-8))


class Quota:
    """So many units a day."""

    def __init__(
        self,
        limit: int,
        zone: tzinfo,
        spent: Spent | None = None,
        on_spent: Callable[[Spent], None] | None = None,
    ) -> None:
        self._limit = limit
        self._zone = zone
        self._spent = spent
        self._on_spent = on_spent

    def spend(self, units: int, now: datetime) -> datetime | None:
        """Take units out, at once and for good; or say when there will be new ones."""
        spent = self.spent(now)
        if spent.units + units > self._limit:
            return self._renewed(spent)
        self._keep(Spent(spent.day, spent.units + units))
        return None

    def used_up(self, now: datetime) -> datetime:
        """The provider says that nothing is left, whatever we counted; when there will be new units."""
        spent = Spent(self.spent(now).day, self._limit)
        self._keep(spent)
        return self._renewed(spent)

    def spent(self, now: datetime) -> Spent:
        """What has gone today."""
        today = now.astimezone(self._zone).date()
        return self._spent if self._spent is not None and self._spent.day == today else Spent(today, 0)

    def _keep(self, spent: Spent) -> None:
        self._spent = spent
        if self._on_spent is not None:
            self._on_spent(spent)

    def _renewed(self, spent: Spent) -> datetime:
        after = spent.day + timedelta(days=1)
        return datetime(after.year, after.month, after.day, tzinfo=self._zone)


class Budget:
    """All that bounds one provider: its pace, its quota, and a pause while it wants none of us."""

    def __init__(self, clock: Clock, pace: Pace | None = None, quota: Quota | None = None) -> None:
        self.clock = clock
        self.quota = quota
        self._pace = pace
        self._until = -inf
        self.paused: Kind = Kind.BUSY
        """Why, while `left()` is above 0."""

    def left(self) -> float:
        """Seconds until it may be asked again; 0 or less for now."""
        return self._until - self.clock.monotonic()

    def pause(self, kind: Kind, seconds: float) -> None:
        """Ask nothing for so long; a longer pause under way stays."""
        until = self.clock.monotonic() + seconds
        if until > self._until:
            self._until, self.paused = until, kind

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Hold a place while asking."""
        if self._pace is None:
            yield
            return
        async with self._pace.turn():
            yield
