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
from bot.settings import Settings
from commands.dispatch import Dispatcher
from commands.feed import Feed
from commands.model import Heard, Platform
from commands.services import utc_now
from moments.chatlog import ChatLog, bounded_lines, read_log
from moments.errors import MomentsError, UsageError
from moments.live import Place
from moments.notes import clean_name
from moments.people import Role
from moments.sessions import Session, Status, ended
from storage import Store, Transaction, open_store
from storage.keys import secret_keys

REPLAY = Platform("console")
SHOWN_EVERY = 500
"""Lines between two looks at the progress on a terminal."""


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
    async with open_store(settings.database, defaults=settings.defaults) as store:
        before = await store.newest_session(*place[:2])
        services = make_services(settings, keys, store, Feed(), clock)
        async with store.one_transaction():
            replies = await _play(said, place, clock, Dispatcher(services))
            await _end_what_is_open(store, place, before, clock)
        for reply in replies:
            _say(f"<moments> {reply}")
        session = await store.newest_session(*place[:2])
        if session is None or (before and before.id == session.id and before.status is Status.ENDED):
            raise MomentsError("No session starts in this log, so nothing was kept. Add --start TIME.")
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


async def _play(said: list[_Said], place: Place, clock: LogClock, dispatcher: Dispatcher) -> list[str]:
    replies = []
    for at, line in enumerate(said):
        clock.now = line.instant
        reply = await dispatcher.hear(Heard(REPLAY, place, author(line.name), line.role, line.text, line.instant))
        if reply is not None:
            replies.append(reply.text)
        if at % SHOWN_EVERY == 0:
            _progress(at, len(said))
    _progress(len(said), len(said))
    return replies


async def _end_what_is_open(store: Store, place: Place, before: Session | None, clock: LogClock) -> None:
    """A session the log started and did not end is over when the log is."""
    session = await store.newest_session(*place[:2])
    if session is None or session.status is Status.ENDED or (before and before.id == session.id):
        return

    async def end(transaction: Transaction) -> None:
        live = await transaction.live(place)
        over = ended(live.session, clock.now)
        if over is not None:
            await transaction.save_session(place, over)

    await store.run(end, message=None, now=clock.now)


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        end = "\n" if done == total else ""
        sys.stderr.write(f"\rReplaying: {done:,} of {total:,} lines{end}")
        sys.stderr.flush()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
