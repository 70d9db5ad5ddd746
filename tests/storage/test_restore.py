"""What may come back as our database, what becomes of the one it replaces, and of the forgotten."""

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from moments.errors import (
    MomentsError,
    NotFound,
    StoreBusy,
    StoreDamaged,
    StoreFull,
    StoreNewer,
    StoreReadOnly,
    UsageError,
)
from moments.sessions import ended
from storage import _files, migrations, open_store, own
from storage.backup import backup
from storage.inspection import inspect
from storage.keys import SecretKeys
from storage.ledger import PURPOSE
from storage.restore import restore
from tests.databases import change, everything, names, overwrite, rows, save
from tests.disk import SmallDisk
from tests.stream import DEFAULTS, KEY, KEYS, Stream


@pytest.fixture
async def saved(path: Path) -> Path:
    """A backup of a session with marks by Ann and Ben; the database itself is in `path`."""
    return await save(path)


async def test_FILE_2_a_backup_comes_back_and_the_old_database_is_kept(path: Path, saved: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        await Stream(store).mark("cat", 14, "after the backup")
    before = everything(path.parent)["moments.db"]
    report = await restore(saved, path, KEYS)
    assert (report.sessions, report.marks, report.forgotten_again) == (1, 2, 0)
    assert report.old is not None
    assert str(report) == f"Restored 1 session with 2 marks. The old database is now {report.old}."
    assert report.old.name.startswith("moments.db.before-restore-2")
    assert rows(report.old, "SELECT count(*) FROM mark") == [(3,)]
    assert len(before) == report.old.stat().st_size
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert names(path.parent) == ["backups", "moments.db", report.old.name]
    async with open_store(path, defaults=DEFAULTS) as store:
        assert [mark.note for mark in await Stream(store).marks()] == ["mine", "his"]
        assert (await Stream(store).mark("ann", 10, "mine", "m1")).mark.number == 1  # known
        # Number 3 was given out after the backup, so it is not used again.
        assert (await Stream(store).mark("dan", 20)).mark.number == 4


async def test_FILE_2_a_restored_session_never_repeats_a_revision(path: Path, saved: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        await Stream(store).mark("cat", 14)
        session = await store.find_session("latest")
        seen = await store.revision(session)
    await restore(saved, path, KEYS)
    async with open_store(path, defaults=DEFAULTS) as store:
        assert await store.revision(session) > seen


async def test_FILE_2_restores_where_there_was_nothing(saved: Path, tmp_path: Path) -> None:
    fresh = tmp_path / "new" / "moments.db"
    with pytest.raises(NotFound, match="no folder"):
        await restore(saved, fresh, KEYS)
    fresh.parent.mkdir()
    _files.companions(fresh)[2].write_bytes(b"left by a database that is gone")
    report = await restore(saved, fresh, KEYS)
    assert report.old is None
    assert str(report) == "Restored 1 session with 2 marks."
    assert (await inspect(fresh)).marks == 2


async def test_FILE_2_what_a_killed_moments_left_in_its_log_is_kept_too(path: Path, saved: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        await Stream(store).mark("cat", 14)
        await Stream(store).forget("ann", 20)
        killed = path.with_name("killed.db")
        for end in ("", "-wal"):
            shutil.copyfile(f"{path}{end}", f"{killed}{end}")
    report = await restore(saved, killed, KEYS)
    assert report.old is not None
    assert rows(report.old, "SELECT submitted_by FROM mark ORDER BY number") == [("Ben",), ("Cat",)]
    assert report.forgotten_again == 1


@contextmanager
def running(path: Path) -> Iterator[None]:
    """Another process has the store open."""
    with subprocess.Popen(
        [sys.executable, "-c", RUN, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == "running\n"
        yield
        other.stdin.close()
    assert other.returncode == 0


async def test_FILE_2_is_refused_while_moments_runs(path: Path, saved: Path) -> None:
    with running(path):
        before = everything(path.parent)
        with pytest.raises(StoreBusy, match="Stop Moments first"):
            await restore(saved, path, KEYS)
        assert everything(path.parent) == before
    await restore(saved, path, KEYS)


RUN = """
import asyncio, sys
from pathlib import Path
from moments.sessions import Defaults
from storage import open_store
async def run():
    async with open_store(Path(sys.argv[1]), defaults=Defaults()):
        print("running", flush=True)
        await asyncio.to_thread(sys.stdin.read)
asyncio.run(run())
"""

HOSTILE: dict[str, tuple[type[MomentsError], Callable[[Path], object]]] = {
    "trigger": (
        StoreDamaged,
        lambda file: change(file, "CREATE TRIGGER t AFTER INSERT ON mark BEGIN DELETE FROM session; END"),
    ),
    "view": (StoreDamaged, lambda file: change(file, "CREATE VIEW v AS SELECT * FROM account")),
    "view for a table": (
        StoreDamaged,
        lambda file: change(file, "DROP TABLE handled_message", "CREATE VIEW handled_message AS SELECT 1"),
    ),
    "virtual table": (StoreDamaged, lambda file: change(file, "CREATE VIRTUAL TABLE f USING fts5(x)")),
    "unknown module": (
        StoreDamaged,
        lambda file: change(
            file,
            "PRAGMA writable_schema = ON",
            "INSERT INTO sqlite_master VALUES ('table', 'x', 'x', 0, 'CREATE VIRTUAL TABLE x USING nothing')",
        ),
    ),
    "schema that does not parse": (
        StoreDamaged,
        lambda file: change(file, "PRAGMA writable_schema = ON", "UPDATE sqlite_master SET sql = 'CREATE nonsense'"),
    ),
    "extra table": (StoreDamaged, lambda file: change(file, "CREATE TABLE extra (x)")),
    "extra column": (StoreDamaged, lambda file: change(file, "ALTER TABLE mark ADD COLUMN x")),
    "missing index": (StoreDamaged, lambda file: change(file, "DROP INDEX mark_message")),
    "default that calls": (
        StoreDamaged,
        lambda file: change(
            file,
            "PRAGMA writable_schema = ON",
            "UPDATE sqlite_master SET sql = replace(sql, 'DEFAULT 0', 'DEFAULT (load_extension(''x''))')",
        ),
    ),
    "other application": (StoreDamaged, lambda file: change(file, "PRAGMA application_id = 7")),
    "no application": (StoreDamaged, lambda file: change(file, "PRAGMA application_id = 0")),
    "no version": (StoreDamaged, lambda file: change(file, "PRAGMA user_version = 0")),
    "negative version": (StoreDamaged, lambda file: change(file, "PRAGMA user_version = -1")),
    "newer": (StoreNewer, lambda file: change(file, "PRAGMA user_version = 999")),
    "text": (StoreDamaged, lambda file: file.write_text("[00:00:10] <ann> !clip\n" * 500)),
    "empty": (StoreDamaged, lambda file: file.write_bytes(b"")),
    "magic alone": (StoreDamaged, lambda file: file.write_bytes(b"SQLite format 3\x00")),
    "truncated": (StoreDamaged, lambda file: os.truncate(file, 3 * 4096 + 100)),
    "garbage in the middle": (StoreDamaged, lambda file: overwrite(file, 5 * 4096, b"\xa5" * 8192)),
    "two tables on one page": (
        StoreDamaged,
        lambda file: change(
            file,
            "PRAGMA writable_schema = ON",
            "UPDATE sqlite_master SET rootpage ="
            " (SELECT rootpage FROM sqlite_master WHERE name = 'person') WHERE name = 'forgotten'",
        ),
    ),
    "broken reference": (StoreDamaged, lambda file: change(file, "DELETE FROM account")),
    "blob for a name": (StoreDamaged, lambda file: change(file, "UPDATE account SET display_name = x'00ff'")),
    "text for a number": (StoreDamaged, lambda file: change(file, "UPDATE mark SET instant = 'soon'")),
    "text that is none": (
        StoreDamaged,
        lambda file: change(file, "UPDATE mark SET note = CAST(x'c3' AS TEXT) WHERE number = 1"),
    ),
    "no such date": (StoreDamaged, lambda file: change(file, "UPDATE session SET created_at = 9000000000000000000")),
    "check ignored": (
        StoreDamaged,
        lambda file: change(file, "PRAGMA ignore_check_constraints = ON", "UPDATE mark SET offset_seconds = -5"),
    ),
    "active without a segment": (StoreDamaged, lambda file: change(file, "UPDATE segment SET end_time = start_time")),
    "numbers to be used again": (StoreDamaged, lambda file: change(file, "UPDATE session SET last_number = 1")),
}


@pytest.mark.parametrize("what", HOSTILE)
async def test_FILE_2_a_hostile_file_is_refused_and_the_live_database_untouched(
    path: Path, saved: Path, what: str
) -> None:
    error, spoil = HOSTILE[what]
    spoil(saved)
    before, given = everything(path.parent), everything(saved.parent)
    with pytest.raises(error) as refused:
        await restore(saved, path, KEYS)
    assert "\n" not in str(refused.value)
    assert str(saved) in str(refused.value)
    assert everything(path.parent) == before
    assert everything(saved.parent) == given


async def test_FILE_2_what_is_no_file_is_refused(path: Path, saved: Path) -> None:
    before = everything(path.parent)
    os.mkfifo(saved.with_name("pipe"))
    for source, error, words in (
        (saved.with_name("none"), NotFound, "no file"),
        (saved.parent, StoreDamaged, "not a database"),
        (saved.with_name("pipe"), StoreDamaged, "not a database"),
        (path, UsageError, "the database itself"),
    ):
        with pytest.raises(error, match=words):
            await restore(source, path, KEYS)
    saved.with_name("saved.db-wal").write_bytes(b"more")
    with pytest.raises(UsageError, match="while in use"):
        await restore(saved, path, KEYS)
    with pytest.raises(UsageError, match="is a folder"):
        await restore(saved, path.parent, KEYS)
    assert everything(path.parent) == before


async def test_FILE_2_another_programs_database_is_not_replaced(path: Path, saved: Path) -> None:
    other = path.with_name("photos.db")
    change(other, "CREATE TABLE photo (x)")
    before = other.read_bytes()
    with pytest.raises(UsageError, match="another program"):
        await restore(saved, other, KEYS)
    assert other.read_bytes() == before


@pytest.mark.parametrize("garbage_at", [0, 4 * 4096])
async def test_FILE_2_a_damaged_database_can_be_replaced(path: Path, saved: Path, garbage_at: int) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        await Stream(store).fill(300)
    overwrite(path, garbage_at, b"\xa5" * (path.stat().st_size - garbage_at))
    damaged = path.read_bytes()
    report = await restore(saved, path, KEYS)
    assert report.old is not None
    assert report.old.read_bytes()[4096:] == damaged[4096:]
    assert "is damaged" in str(report)
    assert (await inspect(path)).marks == 2


async def test_FILE_2_a_damaged_database_in_use_is_not_replaced(
    path: Path, saved: Path, locked: Callable[..., Any]
) -> None:
    with locked(path, "PRAGMA journal_mode = WAL", "SELECT count(*) FROM mark"):
        overwrite(path, 0, b"\xa5" * 4096)
        with pytest.raises(StoreBusy, match="Stop Moments first"):
            await restore(saved, path, KEYS)


async def test_FILE_2_an_older_backup_is_migrated(path: Path, saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    later = ("Something new", ("CREATE TABLE novelty (id INTEGER PRIMARY KEY)",))
    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, later))
    await restore(saved, path, KEYS)
    assert rows(path, "PRAGMA user_version") == [(len(migrations.MIGRATIONS),)]
    assert rows(path, "SELECT count(*) FROM novelty") == [(0,)]


async def test_FILE_2_a_full_or_read_only_disk_changes_nothing(saved: Path, path: Path, small_disk: SmallDisk) -> None:
    live = small_disk.path / "moments.db"
    await restore(saved, live, KEYS)
    async with open_store(path, defaults=DEFAULTS) as store:
        await Stream(store).fill(2000, "n" * 1500)
    await backup(path, saved, force=True)
    for free in (0, 1_000_000, saved.stat().st_size + 4096):  # nothing, not the copy, not what is written into it
        small_disk.fill(leave=free)
        before = everything(small_disk.path)
        with pytest.raises(StoreFull):
            await restore(saved, live, KEYS)
        assert everything(small_disk.path) == before
        small_disk.free()
    small_disk.make_read_only()
    with pytest.raises(StoreReadOnly):
        await restore(saved, live, KEYS)


# --- forgotten stays forgotten


async def test_PRIV_4_who_was_forgotten_after_the_backup_stays_forgotten(path: Path, saved: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        await Stream(store).forget("ann", 60)
    report = await restore(saved, path, KEYS)
    assert report.forgotten_again == 1
    assert "Forgotten again, as asked after this backup: 1 person." in str(report)
    async with open_store(path, defaults=DEFAULTS) as store:
        assert [mark.submitted_by for mark in await Stream(store).marks()] == ["Ben"]
        assert await own.marks_of(store, "console", "ann") is None
        assert (await store.totals(await store.find_session("latest"))) == (1, 1)
    assert rows(path, "SELECT count(*) FROM person") == [(1,)]
    for table in ("account", "mark", "forgotten", "session"):
        assert "ann" not in repr(rows(path, f"SELECT * FROM {table}")).lower()  # noqa: S608 -- a constant
    # The ledger came along: restored once more where nothing else remembers, she stays forgotten.
    await backup(path, saved, force=True)
    assert rows(saved, "SELECT count(*) FROM forgotten") == [(1,)]


async def test_PRIV_4_who_came_back_keeps_what_is_newer(path: Path, saved: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        channel = Stream(store)
        await channel.forget("ann", 60)
        await channel.mark("ann", 100, "I am back")
    again = saved.with_name("again.db")
    await backup(path, again)
    assert (await restore(again, path, KEYS)).forgotten_again == 0
    async with open_store(path, defaults=DEFAULTS) as store:
        assert [mark.note for mark in await Stream(store).marks()] == ["his", "I am back"]
    assert (await restore(saved, path, KEYS)).forgotten_again == 1


async def test_PRIV_4_forgotten_under_an_older_key_stays_forgotten(path: Path, saved: Path) -> None:
    newer = SecretKeys(("n" * 40, "k" * 40))
    async with open_store(path, defaults=DEFAULTS) as store:
        await Stream(store).forget("ann", 60, KEY)
        await Stream(store).forget("ben", 61, newer.derive(PURPOSE))
    assert (await restore(saved, path, newer)).forgotten_again == 2
    async with open_store(path, defaults=DEFAULTS) as store:
        assert await Stream(store).marks() == []
        with pytest.raises(MomentsError):  # her old message makes no new mark
            await Stream(store).mark("ann", 10, message="m1")


async def test_PRIV_4_a_forgotten_moderator_is_nobody(path: Path, saved: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        await Stream(store).hide(1, "ben", 20)
        await backup(path, saved, force=True)
        await Stream(store).forget("ben", 60)
    await restore(saved, path, KEYS)
    assert rows(path, "SELECT hidden_by FROM mark") == [("deleted",)]


async def test_PRIV_4_restore_forgets_as_forgetme_does(path: Path, saved: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        await Stream(store).fill(200)
        await Stream(store).hide(7, "viewer3", 70)
        await backup(path, saved, force=True)
        for n in range(0, 200, 3):
            await Stream(store).forget(f"viewer{n}", 80)
        await Stream(store).move(ended, 90)
    report = await restore(saved, path, KEYS)
    assert report.forgotten_again == 67
    assert report.old is not None
    for table in ("mark", "account", "person", "forgotten"):
        sql = f"SELECT * FROM {table}"  # noqa: S608 -- a constant
        assert sorted(rows(path, sql), key=repr) == sorted(rows(report.old, sql), key=repr)
