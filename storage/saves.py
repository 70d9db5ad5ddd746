"""Saved moments: accepting and deleting them, and what may be asked about them."""

import sqlite3
from collections.abc import Sequence
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
from storage.memory import Message
from storage.own import Asked
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


_INSERT = (
    "INSERT INTO save (public_id, track_source_id, account_id, start_seconds, end_seconds, note, private, origin, url,"
    " created_at, platform, source_message_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id"
)
_MADE_BY = "SELECT id FROM save WHERE platform = ? AND source_message_id = ?"
_DURATION = (
    "SELECT duration_seconds FROM api_source WHERE provider = ? AND media_id = ?"
    " AND live = 'no' AND (expires_at IS NULL OR expires_at > ?)"
)
_SPENT = "SELECT 1 FROM handled_message WHERE platform = ? AND message_id = ?"
_NEWER = (
    " UNION ALL SELECT save.id, save.replaced_by FROM save JOIN newer ON save.id = newer.replaced_by)"
    " SELECT id FROM newer WHERE replaced_by IS NULL"
)
_NEWEST_OF_LINK = (
    "WITH RECURSIVE newer (id, replaced_by) AS (SELECT id, replaced_by FROM save WHERE public_id = ?" + _NEWER  # noqa: S608 -- constants only
)
_NEWEST_OF_ROW = "WITH RECURSIVE newer (id, replaced_by) AS (SELECT id, replaced_by FROM save WHERE id = ?" + _NEWER  # noqa: S608 -- constants only
_OF_SOURCE = (
    "JOIN track_source ON track_source.id = save.track_source_id"
    f" JOIN track AS own ON own.id = track_source.track_id {MERGED_AS}"
)
MOMENT = (
    "SELECT save.id, save.public_id, track.id, track.public_id, track.version, provider, media_id, save.start_seconds,"  # noqa: S608 -- constants only
    " save.end_seconds, CASE save.shown WHEN 1 THEN words.note ELSE '' END, save.created_at, save.beyond,"
    f" account.person_id, track_source.kind FROM save {_OF_SOURCE} JOIN account ON account.id = save.account_id"
    " LEFT JOIN save AS words ON words.id = save.words_id"
)
_ACCOUNTS = (
    "SELECT id FROM account WHERE person_id = (SELECT person_id FROM account WHERE platform = ? AND user_id = ?)"
)
_OWN = (
    "SELECT save.id, save.public_id, provider, media_id, save.start_seconds, save.end_seconds,"  # noqa: S608 -- constants only
    " coalesce(words.note, save.note), CASE WHEN save.private = 1 OR words.private = 1 THEN 1 ELSE 0 END,"
    " words.hidden_by IS NOT NULL, save.beyond, save.url, save.created_at FROM save"
    " JOIN track_source ON track_source.id = save.track_source_id LEFT JOIN save AS words ON words.id = save.words_id"
    f" WHERE save.account_id IN ({_ACCOUNTS}) AND save.replaced_by IS NULL AND save.id < ?"
    " ORDER BY save.id DESC LIMIT ?"
)


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
        *(request.author.platform, request.message_id),
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
        f"{_NEWEST_OF_LINK} AND id IN (SELECT save.id FROM save WHERE account_id IN ({_ACCOUNTS}))",  # noqa: S608 -- constants only
        *(public_id, *author[:2]),
    )
    for (row_id,) in found:
        await transaction.together(partial(counts.delete, save=row_id, now=to_microseconds(now)))
    return bool(found)


async def hide_words(transaction: Transaction, public_id: str, by: str, reason: str) -> bool:
    """Take the words of a save out of everyone's sight; it counts all the same. False when it shows none.

    `by` is an account_key.
    """
    found = await transaction.fetch(
        f"UPDATE save SET hidden_by = ?, hidden_reason = ? WHERE hidden_by IS NULL AND id IN ("  # noqa: S608 -- constants only
        f"SELECT words_id FROM save WHERE id IN ({_NEWEST_OF_LINK})) RETURNING id",
        *(by, reason, public_id),
    )
    return await _show_anew(transaction, found)


async def hide_words_of(transaction: Transaction, message: Message, by: str, reason: str) -> bool:
    """The same for the words of a message, when that is deleted on its platform (design.md §8)."""
    found = await transaction.fetch(
        "UPDATE save SET hidden_by = ?, hidden_reason = ? WHERE hidden_by IS NULL"
        " AND platform = ? AND source_message_id = ? RETURNING id",
        *(by, reason, *message),
    )
    return await _show_anew(transaction, found)


async def hide_words_by(
    transaction: Transaction, account: tuple[str, str], origin: str, since: datetime, by: str, reason: str
) -> bool:
    """The same for all words an account, (platform, user id), has typed in one place since an instant."""
    found = await transaction.fetch(
        "UPDATE save SET hidden_by = ?, hidden_reason = ? WHERE hidden_by IS NULL AND note <> ''"
        " AND account_id = (SELECT id FROM account WHERE platform = ? AND user_id = ?)"
        " AND origin = ? AND created_at >= ? RETURNING id",
        *(by, reason, *account, origin, to_microseconds(since)),
    )
    return await _show_anew(transaction, found)


async def show_words(transaction: Transaction, public_id: str) -> bool:
    """Show words again that were hidden; False when they were not."""
    found = await transaction.fetch(
        f"UPDATE save SET hidden_by = NULL, hidden_reason = NULL WHERE hidden_by IS NOT NULL AND id IN ("  # noqa: S608 -- constants only
        f"SELECT words_id FROM save WHERE id IN ({_NEWEST_OF_LINK})) RETURNING id",
        public_id,
    )
    return await _show_anew(transaction, found)


async def _show_anew(transaction: Transaction, words: Sequence[Row]) -> bool:
    def work(connection: sqlite3.Connection) -> None:
        for (words_id,) in words:
            carried = connection.execute(
                f"SELECT id, replaced_by, words_id FROM save WHERE id IN ({_NEWEST_OF_ROW}) AND words_id = ?",  # noqa: S608 -- constants only
                (words_id, words_id),
            ).fetchall()
            counts.settle(connection, carried)
            _, track = counts.group_of(connection, words_id)
            connection.execute("UPDATE track SET version = version + 1 WHERE id = ?", (track,))

    await transaction.together(work)
    return bool(words)


# --- asking


async def moment(asked: Asked, public_id: str) -> Moment | None:
    """The save a link means: another one, with an id of its own, when that has been replaced."""
    found = await asked.fetch(
        f"{MOMENT} WHERE save.id IN ({_NEWEST_OF_LINK})",
        public_id,
    )
    return next(map(as_moment, found), None)


def as_moment(row: Row) -> Moment:
    """A moment from the columns MOMENT."""
    return Moment._make(
        (*row[:2], Track._make(row[2:5]), *row[5:10], from_microseconds(row[10]), bool(row[11]), *row[12:])
    )


async def own(
    asked: Asked, platform: str, user_id: str, *, before: int | None = None, limit: int = 50
) -> list[OwnMoment]:
    """A person's saves, newest first, with all their words; `before` is the row_id of the last one seen."""
    found = await asked.fetch(_OWN, platform, user_id, 2**62 if before is None else before, limit)
    return [OwnMoment._make((*row[:7], *map(bool, row[7:10]), row[10], from_microseconds(row[11]))) for row in found]


async def saves_of(asked: Asked, platform: str, user_id: str) -> int:
    """How many saves a person has, replaced ones too."""
    found = await asked.fetch(f"SELECT count(*) FROM save WHERE account_id IN ({_ACCOUNTS})", platform, user_id)  # noqa: S608 -- constants only
    return int(found[0][0])
