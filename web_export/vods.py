"""Links into the VOD for marks that are told as they happen: kept some seconds, since a flood tells of hundreds."""

import time
from collections import OrderedDict
from typing import NamedTuple

from commands.services import Services
from commands.vod import vods
from moments.marks import Timestamp
from moments.vod import NO_VODS, VodPlace, Vods

KEPT_SECONDS = 5.0
KEPT_SESSIONS = 100


class _Kept(NamedTuple):
    until: float
    segments: frozenset[int]
    vods: Vods


class VodsKept:
    """The links of the sessions that are watched. What Twitch is asked for them arrives later: nobody waits for it."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    async def place_of(self, services: Services, mark: Timestamp) -> VodPlace | None:
        """Where the link to a mark begins; None when no archive covers it. StoreError."""
        kept = self._kept.get(mark.session_id)
        if kept is None or time.monotonic() >= kept.until or mark.segment_index not in kept.segments:
            kept = await self._read(services, mark.session_id)
        return kept.vods.place_of(mark)

    def forget(self, session_id: str) -> None:
        """Read the session's links afresh for its next mark."""
        self._kept.pop(session_id, None)

    async def _read(self, services: Services, session_id: str) -> _Kept:
        session = await services.store.session(session_id)
        found = await vods(services, session, patience=0) if session else NO_VODS
        segments = frozenset(segment.index for segment in session.segments) if session else frozenset[int]()
        kept = self._kept[session_id] = _Kept(time.monotonic() + KEPT_SECONDS, segments, found)
        self._kept.move_to_end(session_id)
        if len(self._kept) > KEPT_SESSIONS:
            self._kept.popitem(last=False)
        return kept
