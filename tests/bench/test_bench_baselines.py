"""The yardsticks store the very rows the measured run stored, durably, and are never measured on a used database."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bench.baselines import locked_commits, one_transaction, take_marks
from storage._sqlite import connect, create_file
from storage.migrations import migrate

MARKS = 60


@pytest.fixture
async def measured(tmp_path: Path) -> Path:
    """A database as a run of ours leaves it."""
    path = tmp_path / "measured.db"
    create_file(path)
    connection = await connect(path)
    await migrate(connection, path)
    await connection.executescript(
        """
        INSERT INTO channel (id, platform, platform_id, display_name) VALUES (1, 'console', 'x', 'X');
        INSERT INTO person (id) VALUES (1);
        INSERT INTO account (id, person_id, platform, user_id, display_name) VALUES (1, 1, 'console', 'a', 'A');
        INSERT INTO session (id, public_id, channel_id, title, game, status, created_at, updated_at)
            VALUES (1, 's1', 1, 'Any%', '', 'active', 0, 0);
        INSERT INTO segment (session_id, segment_index, start_time, created_at) VALUES (1, 1, 0, 0);
        """
    )
    await connection.executemany(
        "INSERT INTO mark (session_id, number, segment_index, offset_seconds, adjust_seconds, instant, created_at,"
        " account_id, submitted_by, note, platform, source_message_id)"
        " VALUES (1, ?1, 1, 1000 - ?1, 0, ?1, ?1, 1, 'A', 'that dodge', 'console', 'm' || ?1)",
        [(number,) for number in range(1, MARKS + 1)],
    )
    await connection.close()
    return path


def marks_of(path: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT * FROM mark ORDER BY rowid").fetchall()


def test_one_transaction_stores_the_same_rows_in_the_same_order(measured: Path, tmp_path: Path) -> None:
    stored = take_marks(measured, tmp_path / "raw.db")
    assert one_transaction(tmp_path / "raw.db", stored) > 0
    assert marks_of(tmp_path / "raw.db") == marks_of(measured)


async def test_locked_commits_store_the_same_rows(measured: Path, tmp_path: Path) -> None:
    stored = take_marks(measured, tmp_path / "locked.db")
    run = await locked_commits(tmp_path / "locked.db", stored, people=20, marks=MARKS - 10)
    assert len(run.answers) == MARKS - 10
    assert marks_of(tmp_path / "locked.db") == marks_of(measured)[: MARKS - 10]


def test_a_used_database_is_never_measured(measured: Path, tmp_path: Path) -> None:
    stored = take_marks(measured, tmp_path / "raw.db")
    one_transaction(tmp_path / "raw.db", stored)
    with pytest.raises(AssertionError):
        one_transaction(tmp_path / "raw.db", stored)
    with pytest.raises(AssertionError, match="another run"):
        take_marks(measured, tmp_path / "raw.db")
