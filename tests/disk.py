"""A file system of a few megabytes, to be filled up and locked: permissions alone do not bind root."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SIZE = "16m"
NOT_TESTED = "full and read-only disks are NOT tested in this run"


class SmallDisk:
    """Mounted at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ballast = path / "ballast"

    def fill(self, *, leave: int = 0) -> None:
        """Use up all but so many bytes."""
        status = os.statvfs(self.path)
        with self._ballast.open("wb") as file:
            file.write(b"\0" * (status.f_bavail * status.f_frsize - leave))

    def free(self) -> None:
        """Give the space back."""
        self._ballast.unlink()

    def make_read_only(self) -> None:
        """Nothing can be written from now on."""
        subprocess.run(["mount", "-o", "remount,ro", self.path], check=True)


@contextmanager
def small_disk(folder: Path) -> Iterator[SmallDisk]:
    """Mount one at this folder; where that is not allowed, the test is skipped, loudly."""
    if os.geteuid() != 0:
        pytest.skip(f"only root can mount a small disk: {NOT_TESTED}")
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "moments-test", str(folder)]
    made = subprocess.run(mount, capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"no mounting here ({made.stderr.strip()}): {NOT_TESTED}")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
