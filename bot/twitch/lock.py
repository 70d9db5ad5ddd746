"""Only one process runs Twitch for a database: a second one on the same conduit would take all its events away."""

import fcntl
import os
from pathlib import Path


class TwitchLock:
    """A lock on a file beside the database; the system gives it up when the process ends, however it ends."""

    def __init__(self, database: Path) -> None:
        self.path = database.with_name(f".{database.name}.twitch-lock")
        self._descriptor: int | None = None

    def take(self) -> bool:
        """Whether it is ours now; False while another process has it. OSError where no such file can be locked."""
        if self._descriptor is None:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                os.close(descriptor)
                if isinstance(error, BlockingIOError):
                    return False
                raise
            self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Give it up; the file stays, since whoever waits may have it open already."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
