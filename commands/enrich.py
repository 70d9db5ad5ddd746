"""What services tell of the recordings people save, looked up in the background: no save waits for it or fails with it.

Titles first, in a line of their own; where else a recording is takes longer (MusicBrainz answers once a second) and has
another. A provider that is down costs its own look-ups some attempts, and nobody else anything.
"""

import asyncio
from collections import OrderedDict
from datetime import date, datetime

import structlog

from commands import identity
from commands.background import MOST_WAITING, Again, Line, Thing, again_after
from commands.pasted import link_of
from commands.services import Services
from commands.told import told_of, told_without_facts
from providers.catalogue import CATALOGUES, Absent, Catalogues, Clock, Kind, MediaFacts, QuarantinedFacts, Spent
from providers.links import Link
from storage import Store, Transaction, facts, sources, tracks
from storage.sources import State

LOOK_UPS_AT_ONCE = 4
SEARCHES_AT_ONCE = 2
MOST_QUARANTINED = 1_000
MOST_REMEMBERED = 10_000
"""Recordings this process need not look for elsewhere again."""

_ALONE = "spotify"
_TELLING = frozenset(each.provider for each in CATALOGUES)
_log = structlog.get_logger("enrich")


class SpentUnits:
    """What YouTube's day has cost, until it is kept with what it brought."""

    def __init__(self) -> None:
        self._spent: Spent | None = None

    def note(self, spent: Spent) -> None:
        """Told by the catalogue at each request."""
        self._spent = spent

    def take(self) -> Spent | None:
        """What has still to be kept."""
        spent, self._spent = self._spent, None
        return spent


async def load_spent(store: Store) -> Spent | None:
    """What the process before us spent of YouTube's day; None when it kept nothing that can be read."""
    day, _, units = (await facts.get(store, facts.YOUTUBE_UNITS) or "").partition(" ")
    try:
        return Spent(date.fromisoformat(day), int(units))
    except ValueError:
        return None


class Enricher:
    """Asks services about recordings, for the whole process: their budgets are in its catalogues."""

    def __init__(self, catalogues: Catalogues, units: SpentUnits | None = None, clock: Clock | None = None) -> None:
        clock = clock or Clock()
        self.titles = Line("titles", LOOK_UPS_AT_ONCE, clock)
        self.elsewhere = Line("elsewhere", SEARCHES_AT_ONCE, clock)
        self._catalogues = catalogues
        self._units = units or SpentUnits()
        self._quarantined: OrderedDict[str, QuarantinedFacts] = OrderedDict()
        self._looked_for: OrderedDict[Thing, None] = OrderedDict()

    def wanted(self, link: Link) -> None:
        """Find out about this some time soon, unless that is known; called after a save, and by pages."""
        if link.provider in _TELLING or link.provider == _ALONE or identity.may_be_a_song(link):
            self.titles.add(link)

    def quarantined(self, media_id: str, now: datetime) -> QuarantinedFacts | None:
        """What Spotify says of a thing, for a card that shows nothing else (R6). It is never written anywhere."""
        found = self._quarantined.get(media_id)
        return found if found and found.expires_at > now else None

    async def run(self, services: Services) -> None:
        """Work until cancelled, beginning with what an earlier process left undone."""
        await self._resume(services)
        async with asyncio.TaskGroup() as group:
            group.create_task(self.titles.run(lambda link: self._look_up(services, link)))
            group.create_task(self.elsewhere.run(lambda link: self._look_elsewhere(services, link)))

    async def settle(self) -> None:
        """Wait until nothing is being asked; what is to be tried again later is not waited for."""
        await self.titles.settle()
        await self.elsewhere.settle()

    async def _resume(self, services: Services) -> None:
        try:
            due = await sources.due(services.store, services.clock(), MOST_WAITING // 2, sorted(_TELLING))
            for thing in reversed(due):
                link = await link_of(services.store, thing)
                if link is not None:
                    self.wanted(link)
        except Exception:
            _log.exception("what is not known yet could not be read")

    async def _look_up(self, services: Services, link: Link) -> Again | None:
        now, thing = services.clock(), (link.provider, link.media_id)
        if await tracks.of_source(services.store, *thing) is None:
            return None  # nobody saved any of it: nobody needs to know
        if link.provider == _ALONE:
            return await self._quarantine(link, now)
        told = await sources.find(services.store, *thing, now)
        if told is not None:
            if told.state is State.KNOWN:
                self._look_for(link)
            return None
        link = await link_of(services.store, thing) or link
        found = await self._catalogues.look_up(link, now=now)
        return await self._keep(services, link, found, now)

    async def _keep(self, services: Services, link: Link, found: MediaFacts | Absent, now: datetime) -> Again | None:
        spent = self._units.take()
        told = told_of(found) if isinstance(found, MediaFacts) else told_without_facts(link, found, now)

        async def job(transaction: Transaction) -> None:
            if told is not None:
                await sources.put(transaction, told)
            if spent is not None:
                await facts.put(transaction, facts.YOUTUBE_UNITS, f"{spent.day.isoformat()} {spent.units}")

        if told is not None or spent is not None:
            await services.store.run(job, message=None, now=now)
        if told is not None:
            services.arrivals.told((told.provider, told.media_id))
        if isinstance(found, MediaFacts) or found.kind is Kind.UNSUPPORTED:
            self._look_for(link)  # MusicBrainz may know what no API tells
            return None
        return None if told is not None else _again(found, now)

    async def _quarantine(self, link: Link, now: datetime) -> Again | None:
        self._look_for(link)
        if self.quarantined(link.media_id, now):
            return None
        found = await self._catalogues.quarantined(link, now=now)
        if isinstance(found, QuarantinedFacts):
            self._quarantined[link.media_id] = found
            left = (found.expires_at - now).total_seconds()  # out of memory, too, when its time is over (R1)
            asyncio.get_running_loop().call_later(left, self._quarantined.pop, link.media_id, None)
            while len(self._quarantined) > MOST_QUARANTINED:
                self._quarantined.popitem(last=False)
            return None
        self._quarantined.pop(link.media_id, None)
        return _again(found, now) if found.passes else None

    def _look_for(self, link: Link) -> None:
        thing = (link.provider, link.media_id)
        if thing not in self._looked_for and identity.may_be_a_song(link):
            self.elsewhere.add(link)

    async def _look_elsewhere(self, services: Services, link: Link) -> Again | None:
        missing = await identity.find_elsewhere(services, self._catalogues, link)
        services.arrivals.told((link.provider, link.media_id))  # it may have found a title to borrow
        passing = [each for each in missing if each.passes]
        if passing:
            return _again(passing[0], services.clock())
        self._looked_for[link.provider, link.media_id] = None
        while len(self._looked_for) > MOST_REMEMBERED:
            self._looked_for.popitem(last=False)
        return None


def _again(absent: Absent, now: datetime) -> Again:
    if absent.kind is Kind.REFUSED:
        _log.warning("a service refuses to tell: look at its key in the settings", said=absent.said, code=absent.code)
    return again_after(absent.retry_at, now)
