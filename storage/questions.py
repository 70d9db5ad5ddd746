"""Pairs of tracks that may be the same and no rule may decide: a person is asked, once."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from storage import tracks
from storage._sqlite import from_microseconds, to_microseconds
from storage.own import Asked
from storage.tracks import Source
from storage.transaction import Transaction


class Question(NamedTuple):
    """Whether two tracks, by their public ids, are the same."""

    id: int
    track_id: str
    same_as: str
    score: int
    """Of a hundred."""
    evidence: tuple[str, ...]
    asked_at: datetime


_OWN_TRACK = "SELECT track_id FROM track_source WHERE id = ?"
_ROOT_OF = "coalesce({0}.merged_into, {0}.id)"
_OPEN = (
    "SELECT match_question.id, one.public_id, other.public_id, score, evidence, asked_at FROM match_question"  # noqa: S608 -- constants only
    " JOIN track AS one ON one.id = match_question.track_id JOIN track AS other ON other.id = match_question.same_as"
    f" WHERE answer IS NULL AND {_ROOT_OF.format('one')} <> {_ROOT_OF.format('other')} AND match_question.id > ?"
    " ORDER BY match_question.id LIMIT ?"
)
_ROOT_OF_SOURCE = (
    f"SELECT {_ROOT_OF.format('track')} FROM track_source JOIN track ON track.id = track_id WHERE track_source.id = ?"  # noqa: S608 -- constants only
)
_PAIR_BETWEEN = " OR ".join(
    f"(track_id IN (SELECT id FROM track WHERE id = {one} OR merged_into = {one})"  # noqa: S608 -- constants only
    f" AND same_as IN (SELECT id FROM track WHERE id = {other} OR merged_into = {other}))"
    for one, other in (("?1", "?2"), ("?2", "?1"))
)
_ASKED = f"SELECT 1 FROM match_question WHERE {_PAIR_BETWEEN} LIMIT 1"  # noqa: S608 -- constants only
_SAID_DIFFERENT = (
    f"SELECT 1 FROM match_question WHERE answer = 'different' AND ({_PAIR_BETWEEN})"  # noqa: S608 -- constants only
    f" UNION ALL SELECT 1 FROM track_merge WHERE undone_at IS NOT NULL AND ({_PAIR_BETWEEN}) LIMIT 1"
)
_SAVED = (
    "EXISTS (SELECT 1 FROM track AS part JOIN track_source ON track_source.track_id = part.id"
    " JOIN save ON save.track_source_id = track_source.id WHERE part.id = {0} OR part.merged_into = {0})"
)
_OPEN_SAVED = _OPEN.replace(
    " ORDER BY", f" AND {_SAVED.format(_ROOT_OF.format('one'))} AND {_SAVED.format(_ROOT_OF.format('other'))} ORDER BY"
)
_A_SOURCE_OF = "SELECT id, provider, media_id, kind FROM track_source WHERE track_id = ? ORDER BY id LIMIT 1"


async def ask(
    transaction: Transaction, one: Source, other: Source, score: int, evidence: Sequence[str], now: datetime
) -> bool:
    """Put the question; False when it was put before, whatever the answer, or there is nothing to ask.

    It was when it was put of any two recordings that are merged with these.
    """
    roots = await _roots(transaction, one, other)
    if roots[0] == roots[1] or await transaction.fetch(_ASKED, *roots):
        return False
    await transaction.execute(
        "INSERT INTO match_question (track_id, same_as, score, evidence, asked_at) VALUES (?, ?, ?, ?, ?)",
        *(*await _pair(transaction, one, other), score, json.dumps(evidence), to_microseconds(now)),
    )
    return True


async def said_different(transaction: Transaction, one: Source, other: Source) -> bool:
    """Whether a person has said that these are not the same, or undone that they are: no rule may merge them then.

    What was said of any two recordings holds for all that are merged with either.
    """
    roots = await _roots(transaction, one, other)
    return roots[0] != roots[1] and bool(await transaction.fetch(_SAID_DIFFERENT, *roots))


async def unanswered(asked: Asked, *, after: int = 0, limit: int = 50, only_saved: bool = False) -> list[Question]:
    """Open questions, oldest first; `after` is the id of the last one seen. Those answered by a merge are left out.

    `only_saved`: and those about what nobody has saved a part of, whose answer would change nothing yet.
    """
    found = await asked.fetch(_OPEN_SAVED if only_saved else _OPEN, after, limit)
    return [Question._make((*row[:4], tuple(json.loads(row[4])), from_microseconds(row[5]))) for row in found]


async def answer(transaction: Transaction, question: int, *, same: bool, by: str, now: datetime) -> bool:
    """Answer a question, merging the two when they are the same; False when it has an answer, or is not there.

    `by` is an account_key, or a word for the operator.
    """
    found = await transaction.fetch(
        "UPDATE match_question SET answer = ?, answered_by = ?, answered_at = ? WHERE id = ? AND answer IS NULL"
        " RETURNING track_id, same_as, score, evidence",
        *("same" if same else "different", by, to_microseconds(now), question),
    )
    for *pair, score, evidence in found:
        if same:
            one, other = [Source._make((await transaction.fetch(_A_SOURCE_OF, track))[0]) for track in pair]
            await tracks.merge(transaction, one, other, "person", score, json.loads(evidence), by, now)
    return bool(found)


async def _roots(transaction: Transaction, one: Source, other: Source) -> list[int]:
    return [(await transaction.fetch(_ROOT_OF_SOURCE, source.row_id))[0][0] for source in (one, other)]


async def _pair(transaction: Transaction, one: Source, other: Source) -> list[int]:
    return sorted([(await transaction.fetch(_OWN_TRACK, source.row_id))[0][0] for source in (one, other)])
