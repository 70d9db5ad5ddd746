"""The process: it takes chat, serves pages, and stops as it should, whatever the machine does to it."""

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.process import at_a_terminal, free_port, moments, page, running


def test_a_line_typed_is_a_mark_on_the_page(tmp_path: Path) -> None:
    with running(tmp_path) as it:
        started = it.says("!start Any% | Hollow Deep")
        page = re.search(r"/s/\w+", started)
        assert page
        assert it.says("<rook> !clip what a dodge").startswith("<moments> Marked #1 at 00:00:0")
        it.types("<rook> no command")
        assert it.says("<rook> !pause") == "<moments> Only moderators can use pause."
        assert it.says("<@sable> !pause").startswith("<moments> Paused at 00:00:0")
        assert it.says("<mika> !clip").startswith("<moments> Paused at")
        assert "what a dodge" in it.page(page[0])
        assert re.fullmatch(r"Segment 1 00:00:0\d – what a dodge\n", it.page(f"{page[0]}/export.txt"))
        assert '"state":"ready"' in it.page("/readyz")
        assert it.stop()[0] == 0


def test_a_console_line_may_carry_an_instant_or_the_time_since_the_console_opened(tmp_path: Path) -> None:
    with running(tmp_path) as it:
        it.says("!start")
        leave_it_out = "Leave it out, and it is now."
        past, future = "[2020-01-01T00:00:00Z] <rook> !clip", "[2120-01-01T00:00:00Z] <rook> !clip"
        assert it.says(past) == f"<moments> That time is before the last one. {leave_it_out}"
        assert it.says(future) == f"<moments> That time is still to come. {leave_it_out}"
        assert it.says("[99:00:00] <rook> !clip later").startswith("<moments> Marked #1 at 98:59:5")
        assert it.says("<mika> !clip at the last time told").startswith("<moments> Marked #2 at 98:59:5")


def test_a_log_piped_into_the_console_is_answered_as_its_replay(tmp_path: Path) -> None:
    example = Path(__file__).parents[2] / "examples" / "stream.chat"
    answers = moments(tmp_path, "replay", str(example)).stdout.splitlines()[:-1]
    (tmp_path / "piped").mkdir()
    with running(tmp_path / "piped") as it:
        for line in example.read_text("utf-8").splitlines():
            it.types(line)
        piped = [it.reply() for _ in answers]
    without_links = [re.sub(r"http://\S+", "LINK", line) for line in answers]
    assert [re.sub(r"http://\S+", "LINK", line) for line in piped] == without_links


def test_AZ_7_the_end_of_an_overlong_line_is_not_a_line_of_the_broadcasters(tmp_path: Path) -> None:
    with running(tmp_path) as it:
        it.says("!start")
        it.types("<rook> hello " + "a" * (8192 - 13) + "!end")
        it.types("<rook> " + "b" * 20_000 + " !end")
        assert it.says("<rook> !session").startswith("<moments> Running: ")


def test_the_end_of_input_does_not_stop_it(tmp_path: Path) -> None:
    with running(tmp_path) as it:
        it.says("!start")
        assert it.process.stdin
        it.process.stdin.close()
        assert it.page("/healthz").strip() == "ok"
        assert it.process.poll() is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_signal_finishes_what_waits_and_exits_0(tmp_path: Path, number: signal.Signals) -> None:
    with running(tmp_path) as it:
        it.says("!start")
        with socket.create_connection(("127.0.0.1", it.port)) as idle:
            idle.send(b"GET /s/")  # half a request must not keep it from stopping
            for at in range(200):
                it.types(f"<viewer{at}> !clip {at}")
            answered = [it.reply() for _ in range(50)]
            code, seconds = it.stop(number)
    assert code == 0
    assert seconds < 5
    kept = _count(tmp_path / "moments.db")
    assert kept >= len(answered)
    assert not list(tmp_path.glob("*-wal"))


def test_a_stop_signal_in_the_middle_of_a_long_input_is_no_error(tmp_path: Path) -> None:
    with running(tmp_path) as it:
        it.types("\n".join(["!start", *(f"<viewer{at}> !clip" for at in range(2_000))]))
        for _ in range(100):
            it.reply()
        assert it.stop()[0] == 0
    assert _count(tmp_path / "moments.db") < 2_000
    assert "Traceback" not in "".join(it.log)
    assert "Warning" not in "".join(it.log)


def test_ctrl_c_while_the_console_waits_for_a_key_exits_0(tmp_path: Path) -> None:
    with at_a_terminal(tmp_path) as it:
        it.shows("\r\n> ")
        it.types("\x03")
        assert it.ends() == 0
    assert it.screen.split("^C")[1].count("\n") == 1, "more than that it has stopped"
    assert "Traceback" not in it.screen


def test_page_views_are_logged_but_not_where_somebody_types(tmp_path: Path) -> None:
    with at_a_terminal(tmp_path) as it:
        it.shows("\r\n> ")
        page(it.port, "/")
        it.types("\x03")
        assert it.ends() == 0
    assert "[web_export.access]" not in it.screen
    with running(tmp_path) as served:
        served.page("/")
        assert served.stop()[0] == 0
    assert "[web_export.access]" in "".join(served.log)


BROKEN = """
import sys
from bot.cli import main
from moments.live import MarkRequest
from storage.writer import Writer
whole = Writer._write
async def broken(writer, batch):
    if any(isinstance(asked, MarkRequest) for asked, _ in batch):
        raise ArithmeticError("a bug of ours")
    await whole(writer, batch)
Writer._write = broken
sys.exit(main(["run", "--console"]))
"""


def test_a_writer_that_breaks_ends_the_process_instead_of_leaving_half_of_it(tmp_path: Path) -> None:
    with running(tmp_path, [sys.executable, "-c", BROKEN]) as it:
        assert it.page("/healthz").strip() == "ok"
        it.types("!start")
        it.types("!clip")
        assert it.ends() == 1
    assert "a bug of ours" in "".join(it.log)
    assert it.log[-1] == "moments: Something broke on our side (ArithmeticError); the log says where.\n"


def test_what_was_open_is_open_after_a_restart(tmp_path: Path) -> None:
    with running(tmp_path) as it:
        it.says("!start Marathon")
        it.says("<rook> !clip one")
        it.stop()
    with running(tmp_path) as it:
        assert it.says("<mika> !clip two").startswith("<moments> Marked #2")
        assert '"Marathon"' in it.says("!session")


def test_a_busy_port_is_one_sentence(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = str(taken.getsockname()[1])
        done = moments(tmp_path, "run", MOMENTS_WEB_PORT=port)
    assert (done.returncode, done.stdout) == (1, "")
    assert _last(done) == f"moments: Port {port} is in use. Stop the other program or set MOMENTS_WEB_PORT."


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path]:
    """A small file system of its own; needs root, and says so."""
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting a tmpfs needs root: run the tests as root, in a container say")
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip(f"this machine lets nobody mount a tmpfs: {done.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_read_only_folder_is_one_sentence(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=1m,ro") as folder:
        done = moments(folder, "run", MOMENTS_WEB_PORT=str(free_port()))
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "Check its folder, or set MOMENTS_DATABASE_URL." in done.stderr


def test_a_disk_that_fills_up_refuses_marks_and_takes_them_again_when_there_is_space(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=2m") as folder, running(folder) as it:
        it.says("!start")
        answered = [it.says(f"<viewer{at}> !clip before {at}") for at in range(20)]
        ballast = folder / "ballast"
        _fill(ballast)
        at, reply = 0, ""
        while "Marked" in (reply := it.says(f"<late{at}> !clip {'x' * 100}")):
            answered.append(reply)
            at += 1
        assert reply in (
            "<moments> The disk is full. Nothing was saved; free some space and try again.",
            "<moments> The disk did not take it: it may be full or failing. Nothing was saved; try again.",
        )
        ballast.unlink()
        answered.append(it.says("<rook> !clip after"))
        assert "Marked" in answered[-1]
        assert it.stop()[0] == 0
        with closing(sqlite3.connect(folder / "moments.db")) as database:
            numbers = {number for (number,) in database.execute("SELECT number FROM mark")}
    assert numbers == {int(re.findall(r"#(\d+)", reply)[0]) for reply in answered}


def test_a_database_locked_by_another_refuses_marks_and_takes_them_again(tmp_path: Path) -> None:
    with running(tmp_path) as it:
        it.says("!start")
        with closing(sqlite3.connect(tmp_path / "moments.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            refusal = it.says("<rook> !clip while locked")
            assert refusal.startswith("<moments> Another program is writing to the database.")
            assert it.page("/healthz").strip() == "ok"
            other.execute("ROLLBACK")
        assert it.says("<rook> !clip afterwards").startswith("<moments> Marked #1")


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        ("garbage", "is damaged or not a database. Restore a backup: moments restore FILE."),
        ("hole", "is damaged"),
        ("newer", "was written by a newer Moments (version 999). Update Moments, then start again."),
        ("foreign", "is another program's database. Set MOMENTS_DATABASE_URL to a file of its own."),
    ],
)
def test_a_database_that_cannot_be_used_is_one_sentence(tmp_path: Path, harm: str, sentence: str) -> None:
    path = tmp_path / "moments.db"
    moments(tmp_path, "migrate")
    if harm == "garbage":
        path.write_bytes(b"not a database at all " * 400)
    elif harm == "hole":
        content = bytearray(path.read_bytes())
        content[4096:12288] = os.urandom(8192)
        path.write_bytes(content)
    else:
        pragma = {"newer": "PRAGMA user_version = 999", "foreign": "PRAGMA application_id = 7"}[harm]
        with closing(sqlite3.connect(path)) as database:
            database.execute(pragma)
    before = path.read_bytes()
    done = moments(tmp_path, "run", MOMENTS_WEB_PORT=str(free_port()))
    assert done.returncode == 1
    assert sentence in _last(done)
    assert len(done.stderr.splitlines()) == 1
    assert path.read_bytes() == before


def test_a_log_replayed_beside_a_running_site_is_on_its_pages(tmp_path: Path) -> None:
    (tmp_path / "last-night.chat").write_text("[0:00:00] <~owl> !start Last night\n[0:00:30] <rook> !clip hello\n")
    with running(tmp_path) as it:
        it.says("!start Tonight")
        done = moments(tmp_path, "replay", "last-night.chat", MOMENTS_WEB_PORT=str(it.port))
        assert done.returncode == 0, done.stderr
        assert "hello" in it.page(done.stdout.splitlines()[-1].removeprefix(f"http://localhost:{it.port}"))
        assert it.says("<rook> !clip still here").startswith("<moments> Marked #1")


def _last(done: subprocess.CompletedProcess[str]) -> str:
    return done.stderr.splitlines()[-1]


def _count(database: Path) -> int:
    with closing(sqlite3.connect(database)) as connection:
        return int(connection.execute("SELECT count(*) FROM mark").fetchone()[0])


def _fill(path: Path) -> None:
    """Take what space is left, to the last page."""
    with path.open("wb", buffering=0) as file:
        for size in (65536, 4096, 512, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue
