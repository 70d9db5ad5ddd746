"""Bringing a database up to date: all or nothing, once, and never somebody else's."""

import asyncio
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from moments.errors import StoreDamaged, StoreNewer
from storage import _sqlite, migrations, open_store
from tests.databases import change, rows
from tests.stream import DEFAULTS, Stream


async def migrated(path: Path) -> list[str]:
    """Descriptions of what was applied."""
    _sqlite.create_file(path)
    connection = await _sqlite.connect(path)
    try:
        return await migrations.migrate(connection, path)
    finally:
        await connection.close()


async def test_an_empty_file_becomes_a_database_of_ours(path: Path) -> None:
    assert await migrated(path) == [description for description, _ in migrations.MIGRATIONS]
    assert rows(path, "PRAGMA user_version") == [(len(migrations.MIGRATIONS),)]
    assert rows(path, "PRAGMA application_id") == [(int.from_bytes(b"Mmts"),)]
    assert path.read_bytes()[18:20] == b"\x02\x02"  # write-ahead logging
    assert path.stat().st_mode & 0o777 == 0o600


async def test_the_second_time_there_is_nothing_to_do(path: Path) -> None:
    await migrated(path)
    before = path.read_bytes()
    assert await migrated(path) == []
    assert path.read_bytes() == before


async def test_a_migration_that_fails_leaves_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await migrated(path)
    before = rows(path, "SELECT * FROM sqlite_master")
    half = ("Half a change", ("CREATE TABLE half (x)", "CREATE TABLE mark (x)"))
    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, half))
    with pytest.raises(sqlite3.OperationalError, match="already exists"):
        await migrated(path)
    assert rows(path, "SELECT * FROM sqlite_master") == before
    assert rows(path, "PRAGMA user_version") == [(len(migrations.MIGRATIONS) - 1,)]


async def test_later_migrations_keep_what_is_there(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        await Stream(store).start()
        await Stream(store).mark("ann", 10)
    later = ("Something new", ("ALTER TABLE mark ADD COLUMN mood TEXT",))
    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, later))
    assert await migrated(path) == ["Something new"]
    async with open_store(path, defaults=DEFAULTS) as store:
        assert (await Stream(store).mark("ben", 11)).people == 2


MIGRATE = """
import asyncio, sys
from pathlib import Path
from moments.sessions import Defaults
from storage import open_store
async def run():
    print("ready", flush=True)
    sys.stdin.readline()
    async with open_store(Path(sys.argv[1]), defaults=Defaults()) as store:
        await store.ping()
asyncio.run(run())
"""


async def start_migrating(path: Path) -> asyncio.subprocess.Process:
    """A process that waits for a line before it opens the store."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", MIGRATE, path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert child.stdout is not None
    assert await child.stdout.readline() == b"ready\n"
    return child


async def test_processes_that_start_at_once_migrate_once(tmp_path: Path) -> None:
    children = {name: [await start_migrating(tmp_path / name) for _ in range(3)] for name in ("a.db", "b.db")}
    for name, group in children.items():
        ended = await asyncio.gather(*(child.communicate(b"\n") for child in group))
        assert [(child.returncode, error.decode()) for child, (_, error) in zip(group, ended, strict=True)] == [
            (0, "")
        ] * 3
        assert rows(tmp_path / name, "PRAGMA integrity_check") == [("ok",)]
        assert rows(tmp_path / name, "PRAGMA user_version") == [(len(migrations.MIGRATIONS),)]


async def test_a_newer_database_is_refused_and_not_touched(path: Path) -> None:
    await migrated(path)
    change(path, "PRAGMA user_version = 999", "PRAGMA journal_mode = DELETE")
    before = path.read_bytes()
    with pytest.raises(StoreNewer, match=r"newer Moments \(version 999\)\. Update Moments"):
        async with open_store(path, defaults=DEFAULTS):
            pass
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "statements",
    [
        ("CREATE TABLE photo (x)",),
        ("CREATE TABLE photo (x)", "PRAGMA application_id = 7"),
        ("PRAGMA application_id = 7",),
        ("CREATE TABLE photo (x)", "PRAGMA user_version = 1"),
    ],
)
async def test_another_programs_database_is_refused_and_not_touched(path: Path, statements: tuple[str, ...]) -> None:
    change(path, *statements)
    before = path.read_bytes()
    with pytest.raises(StoreDamaged, match="another program's database"):
        async with open_store(path, defaults=DEFAULTS):
            pass
    assert path.read_bytes() == before
