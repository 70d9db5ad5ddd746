"""Saved moments for everybody to see, newest first. What was typed in private, replaced or not counted is left out."""

from typing import NamedTuple

from storage import tracks
from storage.own import OWN, Asked
from storage.rows import Row
from storage.saves import MOMENT, Moment, as_moment
from storage.tracks import MERGED_AS, Track

RECENT_READ = 100
"""Saves of a place that are looked at for what is recent there."""
_PUBLIC = "save.private = 0 AND save.replaced_by IS NULL AND save.beyond = 0 AND save.id < ?"
_NEWEST_FIRST = "ORDER BY save.id DESC LIMIT ?"
_NEWEST = f"{MOMENT} WHERE {_PUBLIC} {_NEWEST_FIRST}"
_OF_SOURCE = f"SELECT * FROM ({MOMENT} WHERE save.track_source_id = ? AND {_PUBLIC} {_NEWEST_FIRST}) AS some"  # noqa: S608 -- constants only
_SOURCES_AT_ONCE = 100
"""SQLite takes 500 SELECTs in one statement."""
_RECENT = (
    "SELECT track.public_id, track_source.provider, track_source.media_id, track_source.kind"  # noqa: S608 -- constants only
    " FROM (SELECT * FROM save WHERE origin = ? ORDER BY id DESC LIMIT ?) AS save"
    " JOIN track_source ON track_source.id = save.track_source_id"
    f" JOIN track AS own ON own.id = track_source.track_id {MERGED_AS}"
    f" WHERE save.private = 0 OR save.account_id IN ({OWN}) ORDER BY save.id DESC"
)


class Recent(NamedTuple):
    """A recording of which a part was saved: its track's public id, and the service it was saved on last."""

    track_id: str
    provider: str
    media_id: str
    kind: str


async def newest(asked: Asked, *, before: int | None = None, limit: int = 50) -> list[Moment]:
    """The newest of all; `before` is the row_id of the last one seen."""
    return [as_moment(row) for row in await asked.fetch(_NEWEST, 2**62 if before is None else before, limit)]


async def of_track(asked: Asked, track: Track, *, before: int | None = None, limit: int = 50) -> list[Moment]:
    """The newest of a track, on whichever service; reads no more than `limit` of each."""
    cursor = 2**62 if before is None else before
    lists = [(source.row_id, cursor, limit) for source in await tracks.sources(asked, track)]
    found: list[Row] = []
    for at in range(0, len(lists), _SOURCES_AT_ONCE):
        some = lists[at : at + _SOURCES_AT_ONCE]
        statement = " UNION ALL ".join([_OF_SOURCE] * len(some))
        found += await asked.fetch(statement, *(value for values in some for value in values))
    newest_first = sorted(found, key=lambda row: row[0], reverse=True)
    return [as_moment(row) for row in newest_first[:limit]]


async def recent(asked: Asked, origin: str, platform: str, user_id: str) -> list[Recent]:
    """The recordings of which parts were saved in one place lately, newest first, each once.

    What was typed in private is told to its author alone. Reads the newest RECENT_READ saves of the place.
    """
    newest: dict[str, Recent] = {}
    for row in await asked.fetch(_RECENT, origin, RECENT_READ, platform, user_id):
        newest.setdefault(row[0], Recent._make(row))
    return list(newest.values())
