"""The archives of a channel's streams: asked for when a page or a download needs them, and kept for less than a day."""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import structlog

from commands.shared import Shared
from moments.errors import ProviderError, ProviderRefused, StoreError
from moments.notes import clean_name
from moments.sessions import Channel, Session, Status
from moments.vod import Archive, growing
from storage import Transaction
from storage import archives as kept_archives
from storage.archives import Listed

if TYPE_CHECKING:
    from commands.services import Services
    from providers.twitch import TwitchApi

TWITCH = "twitch"
KEPT_FOR = timedelta(hours=23)
"""Twitch allows 24 hours (research/providers.md R1); the purge needs some time too."""
ASKED_ONCE_IN = timedelta(minutes=1)
"""A channel, while its session is live or its archive may still change."""
SETTLES = timedelta(minutes=15)
"""After a session's end: its archive's last minutes appear, and what is muted."""
APPEARS = timedelta(days=1)
"""After which an archive that is not there will never be."""
PATIENCE_SECONDS = 2.0
"""The longest a page waits; it is sent without links then, and the next one has them."""
CHANNELS_REMEMBERED = 1000

_VIDEO = re.compile(r"[0-9]{1,20}")

_log = structlog.get_logger()


class _Answer(NamedTuple):
    """When a channel's list was asked for, and whether it came."""

    at: datetime
    came: bool


class Archives:
    """Lists of archives: one question a channel at a time, and none that was answered a moment ago."""

    def __init__(self) -> None:
        self._asking: Shared[int, None] = Shared()
        self._answers: OrderedDict[int, _Answer] = OrderedDict()

    async def of(
        self, services: "Services", session: Session, patience: float = PATIENCE_SECONDS
    ) -> tuple[Archive, ...]:
        """The archives of the session's channel, oldest first; without Twitch what it said within the day, or none.

        Waits at most `patience` seconds for Twitch; what is asked goes on without its asker. Raises StoreError.
        """
        channel = session.channel
        if channel.platform != TWITCH:
            return ()
        answered = self._answers.get(channel.id)
        listed = await kept_archives.listed(services.store, channel, services.clock())
        twitch = services.twitch
        if (
            twitch is not None
            and self._is_due(session, listed, services.clock())
            and await kept_archives.connected(services.store, channel)
        ):
            await self._renew(services, twitch, session, listed, patience)
        if self._answers.get(channel.id) is not answered:  # to us, or to another page while we read
            listed = await kept_archives.listed(services.store, channel, services.clock())
        if listed.fetched_at is None:
            return ()
        return growing(listed.archives, session, listed.fetched_at)

    async def close(self) -> None:
        """End what is being asked."""
        await self._asking.close()

    async def _renew(
        self, services: "Services", twitch: "TwitchApi", session: Session, listed: Listed, patience: float
    ) -> None:
        channel = session.channel
        if not self._is_due(session, listed, services.clock()):
            return  # another page has asked meanwhile
        try:
            async with asyncio.timeout(patience):
                await self._asking.once(channel.id, lambda: self._ask(services, twitch, channel))
        except TimeoutError:
            _log.info("the archives take long; a page goes without them", channel=channel.platform_id)

    def _is_due(self, session: Session, listed: Listed, now: datetime) -> bool:
        answer = self._answers.get(session.channel.id)
        if answer is None and listed.fetched_at is not None:
            answer = _Answer(listed.fetched_at, True)  # before a restart
        if answer is None:
            return True
        rest = _rest(session, listed.archives, now) if answer.came else ASKED_ONCE_IN
        return not timedelta(0) <= now - answer.at < rest  # a clock that was set back asks, too

    async def _ask(self, services: "Services", twitch: "TwitchApi", channel: Channel) -> None:
        now = services.clock()
        came = False
        try:
            found = await _archives(twitch, channel)

            async def keep(transaction: Transaction) -> None:
                await kept_archives.keep(transaction, channel, found, now, now + KEPT_FOR)

            await services.store.run(keep, message=None, now=now)
            came = True
        except (ProviderError, StoreError) as error:
            _log.warning("the archives could not be had", channel=channel.platform_id, error=str(error))
        self._answers[channel.id] = _Answer(now, came)
        self._answers.move_to_end(channel.id)
        if len(self._answers) > CHANNELS_REMEMBERED:
            self._answers.popitem(last=False)


async def _archives(twitch: "TwitchApi", channel: Channel) -> list[Archive]:
    try:
        videos = await twitch.helix.videos(channel.platform_id)
    except ProviderRefused as refusal:
        if refusal.status != 404:
            raise
        videos = []  # the account is gone, and its archives with it (R3)
    return [
        Archive(
            video.id, video.stream_id, clean_name(video.title), video.created_at, video.duration_seconds, video.muted
        )
        for video in videos
        if _VIDEO.fullmatch(video.id)
    ]


def _rest(session: Session, archives: Sequence[Archive], now: datetime) -> timedelta:
    """How long an answer is good for: until it expires, once nothing more is to come."""
    if session.status is not Status.ENDED:
        return ASKED_ONCE_IN
    since = now - session.updated_at
    began = session.segments[0].start_time
    appeared = any(
        archive.created_at <= session.updated_at
        and began <= archive.created_at + timedelta(seconds=archive.duration_seconds)
        for archive in archives
    )
    return KEPT_FOR if since >= (SETTLES if appeared else APPEARS) else ASKED_ONCE_IN
