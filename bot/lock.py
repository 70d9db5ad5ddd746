"""Only one process runs a platform for a database: two would take each other's events away, or answer each twice."""

import asyncio
import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import structlog

ELSEWHERE = "another process runs {}"
NO_LOCK = "down: the lock file beside the database cannot be used"

_log = structlog.get_logger("bot")


class PlatformLock:
    """A lock on a file beside the database; the system gives it up when the process ends, however it ends."""

    def __init__(self, database: Path, platform: str) -> None:
        self._platform = platform
        self.path = database.with_name(f".{database.name}.{platform}-lock")
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

    async def wait(self, say: Callable[[str], None], pause: float) -> None:
        """Return once it is ours, looked at every `pause` seconds; `say` is told meanwhile why it is not."""
        told = False
        while True:
            try:
                if self.take():
                    return
                say(ELSEWHERE.format(self._platform.title()))
            except OSError as error:
                if not told:
                    _log.warning(
                        f"the lock file of {self._platform.title()} cannot be used; trying again", error=str(error)
                    )
                told = True
                say(NO_LOCK)
            await asyncio.sleep(pause)

    def release(self) -> None:
        """Give it up; the file stays, since whoever waits may have it open already."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
