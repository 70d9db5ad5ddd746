"""`moments` as people start it: a process of its own, with real pipes, real signals and a real port."""

import os
import queue
import secrets
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.request import urlopen

import pytest

from bot.settings import PROVIDERS

PATIENCE = 20.0
"""Seconds after which a line that was promised counts as missing."""


def environment(**settings: str) -> dict[str, str]:
    """Ours, without any MOMENTS_ setting of the machine's; no test asks a real service anything."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MOMENTS_")}
    nowhere = {f"MOMENTS_{provider.upper()}_API_URL": "http://127.0.0.1:9" for provider in (*PROVIDERS, "discord")}
    nowhere["MOMENTS_DISCORD_GATEWAY_URL"] = "ws://127.0.0.1:9"
    return inherited | nowhere | settings


def moments(folder: Path, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "bot", *words],
        cwd=folder,
        env=environment(**settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def free_port() -> int:
    """A port nobody listens on; below those the system gives to whoever connects, so that nobody takes it meanwhile."""
    while True:
        port = secrets.choice(range(20_000, 32_000))
        with socket.socket() as free, suppress(OSError):
            free.bind(("127.0.0.1", port))
            return port


def page(port: int, path: str) -> str:
    """What the site at this port answers."""
    with urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE) as answer:
        return str(answer.read().decode())


class Running:
    """A started `moments run --console`: type lines, read replies, ask for pages, stop it."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process, self.port = process, port
        self.log: list[str] = []
        self.printed: list[str] = []
        self._replies: queue.Queue[str] = queue.Queue()
        self._started = threading.Event()
        self._readers = [threading.Thread(target=read, daemon=True) for read in (self._read_replies, self._read_log)]
        for reader in self._readers:
            reader.start()

    def types(self, line: str) -> None:
        """Type one line."""
        assert self.process.stdin
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def says(self, line: str) -> str:
        """Type one line and wait for its reply."""
        self.types(line)
        return self.reply()

    def reply(self) -> str:
        """The next reply."""
        return self._replies.get(timeout=PATIENCE)

    def page(self, path: str) -> str:
        """What the site answers."""
        return page(self.port, path)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """Ask it to stop: its exit code and the seconds it took."""
        asked = time.monotonic()
        self.process.send_signal(number)
        return self.ends(), time.monotonic() - asked

    def ends(self) -> int:
        """Wait for its end, and for all it had to say: its exit code."""
        code = self.process.wait(timeout=PATIENCE)
        for reader in self._readers:
            reader.join(PATIENCE)
        return code

    def wait_until_started(self) -> None:
        """Return once it says that it runs; fails with its log when it does not."""
        if not self._started.wait(PATIENCE) or self.process.poll() is not None:
            raise AssertionError("".join(self.log) or "it said nothing")

    def _read_replies(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.printed.append(line)
            self._replies.put(line.rstrip("\n"))

    def _read_log(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            self.log.append(line)
            if "Moments is running" in line:
                self._started.set()
        self._started.set()


MOMENTS = (sys.executable, "-m", "bot", "run", "--console")


@contextmanager
def running(folder: Path, command: Sequence[str] = MOMENTS, **settings: str) -> Iterator[Running]:
    """A process in `folder` that has started; it is killed at the end if it still runs."""
    port = free_port()
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment(MOMENTS_WEB_PORT=str(port), **settings),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        started = Running(process, port)
        try:
            started.wait_until_started()
            yield started
        finally:
            process.kill()


class Terminal:
    """A started `moments run` at a terminal of its own, where Ctrl-C is a key."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, keys: int) -> None:
        self.process, self.port, self.screen = process, port, ""
        self._keys = keys

    def types(self, keys: str) -> None:
        """Press keys."""
        os.write(self._keys, keys.encode())

    def shows(self, text: str) -> None:
        """Wait until the screen ends with this."""
        while not self.screen.endswith(text):
            assert self._read(), self.screen

    def ends(self) -> int:
        """Wait for its end: its exit code."""
        while self._read():
            pass
        return self.process.wait(timeout=PATIENCE)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._keys], [], [], PATIENCE)
        assert ready, f"it says no more than {self.screen!r}"
        try:
            some = os.read(self._keys, 4096)
        except OSError:  # Linux's word for: nobody is at the other end any more
            some = b""
        self.screen += some.decode()
        return bool(some)


AT_A_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "bot", "run"])
"""


@contextmanager
def at_a_terminal(folder: Path) -> Iterator[Terminal]:
    """`moments run` as somebody types it; killed at the end if it still runs."""
    pty = pytest.importorskip("pty", reason="no pseudo-terminals here: Ctrl-C at a console is NOT tested in this run")
    port = free_port()
    keys, line = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", AT_A_TERMINAL],
        cwd=folder,
        env=environment(MOMENTS_WEB_PORT=str(port), NO_COLOR="1"),
        stdin=line,
        stdout=line,
        stderr=line,
        start_new_session=True,
    ) as process:
        os.close(line)
        try:
            yield Terminal(process, port, keys)
        finally:
            process.kill()
            os.close(keys)
