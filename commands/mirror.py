"""Marks as markers in the streamer's own video editor: one for each crowd window, beside the way of an answer.

A marker is set at the stream's present second, so one that would come late is not set at all. What goes wrong here is
the streamer's to read and nobody's to wait for: no mark fails by it.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from commands.connecting import MARKERS
from moments.errors import NotAuthorised, ProviderError, ProviderRefused, StoreError
from moments.marks import Timestamp
from moments.notes import shortened
from moments.sessions import Session
from storage import Change

if TYPE_CHECKING:
    from commands.services import Services
    from providers.twitch import TwitchApi

TWITCH = "twitch"
WAITING = 200
"""Marks that wait for their marker; more are let go."""
LATE = timedelta(seconds=30)
"""How old a mark may be when its marker is set."""
DESCRIPTION = 140
"""Characters of a marker's description."""
SESSIONS_REMEMBERED = 500

NOT_TAKEN = (
    "Twitch took no markers in the newest stream: it takes them only live, with Store past broadcasts turned on in its"
    " settings. The next stream tries again."
)
NOT_GRANTED = "The streamer has yet to allow it on Twitch: they connect again with its box ticked."

_log = structlog.get_logger("mirror")


class Mirror:
    """`announce` is called with all that was committed; `run` sets the markers for as long as the process lives."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[Timestamp] = asyncio.Queue(WAITING)
        self._told: OrderedDict[str, int] = OrderedDict()
        """By session, the highest number told of: a mark with a higher one is new."""
        self._wanted: dict[str, Session | None] = {}
        """Sessions as they were read last; None for one whose marks do not become markers."""
        self._marked: dict[int, datetime] = {}
        """By channel, when the mark of its newest marker was typed."""
        self._refused: dict[str, tuple[str, str | None]] = {}
        """By session, which stream of it gets no more markers, until its channel chooses or connects again."""

    def announce(self, changes: Sequence[Change]) -> None:
        """Take note of new marks. Never waits; what is too much is let go."""
        for change in changes:
            if change.kind == "session":
                self._wanted.pop(change.session_id, None)  # its channel may have chosen otherwise
                self._refused.pop(change.session_id, None)
            elif change.mark is not None and self._is_new(change.mark) and not self._waiting.full():
                self._waiting.put_nowait(change.mark)

    async def run(self, services: "Services") -> None:
        """Set a marker for each mark that deserves one, one after the other."""
        while True:
            mark = await self._waiting.get()
            try:
                if services.twitch is not None:
                    await self._mirror(services, services.twitch, mark)
            except (ProviderError, StoreError) as error:
                _log.info("a mark got no stream marker", mark=mark.id, error=str(error))
            except Exception:
                _log.exception("a mark got no stream marker", mark=mark.id)
            finally:
                self._waiting.task_done()

    async def settle(self) -> None:
        """Return once every mark that waited has its marker, or none."""
        await self._waiting.join()

    def _is_new(self, mark: Timestamp) -> bool:
        """Also false where no markers are wanted, as far as that is known: a flood there must not fill the queue."""
        new = mark.number > self._told.get(mark.session_id, 0)
        if new:
            self._told[mark.session_id] = mark.number
            self._told.move_to_end(mark.session_id)
            if len(self._told) > SESSIONS_REMEMBERED:
                self._wanted.pop(self._told.popitem(last=False)[0], None)
        return new and self._wanted.get(mark.session_id, mark) is not None

    async def _mirror(self, services: "Services", twitch: "TwitchApi", mark: Timestamp) -> None:
        session = await self._session(services, mark.session_id)
        if session is None or not self._is_due(services, session, mark):
            return
        channel = session.channel
        self._marked[channel.id] = mark.instant
        try:
            await _set_marker(twitch, channel.platform_id, _description(mark))
        except NotAuthorised:
            self._stop(session, mark, NOT_GRANTED)  # the streamer's page tells by what they granted
        except ProviderRefused as refusal:
            if refusal.status not in {403, 404}:
                raise
            self._stop(session, mark, NOT_TAKEN)
            services.mirroring_off[channel.id] = NOT_TAKEN
        else:
            services.mirroring_off.pop(channel.id, None)

    async def _session(self, services: "Services", session_id: str) -> Session | None:
        if session_id not in self._wanted:
            found = await services.store.session(session_id)
            mirrors = found is not None and found.channel.platform == TWITCH and found.channel.settings.mirror_markers
            self._wanted[session_id] = found if mirrors else None
        return self._wanted[session_id]

    def _is_due(self, services: "Services", session: Session, mark: Timestamp) -> bool:
        """Whether the mark opens a crowd window of a stream that takes markers, and is not too late for one."""
        last = self._marked.get(session.channel.id)
        window = timedelta(seconds=session.channel.seconds(services.defaults).crowd_window_seconds)
        return (
            services.clock() - mark.instant <= LATE
            and (last is None or abs(mark.instant - last) > window)
            and self._refused.get(session.id) != _stream(session, mark)
        )

    def _stop(self, session: Session, mark: Timestamp, why: str) -> None:
        """No more in this stream."""
        self._refused[session.id] = _stream(session, mark)
        _log.warning("no more stream markers in this stream", channel=session.channel.platform_id, why=why)


async def _set_marker(twitch: "TwitchApi", channel_id: str, description: str) -> None:
    grant = await twitch.helix.user_tokens.grant(channel_id)
    if MARKERS not in grant.scopes:
        raise NotAuthorised("The streamer did not grant markers.")
    await twitch.helix.create_marker(channel_id, description)


def _stream(session: Session, mark: Timestamp) -> tuple[str, str | None]:
    ids = (segment.stream_id for segment in session.segments if segment.index == mark.segment_index)
    return session.id, next(ids, None)


def _description(mark: Timestamp) -> str:
    said = mark.note or f"Moment #{mark.number}"
    if mark.adjust_seconds < 0:
        return f"{shortened(said, DESCRIPTION - 20)} ({-mark.adjust_seconds} s earlier)"
    return shortened(said, DESCRIPTION)
