"""Databases, disks and other processes, all of them real."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import disk
from tests.disk import SmallDisk


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database of this test will be."""
    return tmp_path / "moments.db"


LOCKER = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
for statement in sys.argv[2:]:
    database.execute(statement)
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def locked() -> Callable[..., object]:
    """Inside `with …(path, "BEGIN IMMEDIATE")`, another process has executed these statements and stays."""

    @contextmanager
    def lock(path: Path, *statements: str) -> Iterator[None]:
        arguments = [sys.executable, "-c", LOCKER, str(path), *statements]
        with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
            assert other.stdin is not None
            assert other.stdout is not None
            try:
                assert other.stdout.readline() == "locked\n"
                yield
            finally:
                other.stdin.close()

    return lock


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A real one; needs root."""
    with disk.small_disk(tmp_path / "disk") as small:
        yield small
