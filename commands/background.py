"""Look-ups that nobody waits for: one at a time for each thing, a few at once, those that fail again later."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import NamedTuple

import structlog

from moments.errors import MomentsError
from providers.catalogue import Clock
from providers.links import Link

MOST_WAITING = 1_000
"""When more wait, the oldest goes; a page that needs it asks again."""
PAUSES_SECONDS = (60.0, 300.0, 1_800.0, 7_200.0, 21_600.0)
"""Before each further attempt; after the last one the thing is let go."""

_log = structlog.get_logger("enrich")

Thing = tuple[str, str]
"""(provider, media id)."""


class Again(NamedTuple):
    """It did not work now, and may later."""

    pause: timedelta = timedelta(0)
    """Not before; longer pauses of our own stay."""


Work = Callable[[Link], Awaitable[Again | None]]


class _Job(NamedTuple):
    link: Link
    attempts: int


class Line:
    """Things that wait for one kind of work. Whatever the work raises is logged, and ends nothing else."""

    def __init__(self, name: str, at_once: int, clock: Clock, most: int = MOST_WAITING) -> None:
        self.dropped = 0
        """Things let go because too many waited."""
        self.given_up = 0
        """Things let go after their last attempt."""
        self._name = name
        self._at_once = at_once
        self._clock = clock
        self._most = most
        self._waiting: OrderedDict[Thing, _Job] = OrderedDict()
        self._under_way: set[Thing] = set()
        self._away: set[Thing] = set()
        self._wake = asyncio.Event()
        self._settled = asyncio.Event()
        self._settled.set()

    def add(self, link: Link) -> None:
        """Take a thing in, unless it is here already; at once, and whatever happens elsewhere."""
        thing = (link.provider, link.media_id)
        if thing not in self._under_way and thing not in self._away and thing not in self._waiting:
            self._put(thing, _Job(link, 0))

    async def run(self, work: Work) -> None:
        """Work, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._at_once):
                group.create_task(self._serve(work, group), name=self._name)

    async def settle(self) -> None:
        """Wait until nothing waits and nothing is under way; what comes back later is not waited for."""
        await self._settled.wait()

    def _put(self, thing: Thing, job: _Job) -> None:
        self._waiting[thing] = job
        if len(self._waiting) > self._most:
            self._waiting.popitem(last=False)
            self.dropped += 1
        self._settled.clear()
        self._wake.set()

    async def _serve(self, work: Work, group: asyncio.TaskGroup) -> None:
        while True:
            while not self._waiting:
                self._wake.clear()
                await self._wake.wait()
            thing, job = self._waiting.popitem(last=False)
            self._under_way.add(thing)
            again = await self._attempt(work, job)
            self._under_way.discard(thing)
            if again is not None:
                self._send_away(thing, job, again, group)
            if not self._waiting and not self._under_way:
                self._settled.set()

    async def _attempt(self, work: Work, job: _Job) -> Again | None:
        try:
            return await work(job.link)
        except MomentsError as error:
            _log.warning("a look-up could not be kept", line=self._name, error=str(error))
        except Exception:
            _log.exception("a look-up failed", line=self._name, provider=job.link.provider)
        return Again()

    def _send_away(self, thing: Thing, job: _Job, again: Again, group: asyncio.TaskGroup) -> None:
        if job.attempts == len(PAUSES_SECONDS):
            self.given_up += 1
        elif len(self._away) == self._most:
            self.dropped += 1
        else:
            self._away.add(thing)
            seconds = max(PAUSES_SECONDS[job.attempts], again.pause.total_seconds())
            group.create_task(self._come_back(thing, job, seconds), name=self._name)

    async def _come_back(self, thing: Thing, job: _Job, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._away.discard(thing)
        self._put(thing, _Job(job.link, job.attempts + 1))


def again_after(retry_at: datetime | None, now: datetime) -> Again:
    """Once the provider wants to be asked again, where it says when."""
    return Again() if retry_at is None else Again(retry_at - now)
