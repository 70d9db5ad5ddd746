"""LOG-1: secrets are filled with canaries, the real process is driven, and no canary may come out anywhere."""

import base64
import socket
import sys
from pathlib import Path

import pytest

from storage.keys import key_file, secret_keys
from tests.canaries import Canaries, answers, files, spoken, told
from tests.process import moments, running

RUN = (sys.executable, "-m", "bot", "run")
NOBODY_THERE = {
    "MOMENTS_TWITCH_CLIENT_ID": "client",
    "MOMENTS_TWITCH_BOT_ID": "1",
    "MOMENTS_TWITCH_API_URL": "http://127.0.0.1:9",
    "MOMENTS_TWITCH_AUTH_URL": "http://127.0.0.1:9",
    "MOMENTS_TWITCH_EVENTSUB_URL": "ws://127.0.0.1:9",
    "MOMENTS_SPOTIFY_CLIENT_ID": "client",
    "MOMENTS_DISCORD_APPLICATION_ID": "1",
}
"""A Twitch that is down."""


@pytest.fixture
def canaries() -> Canaries:
    return Canaries()


@pytest.fixture
def hidden(canaries: Canaries) -> dict[str, str]:
    """Settings with a canary in each secret one."""
    return canaries.settings()


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_LOG_1_a_running_site_shows_no_secret(
    tmp_path: Path, log_format: str, canaries: Canaries, hidden: dict[str, str]
) -> None:
    settings = hidden | NOBODY_THERE | {"MOMENTS_LOG_FORMAT": log_format, "MOMENTS_LOG_LEVEL": "debug"}
    with running(tmp_path, (*RUN, "--console"), **settings) as it:
        it.says("<~nightowl> !start Any%")
        it.says("<rook> !clip one")
        pages = answers(it.port) | answers(it.port, headers={"Authorization": "Bearer wrong"})
        scraped = answers(it.port, ["/metrics"], {"Authorization": f"Bearer {hidden['MOMENTS_METRICS_TOKEN']}"})
        assert it.stop()[0] == 0
    assert any("Moments is running" in line for line in it.log)
    assert "moments_" in scraped["GET /metrics"]
    commands = [("export", "latest", "--format", "json"), ("doctor", "--rotate"), ("backup", "saved.db")]
    others = told(tmp_path, *commands, **settings)
    canaries.assert_in_none_of(spoken(it), pages, scraped, others, files(tmp_path))


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_LOG_1_what_a_stranger_asks_with_is_not_logged(tmp_path: Path, log_format: str, canaries: Canaries) -> None:
    token = canaries.new("what a stranger sends")
    rest = f"HTTP/1.1\r\nHost: localhost\r\nCookie: a={token}\r\nConnection: close\r\n\r\n"
    with running(tmp_path, RUN, MOMENTS_LOG_FORMAT=log_format, MOMENTS_LOG_LEVEL="debug") as it:
        for request in (
            f"GET /s/x?token={token} {rest}",
            f"GET /login/twitch/callback?code={token}&state={token} {rest}",
            f"GET /?{token} NONSENSE\r\n{token}\r\n\r\n",
        ):
            with socket.create_connection(("127.0.0.1", it.port), timeout=10) as client:
                client.sendall(request.encode())
                while client.recv(4096):
                    pass
        assert it.stop()[0] == 0
    canaries.assert_in_none_of(spoken(it))


@pytest.mark.parametrize("verb", [["run"], ["migrate"], ["doctor"], ["export", "latest", "--format", "csv"]])
@pytest.mark.parametrize(
    "wrong",
    [
        {"MOMENTS_WEB_PORT": "{}"},
        {"MOMENTS_SECRET_KEY": "short-{}"},
        {"MOMENTS_DATABASE_URL": "postgresql://me:{}@db/moments"},
        {"MOMENTS_DATABASE_URL": "sqlite:////proc/moments.db"},
    ],
)
def test_LOG_1_a_start_that_fails_shows_no_secret(
    tmp_path: Path, verb: list[str], wrong: dict[str, str], canaries: Canaries, hidden: dict[str, str]
) -> None:
    canary = canaries.add("what was typed wrong", "canary-77aa")
    settings = hidden | NOBODY_THERE | {name: value.format(canary) for name, value in wrong.items()}
    done = moments(tmp_path, *verb, **settings)
    assert done.returncode in {1, 2}
    canaries.assert_in_none_of({"standard output": done.stdout, "standard error": done.stderr})


def test_LOG_1_the_search_finds_a_secret_in_every_dress(canaries: Canaries) -> None:
    value = canaries.add("the secret", "canary+/ 4711 of some length")
    quoted = value.replace("+", "%2B").replace("/", "%2F").replace(" ", "%20")
    dresses = [value, f"{value[:24]}...", quoted, value.encode().hex()]
    for before in ("", "a", "ab", "abc"):
        dresses += [base64.b64encode(f"{before}{value}:x".encode()).decode()]
        dresses += [base64.urlsafe_b64encode(f"{before}{value}".encode()).decode()]
    for dress in dresses:
        with pytest.raises(AssertionError, match=r"secrets came out: \{'a page': \['the secret'\]\}"):
            canaries.assert_in_none_of({"a page": f"<p>{dress}</p>", "another": "nothing"})
    canaries.assert_in_none_of({"a page": "canary"})


def test_LOG_1_a_search_for_nothing_proves_nothing(canaries: Canaries) -> None:
    with pytest.raises(AssertionError):
        canaries.assert_in_none_of({"a page": "anything"})


def test_LOG_1_every_secret_setting_is_filled(hidden: dict[str, str]) -> None:
    assert set(hidden) == {
        *("MOMENTS_DISCORD_TOKEN", "MOMENTS_DISCORD_CLIENT_SECRET"),
        *("MOMENTS_SECRET_KEY", "MOMENTS_METRICS_TOKEN", "MOMENTS_TWITCH_CLIENT_SECRET"),
        *("MOMENTS_YOUTUBE_API_KEY", "MOMENTS_SPOTIFY_CLIENT_SECRET"),
    }


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
