"""What is read while somebody types or presses: by an index, however much there is."""

import sqlite3
from pathlib import Path

import pytest

from storage import open_store, public_saves, saves
from tests.stream import DEFAULTS


@pytest.mark.parametrize(
    ("statement", "step"),
    [
        (public_saves._RECENT, "SEARCH save USING INDEX save_of_origin (origin=?)"),
        (saves._SAVED_BY_THEM_TOO, "SEARCH save USING INDEX save_of_account (account_id=? AND track_source_id=?)"),
    ],
)
async def test_what_is_read_does_not_grow_with_what_is_kept(path: Path, statement: str, step: str) -> None:
    async with open_store(path, defaults=DEFAULTS):
        pass
    connection = sqlite3.connect(path)
    values = [1] * statement.count("?")
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
    connection.close()
    assert step in plan
    # What is read whole is the few rows picked out before.
    assert {each for each in plan if each.startswith("SCAN")} <= {"SCAN save"}
