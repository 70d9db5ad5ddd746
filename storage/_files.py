"""Files that must survive a crash, and what the system says about them as sentences. No SQL."""

import errno
import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from moments.errors import NotFound, StoreBusy, StoreFull, StoreReadOnly

COMPANIONS = ("-wal", "-shm", "-journal")
"""What SQLite may keep beside a database, by the end of its name."""

# https://www.sqlite.org/fileformat2.html#the_lock_byte_page: every connection in WAL mode holds a shared lock here.
_SHARED_BYTES, _SHARED_LENGTH = 0x40000000 + 2, 510


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


def refuse_in_use(database: Path) -> None:
    """Raise StoreBusy when another process has the database open, damaged or not.

    Not to be called while this process has it open: closing a file gives up the locks of the whole process.
    """
    if not database.exists():
        return
    with sentences(database.parent), database.open("r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, _SHARED_LENGTH, _SHARED_BYTES)
        except OSError as error:
            if error.errno not in {errno.EACCES, errno.EAGAIN}:
                raise
            raise StoreBusy(IN_USE.format(database)) from error


IN_USE = "{} is in use. Stop Moments first, then restore."
