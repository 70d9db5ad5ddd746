"""Chat logs as Chatterino saves them: `[20:14:05] name: text` by the wall clock of the machine it ran on.

After its src/singletons/helper/LoggingChannel.cpp: a day a file, `# Start logging at 2026-11-19 20:14:03 CET` each
time it opens one; `名前 login: text` for a localized name; what the system says has no `name: `.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import NamedTuple

from moments.errors import ChatLogError, TimecodeError

_HEADER = re.compile(r"# Start logging at (20[0-9]{2}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2})(?![0-9])")
_CLOCK = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]")
_LOCALIZED = re.compile(r"([^\s()]{1,100})[ (]([A-Za-z0-9_]{1,50})\)?")
_NAME_LIMIT = 100

_DAY = timedelta(days=1)
_MIDNIGHT_STEP = timedelta(hours=12)
_SLIP = timedelta(seconds=5)
"""A computer's clock is set back by a second or two now and then: such lines happen at the last time seen."""


class WallLine(NamedTuple):
    """One line by itself, local time. What the system says has no name."""

    time: time
    name: str | None
    login: str
    text: str


class _Entry(NamedTuple):
    number: int
    date: date | None  # headers carry one
    time: time
    line: WallLine | None


def parse_header(text: str) -> datetime | None:
    """The local time at which Chatterino opened the file, without a zone: CET or IST do not say which."""
    found = _HEADER.match(text.strip())
    try:
        return datetime.fromisoformat(found[1]) if found else None
    except ValueError:
        return None


def parse_line(text: str) -> WallLine | None:
    """One line, or None when it has another shape. Raises nothing."""
    text = text.strip()
    clock, rest = text[1:9], text[10:].lstrip()
    if text[:1] != "[" or text[9:10] != "]" or not _CLOCK.fullmatch(clock) or rest.startswith("<"):
        return None
    who, colon, said = rest.partition(":")
    if not colon or (said and not said.startswith(" ")):
        return WallLine(time.fromisoformat(clock), None, "", rest)
    name, login = _speaker(who)
    return WallLine(time.fromisoformat(clock), name, login, said[1:])


def read(lines: Iterable[str], *, now: datetime, zone: tzinfo) -> Iterator[tuple[int, datetime, WallLine]]:
    """Each line with its number and its aware UTC instant; ChatLogError names one of another shape or out of order."""
    entries = list(_entries(lines))
    latest: datetime | None = None
    for entry, local in _dated(entries, _first_date(entries, now.astimezone(zone))):
        instant = _instant(local, zone, latest)
        if latest is not None and instant < latest:
            if latest - instant > _SLIP:
                raise ChatLogError(f"Line {entry.number} goes back in time.")
            instant = latest
        latest = instant
        if entry.line is not None:
            yield entry.number, instant, entry.line


def read_start(text: str, *, first: datetime, last: datetime, zone: tzinfo) -> datetime:
    """The instant of a wall-clock time: the one during the log, or else the latest before it; else TimecodeError."""
    if not _CLOCK.fullmatch(text):
        raise TimecodeError("Write the time as the log does: 20:14:05.")
    clock, day = time.fromisoformat(text), first.astimezone(zone).date()
    instants = [_instant(datetime.combine(day + days * _DAY, clock), zone) for days in (-1, 0, 1)]
    during = [instant for instant in instants if first <= instant <= last]
    return during[0] if during else max(instant for instant in instants if instant <= first)


def _speaker(who: str) -> tuple[str | None, str]:
    """Display name and login; no name when these words before a colon are the system's."""
    localized = _LOCALIZED.fullmatch(who)
    if localized and not localized[1].isascii():
        return localized[1], localized[2]
    if 0 < len(who) <= _NAME_LIMIT and not any(map(str.isspace, who)):
        return who, who
    return None, ""


def _entries(lines: Iterable[str]) -> Iterator[_Entry]:
    for number, text in enumerate(lines, 1):
        if header := parse_header(text):
            yield _Entry(number, header.date(), header.time(), None)
        elif line := parse_line(text):
            yield _Entry(number, None, line.time, line)
        elif text.strip() and not text.lstrip().startswith("#"):
            raise ChatLogError(f"Line {number} is not a line of a Chatterino log: [20:14:05] name: text.")


def _midnights(before: time, after: time) -> int:
    """Midnights between two lines: one when the clock reads half a day less, -1 when it slipped back over one."""
    step = datetime.combine(date.min, after) - datetime.combine(date.min, before)
    if step <= -_MIDNIGHT_STEP:
        return 1
    return -1 if step >= _DAY - _SLIP else 0


def _first_date(entries: Iterable[_Entry], now: datetime) -> date:
    """The date of the first line: counted back from the first header, otherwise from the latest end not after `now`."""
    midnights, before = 0, None
    for entry in entries:
        midnights += _midnights(before, entry.time) if before else 0
        before = entry.time
        if entry.date:
            return entry.date - midnights * _DAY
    ended_today = before is None or before <= now.time()
    return now.date() - midnights * _DAY - (timedelta(0) if ended_today else _DAY)


def _dated(entries: Iterable[_Entry], day: date) -> Iterator[tuple[_Entry, datetime]]:
    before = None
    for entry in entries:
        day = entry.date or (day + _midnights(before, entry.time) * _DAY if before else day)
        before = entry.time
        yield entry, datetime.combine(day, entry.time)


def _instant(local: datetime, zone: tzinfo, latest: datetime | None = None) -> datetime:
    """The instant of a local time; of an hour that an autumn night has twice, the second when `latest` is past it."""
    instant = local.replace(tzinfo=zone).astimezone(UTC)
    if latest is not None and instant < latest:
        second = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
        if second >= latest:
            return second
    return instant
