"""Every message of the feed that stands on Discord.

A post's row is written before Discord is asked for it, and goes only when Discord has said that the post is gone: it
outlives the marks it shows, and their session. It holds numbers and a digest, nobody's words.
"""

import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from moments.marks import Timestamp
from moments.sessions import Session
from storage import rows
from storage._sqlite import Connection, from_microseconds, to_microseconds
from storage.own import Asked
from storage.reads import Reads
from storage.transaction import Transaction

KEPT_AFTERWARDS = timedelta(days=30)
"""After a session's end, what is known of posts that are no more (PRIV-6)."""


CLOSE = 50
"""Numbers no further apart are asked for together."""


class Kind(StrEnum):
    """What a post shows, and so what its `low` and `high` are."""

    MARKS = "marks"
    """The marks with these numbers, both included; mostly one."""
    CROWD = "crowd"
    """A crowd moment: its segment, and the offset of its anchor in seconds."""
    SUMMARY = "summary"


class State(StrEnum):
    """How far a post is."""

    SENDING = "sending"
    """Discord is being asked for it; without an answer nobody knows whether it stands."""
    POSTED = "posted"
    GONE = "gone"
    """Somebody deleted it on Discord, or it could not be posted: it is not posted again."""


class Post(NamedTuple):
    """One message on Discord, or the intention of one."""

    id: int
    discord_channel: str
    session_id: str
    kind: Kind
    low: int
    high: int
    nonce: str
    """By which Discord knows the same message when it is sent twice within minutes."""
    message_id: str
    """Empty while it is not known."""
    digest: str
    """Of what was posted; empty when that is not known."""
    state: State
    sent_at: datetime


_POST = "SELECT id, discord_channel, session_id, kind, low, high, nonce, message_id, digest, state, sent_at FROM post"
_OF_SESSION = f"{_POST} WHERE discord_channel = ? AND session_id = ?"
_INSERT = (
    "INSERT INTO post (id, discord_channel, session_id, kind, low, high, nonce, message_id, digest, state, sent_at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_FOLLOW = (
    "INSERT INTO followed (discord_channel, session_id, revision) SELECT DISTINCT discord_channel, session_id, -2"
    " FROM post WHERE true ON CONFLICT (discord_channel, session_id) DO NOTHING"
)
_FOLLOW_ONE = (
    "INSERT INTO followed (discord_channel, session_id, revision) VALUES (?, ?, -2)"
    " ON CONFLICT (discord_channel, session_id) DO NOTHING"
)
# From the last post that begins at or before the first number on: posts do not overlap.
_SHOWING_NUMBERS = (
    f"{_POST} WHERE discord_channel = ?1 AND session_id = ?2 AND kind = 'marks' AND low <= ?4 AND high >= ?3"  # noqa: S608 -- constants only
    " AND low >= coalesce((SELECT max(low) FROM post WHERE discord_channel = ?1 AND session_id = ?2"
    " AND kind = 'marks' AND low <= ?3), 0)"
)
_NUMBERED = (
    "FROM mark JOIN account ON account.id = mark.account_id WHERE mark.session_id = ? AND mark.hidden_by IS NULL"
    " AND mark.number BETWEEN ? AND ? ORDER BY mark.number"
)
_MARKS = f"SELECT {rows.MARK} {_NUMBERED}"
_NAMELESS_MARKS = f"SELECT {rows.NAMELESS_MARK} {_NUMBERED}"
_ENDED_BEFORE = "SELECT public_id FROM session WHERE status = 'ended' AND updated_at < ?"
_DROP_GONE = f"DELETE FROM post WHERE state = 'gone' AND session_id IN ({_ENDED_BEFORE})"  # noqa: S608 -- constants only
_DROP_FOLLOWED = (
    f"DELETE FROM followed WHERE session_id IN ({_ENDED_BEFORE}) AND NOT EXISTS (SELECT 1 FROM post"  # noqa: S608 -- constants only
    " WHERE post.discord_channel = followed.discord_channel AND post.session_id = followed.session_id)"
)


async def all_of(asked: Asked, discord_channel: str, session_id: str) -> list[Post]:
    """Every post of a session in a Discord channel, in the order they were made."""
    return [_post(row) for row in await asked.fetch(f"{_OF_SESSION} ORDER BY id", discord_channel, session_id)]


async def showing_numbers(asked: Asked, discord_channel: str, session_id: str, numbers: Sequence[int]) -> list[Post]:
    """The posts of marks that show these numbers, which are sorted; and perhaps a few others, by their numbers."""
    found: dict[int, Post] = {}
    for low, high in _close_together(numbers):
        for row in await asked.fetch(_SHOWING_NUMBERS, discord_channel, session_id, low, high):
            post = _post(row)
            found[post.id] = post
    return sorted(found.values(), key=lambda post: post.low)


def _close_together(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """The numbers as stretches, so that they are asked for in few statements."""
    stretches: list[tuple[int, int]] = []
    for number in numbers:
        if stretches and number - stretches[-1][1] <= CLOSE:
            stretches[-1] = (stretches[-1][0], number)
        else:
            stretches.append((number, number))
    return stretches


async def summary_of(asked: Asked, discord_channel: str, session_id: str) -> Post | None:
    """The summary of a session."""
    found = await asked.fetch(f"{_OF_SESSION} AND kind = 'summary' LIMIT 1", discord_channel, session_id)
    return next(map(_post, found), None)


async def marks_numbered(store: Reads, session: Session, low: int, high: int) -> list[Timestamp]:
    """The visible marks with these numbers, both included, by number; without names where the channel shows none."""
    marks = _MARKS if session.channel.settings.names else _NAMELESS_MARKS
    return [rows.mark(session.id, row) for row in await store.fetch(marks, session.row_id, low, high)]


async def showing_crowds(
    asked: Asked, discord_channel: str, session_id: str, segment_index: int, start: int
) -> list[Post]:
    """The posts of crowd moments in a segment that begin at or after an offset, by time."""
    found = await asked.fetch(
        f"{_OF_SESSION} AND kind = 'crowd' AND low = ? AND high >= ? ORDER BY high, id",
        *(discord_channel, session_id, segment_index, start),
    )
    return [_post(row) for row in found]


async def intend(
    transaction: Transaction, discord_channel: str, session_id: str, kind: Kind, low: int, high: int, now: datetime
) -> Post:
    """Note that Discord is about to be asked for a post; from then on its channel follows the session, come what may.

    Else nobody would find the post again once the channel was joined to another stream, or to none.
    """
    await transaction.execute(_FOLLOW_ONE, discord_channel, session_id)
    nonce = secrets.token_hex(12)  # 24 characters; Discord takes 25
    found = await transaction.fetch(
        "INSERT INTO post (discord_channel, session_id, kind, low, high, nonce, state, sent_at)"
        " VALUES (?, ?, ?, ?, ?, ?, 'sending', ?) RETURNING id",
        *(discord_channel, session_id, kind, low, high, nonce, to_microseconds(now)),
    )
    return Post(found[0][0], discord_channel, session_id, kind, low, high, nonce, "", "", State.SENDING, now)


async def keep(transaction: Transaction, post: Post) -> None:
    """Note what a post is by now."""
    await transaction.execute(
        "UPDATE post SET low = ?, high = ?, message_id = ?, digest = ?, state = ? WHERE id = ?",
        *(post.low, post.high, post.message_id, post.digest, post.state, post.id),
    )


async def drop(transaction: Transaction, post: Post) -> None:
    """Know nothing of a post any more: it does not stand."""
    await transaction.execute("DELETE FROM post WHERE id = ?", post.id)


async def purge(transaction: Transaction, now: datetime) -> int:
    """Let go what is known of posts that are no more, and of sessions long over of which nothing is posted."""
    before = to_microseconds(now - KEPT_AFTERWARDS)
    gone = await transaction.execute(_DROP_GONE, before)
    await transaction.execute(_DROP_FOLLOWED, before)
    return gone


async def everything(connection: Connection) -> list[tuple[Any, ...]]:
    """All rows of posts, as take_over() wants them."""
    return [tuple(row) for row in await connection.execute_fetchall(_POST)]


async def take_over(connection: Connection, standing: Iterable[tuple[Any, ...]]) -> None:
    """A backup takes the database's place: what stands on Discord is what was known last, and all of it is compared.

    Else what was posted since the backup would be posted again, and what is not in it would stand for ever.
    """
    await connection.execute("DELETE FROM post")
    await connection.executemany(_INSERT, standing)
    await connection.execute("UPDATE followed SET revision = -2")
    await connection.execute(_FOLLOW)


def _post(row: Sequence[Any]) -> Post:
    identity, channel, session_id, kind, low, high, nonce, message_id, digest, state, sent_at = row
    return Post(
        *(identity, channel, session_id, Kind(kind), low, high, nonce, message_id, digest, State(state)),
        from_microseconds(sent_at),
    )
