"""What counting the crowd costs a mark, beside inserting that mark: in a session that holds many already."""

import asyncio
import random
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path

from bench.past import PEOPLE, SECONDS, make_past
from bench.report import Row
from moments.crowd import CrowdIndex, Point

SIZES = (0, 100_000)
MORE = 10_000
WINDOW = 15
LATE_SECONDS = 600
"""As far back as `!clip -N` reaches: such a mark may open, split or move groups."""

_INSERT = (
    "INSERT INTO mark (session_id, number, segment_index, offset_seconds, adjust_seconds, instant, created_at,"
    " account_id, submitted_by, note, platform, source_message_id)"
    " VALUES (1, ?, 1, ?, 0, 0, 0, ?, 'v', 'w', 'bench', ?)"
)


def crowd_rows() -> list[Row]:
    """Microseconds a mark, against the cheapest insert there is: one executemany in one transaction."""
    rows = []
    for size in SIZES:
        points, more = history(size)
        with tempfile.TemporaryDirectory(prefix="moments-bench-") as name:
            database = Path(name) / "moments.db"
            asyncio.run(make_past(database, size))
            inserting = insert(database, more)
        counting = count(points, more)
        rows.append(
            Row(
                f"counting the crowd, at {size:,} marks",
                *(1e6 * counting, "µs", 1e6 * inserting),
                at_most=1,
                against="insert",
            )
        )
    return rows


def history(size: int) -> tuple[list[Point], list[Point]]:
    """The marks a session holds, and more: each at the session's end but up to ten minutes late."""
    chance = random.Random(3)
    held = [
        Point(1, (number - 1) * SECONDS // size, number, 1 + number * 7919 % PEOPLE) for number in range(1, size + 1)
    ]
    more = [
        Point(1, SECONDS + number // 20 - chance.randint(0, LATE_SECONDS), number, chance.randint(1, PEOPLE))
        for number in range(size + 1, size + MORE + 1)
    ]
    return held, more


def count(held: list[Point], more: list[Point]) -> float:
    """Seconds to count one mark more, as the writer does."""
    index = CrowdIndex.from_points(held, WINDOW)
    begun = time.perf_counter()
    for point in more:
        index.add(point.offset_seconds, point.number, point.person_id)
    return (time.perf_counter() - begun) / len(more)


def insert(database: Path, more: list[Point]) -> float:
    """Seconds to insert one mark more."""
    rows = [(p.number, p.offset_seconds, p.person_id, f"{random.getrandbits(128):032x}") for p in more]
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        begun = time.perf_counter()
        connection.executemany(_INSERT, rows)
        connection.commit()
        return (time.perf_counter() - begun) / len(rows)
