"""How long a start takes: from exec of `moments run` to the first 200 on `/`, the database made and migrated.

The yardstick is a fresh interpreter that imports the same modules and does nothing else.
"""

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from statistics import median
from typing import NamedTuple

from bench.report import Row, show
from storage.migrations import MIGRATIONS

RUNS = 9
PATIENCE_SECONDS = 30
ROOT = Path(__file__).parents[1]
MOMENTS = Path(sys.executable).with_name("moments")

_IMPORTED = re.compile(r"^import time:\s+\d+ \|\s+\d+ \|\s+([\w.]+)$", re.MULTILINE)
_IMPORT_ALL = """
import sys, importlib
for name in sys.stdin.read().split():
    try:
        importlib.import_module(name)
    except Exception:
        print(name)
"""
"""Reads module names and tells which cannot be imported by name (some exist only inside another's import)."""


class Started(NamedTuple):
    """A Moments that answers: how long that took, and where to find its log."""

    seconds: float
    log: Path


def main() -> int:
    """Print the table; 0 when the target is met."""
    modules = modules_of_a_start()
    run_import(modules)  # once for the caches, like the start that told the modules
    starts, imports = [], []
    for _ in range(RUNS):
        with started() as start:
            starts.append(start.seconds)
        imports.append(run_import(modules))
    against = f"import of {len(modules)} modules"
    milliseconds = [("median", median(starts), median(imports)), ("best", min(starts), min(imports))]
    rows = [
        Row(f"start, {which} of {RUNS}", 1000 * start, "ms", 1000 * base, at_most=2, against=against)
        for which, start, base in milliseconds
    ]
    return 0 if show("From exec to the first 200 on /", rows) else 1


@contextmanager
def started(**environment: str) -> Iterator[Started]:
    """A fresh `moments run` on an empty folder and a free port, stopped by SIGTERM afterwards.

    The figure is refused (AssertionError) unless this very process served it and its database is migrated.
    """
    with tempfile.TemporaryDirectory(prefix="moments-bench-") as name:
        folder, port = Path(name), free_port()
        log = folder / "log"
        settings = clean_environment() | {
            "MOMENTS_DATABASE_URL": f"sqlite:///{folder / 'moments.db'}",
            "MOMENTS_WEB_HOST": "127.0.0.1",
            "MOMENTS_WEB_PORT": str(port),
        }
        with log.open("wb") as output:
            begun = time.perf_counter()
            child = subprocess.Popen(
                [MOMENTS, "run"],
                cwd=folder,
                env=settings | environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        try:
            answered = first_answer(child, port, log)
            check(child, folder / "moments.db")
            yield Started(answered - begun, log)
            child.send_signal(signal.SIGTERM)
            assert child.wait(timeout=10) == 0, log.read_text()
        finally:
            child.kill()
            child.wait()


def first_answer(child: subprocess.Popen[bytes], port: int, log: Path) -> float:
    """When `/` first answered 200, by time.perf_counter."""
    request = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode()
    given_up = time.perf_counter() + PATIENCE_SECONDS
    while time.perf_counter() < given_up:
        assert child.poll() is None, log.read_text()
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS) as connection:
                connection.sendall(request)
                status = connection.recv(12)
        except ConnectionRefusedError:
            time.sleep(0.002)  # asking without a pause would take the start's own second core
            continue
        assert status == b"HTTP/1.1 200", f"/ answered {status!r}\n{log.read_text()}"
        return time.perf_counter()
    raise AssertionError(f"No answer after {PATIENCE_SECONDS} s\n{log.read_text()}")


def check(child: subprocess.Popen[bytes], database: Path) -> None:
    """The answer was this child's own: it lives, it holds the database open, and the database is migrated."""
    assert child.poll() is None
    assert database.resolve() in open_files(child.pid), "another process answered"
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)


def open_files(process: int) -> set[Path]:
    """What a process of ours holds open."""
    files = set()
    for descriptor in Path(f"/proc/{process}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since it was listed
            files.add(descriptor.readlink())
    return files


def modules_of_a_start() -> list[str]:
    """Every module a start has imported by its first answer, in order, as the interpreter itself tells."""
    with started(PYTHONPROFILEIMPORTTIME="1") as start:
        told = _IMPORTED.findall(start.log.read_text())
    names = [name for name in dict.fromkeys(told) if name != "__main__"]
    assert {"bot.__main__", "web_export", "storage", "aiohttp"} <= set(names)
    child = subprocess.run(
        [sys.executable, "-c", _IMPORT_ALL], input=" ".join(names), capture_output=True, text=True, check=True,
        cwd=ROOT, env=clean_environment(),
    )  # fmt: skip
    return [name for name in names if name not in child.stdout.split()]


def run_import(modules: list[str]) -> float:
    """Seconds from exec until a fresh interpreter has imported these; its tear-down is not counted."""
    program = "".join(f"import {name}\n" for name in modules) + "import os\nos.write(1, b'!')\nos._exit(0)"
    begun = time.perf_counter()
    child = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, env=clean_environment(), stdout=subprocess.PIPE)
    assert child.stdout is not None
    with child, child.stdout:
        told = os.read(child.stdout.fileno(), 1)
        taken = time.perf_counter() - begun
    assert told == b"!", "an import failed"
    return taken


def clean_environment() -> dict[str, str]:
    """Ours without any of our settings, and with Python's caches as everybody has them."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("MOMENTS_") and name != "PYTHONDONTWRITEBYTECODE"
    }


def free_port() -> int:
    """A port on loopback that nobody listens on; a server left over from another run can never answer for ours."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
