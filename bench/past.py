"""Sessions as long as one likes, made by SQL in a database that our own migrations created."""

import sqlite3
from contextlib import closing
from pathlib import Path

from moments.sessions import Defaults
from storage import open_store

SESSION = "ABenchSessionOfThePast"
PEOPLE = 5_000
SECONDS = 8 * 3600
BEGAN = 1_769_889_600_000_000
"""Microseconds since 1970: a Saturday evening."""

_NOTES = (
    "that dodge was insane",
    "",
    "chills",
    "clutch, first try!",
    "LOL he did it again",
    '"no way"',
    "今のすごい",
    "🔥🔥🔥",
)
_PARTIES = f"""
    INSERT INTO channel (id, platform, platform_id, display_name) VALUES (1, 'bench', 'past', 'Past');
    INSERT INTO session (id, public_id, channel_id, title, game, status, created_at, updated_at)
        VALUES (1, '{SESSION}', 1, 'Any%', 'Hollow Deep', 'ended', {BEGAN}, {BEGAN});
    INSERT INTO segment (session_id, segment_index, start_time, end_time, created_at)
        VALUES (1, 1, {BEGAN}, {BEGAN} + {SECONDS}000000, {BEGAN});
    WITH RECURSIVE one(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM one WHERE id < {PEOPLE})
        INSERT INTO person (id) SELECT id FROM one;
    INSERT INTO account (id, person_id, platform, user_id, display_name)
        SELECT id, id, 'bench', 'u' || id, 'viewer_' || id FROM person;
"""


async def make_past(database: Path, marks: int) -> None:
    """One session of eight hours with this many marks, spread over it, by five thousand people in turn."""
    async with open_store(database, defaults=Defaults()):
        pass
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript(_PARTIES)
        connection.executemany(
            "INSERT INTO mark (session_id, number, segment_index, offset_seconds, adjust_seconds, instant, created_at,"
            " account_id, submitted_by, note, platform, source_message_id)"
            " VALUES (1, ?1, 1, ?2, 0, ?3, ?3, ?4, 'viewer_' || ?4, ?5, 'bench', 'm' || ?1)",
            (mark_values(number, marks) for number in range(1, marks + 1)),
        )
        connection.execute("UPDATE session SET last_number = ? WHERE id = 1", (marks,))
        connection.commit()


def mark_values(number: int, marks: int) -> tuple[int, int, int, int, str]:
    """Number, offset, instant, account and note of one of so many marks."""
    since = (number - 1) * SECONDS * 1_000_000 // marks
    return number, since // 1_000_000, BEGAN + since, 1 + number * 7919 % PEOPLE, _NOTES[number % len(_NOTES)]
