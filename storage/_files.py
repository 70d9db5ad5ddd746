"""Files that must survive a crash, and what the system says about them as sentences. No SQL."""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from moments.errors import NotFound, StoreFull, StoreReadOnly

COMPANIONS = ("-wal", "-shm", "-journal")
"""What SQLite may keep beside a database, by the end of its name."""


@contextmanager
def sentences(folder: Path) -> Iterator[None]:
    """Turn what the system says about writing into this folder into one of our sentences."""
    try:
        yield
    except OSError as error:
        match error.errno:
            case errno.ENOENT | errno.ENOTDIR:
                raise NotFound(f"There is no folder {folder}. Make it, or name another.") from error
            case errno.ENOSPC | errno.EDQUOT | errno.EFBIG:
                raise StoreFull(f"The disk of {folder} is full. Free some space and try again.") from error
            case errno.EROFS | errno.EACCES | errno.EPERM:
                raise StoreReadOnly(
                    f"{folder} cannot be written ({error.strerror}). Check who owns it, or name another folder."
                ) from error
        raise


def make_temporary(beside: Path) -> Path:
    """A new, empty file in the same folder that only its owner can read."""
    with sentences(beside.parent):
        descriptor, name = tempfile.mkstemp(prefix=f".{beside.name}.", suffix=".part", dir=beside.parent)
        os.close(descriptor)
    return Path(name)


def remove(database: Path) -> None:
    """Remove a database file and everything beside it that belongs to it; nothing there is fine too."""
    for path in (database, *companions(database)):
        path.unlink(missing_ok=True)


def companions(database: Path) -> list[Path]:
    """The files SQLite may keep beside a database, there or not."""
    return [database.with_name(database.name + end) for end in COMPANIONS]


def sync(path: Path) -> None:
    """Return once a file's bytes, or a folder's names, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
