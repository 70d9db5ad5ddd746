"""The best parts of tracks, worked out once for each version of a track, however many ask."""

from collections import OrderedDict

from commands.shared import Shared
from moments.saves import Part
from storage import popularity
from storage.own import Asked
from storage.tracks import Track

TRACKS_REMEMBERED = 1_000
PARTS = 5


class Best:
    """The best parts of the tracks that were asked for last."""

    def __init__(self) -> None:
        self._known: OrderedDict[int, tuple[int, tuple[Part, ...]]] = OrderedDict()
        self._wanted: dict[int, int] = {}
        """The newest version asked for of a track, until its working out begins."""
        self._working: Shared[int, None] = Shared()

    async def of(self, asked: Asked, track: Track) -> tuple[Part, ...]:
        """The most saved parts, best first, at most PARTS; as of the track's version, or newer."""
        while (known := self._known.get(track.row_id, (-1, ())))[0] < track.version:
            # One at a time for a track, and one for all who wait meanwhile, however many versions they have seen.
            self._wanted[track.row_id] = max(track.version, self._wanted.get(track.row_id, 0))
            await self._working.once(track.row_id, lambda: self._work_out(asked, track))
        self._known.move_to_end(track.row_id)
        return known[1]

    async def close(self) -> None:
        """Work nothing out any more."""
        await self._working.close()

    async def _work_out(self, asked: Asked, track: Track) -> None:
        version = self._wanted.pop(track.row_id, track.version)
        self._known[track.row_id] = (version, tuple(await popularity.best(asked, track, PARTS)))
        self._known.move_to_end(track.row_id)
        if len(self._known) > TRACKS_REMEMBERED:
            self._known.popitem(last=False)
