"""`moments` as people start it: a process of its own, with real pipes, real signals and a real port."""

import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

PATIENCE = 20.0
"""Seconds after which a line that was promised counts as missing."""


def environment(**settings: str) -> dict[str, str]:
    """Ours, without any MOMENTS_ setting of the machine's."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MOMENTS_")}
    return inherited | settings


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
    """A port nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Running:
    """A started `moments run --console`: type lines, read replies, ask for pages, stop it."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process, self.port = process, port
        self.log: list[str] = []
        self._replies: queue.Queue[str] = queue.Queue()
        self._started = threading.Event()
        threading.Thread(target=self._read_replies, daemon=True).start()
        threading.Thread(target=self._read_log, daemon=True).start()

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
        with urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=PATIENCE) as answer:
            return str(answer.read().decode())

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """Ask it to stop: its exit code and the seconds it took."""
        asked = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(timeout=PATIENCE), time.monotonic() - asked

    def wait_until_started(self) -> None:
        """Return once it says that it runs; fails with its log when it does not."""
        if not self._started.wait(PATIENCE) or self.process.poll() is not None:
            raise AssertionError("".join(self.log) or "it said nothing")

    def _read_replies(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._replies.put(line.rstrip("\n"))

    def _read_log(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            self.log.append(line)
            if "Moments is running" in line:
                self._started.set()
        self._started.set()


@contextmanager
def running(folder: Path, *words: str, **settings: str) -> Iterator[Running]:
    """A process in `folder` that has started; it is killed at the end if it still runs."""
    port = free_port()
    command: Sequence[str] = [sys.executable, "-m", "bot", "run", "--console", *words]
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
