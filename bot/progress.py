"""How far long work is, on a terminal; silent when standard error is something else."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bot.logs import plain

_REDRAWN_AFTER_SECONDS = 0.2


@contextmanager
def progress(doing: str) -> Iterator[Callable[[str], None]]:
    """A line that shows what is being done and how far it is, wiped when it is over: `show("12.3 MB")`."""
    drawn = 0.0

    def show(how_far: str) -> None:
        nonlocal drawn
        if sys.stderr.isatty() and time.monotonic() - drawn > _REDRAWN_AFTER_SECONDS:
            drawn = time.monotonic()
            sys.stderr.write(f"\r\x1b[K{plain(doing)}: {how_far}")
            sys.stderr.flush()

    try:
        yield show
    finally:
        if drawn:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
