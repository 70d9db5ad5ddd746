"""Looking at a database says what is there or what is wrong, and changes nothing."""

from collections.abc import Callable
from pathlib import Path

import pytest

from moments.errors import NotFound
from storage import migrations, open_store
from storage.inspection import inspect
from tests.databases import change, everything, names, overwrite, save
from tests.stream import BEGAN, DEFAULTS, Stream


@pytest.fixture
async def saved(path: Path) -> Path:
    """A backup of a session with marks by Ann and Ben; the database itself is in `path`."""
    return await save(path)


async def test_inspecting_says_what_is_there_and_changes_nothing(path: Path, saved: Path) -> None:
    before = everything(path.parent)
    seen = await inspect(path)
    assert (seen.wrong, seen.pending, seen.version) == (None, 0, seen.newest_version)
    assert (seen.sessions, seen.marks, seen.size_bytes) == (1, 2, path.stat().st_size)
    assert [(session.name, session.created_at) for session in seen.open_sessions] == [('"Any%"', BEGAN)]
    assert everything(path.parent) == before
    path.chmod(0o400)
    assert (await inspect(saved)).marks == 2
    with pytest.raises(NotFound):
        await inspect(path.with_name("none.db"))
    assert names(path.parent) == ["backups", "moments.db"]


async def test_inspecting_while_moments_runs_sees_the_newest(path: Path, saved: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        await Stream(store).fill(300)
        seen = await inspect(path)
        assert (seen.wrong, seen.marks) == (None, 302)
        assert seen.size_bytes > path.stat().st_size
        await Stream(store).mark("zoe", 90)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: overwrite(path, 0, b"\xa5" * 100), "not a database"),
        (lambda path: overwrite(path, 4 * 4096, b"\xa5" * 8192), "is damaged"),
        (lambda path: change(path, "PRAGMA user_version = 99"), "newer Moments"),
        (lambda path: change(path, "PRAGMA application_id = 99"), "another program"),
    ],
)
async def test_inspecting_says_what_is_wrong(
    path: Path, saved: Path, spoil: Callable[[Path], object], words: str
) -> None:
    spoil(path)
    before = path.read_bytes()
    assert words in ((await inspect(path)).wrong or "")
    assert path.read_bytes() == before


async def test_inspecting_an_empty_file_says_that_it_has_to_be_migrated(path: Path) -> None:
    path.touch()
    assert ((await inspect(path)).pending, (await inspect(path)).wrong) == (len(migrations.MIGRATIONS), None)
