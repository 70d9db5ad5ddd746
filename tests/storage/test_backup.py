"""Backups: one whole file or none."""

import asyncio
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from moments.errors import NotFound, StoreDamaged, StoreFull, StoreReadOnly, UsageError
from storage import open_store
from storage.backup import backup
from storage.keys import key_file, secret_keys
from tests.databases import everything, names, rows, save
from tests.disk import SmallDisk
from tests.stream import DEFAULTS, Stream


@pytest.fixture
async def saved(path: Path) -> Path:
    """A backup of a session with marks by Ann and Ben; the database itself is in `path`."""
    return await save(path)


async def test_FILE_1_a_backup_is_one_private_file_without_the_key(path: Path, saved: Path) -> None:
    secret_keys((), path)
    umask = os.umask(0)
    try:
        await backup(path, saved, force=True)
    finally:
        os.umask(umask)
    assert names(saved.parent) == [saved.name]
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    assert saved.read_bytes()[18:20] == b"\x01\x01"  # no write-ahead log belongs to it
    assert key_file(path).read_bytes().strip() not in saved.read_bytes()
    assert rows(saved, "SELECT note FROM mark ORDER BY number") == [("mine",), ("his",)]
    assert rows(saved, "PRAGMA integrity_check") == [("ok",)]


async def test_FILE_1_nothing_is_overwritten_without_force(path: Path, saved: Path) -> None:
    before = saved.read_bytes()
    async with open_store(path, defaults=DEFAULTS) as store:
        await Stream(store).mark("cat", 14)
        with pytest.raises(UsageError, match=r"exists already.*--force"):
            await backup(path, saved)
        assert saved.read_bytes() == before
        await backup(path, saved, force=True)
    assert rows(saved, "SELECT count(*) FROM mark") == [(3,)]


@pytest.mark.parametrize("there", [True, False])
async def test_FILE_1_a_symbolic_link_is_never_followed(path: Path, saved: Path, there: bool) -> None:
    victim, link = saved.with_name("victim"), saved.with_name("link.db")
    if there:
        victim.write_text("precious")
    link.symlink_to(victim)
    with pytest.raises(UsageError, match="exists already"):
        await backup(path, link)
    await backup(path, link, force=True)
    assert not link.is_symlink()
    assert victim.exists() == there
    assert not there or victim.read_text() == "precious"


@pytest.mark.parametrize("name", ["moments.db", "moments.db-wal", "moments.key"])
async def test_FILE_1_a_backup_never_replaces_what_it_is_made_of(path: Path, saved: Path, name: str) -> None:
    secret_keys((), path)
    before = everything(path.parent)
    with pytest.raises(UsageError, match="belongs to the database"):
        await backup(path, saved.parent / ".." / name, force=True)
    assert everything(path.parent) == before


async def test_a_backup_needs_a_source_and_a_folder(path: Path, saved: Path) -> None:
    with pytest.raises(NotFound, match="no database"):
        await backup(path.with_name("none.db"), saved)
    with pytest.raises(NotFound, match="no folder"):
        await backup(path, path.with_name("nowhere") / "saved.db")
    with pytest.raises(NotFound, match="no folder"):
        await backup(path, path / "saved.db")
    with pytest.raises(UsageError, match="is a folder"):
        await backup(path, saved.parent, force=True)


async def test_a_full_or_read_only_disk_takes_no_backup(path: Path, saved: Path, small_disk: SmallDisk) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        await Stream(store).fill(2000, "n" * 1500)
    small_disk.fill(leave=1_000_000)
    with pytest.raises(StoreFull, match="disk is full"):
        await backup(path, small_disk.path / "saved.db")
    assert names(small_disk.path) == ["ballast"]
    small_disk.make_read_only()
    with pytest.raises(StoreReadOnly, match="cannot be written"):
        await backup(path, small_disk.path / "saved.db")


async def test_a_damaged_database_makes_no_backup(path: Path, saved: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        await Stream(store).fill(500)
    with path.open("r+b") as file:
        file.seek(8 * 4096)
        file.write(os.urandom(4096))
    before = everything(saved.parent)
    with pytest.raises(StoreDamaged):
        await backup(path, saved, force=True)
    assert everything(saved.parent) == before


async def test_a_backup_is_one_moment_while_others_write(path: Path, saved: Path) -> None:
    heard: list[tuple[int, int]] = []
    async with open_store(path, defaults=DEFAULTS) as store:
        channel = Stream(store)
        await channel.fill(20_000)
        stopping = asyncio.Event()
        first = asyncio.Event()
        answered = 0

        async def flood() -> None:
            nonlocal answered
            while not stopping.is_set():
                await channel.mark(f"late{answered}", 30)
                answered += 1
                first.set()

        flooding = asyncio.create_task(flood())
        await first.wait()
        before = answered
        await backup(path, saved, force=True, progress=lambda done, total: heard.append((done, total)))
        assert answered > before  # nobody waited
        stopping.set()
        await flooding
        assert len(await channel.marks()) == 20_002 + answered
    ((count, highest, last),) = rows(saved, "SELECT count(*), max(number), max(last_number) FROM mark, session")
    assert count == highest == last
    assert 20_002 + before <= count <= 20_002 + answered
    assert len(heard) > 1
    assert heard[-1][0] == heard[-1][1]


async def test_R1_a_backup_holds_nothing_that_services_lent_for_a_time(path: Path, saved: Path) -> None:
    video = (
        "INSERT INTO api_source (provider, media_id, state, title, fetched_at, expires_at) VALUES (?, ?, ?, ?, 1, ?)"
    )
    stream = "INSERT INTO api_stream SELECT id, 'twitch', 'canary-stream', '', 1, 2 FROM session"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(video, ("youtube", "a", "known", "canary-video", 2))
        database.execute(video, ("musicbrainz", "b", "known", "free for good", None))
        database.execute(stream)
        database.execute("UPDATE channel SET login = 'canary-login', login_expires_at = 2")
    await backup(path, saved, force=True)
    assert rows(saved, "SELECT title FROM api_source") == [("free for good",)]
    assert b"canary" not in saved.read_bytes()


BACK_UP = """
import asyncio, sys
from pathlib import Path
from storage.backup import backup
def progress(done, total):
    print(done, flush=True)
source, target = map(Path, sys.argv[1:])
asyncio.run(backup(source, target, progress=progress))
"""


def killed_backup(source: Path, target: Path, after: int) -> None:
    """Back up in another process, killed once so many steps are done."""
    with subprocess.Popen([sys.executable, "-c", BACK_UP, source, target], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        for _ in range(after):
            child.stdout.readline()
        child.send_signal(signal.SIGKILL)


@pytest.mark.parametrize("after", [0, 1, 2, 3, 4, 99])
async def test_FILE_1_a_backup_killed_at_any_time_leaves_a_whole_target_or_none(
    path: Path, saved: Path, after: int
) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        await Stream(store).fill(20_000)
    target = saved.with_name("killed.db")
    killed_backup(path, target, after)
    if target.exists():
        assert rows(target, "SELECT count(*) FROM mark") == [(20_002,)]
        assert rows(target, "PRAGMA integrity_check") == [("ok",)]
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]


async def test_a_cancelled_backup_stops_and_leaves_nothing(path: Path, saved: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        await Stream(store).fill(20_000)
    started = asyncio.Event()
    saving = asyncio.create_task(backup(path, saved.with_name("x.db"), progress=lambda *_: started.set()))
    await started.wait()
    saving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await saving
    assert names(saved.parent) == [saved.name]
