"""LOG-1: secrets are filled with canaries, the real process is driven, and no canary may come out anywhere."""

import http.client
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.keys import key_file, secret_keys
from tests.process import moments, running

CANARY = "canary-77aa"
SECRETS = {"MOMENTS_SECRET_KEY": f"{CANARY}-" * 4, "MOMENTS_METRICS_TOKEN": f"{CANARY}-" * 3}


RUN = (sys.executable, "-m", "bot", "run")


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
    with running(tmp_path, RUN, MOMENTS_LOG_FORMAT=log_format, MOMENTS_LOG_LEVEL="debug", **SECRETS) as it:
        pages = list(answers(it.port))
        assert it.stop()[0] == 0
    assert any("Moments is running" in line for line in it.log)
    assert CANARY not in "".join(pages + it.log + it.printed)


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_LOG_1_what_a_stranger_asks_with_is_not_logged(tmp_path: Path, log_format: str) -> None:
    with running(tmp_path, RUN, MOMENTS_LOG_FORMAT=log_format, MOMENTS_LOG_LEVEL="debug") as it:
        for request in (
            f"GET /s/x?token={CANARY} HTTP/1.1\r\nHost: localhost\r\nCookie: a={CANARY}\r\nConnection: close\r\n\r\n",
            f"GET /?{CANARY} NONSENSE\r\n{CANARY}\r\n\r\n",
        ):
            with socket.create_connection(("127.0.0.1", it.port), timeout=10) as client:
                client.sendall(request.encode())
                while client.recv(4096):
                    pass
        assert it.stop()[0] == 0
    assert CANARY not in "".join(it.log + it.printed)


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
    done = moments(tmp_path, *verb, **(SECRETS | wrong))
    assert done.returncode in {1, 2}
    assert CANARY not in done.stdout + done.stderr


def test_KEY_4_the_start_refuses_a_key_others_can_read(tmp_path: Path) -> None:
    secret_keys((), tmp_path / "moments.db")
    key_file(tmp_path / "moments.db").chmod(0o644)
    done = moments(tmp_path)
    assert done.returncode == 2
    assert (
        done.stderr == "moments: moments.key can be read by other users of this machine. Type: chmod 600 moments.key\n"
    )


def test_KEY_4_everything_a_start_makes_is_its_owners_alone(tmp_path: Path) -> None:
    with running(tmp_path, RUN):
        modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    assert set(modes) >= {"moments.db", "moments.key", "moments.db-wal"}
    assert set(modes.values()) == {0o600}
