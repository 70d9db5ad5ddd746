"""The command line from outside: exit codes, one-line errors, and what each verb may touch."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import structlog

from bot import cli
from moments.errors import ChatLogError, NotFound, StoreBusy, TimecodeError
from storage.keys import SecretKeyError

CANARY = "canary-5d0e"
VERBS = ("run", "replay", "export", "migrate", "backup", "restore", "doctor")
Moments = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def moments(tmp_path: Path) -> Moments:
    """Runs the command line in an empty folder, with only the settings given."""

    def run(*words: str, **settings: str) -> subprocess.CompletedProcess[str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("MOMENTS_")}
        return subprocess.run(
            [sys.executable, "-m", "bot", *words],
            cwd=tmp_path,
            env=inherited | {f"MOMENTS_{name}": value for name, value in settings.items()},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def refused(done: subprocess.CompletedProcess[str], code: int) -> str:
    """The one line of a refusal, after checking that it is one."""
    assert done.returncode == code
    assert done.stdout == ""
    assert done.stderr.startswith("moments: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_help_names_every_verb_and_version_says_it(moments: Moments) -> None:
    done = moments("--help")
    assert done.returncode == 0
    assert all(verb in done.stdout for verb in VERBS)
    assert "--rotate" in moments("doctor", "--help").stdout
    assert moments("--version").stdout.startswith("moments 0.")


def test_help_answers_without_loading_the_application() -> None:
    script = (
        "import sys, bot.cli\ntry: bot.cli.main(['export', '--help'])\nfinally: print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert not {"aiohttp", "pydantic", "structlog", "sqlite3", "cryptography"} & set(done.stderr.split())


@pytest.mark.parametrize(
    "words",
    [
        ("dance",),
        ("--consol",),
        ("-x",),
        ("replay",),
        ("replay", "a.chat", "--mod", "ann"),
        ("export",),
        ("export", "latest"),
        ("backup", "a", "b"),
        ("doctor", "\x1b[2Jnow\nforged"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(moments: Moments, words: tuple[str, ...]) -> None:
    line = refused(moments(*words), 2)
    assert "--help" in line
    assert "\x1b" not in line


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://me:canary-5d0e@db/x"),
        ("WEB_PORT", "0"),
        ("PUBLIC_URL", "ftp://x"),
        ("SECRET_KEY", CANARY),
        ("LEAD_SECONDS", "-1"),
        ("LOG_LEVEL", "loud"),
        ("METRICS_TOKEN", CANARY),
    ],
)
def test_LOG_1_an_unusable_setting_is_one_line_and_exit_code_2(moments: Moments, name: str, value: str) -> None:
    line = refused(moments("doctor", **{name: value}), 2)
    assert f"MOMENTS_{name} must be" in line
    assert CANARY not in line


def test_several_unusable_settings_are_a_line_each(moments: Moments) -> None:
    done = moments("migrate", WEB_PORT="x", LOG_FORMAT="x")
    assert done.returncode == 2
    assert [line.split()[:2] for line in done.stderr.splitlines()] == [
        ["moments:", "MOMENTS_WEB_PORT"],
        ["moments:", "MOMENTS_LOG_FORMAT"],
    ]


@pytest.mark.parametrize(
    "words", [("export", "latest", "--format", "csv"), ("backup", "copy.db"), ("doctor", "--rotate")]
)
def test_what_needs_a_database_refuses_without_one_and_makes_nothing(
    moments: Moments, tmp_path: Path, words: tuple[str, ...]
) -> None:
    assert "There is no database at moments.db" in refused(moments(*words), 1)
    assert not list(tmp_path.iterdir())


def test_migrate_makes_a_database_that_only_its_owner_reads(moments: Moments, tmp_path: Path) -> None:
    done = moments("migrate", DATABASE_URL="sqlite:///mine.db")
    assert (done.returncode, done.stdout, done.stderr) == (0, "mine.db is up to date.\n", "")
    assert all(file.stat().st_mode & 0o077 == 0 for file in tmp_path.iterdir())


def test_a_backup_comes_back(moments: Moments, tmp_path: Path) -> None:
    moments("migrate")
    saved = moments("backup", "copy.db")
    assert saved.stdout == "Saved to copy.db. The secret key is not in it: keep moments.key in another safe place.\n"
    assert "exists already" in refused(moments("backup", "copy.db"), 2)
    assert moments("backup", "copy.db", "--force").returncode == 0
    (tmp_path / "moments.db").unlink()
    restored = moments("restore", "copy.db")
    assert (restored.returncode, restored.stdout) == (0, "Restored 0 sessions with 0 marks.\n")
    assert (tmp_path / "moments.db").stat().st_mode & 0o777 == 0o600


def test_what_is_no_backup_is_refused_and_the_database_stays(moments: Moments, tmp_path: Path) -> None:
    moments("migrate")
    before = (tmp_path / "moments.db").read_bytes()
    (tmp_path / "notes.txt").write_text("no database " * 1000)
    refused(moments("restore", "notes.txt"), 1)
    refused(moments("restore", "nowhere.db"), 1)
    assert (tmp_path / "moments.db").read_bytes() == before


def test_an_export_of_a_session_that_is_not_there_is_refused(moments: Moments, tmp_path: Path) -> None:
    moments("migrate")
    assert "There is no session" in refused(moments("export", "latest", "--format", "csv", "-o", "out.csv"), 1)
    assert {file.suffix for file in tmp_path.iterdir()} <= {".db", ".db-wal", ".db-shm"}


@pytest.mark.parametrize(
    "option", [("--format", "docx"), ("--format", "edl", "--fps", "31"), ("--format", "csv", "--shift", "x")]
)
def test_an_unknown_format_or_option_is_wrong_usage(moments: Moments, option: tuple[str, ...]) -> None:
    refused(moments("export", "latest", *option), 2)


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (StoreBusy("Busy."), 1, "moments: Busy.\n"),
        (NotFound("Nothing."), 1, "moments: Nothing.\n"),
        (ChatLogError("Line 3."), 1, "moments: Line 3.\n"),
        (TimecodeError("Say 1:00."), 2, "moments: Say 1:00.\n"),
        (SecretKeyError("chmod 600."), 2, "moments: chmod 600.\n"),
        (
            FileNotFoundError(2, "No such file or directory", "a.chat"),
            1,
            "moments: a.chat: No such file or directory.\n",
        ),
        (KeyboardInterrupt(), 1, "moments: Stopped before it was done.\n"),
    ],
)
def test_errors_have_their_exit_codes(
    capsys: pytest.CaptureFixture[str], error: BaseException, code: int, line: str
) -> None:
    assert cli.exit_code(failing_with(error)) == code
    assert capsys.readouterr().err == line


@pytest.mark.parametrize("error", [ZeroDivisionError("division"), OSError(5, "Input/output error")])
def test_the_unexpected_is_logged_whole_and_said_in_one_line(
    capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    with structlog.testing.capture_logs() as log:
        assert cli.exit_code(failing_with(error)) == 1
    assert (log[0]["event"], log[0]["exc_info"]) == ("unexpected", error)
    assert capsys.readouterr().err.startswith(f"moments: Something broke on our side ({type(error).__name__})")


def failing_with(error: BaseException) -> Callable[[], int]:
    def work() -> int:
        raise error

    return work
