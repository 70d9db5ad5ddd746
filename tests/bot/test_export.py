"""`moments export`: whole files or none, to standard output too, and quiet about readers who leave."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bot.export import export
from bot.settings import Settings
from commands.dispatch import Dispatcher
from commands.feed import Feed
from commands.model import Heard, Platform
from commands.services import Services, utc_now
from moments.errors import MomentsError, NotFound, UsageError
from moments.live import Author, Place
from moments.people import Role
from moments.sessions import Defaults
from storage import open_store
from storage.keys import secret_keys

VIEWERS = 2000
"""Enough marks that their CSV is larger than any pipe's buffer."""


@pytest.fixture
async def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of an installation with one session of many marks."""
    monkeypatch.chdir(tmp_path)
    settings = Settings(database_url=f"sqlite:///{tmp_path}/moments.db")
    async with open_store(settings.database, defaults=Defaults()) as store:
        keys = secret_keys([], settings.database)
        chat = Dispatcher(Services(store, Feed(), utc_now, Defaults(), "http://localhost:8080", keys))
        await chat.hear(line("riverdeer", "!start Celeste", Role.BROADCASTER))
        marking = (
            line(f"viewer{number}", f"!clip {number} {'moment ' * 12}", Role.VIEWER) for number in range(VIEWERS)
        )
        await asyncio.gather(*map(chat.hear, marking))
    return settings


def line(name: str, text: str, role: Role) -> Heard:
    place, author = Place("console", "riverdeer", "riverdeer"), Author("console", name, name)
    return Heard(Platform("console"), place, author, role, text, utc_now())


async def test_a_file_holds_the_whole_download_and_has_the_users_own_mode(settings: Settings, tmp_path: Path) -> None:
    target = tmp_path / "night.csv"
    umask = os.umask(0o027)
    try:
        await export(settings, "latest", "csv", {}, target)
    finally:
        os.umask(umask)
    assert len(target.read_text().splitlines()) == VIEWERS + 1
    assert target.stat().st_mode & 0o777 == 0o640
    assert not list(tmp_path.glob("*.part"))


async def test_a_refused_export_leaves_the_older_file_alone(settings: Settings, tmp_path: Path) -> None:
    target = tmp_path / "night.edl"
    target.write_text("an older one")
    with pytest.raises(UsageError):
        await export(settings, "latest", "edl", {"part": "9999"}, target)
    assert target.read_text() == "an older one"
    assert not list(tmp_path.glob("*.part"))


async def test_a_link_is_followed_and_its_target_replaced(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "real.csv").touch()
    (tmp_path / "link.csv").symlink_to("real.csv")
    await export(settings, "riverdeer", "csv", {}, tmp_path / "link.csv")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").stat().st_size > 0


async def test_what_is_no_file_is_never_replaced(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a file"):
        await export(settings, "latest", "csv", {}, tmp_path)
    with pytest.raises(UsageError, match="is not a file"):
        await export(settings, "latest", "csv", {}, Path(os.devnull))


async def test_a_folder_that_is_not_there_is_said_with_the_name_that_was_typed(settings: Settings) -> None:
    with pytest.raises(MomentsError, match=r"^nowhere/night.csv cannot be written: No such file or directory.$"):
        await export(settings, "latest", "csv", {}, Path("nowhere/night.csv"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_is_one_line(settings: Settings, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "bot", "export", "latest", "--format", "csv"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(words, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "moments: Standard output cannot be written: No space left on device.\n"


async def test_an_unknown_session_makes_no_file(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        await export(settings, "nobody", "csv", {}, tmp_path / "night.csv")
    assert not (tmp_path / "night.csv").exists()


async def test_standard_output_gets_the_bytes_of_the_file(
    settings: Settings, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    await export(settings, "latest", "excel.csv", {"lead": "5"}, tmp_path / "night.csv")
    await export(settings, "latest", "excel.csv", {"lead": "5"})
    written = capsysbinary.readouterr()
    assert written.out == (tmp_path / "night.csv").read_bytes()
    assert written.err == b""


def test_a_reader_who_has_seen_enough_ends_it_quietly(settings: Settings, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "bot", "export", "latest", "--format", "csv"]
    with subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline().startswith(b"segment_index,")
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0
