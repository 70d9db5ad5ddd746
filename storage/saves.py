"""Saved moments: accepting and deleting them, and what may be asked about them."""

import sqlite3
from datetime import datetime
from functools import partial
from typing import NamedTuple

from moments.errors import Refusal, Repeated
from moments.live import Author
from moments.people import Account
from moments.saves import LONGEST, Save, around, reach
from moments.timecodes import hms
from storage import counts, tracks
from storage._sqlite import from_microseconds, to_microseconds
from storage.own import OWN, PERSONS, Asked
from storage.popularity import SAVED_BY
from storage.rows import Row
from storage.tracks import MERGED_AS, Source, Track
from storage.transaction import Transaction


class SaveRequest(NamedTuple):
    """Somebody wants to save a part of a recording."""

    author: Author
    provider: str
    media_id: str
    kind: str
    """What the service calls it: a video, a track, a clip."""
    start_seconds: int
    end_seconds: int
    arrived: datetime
    note: str = ""
    """Cleaned."""
    private: bool = False
    """Typed where not everybody may read: it counts, and its words are shown to nobody else (design.md §8)."""
    origin: str = ""
    """Where it was typed."""
    url: str = ""
    """As it was pasted; for its author alone."""
    message_id: str | None = None
    message_url: str = ""
    """The chat message the link stood in, where somebody else had posted it; for its author alone."""


class Saved(NamedTuple):
    """A save that is kept."""

    id: str
    track: Track
    people: int
    """How many have saved this part, its author included."""
    replaced: tuple[tuple[int, int], ...] = ()
    """The (start, end) of the author's own saves it replaces, newest first."""


class Moment(NamedTuple):
    """A save as everybody may see it."""

    row_id: int
    id: str
    track: Track
    provider: str
    media_id: str
    start_seconds: int
    end_seconds: int
    note: str
    """Empty when there is none, or none for everybody."""
    created_at: datetime
    beyond: bool
    """It ends after the recording does, as was found out later, so it is not counted."""
    person_id: int
    kind: str
    """What the service calls it: a video, a track, a clip."""
    private: bool
    """Typed in private: its page is found by its link alone."""


class OwnMoment(NamedTuple):
    """A save as its author sees it in a list."""

    row_id: int
    """Its place in the list."""
    id: str
    provider: str
    media_id: str
    start_seconds: int
    end_seconds: int
    note: str
    private: bool
    hidden: bool
    """Its words were taken out of everyone's sight by a moderator."""
    beyond: bool
    url: str
    created_at: datetime
    message_url: str
    """The chat message its link was taken from; empty for most."""


_INSERT = (
    "INSERT INTO save (public_id, track_source_id, account_id, start_seconds, end_seconds, note, private, origin, url,"
    " created_at, platform, source_message_id, message_url) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id"
)
_MADE_BY = "SELECT id FROM save WHERE platform = ? AND source_message_id = ?"
_DURATION = (
    "SELECT duration_seconds FROM api_source WHERE provider = ? AND media_id = ?"
    " AND live = 'no' AND (expires_at IS NULL OR expires_at > ?)"
)
_SPENT = "SELECT 1 FROM handled_message WHERE platform = ? AND message_id = ?"
NEWER = (
    " UNION ALL SELECT save.id, save.replaced_by FROM save JOIN newer ON save.id = newer.replaced_by)"
    " SELECT id FROM newer WHERE replaced_by IS NULL"
)
NEWEST_OF_LINK = (
    "WITH RECURSIVE newer (id, replaced_by) AS (SELECT id, replaced_by FROM save WHERE public_id = ?" + NEWER  # noqa: S608 -- constants only
)
_OF_SOURCE = (
    "JOIN track_source ON track_source.id = save.track_source_id"
    f" JOIN track AS own ON own.id = track_source.track_id {MERGED_AS}"
)
MOMENT = (
    "SELECT save.id, save.public_id, track.id, track.public_id, track.version, provider, media_id, save.start_seconds,"  # noqa: S608 -- constants only
    " save.end_seconds, CASE save.shown WHEN 1 THEN words.note ELSE '' END, save.created_at, save.beyond,"
    f" account.person_id, track_source.kind, save.private FROM save {_OF_SOURCE}"
    " JOIN account ON account.id = save.account_id LEFT JOIN save AS words ON words.id = save.words_id"
)
_OWN = (
    "SELECT save.id, save.public_id, provider, media_id, save.start_seconds, save.end_seconds,"  # noqa: S608 -- constants only
    " coalesce(words.note, save.note), CASE WHEN save.private = 1 OR words.private = 1 THEN 1 ELSE 0 END,"
    " words.hidden_by IS NOT NULL, save.beyond, save.url, save.created_at, save.message_url FROM save"
    " JOIN track_source ON track_source.id = save.track_source_id LEFT JOIN save AS words ON words.id = save.words_id"
    f" AND (save.shown = 1 OR words.account_id IN ({OWN}))"
    f" WHERE save.account_id IN ({OWN}) AND save.replaced_by IS NULL AND save.id < ?"
    " ORDER BY save.id DESC LIMIT ?"
)
_SAVED_BY_THEM_TOO = (
    f"{SAVED_BY} AND EXISTS (SELECT 1 FROM save WHERE save.account_id IN ({PERSONS}) AND save.track_source_id IN ("  # noqa: S608 -- constants only
    " SELECT theirs.id FROM track_source AS theirs JOIN track AS named ON named.id = theirs.track_id"
    " WHERE named.id = track.id OR named.merged_into = track.id) AND save.start_seconds BETWEEN ? AND ?"
    " AND +save.end_seconds BETWEEN ? AND ? AND save.replaced_by IS NULL AND save.beyond = 0)"
)
"""The plus keeps it from going through all who saved the same end: a person's own saves of a track are few."""


# --- saving and deleting


async def save(transaction: Transaction, request: SaveRequest) -> Saved:
    """Keep a save; a message delivered again is answered as the first time.

    Raises Refusal for a part that ends after the recording, as far as we know how long it is, and Repeated for a
    message whose save has been deleted.
    """
    account = await transaction.account(request.author)

    def work(connection: sqlite3.Connection) -> Saved:  # one visit to the connection: each waits its turn twice
        row_id = _made_before(connection, request)
        if row_id is None:
            _refuse_beyond(connection, request)
            source = tracks.open_source_on(
                connection, request.provider, request.media_id, request.kind, to_microseconds(request.arrived)
            )
            row_id = _insert(connection, request, account, source)
        return _answer(connection, row_id)

    return await transaction.together(work)


async def delivered_before(transaction: Transaction, request: SaveRequest) -> Saved | None:
    """The save a message made when it was delivered first; Repeated when that has been deleted."""

    def work(connection: sqlite3.Connection) -> Saved | None:
        row_id = _made_before(connection, request)
        return None if row_id is None else _answer(connection, row_id)

    return await transaction.together(work)


def _made_before(connection: sqlite3.Connection, request: SaveRequest) -> int | None:
    """The save that a message made when it was delivered first."""
    if request.message_id is None:
        return None
    message = (request.author.platform, request.message_id)
    for (row_id,) in connection.execute(_MADE_BY, message):
        return int(row_id)
    if connection.execute(_SPENT, message).fetchone():
        raise Repeated("That message was handled before.")
    return None


def _refuse_beyond(connection: sqlite3.Connection, request: SaveRequest) -> None:
    if request.end_seconds > LONGEST:
        raise Refusal(f"A moment ends within the first {LONGEST // 3600} hours.")
    thing = (request.provider, request.media_id, to_microseconds(request.arrived))
    for (duration,) in connection.execute(_DURATION, thing):
        if duration is not None and request.end_seconds > duration:
            raise Refusal(f"That is beyond the end: it lasts {hms(duration)}.")


def _insert(connection: sqlite3.Connection, request: SaveRequest, account: Account, source: Source) -> int:
    ((row_id,),) = connection.execute(_INSERT, _values(request, account, source)).fetchall()
    words = row_id if request.note else None
    recount = counts.Recount(connection)
    recount.add(counts.group_of(connection, row_id), Save(row_id, request.start_seconds, request.end_seconds, words))
    recount.write()
    return int(row_id)


def _values(request: SaveRequest, account: Account, source: Source) -> tuple[object, ...]:
    return (
        *(tracks.new_public_id(), source.row_id, account.id, request.start_seconds, request.end_seconds),
        *(request.note, int(request.private), request.origin, request.url, to_microseconds(request.arrived)),
        *(request.author.platform, request.message_id, request.message_url),
    )


def _answer(connection: sqlite3.Connection, row_id: int) -> Saved:
    ((public_id, provider, media_id, start, end),) = connection.execute(
        "SELECT public_id, provider, media_id, start_seconds, end_seconds FROM save"
        " JOIN track_source ON track_source.id = save.track_source_id WHERE save.id = ?",
        (row_id,),
    ).fetchall()
    replaced = connection.execute(
        "SELECT start_seconds, end_seconds FROM save WHERE replaced_by = ? ORDER BY id DESC", (row_id,)
    ).fetchall()
    ((*track, people),) = connection.execute(SAVED_BY, (*around(start), *reach(end), provider, media_id)).fetchall()
    return Saved(public_id, Track(*track), people, tuple(replaced))


async def delete(transaction: Transaction, author: Author, public_id: str, now: datetime) -> bool:
    """Delete somebody's own save, and what it replaced; False when it is not there, or not theirs.

    The link of a replaced one means the newest.
    """
    found = await transaction.fetch(
        f"{NEWEST_OF_LINK} AND id IN (SELECT save.id FROM save WHERE account_id IN ({OWN}))",  # noqa: S608 -- constants only
        *(public_id, *author[:2]),
    )
    accounts = {row_id for (row_id,) in await transaction.fetch(OWN, *author[:2])} if found else set()
    for (row_id,) in found:
        gone = partial(counts.delete, save=row_id, now=to_microseconds(now), accounts=accounts)
        await transaction.together(gone)
    return bool(found)


# --- asking


async def moment(asked: Asked, public_id: str) -> Moment | None:
    """The save a link means: another one, with an id of its own, when that has been replaced."""
    found = await asked.fetch(
        f"{MOMENT} WHERE save.id IN ({NEWEST_OF_LINK})",
        public_id,
    )
    return next(map(as_moment, found), None)


def as_moment(row: Row) -> Moment:
    """A moment from the columns MOMENT."""
    made = from_microseconds(row[10])
    return Moment._make((*row[:2], Track._make(row[2:5]), *row[5:10], made, bool(row[11]), *row[12:14], bool(row[14])))


async def own(
    asked: Asked, platform: str, user_id: str, *, before: int | None = None, limit: int = 50
) -> list[OwnMoment]:
    """A person's saves, newest first, with all their words; `before` is the row_id of the last one seen."""
    found = await asked.fetch(_OWN, platform, user_id, platform, user_id, 2**62 if before is None else before, limit)
    return [
        OwnMoment._make((*row[:7], *map(bool, row[7:10]), row[10], from_microseconds(row[11]), row[12]))
        for row in found
    ]


async def people_with(asked: Asked, request: SaveRequest) -> int | None:
    """How many people saved this part, when who wants to save it is one of them already; else None."""
    starts, ends = request.start_seconds, request.end_seconds
    found = await asked.fetch(
        _SAVED_BY_THEM_TOO,
        *(*around(starts), *reach(ends), request.provider, request.media_id),
        *(*request.author[:2], *reach(starts), *reach(ends)),
    )
    return next((int(row[3]) for row in found), None)


async def saves_of(asked: Asked, platform: str, user_id: str) -> int:
    """How many saves are somebody's own, replaced ones too."""
    found = await asked.fetch(f"SELECT count(*) FROM save WHERE account_id IN ({OWN})", platform, user_id)  # noqa: S608 -- constants only
    return int(found[0][0])
