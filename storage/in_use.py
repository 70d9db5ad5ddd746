"""Whether another process has a database open, asked of the file's locks: damaged files have an answer too."""

import errno
import fcntl
from pathlib import Path

from moments.errors import StoreBusy
from storage import _files

IN_USE = "{} is in use. Stop Moments first, then restore."

# https://www.sqlite.org/fileformat2.html#the_lock_byte_page: every connection in WAL mode holds a shared lock here.
_SHARED_BYTES, _SHARED_LENGTH = 0x40000000 + 2, 510


def refuse_in_use(database: Path) -> None:
    """Raise StoreBusy when another process has the database open."""
    if in_use(database):
        raise StoreBusy(IN_USE.format(database))


def in_use(database: Path) -> bool:
    """Whether another process has the database open.

    Not to be called while this process has it open: closing a file gives up the locks of the whole process.
    """
    if not database.is_file():
        return False
    with _files.sentences(database.parent), database.open("r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, _SHARED_LENGTH, _SHARED_BYTES)
        except OSError as error:
            if error.errno not in {errno.EACCES, errno.EAGAIN}:
                raise
            return True
    return False
