"""Saved moments for everybody to see, newest first. What was typed in private, replaced or not counted is left out."""

from storage import tracks
from storage.own import Asked
from storage.rows import Row
from storage.saves import MOMENT, Moment, as_moment
from storage.tracks import Track

_PUBLIC = "save.private = 0 AND save.replaced_by IS NULL AND save.beyond = 0 AND save.id < ?"
_NEWEST_FIRST = "ORDER BY save.id DESC LIMIT ?"
_NEWEST = f"{MOMENT} WHERE {_PUBLIC} {_NEWEST_FIRST}"
_OF_SOURCE = f"SELECT * FROM ({MOMENT} WHERE save.track_source_id = ? AND {_PUBLIC} {_NEWEST_FIRST}) AS some"  # noqa: S608 -- constants only
_SOURCES_AT_ONCE = 100
"""SQLite takes 500 SELECTs in one statement."""


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
