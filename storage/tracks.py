"""Tracks: each recording is one of its own, and those that are the same are merged, until that is undone.

What is merged is a forest of pairs somebody or something said are the same. All tracks that hang together count as the
oldest of them; that, and every count, follows from the pairs alone, so undoing one restores exactly (storage.counts).
"""

import json
import secrets
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from storage._sqlite import from_microseconds, to_microseconds
from storage.counts import Recount
from storage.own import Asked
from storage.transaction import Transaction

_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_ID_LENGTH = 22
"""Letters of 57: more than 128 bits, so that the link of what was saved in private cannot be guessed."""
_AT_ONCE = 500
"""People counted anew before what that adds up to is written."""

MERGED_AS = "JOIN track ON track.id = coalesce(own.merged_into, own.id)"
"""From a track `own` to the one it counts as."""
_TRACK = "track.id, track.public_id, track.version"
_MERGE = (
    "track_merge.id, one.public_id, other.public_id, method, confidence, evidence, asked_by, merged_at, undone_at"
    " FROM track_merge JOIN track AS one ON one.id = track_merge.track_id"
    " JOIN track AS other ON other.id = track_merge.same_as"
)
_MEMBERS = "SELECT id FROM track WHERE id = :track OR merged_into = :track"
_PAIRS = f"SELECT track_id, same_as FROM track_merge WHERE undone_at IS NULL AND track_id IN ({_MEMBERS})"  # noqa: S608 -- constants only
_SAVES_OF = "SELECT count(*) FROM save JOIN track_source ON track_source.id = save.track_source_id WHERE track_id = ?"
_PEOPLE_OF = (
    "SELECT DISTINCT account.person_id FROM track_source JOIN save ON save.track_source_id = track_source.id"
    " JOIN account ON account.id = save.account_id WHERE track_source.track_id = ?"
)


class Track(NamedTuple):
    """A recording, on whichever services. `id` is what links use, `row_id` is the store's own."""

    row_id: int
    id: str
    version: int
    """Grows whenever what is counted or shown of it changes, also when it is merged or comes apart."""


class Source(NamedTuple):
    """A track on one service."""

    row_id: int
    provider: str
    media_id: str
    kind: str


class Merge(NamedTuple):
    """That two tracks, by their public ids, are the same: who or what says so, and why."""

    id: int
    track_id: str
    same_as: str
    method: str
    confidence: int
    """Of a hundred."""
    evidence: tuple[str, ...]
    asked_by: str
    merged_at: datetime
    undone_at: datetime | None


def new_public_id() -> str:
    """A name nobody can guess; letters and digits only, none that look alike."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_ID_LENGTH))


async def of_source(asked: Asked, provider: str, media_id: str) -> Track | None:
    """The track that something on a service counts as; None when nobody has saved any of it."""
    found = await asked.fetch(
        f"SELECT {_TRACK} FROM track_source JOIN track AS own ON own.id = track_source.track_id {MERGED_AS}"  # noqa: S608 -- constants only
        " WHERE track_source.provider = ? AND track_source.media_id = ?",
        *(provider, media_id),
    )
    return next((Track._make(row) for row in found), None)


async def find(asked: Asked, public_id: str) -> Track | None:
    """The track a link means: another one, with an id of its own, when that has been merged into it."""
    found = await asked.fetch(f"SELECT {_TRACK} FROM track AS own {MERGED_AS} WHERE own.public_id = ?", public_id)  # noqa: S608 -- constants only
    return next((Track._make(row) for row in found), None)


async def sources(asked: Asked, track: Track) -> list[Source]:
    """Where a track is, in the order we came to know of it."""
    found = await asked.fetch(
        "SELECT track_source.id, provider, media_id, kind FROM track_source"
        " JOIN track ON track.id = track_source.track_id WHERE track.id = ? OR track.merged_into = ?"
        " ORDER BY track_source.id",
        *(track.row_id, track.row_id),
    )
    return [Source._make(row) for row in found]


async def has_more_saves_than(asked: Asked, source: Source, many: int) -> bool:
    """Whether what a source counts as holds more saves than so many: merging it keeps the writer busy for as long."""
    found = await asked.fetch(
        "SELECT count(*) FROM (SELECT 1 FROM save JOIN track_source ON track_source.id = save.track_source_id"  # noqa: S608 -- constants only
        f" JOIN track AS own ON own.id = track_source.track_id {MERGED_AS} WHERE track.id = (SELECT"
        " coalesce(own.merged_into, own.id) FROM track_source JOIN track AS own ON own.id = track_source.track_id"
        " WHERE track_source.id = ?) LIMIT ?) AS some",
        *(source.row_id, many + 1),
    )
    return int(found[0][0]) > many


async def merges(asked: Asked, track: Track) -> list[Merge]:
    """What holds a track together, oldest first, and what did once."""
    found = await asked.fetch(
        f"SELECT {_MERGE} WHERE coalesce(one.merged_into, one.id) = ? OR coalesce(other.merged_into, other.id) = ?"
        " ORDER BY track_merge.id",
        *(track.row_id, track.row_id),
    )
    return [
        Merge._make(
            (
                *(*row[:5], tuple(json.loads(row[5])), row[6], from_microseconds(row[7])),
                None if row[8] is None else from_microseconds(row[8]),
            )
        )
        for row in found
    ]


async def open_source(transaction: Transaction, provider: str, media_id: str, kind: str, now: datetime) -> Source:
    """Something on a service; with a track of its own when nobody has saved any of it before."""
    at = to_microseconds(now)
    return await transaction.together(lambda connection: open_source_on(connection, provider, media_id, kind, at))


def open_source_on(connection: sqlite3.Connection, provider: str, media_id: str, kind: str, now: int) -> Source:
    """The same on the connection that writes; `now` is in microseconds."""
    found = connection.execute(
        "SELECT id, provider, media_id, kind FROM track_source WHERE provider = ? AND media_id = ?",
        (provider, media_id),
    ).fetchone()
    if not found:
        ((track,),) = connection.execute(
            "INSERT INTO track (public_id, created_at) VALUES (?, ?) RETURNING id", (new_public_id(), now)
        ).fetchall()
        (found,) = connection.execute(
            "INSERT INTO track_source (provider, media_id, kind, track_id) VALUES (?, ?, ?, ?)"
            " RETURNING id, provider, media_id, kind",
            (provider, media_id, kind, track),
        ).fetchall()
    return Source._make(found)


async def touch(transaction: Transaction, provider: str, media_id: str) -> None:
    """Say that what is shown of a track has changed."""
    await transaction.execute(
        "UPDATE track SET version = version + 1 WHERE id IN (SELECT coalesce(own.merged_into, own.id)"
        " FROM track AS own JOIN track_source ON track_source.track_id = own.id WHERE provider = ? AND media_id = ?)",
        *(provider, media_id),
    )


async def merge(
    transaction: Transaction,
    one: Source,
    other: Source,
    method: str,
    confidence: int,
    evidence: Sequence[str],
    by: str,
    now: datetime,
) -> int | None:
    """Let the tracks of two sources be the same from now on; the number of the merge, None when they are already.

    `by` is an account_key, or a word for what is nobody. Counts are as if they had been one track all along.
    """

    def work(connection: sqlite3.Connection) -> int | None:
        pair = [_own_track(connection, source) for source in (one, other)]
        roots = [_root(connection, track) for track in pair]
        if roots[0] == roots[1]:
            return None
        sides = [_members(connection, root) for root in roots]
        ((merge_id,),) = connection.execute(
            "INSERT INTO track_merge (track_id, same_as, method, confidence, evidence, asked_by, merged_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id",
            (*pair, method, confidence, json.dumps(evidence), by, to_microseconds(now)),
        ).fetchall()
        _regroup(connection, sides, apart=True)
        return int(merge_id)

    return await transaction.together(work)


async def unmerge(transaction: Transaction, merge_id: int, by: str, now: datetime) -> bool:
    """Undo a merge: counts are as if it had never been; False when it is undone already, or not there."""

    def work(connection: sqlite3.Connection) -> bool:
        found = connection.execute(
            "UPDATE track_merge SET undone_at = ?, undone_by = ? WHERE id = ? AND undone_at IS NULL"
            " RETURNING track_id, same_as",
            (to_microseconds(now), by, merge_id),
        ).fetchall()
        for one, other in found:
            pairs = connection.execute(_PAIRS, {"track": _root(connection, one)}).fetchall()
            _regroup(connection, [_hanging_together(track, pairs) for track in (one, other)], apart=False)
        return bool(found)

    return await transaction.together(work)


def _own_track(connection: sqlite3.Connection, source: Source) -> int:
    (track,) = connection.execute("SELECT track_id FROM track_source WHERE id = ?", (source.row_id,)).fetchone()
    return int(track)


def _root(connection: sqlite3.Connection, track: int) -> int:
    (root,) = connection.execute("SELECT coalesce(merged_into, id) FROM track WHERE id = ?", (track,)).fetchone()
    return int(root)


def _members(connection: sqlite3.Connection, root: int) -> set[int]:
    return {row[0] for row in connection.execute(_MEMBERS, {"track": root})}


def _hanging_together(track: int, pairs: Iterable[tuple[int, int]]) -> set[int]:
    """All tracks that are the same as this one through any of the pairs."""
    left, together, reached = set(pairs), {track}, {track}
    while reached:
        touching = {pair for pair in left if reached & set(pair)}
        left -= touching
        reached = {each for pair in touching for each in pair} - together
        together |= reached
    return together


def _regroup(connection: sqlite3.Connection, sides: Sequence[Collection[int]], *, apart: bool) -> None:
    """Bring two sides of tracks together when they are apart, or take them apart.

    Only people of the side with fewer saves are counted anew: what the others have on the larger side stays as it is
    and changes its track's name at most.
    """
    small, large = sorted(sides, key=lambda side: _sum(connection, side))
    whole = (min(*small, *large),)
    halves = (min(small), min(large))
    before, after = (halves, whole) if apart else (whole, halves)
    version = _highest_version(connection, before + after) + 1
    people = {person for track in small for (person,) in connection.execute(_PEOPLE_OF, (track,))}
    for some in _batches(sorted(people)):
        recount = Recount(connection)
        recount.leave_out((person, track) for person in some for track in before)
        recount.write()
    _point(connection, small, large, apart=apart)
    _rename(connection, before[-1], after[-1])
    for some in _batches(sorted(people)):
        recount = Recount(connection)
        recount.take_in((person, track) for person in some for track in after)
        recount.write()
    connection.executemany("UPDATE track SET version = ? WHERE id = ?", [(version, track) for track in before + after])


def _point(connection: sqlite3.Connection, small: Collection[int], large: Collection[int], *, apart: bool) -> None:
    """Let each track say which one it counts as: the oldest it hangs together with."""
    for side in ([*small, *large],) if apart else (small, large):
        root = min(side)
        connection.executemany(
            "UPDATE track SET merged_into = ? WHERE id = ?",
            [(None if track == root else root, track) for track in side],
        )


def _rename(connection: sqlite3.Connection, old: int, new: int) -> None:
    if old != new:
        connection.execute("UPDATE cell SET track_id = ? WHERE track_id = ?", (new, old))
        connection.execute("UPDATE edge SET track_id = ? WHERE track_id = ?", (new, old))


def _sum(connection: sqlite3.Connection, side: Collection[int]) -> int:
    return sum(int(connection.execute(_SAVES_OF, (track,)).fetchone()[0]) for track in side)


def _highest_version(connection: sqlite3.Connection, roots: Iterable[int]) -> int:
    found = [connection.execute("SELECT version FROM track WHERE id = ?", (root,)).fetchone() for root in roots]
    return max(int(version) for (version,) in found)


def _batches(people: Sequence[int]) -> Iterator[Sequence[int]]:
    return (people[at : at + _AT_ONCE] for at in range(0, len(people), _AT_ONCE))
