"""What the saves of many people add up to: how many saved a part, each second's people, the best parts, the words."""

from datetime import datetime
from typing import NamedTuple, cast

from moments.saves import Part, around, best_parts, heatmap, reach
from storage import tracks
from storage._sqlite import from_microseconds
from storage.aside import aside
from storage.own import Asked
from storage.rows import Row
from storage.tracks import MERGED_AS, Track


class SavedBy(NamedTuple):
    """How many people saved a part of a track."""

    track: Track
    people: int


class Words(NamedTuple):
    """What somebody said about a part, for everybody to read."""

    row_id: int
    """Its place in the list."""
    id: str
    note: str
    start_seconds: int
    end_seconds: int
    person_id: int
    created_at: datetime


_PEOPLE = (
    "(SELECT coalesce(sum(people), 0) FROM cell WHERE cell.track_id = track.id"
    " AND start_seconds IN (?, ?, ?, ?, ?) AND end_seconds BETWEEN ? AND ?)"
)
"""Never more than 25 rows; `start BETWEEN` would read all the ends of each start (research/performance.md §2)."""
SAVED_BY = (
    f"SELECT track.id, track.public_id, track.version, {_PEOPLE} FROM track_source"  # noqa: S608 -- constants only
    f" JOIN track AS own ON own.id = track_source.track_id {MERGED_AS}"
    " WHERE track_source.provider = ? AND track_source.media_id = ?"
)
_WORDS_OF_CELL = (
    "SELECT * FROM (SELECT save.id, save.public_id, words.note, save.start_seconds, save.end_seconds,"
    " account.person_id, save.created_at FROM save JOIN save AS words ON words.id = save.words_id"
    " JOIN account ON account.id = save.account_id WHERE save.track_source_id = ? AND save.start_seconds = ?"
    " AND save.end_seconds = ? AND save.shown = 1 AND save.id < ? ORDER BY save.id DESC LIMIT ?) AS some"
)
_CELLS_NEAR = (
    "SELECT start_seconds, end_seconds FROM cell WHERE track_id = ? AND start_seconds IN (?, ?, ?, ?, ?)"
    " AND end_seconds BETWEEN ? AND ?"
)
_CELLS_AT_ONCE = 100
"""SQLite takes 500 SELECTs in one statement."""


async def saved_by(asked: Asked, provider: str, media_id: str, start_seconds: int, end_seconds: int) -> SavedBy | None:
    """How many people saved this part, on whichever service; None when nobody saved any of it.

    One statement that reads a bounded number of rows, however many saves there are.
    """
    found = await asked.fetch(SAVED_BY, *around(start_seconds), *reach(end_seconds), provider, media_id)
    return next((SavedBy(Track._make(track), people) for *track, people in found), None)


async def newest_words(
    asked: Asked, track: Track, start_seconds: int, end_seconds: int, *, before: int | None = None, limit: int = 10
) -> list[Words]:
    """What people said about a part, newest first; `before` is the row_id of the last one seen.

    Reads the newest of each of the 25 ranges that agree, however many notes there are.
    """
    near = await asked.fetch(_CELLS_NEAR, track.row_id, *around(start_seconds), *reach(end_seconds))
    cursor = 2**62 if before is None else before
    lists = [
        (source.row_id, start, end, cursor, limit)
        for source in await tracks.sources(asked, track)
        for start, end in near
    ]  # fmt: skip
    found: list[Row] = []
    for at in range(0, len(lists), _CELLS_AT_ONCE):
        some = lists[at : at + _CELLS_AT_ONCE]
        statement = " UNION ALL ".join([_WORDS_OF_CELL] * len(some))
        found += await asked.fetch(statement, *(value for values in some for value in values))
    newest = sorted(found, key=lambda row: row[0], reverse=True)[:limit]
    return [Words._make((*row[:6], from_microseconds(row[6]))) for row in newest]


async def heat(asked: Asked, track: Track, duration: int | None) -> list[int]:
    """How many people's saves cover each second of a track; `duration` in seconds, None when it is not known."""
    edges = await asked.fetch("SELECT second, change FROM edge WHERE track_id = ?", track.row_id)
    return heatmap(cast("list[tuple[int, int]]", edges), duration)


async def best(asked: Asked, track: Track, limit: int = 5) -> list[Part]:
    """The most saved parts, best first; found on a thread of its own: worth keeping for the track's version."""
    cells = await asked.fetch("SELECT start_seconds, end_seconds, people FROM cell WHERE track_id = ?", track.row_id)
    return await aside(best_parts, cast("list[tuple[int, int, int]]", cells), limit)
