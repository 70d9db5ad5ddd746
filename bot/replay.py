"""`moments replay`: last night's chat log through the same commands, on the log's own clock, all of it or nothing."""

import os
import sys
from collections.abc import Collection, Iterator
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from bot.app import make_services
from bot.console import author
from bot.progress import progress
from bot.settings import Settings
from commands.dispatch import Dispatcher
from commands.feed import Feed
from commands.model import Heard, Platform
from commands.services import utc_now
from commands.stream import end_open_session, start_afresh
from moments.chatlog import ChatLog, bounded_lines, read_log
from moments.errors import MomentsError, UsageError
from moments.live import Place
from moments.notes import clean_name
from moments.people import Role
from moments.sessions import Status
from storage import open_store
from storage.in_use import in_use
from storage.keys import secret_keys

REPLAY = Platform("console")
LONG_LOG = 5_000
"""Commands that take about as long to write as a running Moments waits with a mark before it refuses it."""


class LogClock:
    """The time of the line that is being replayed."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """The log's now."""
        return self.now


class _Said(NamedTuple):
    instant: datetime
    name: str
    role: Role
    text: str


async def replay(
    settings: Settings, path: Path, *, channel: str | None, start: str | None, moderators: Collection[str]
) -> None:
    """Feed a chat log through the commands, then print every reply and the session's link.

    Raises ChatLogError naming a line that cannot be read, before anything is stored.
    """
    log = _read(path)
    said = list(_said(log, start, {name.casefold().lstrip("@") for name in moderators}))
    name = clean_name(channel or path.stem) or "replay"
    place = Place("console", name, name)
    keys = secret_keys(settings.secret_keys, settings.database)
    clock = LogClock(said[0].instant if said else utc_now())
    _warn_who_waits(settings.database, said)
    async with open_store(settings.database, defaults=settings.defaults) as store:
        before = await store.newest_session(*place[:2])
        if before is not None and before.status is not Status.ENDED:
            raise MomentsError(f"{before.name} is still open in {name}. End it first, or name another with --channel.")
        services = make_services(settings, keys, store, Feed(), clock)
        async with store.one_transaction():
            await start_afresh(store, place, clock.now)
            replies = await _play(said, place, clock, Dispatcher(services))
            session = await store.newest_session(*place[:2])
            if session is None or (before is not None and before.id == session.id):
                raise MomentsError("No session starts in this log, so nothing was kept. Add --start TIME.")
            await end_open_session(store, place, clock.now)
        for reply in replies:
            _say(f"<moments> {reply}")
        _say(services.link(f"/s/{session.id}"))


def _read(path: Path) -> ChatLog:
    try:
        with path.open("rb") as file:
            return read_log(bounded_lines(file), now=utc_now(), zone=_local_zone())
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error


def _local_zone() -> tzinfo:
    """The zone of this machine with its summer times, which the offset of today would not have."""
    name, file = os.environ.get("TZ", "").removeprefix(":"), Path("/etc/localtime")
    try:
        if name:
            return ZoneInfo(name)
        with file.open("rb") as rules:
            return ZoneInfo.from_file(rules)
    except (OSError, ValueError, KeyError):
        return datetime.now().astimezone().tzinfo or UTC


def _said(log: ChatLog, start: str | None, moderators: Collection[str]) -> Iterator[_Said]:
    """Everything that is said, in order, with the session that --start opens."""
    starts = None if start is None else log.read_start(start)
    for line in log.lines:
        if starts is not None and starts <= line.instant:
            yield _Said(starts, "streamer", Role.BROADCASTER, "!start")
            starts = None
        named = line.name.casefold() in moderators or line.login.casefold() in moderators
        yield _Said(line.instant, line.name, max(line.role, Role.MODERATOR) if named else line.role, line.text)
    if starts is not None:
        raise UsageError(f"The log ends before {start}, where the session should start.")


def _warn_who_waits(database: Path, said: list[_Said]) -> None:
    """Nobody else can write while a log is: a long one is felt where Moments runs."""
    commands = sum(line.text.startswith(REPLAY.prefix) for line in said)
    if commands > LONG_LOG and in_use(database):
        sys.stderr.write("Moments is running: it may refuse marks for some seconds while this log is written.\n")


async def _play(said: list[_Said], place: Place, clock: LogClock, dispatcher: Dispatcher) -> list[str]:
    replies = []
    with progress("Replaying") as show:
        for at, line in enumerate(said, start=1):
            clock.now = line.instant
            reply = await dispatcher.hear(Heard(REPLAY, place, author(line.name), line.role, line.text, line.instant))
            if reply is not None:
                replies.append(reply.text)
            show(f"{at:,} of {len(said):,} lines")
    return replies


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
