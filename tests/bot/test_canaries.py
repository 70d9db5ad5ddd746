"""LOG-1: secrets are filled with canaries, the real process is driven, and no canary may come out anywhere."""

import http.client
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from storage.keys import key_file, secret_keys

CANARY = "canary-77aa"
SECRETS = {"MOMENTS_SECRET_KEY": f"{CANARY}-" * 4, "MOMENTS_METRICS_TOKEN": f"{CANARY}-" * 3}


def environment(**settings: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MOMENTS_")}
    return inherited | settings


@contextmanager
def running(folder: Path, **settings: str) -> Iterator[tuple[int, list[str]]]:
    """`moments run` and its port; its output, both streams, is complete once it has been asked to stop."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    output: list[str] = []
    with subprocess.Popen(
        [sys.executable, "-m", "bot", "run"],
        cwd=folder,
        env=environment(MOMENTS_WEB_PORT=str(port), **settings),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout
        try:
            for line in process.stdout:
                output.append(line)
                if "Moments is running" in line:
                    break
            yield port, output
        finally:
            process.send_signal(signal.SIGTERM)
            output.extend(process.stdout)
    assert process.returncode == 0


def answers(port: int) -> Iterator[str]:
    for path, token in (("/", ""), ("/readyz", ""), ("/healthz", ""), ("/s/nothing", ""), ("/metrics", "wrong")):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        yield str(answer.getheaders()) + answer.read().decode()
        connection.close()


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_LOG_1_a_running_site_shows_no_secret(tmp_path: Path, log_format: str) -> None:
    with running(tmp_path, MOMENTS_LOG_FORMAT=log_format, MOMENTS_LOG_LEVEL="debug", **SECRETS) as (port, output):
        pages = list(answers(port))
    assert any("Moments is running" in line for line in output)
    assert CANARY not in "".join(pages + output)


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_LOG_1_what_a_stranger_asks_with_is_not_logged(tmp_path: Path, log_format: str) -> None:
    with running(tmp_path, MOMENTS_LOG_FORMAT=log_format, MOMENTS_LOG_LEVEL="debug") as (port, output):
        for request in (
            f"GET /s/x?token={CANARY} HTTP/1.1\r\nHost: localhost\r\nCookie: a={CANARY}\r\nConnection: close\r\n\r\n",
            f"GET /?{CANARY} NONSENSE\r\n{CANARY}\r\n\r\n",
        ):
            with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
                client.sendall(request.encode())
                while client.recv(4096):
                    pass
    assert CANARY not in "".join(output)


@pytest.mark.parametrize("verb", [["run"], ["migrate"], ["doctor"], ["export", "latest", "--format", "csv"]])
@pytest.mark.parametrize(
    "wrong",
    [
        {"MOMENTS_WEB_PORT": CANARY},
        {"MOMENTS_SECRET_KEY": CANARY},
        {"MOMENTS_DATABASE_URL": f"postgresql://me:{CANARY}@db/moments"},
        {"MOMENTS_DATABASE_URL": "sqlite:////proc/moments.db"},
    ],
)
def test_LOG_1_a_start_that_fails_shows_no_secret(tmp_path: Path, verb: list[str], wrong: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bot", *verb],
        cwd=tmp_path,
        env=environment(**(SECRETS | wrong)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode in {1, 2}
    assert CANARY not in done.stdout + done.stderr


def test_KEY_4_the_start_refuses_a_key_others_can_read(tmp_path: Path) -> None:
    secret_keys((), tmp_path / "moments.db")
    key_file(tmp_path / "moments.db").chmod(0o644)
    done = subprocess.run(
        [sys.executable, "-m", "bot"], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert (
        done.stderr == "moments: moments.key can be read by other users of this machine. Type: chmod 600 moments.key\n"
    )


def test_KEY_4_everything_a_start_makes_is_its_owners_alone(tmp_path: Path) -> None:
    with running(tmp_path):
        modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    assert set(modes) >= {"moments.db", "moments.key", "moments.db-wal"}
    assert set(modes.values()) == {0o600}
