"""What saves of a track add up to, kept for as long as the track's version is the same."""

import time
from array import array
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from hashlib import sha256
from typing import Generic, NamedTuple, TypeVar

import orjson
from aiohttp import hdrs, web
from multidict import CIMultiDict

from commands.shared import Shared
from moments.saves import NEAR
from storage import Store, popularity, tracks
from storage.tracks import Track
from web_export.headers import sealed

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

TRUSTED_SECONDS = 1.0
"""How long a version is believed without looking: other processes write too, the operator's `moments tracks` say."""
THINGS_KEPT, ANSWERS_KEPT = 4096, 16_384
HEATS_KEPT = 32
SHARED_CACHE = "public, max-age=30"

Thing = tuple[str, str]
"""(provider, media id)."""


class Asked(NamedTuple):
    """A part of something on a service."""

    provider: str
    media_id: str
    start_seconds: int
    end_seconds: int


class Answer(NamedTuple):
    """JSON as it is sent, its ETag and its headers."""

    body: bytes
    etag: str
    headers: CIMultiDict[str]

    @classmethod
    def of(cls, value: object, *, https: bool) -> "Answer":
        """Any value, the same for everyone (API-1)."""
        body = orjson.dumps(value)
        etag = sha256(body).hexdigest()[:32]
        told = {hdrs.ETAG: f'"{etag}"', hdrs.CACHE_CONTROL: SHARED_CACHE}
        return cls(body, etag, sealed("application/json", https=https, **told))


class Recent(Generic[K, V]):
    """The values used last, so many of them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[K, V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: K) -> V | None:
        """What is kept under this key."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def keep(self, key: K, value: V) -> None:
        """Keep a value; the longest unused goes when there are too many."""
        self._kept[key] = value
        self._kept.move_to_end(key)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)


class _Seen(NamedTuple):
    """Which track a thing counted as, in which version, and when we looked."""

    track: Track | None
    commits: int
    at: float


class Tallies:
    """Counts of the tracks asked for last. Each answer is as of the newest commit of this process."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic, *, https: bool = False) -> None:
        self._store = store
        self._https = https
        self._clock = clock
        self._seen: Recent[Thing, _Seen] = Recent(THINGS_KEPT)
        self._answers: Recent[Asked, tuple[Track | None, Answer]] = Recent(ANSWERS_KEPT)
        self._heats: Recent[int, tuple[int, int | None, array[int]]] = Recent(HEATS_KEPT)
        self._looking: Shared[tuple[Thing, int], _Seen] = Shared()
        self._counting: Shared[tuple[Asked, Track | None], Answer] = Shared()
        self._heating: Shared[tuple[Track, int | None], array[int]] = Shared()

    async def close(self) -> None:
        """End what is under way."""
        for shared in (self._looking, self._counting, self._heating):
            await shared.close()

    async def track_of(self, thing: Thing) -> Track | None:
        """The track something counts as now; None when nobody has saved any of it."""
        seen = self._seen.get(thing)
        commits = self._store.stats.commits
        if seen is None or seen.commits != commits or self._clock() - seen.at > TRUSTED_SECONDS:
            seen = await self._looking.once((thing, commits), lambda: self._look(thing, commits))
        return seen.track

    async def saved(self, asked: Asked) -> Answer:
        """How many people saved this part."""
        track = await self.track_of(asked[:2])
        kept = self._answers.get(asked)
        if kept is not None and kept[0] == track:
            return kept[1]
        return await self._counting.once((asked, track), lambda: self._count(asked))

    async def heat(self, track: Track, duration: int | None) -> Sequence[int]:
        """How many people's saves cover each second."""
        kept = self._heats.get(track.row_id)
        if kept is not None and kept[:2] == (track.version, duration):
            return kept[2]
        return await self._heating.once((track, duration), lambda: self._warm(track, duration))

    async def _look(self, thing: Thing, commits: int) -> _Seen:
        # The commits were counted before we look: whatever is committed meanwhile makes us look again.
        seen = _Seen(await tracks.of_source(self._store, *thing), commits, self._clock())
        self._seen.keep(thing, seen)
        return seen

    async def _count(self, asked: Asked) -> Answer:
        found = await popularity.saved_by(self._store, *asked)
        answer = Answer.of(
            {
                "track": found.track.id if found else None,
                "start_seconds": asked.start_seconds,
                "end_seconds": asked.end_seconds,
                "saved_by": found.people if found else 0,
                "tolerance_seconds": NEAR,
            },
            https=self._https,
        )
        self._answers.keep(asked, (found.track if found else None, answer))
        return answer

    async def _warm(self, track: Track, duration: int | None) -> "array[int]":
        heat = array("l", await popularity.heat(self._store, track, duration))
        self._heats.keep(track.row_id, (track.version, duration, heat))
        return heat


TALLIES = web.AppKey("tallies", Tallies)
