"""The first platform: whoever sits at this terminal, or whatever is piped in, one chat line at a time."""

import asyncio
import concurrent.futures
import os
import sys
import threading
from contextlib import suppress
from datetime import datetime, timedelta
from typing import BinaryIO, TextIO

import structlog

from commands.dispatch import Dispatcher
from commands.model import Heard, Platform
from commands.services import Clock
from moments.chatlog import MAX_LINE_BYTES, ParsedLine, parse_line
from moments.live import Author, Place

CONSOLE = Platform("console", answers_unknown=True)
PLACE = Place("console", "console", "Console")
STREAMER = "streamer"
"""Who speaks when a line has no name: the broadcaster."""

_AHEAD = timedelta(seconds=30)
"""How far ahead of ours another clock may be."""

_log = structlog.get_logger("console")


class Console:
    """Reads chat lines until input ends and prints each reply as `<moments> …`, in order."""

    def __init__(self, dispatcher: Dispatcher, clock: Clock, source: BinaryIO, screen: TextIO) -> None:
        self._dispatcher = dispatcher
        self._clock = clock
        self._source = source
        self._screen = screen
        self._opened = clock()
        self._latest: datetime | None = None
        self._person = source.isatty() and screen.isatty()
        self._colour = self._person and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"

    async def run(self, site: str) -> None:
        """Answer every line; returns when input ends."""
        if self._person:
            self._say(_WELCOME.format(site=site))
        lines = _Lines(self._source)
        self._prompt()
        while (line := await lines.next()) is not None:
            await self._answer(line)
            self._prompt()
        _log.info("the console's input has ended; the site runs on until Ctrl-C")

    async def _answer(self, line: str) -> None:
        said = parse_line(line)
        if said is None:
            return
        instant = self._instant(said.time)
        if wrong := self._wrong_time(said.time, instant):
            self._say(f"{self._painted('<moments>')} {wrong} Leave it out, and it is now.")
            return
        self._latest = instant
        reply = await self._dispatcher.hear(self._heard(said, instant))
        if reply is not None:
            self._say(f"{self._painted('<moments>')} {reply.text}")
        elif self._person:
            self._say(self._painted("(only chat; commands begin with !, try !help)", dim=True))

    def _heard(self, said: ParsedLine, instant: datetime) -> Heard:
        name = said.name or STREAMER
        return Heard(CONSOLE, PLACE, author(name), said.role, said.text, instant, arrived=instant)

    def _instant(self, time: timedelta | datetime | None) -> datetime:
        """When a line was said, as in a log: by its own time, else now, but never before a time already told.

        An elapsed time counts from when the console opened.
        """
        if isinstance(time, timedelta):
            return self._opened + time
        return time or max(self._clock(), self._latest or self._opened)

    def _wrong_time(self, time: timedelta | datetime | None, instant: datetime) -> str | None:
        """What is wrong with a line's time, as it would be in a log: it goes back, or it is nobody's yet."""
        if time is not None and self._latest is not None and instant < self._latest:
            return "That time is before the last one."
        if isinstance(time, datetime) and time > self._clock() + _AHEAD:
            return "That time is still to come."
        return None

    def _prompt(self) -> None:
        if self._person:
            self._screen.write(self._painted("> ", dim=True))
            self._screen.flush()

    def _say(self, text: str) -> None:
        self._screen.write(f"{text}\n")
        self._screen.flush()

    def _painted(self, text: str, *, dim: bool = False) -> str:
        if not self._colour:
            return text
        return f"\x1b[{'2' if dim else '1;33'}m{text}\x1b[0m"


def author(name: str) -> Author:
    """Who a name in a log or at the console is: case aside, one name is one person."""
    return Author("console", name.casefold(), name)


class _Lines:
    """Lines of a blocking file, read by a thread of its own, since a terminal cannot be awaited everywhere.

    The thread is a daemon: one that waits for a key is no reason to stay alive.
    """

    def __init__(self, source: BinaryIO) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[str | None] = asyncio.Queue(maxsize=256)
        threading.Thread(target=self._read, args=(source,), name="console input", daemon=True).start()

    async def next(self) -> str | None:
        """The next line, or None at the end of input."""
        return await self._queue.get()

    def _read(self, source: BinaryIO) -> None:
        with suppress(_Stopping):
            for line in iter(lambda: source.readline(MAX_LINE_BYTES), b""):
                if len(line) == MAX_LINE_BYTES and not line.endswith(b"\n"):
                    # Its rest must not pass for a line of its own: without a name, that would be the broadcaster's.
                    while (rest := source.readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
                        pass
                    _log.warning("a line longer than 8 KiB was left out")
                else:
                    self._put(line.decode("utf-8", "replace"))
            self._put(None)

    def _put(self, line: str | None) -> None:
        """Hand a line to the loop once there is room for it."""
        putting = self._queue.put(line)
        try:
            asyncio.run_coroutine_threadsafe(putting, self._loop).result()
        except (RuntimeError, concurrent.futures.CancelledError) as error:
            putting.close()  # never begun when the loop was closed already
            raise _Stopping from error


class _Stopping(Exception):
    """The loop takes no more lines: Moments is stopping."""


def standard_console(dispatcher: Dispatcher, clock: Clock) -> Console:
    """The console on this process's own input and output."""
    # Not sys.stdin's own buffer: Python locks it on its way out, and aborts when a thread still waits in it for a key.
    source = open(sys.stdin.fileno(), "rb", closefd=False)  # noqa: SIM115 -- open for as long as the process
    return Console(dispatcher, clock, source, sys.stdout)


_WELCOME = """
Moments is running. Your pages: {site}   (Ctrl-C stops)

You are the streamer here. Type chat, for example:
  !start Any% attempts | Hollow Deep     a session begins
  !clip what a dodge                     a mark, now
  <rook> !clip no way                    the same from a viewer called rook
  <@sable> !pause                        sable is a moderator
  !help                                  everything else
"""
