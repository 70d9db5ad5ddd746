"""Which messages on Discord repeat what is somebody's, so that they go when it goes.

That something went is noted by triggers (storage/migrations/discord.py): in the transaction in which it went, and
whichever way. Rows hold numbers, nobody's words.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from storage._sqlite import Connection, to_microseconds
from storage.own import Asked
from storage.saves import NEWER, NEWEST_OF_LINK
from storage.transaction import Transaction

TRIED_AGAIN = timedelta(hours=1)
"""A channel in which nothing can be deleted; after each refusal an hour more since the first."""
TRIED_FOR = timedelta(days=30)
"""After that nothing is known of a message any more that Discord does not let us delete (PRIV-6)."""


class Trace(NamedTuple):
    """What an answer shows of somebody's: a mark by its session and number, or a saved moment."""

    session_id: str = ""
    number: int = 0
    moment_id: str = ""
    words: str = ""
    """Those the answer repeats, as they are stored; for comparing, they are not noted."""


class Answer(NamedTuple):
    """A message of ours that everybody in a channel reads, and the bot can reach."""

    guild_id: str
    """Empty in a direct message."""
    discord_channel: str
    """Where it stands: a thread itself, not what it is in."""
    message_id: str
    shows: tuple[Trace, ...]


_COLUMNS = "guild_id, discord_channel, message_id, session_id, number, save_id, quotes, state, refused_at, tries"
_EVERYTHING = f"SELECT {_COLUMNS} FROM answer"  # noqa: S608 -- constants only
_TAKE_OVER = f"INSERT INTO answer ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 -- constants only
_NOTE = (
    "INSERT INTO answer (guild_id, discord_channel, message_id, session_id, number, save_id, quotes, state)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (message_id, session_id, number, save_id) DO UPDATE SET"
    " quotes = max(quotes, excluded.quotes), state = CASE state WHEN 'going' THEN state ELSE excluded.state END"
)
_SHOWN_MARK = (
    "SELECT 1 FROM mark WHERE session_id = (SELECT id FROM session WHERE public_id = ?1) AND number = ?2"
    " AND hidden_by IS NULL AND (?3 = '' OR note = ?3)"
)
_SHOWN_WORDS = (
    "SELECT words.public_id FROM save JOIN save AS words ON words.id = save.words_id"  # noqa: S608 -- constants only
    f" WHERE save.shown = 1 AND words.note = ? AND save.id IN ({NEWEST_OF_LINK})"
)
_STANDS = (
    "CASE WHEN session_id <> '' THEN EXISTS (SELECT 1 FROM mark WHERE mark.number = answer.number"  # noqa: S608 -- constants only
    " AND mark.session_id = (SELECT id FROM session WHERE public_id = answer.session_id) AND mark.hidden_by IS NULL)"
    " WHEN quotes = 0 THEN EXISTS (SELECT 1 FROM save WHERE public_id = answer.save_id)"
    " ELSE EXISTS (SELECT 1 FROM save JOIN save AS words ON words.id = save.words_id"
    " WHERE words.public_id = answer.save_id AND save.shown = 1 AND save.id IN ("
    "WITH RECURSIVE newer (id, replaced_by) AS (SELECT id, replaced_by FROM save WHERE public_id = answer.save_id"
    + NEWER
    + ")) END"
)
_SETTLE = (
    f"UPDATE answer SET state = CASE WHEN ({_STANDS}) THEN 'stands' ELSE 'going' END"  # noqa: S608 -- constants only
    " WHERE state <> 'stands' AND state = 'doubtful'"
)
_TO_CLEAR = (
    "SELECT DISTINCT discord_channel FROM answer WHERE state <> 'stands' AND state = 'going'"
    " AND (refused_at IS NULL OR refused_at + tries * ? <= ?) ORDER BY discord_channel"
)


async def note(transaction: Transaction, answer: Answer) -> None:
    """Know what a message shows; what has gone meanwhile takes the message with it."""
    message = (answer.guild_id, answer.discord_channel, answer.message_id)
    for trace in answer.shows:
        if trace.moment_id:
            await _note_moment(transaction, message, trace)
            continue
        shown = await transaction.fetch(_SHOWN_MARK, trace.session_id, trace.number, trace.words)
        mark = (trace.session_id, trace.number, "", int(trace.words != ""))
        await transaction.execute(_NOTE, *message, *mark, _state(shown))


async def _note_moment(transaction: Transaction, message: tuple[str, str, str], trace: Trace) -> None:
    """The moment, and the save its words are of: mostly the same, else an earlier one of the same person."""
    shown = await transaction.fetch("SELECT 1 FROM save WHERE public_id = ?", trace.moment_id)
    if shown and trace.words:
        shown = await transaction.fetch(_SHOWN_WORDS, trace.words, trace.moment_id)
        for (words_id,) in shown:
            await transaction.execute(_NOTE, *message, "", 0, words_id, 1, "stands")
    await transaction.execute(_NOTE, *message, "", 0, trace.moment_id, 0, _state(shown))


def _state(shown: list[Any]) -> str:
    return "stands" if shown else "going"


async def are_doubtful(asked: Asked) -> bool:
    """Whether settle() has something to decide."""
    return bool(
        await asked.fetch("SELECT 1 FROM answer WHERE state <> 'stands' AND state = 'doubtful' LIMIT 1")
    )  # the first condition is the index's own


async def settle(transaction: Transaction) -> None:
    """Decide which messages go, of those whose words may have moved to a later save of the same person."""
    await transaction.execute(_SETTLE)


async def to_clear(asked: Asked, now: datetime) -> list[str]:
    """The Discord channels in which messages are to be deleted, and may be tried to be."""
    found = await asked.fetch(_TO_CLEAR, TRIED_AGAIN // timedelta(microseconds=1), to_microseconds(now))
    return [channel for (channel,) in found]


async def going(asked: Asked, discord_channel: str) -> list[str]:
    """The ids of the messages that are to be deleted in a channel."""
    found = await asked.fetch(
        "SELECT DISTINCT message_id FROM answer WHERE state <> 'stands' AND state = 'going' AND discord_channel = ?",
        discord_channel,
    )
    return [message_id for (message_id,) in found]


async def drop(transaction: Transaction, message_id: str) -> None:
    """Know nothing of a message any more: it does not stand."""
    await transaction.execute("DELETE FROM answer WHERE message_id = ?", message_id)


async def refused(transaction: Transaction, discord_channel: str, now: datetime) -> None:
    """Discord does not let us delete in a channel: wait before the next try."""
    await transaction.execute(
        "UPDATE answer SET refused_at = coalesce(refused_at, ?), tries = tries + 1"
        " WHERE state <> 'stands' AND state = 'going' AND discord_channel = ?",
        *(to_microseconds(now), discord_channel),
    )


async def end_of_guild(transaction: Transaction, guild_id: str) -> None:
    """The bot is in a server no more, and reaches none of its messages (PRIV-6)."""
    await transaction.execute("DELETE FROM answer WHERE guild_id = ?", guild_id)


async def purge(transaction: Transaction, now: datetime) -> int:
    """Let go of messages that Discord has not let us delete for long."""
    return await transaction.execute(
        "DELETE FROM answer WHERE state <> 'stands' AND refused_at <= ?", to_microseconds(now - TRIED_FOR)
    )


async def everything(connection: Connection) -> list[tuple[Any, ...]]:
    """All rows, as take_over() wants them."""
    return [tuple(row) for row in await connection.execute_fetchall(_EVERYTHING)]


async def take_over(connection: Connection, standing: Iterable[tuple[Any, ...]]) -> None:
    """A backup takes the database's place: what stands on Discord is what was known last, and shall be settled.

    Else the words of whoever is forgotten from now on would stay in what was answered since the backup.
    """
    await connection.execute("DELETE FROM answer")
    await connection.executemany(_TAKE_OVER, standing)
    await connection.execute("UPDATE answer SET state = 'doubtful' WHERE state = 'stands'")
