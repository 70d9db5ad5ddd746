"""Chat logs, our own form and Chatterino's, and the lines people type at the console: text in, values out.

Our form is `[01:12:34] <name> message`: the time may be missing or an ISO instant, `<@name>` is a moderator and
`<~name>` the broadcaster; `#` lines and blank lines are skipped. A log is read whole before its first line is
used, so a mistake at its end is told before anything is stored; `bounded_lines` keeps that affordable.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from itertools import count
from typing import BinaryIO, NamedTuple

from moments import chatterino
from moments.errors import ChatLogError, TimecodeError
from moments.notes import clean_name
from moments.people import Role
from moments.timecodes import parse_elapsed

MAX_LOG_BYTES = 64 << 20
MAX_LOG_LINES = 200_000
MAX_LINE_BYTES = 8 << 10

_EPOCH = datetime.fromtimestamp(0, UTC)
_ROLES = {"": Role.VIEWER, "@": Role.MODERATOR, "~": Role.BROADCASTER}
_BRACKET = re.compile(r"\[([^\[\]]{1,40})\]")
_SPEAKER = re.compile(r"<([@~]?)([^>]{1,100})>")
_INSTANT = re.compile(
    r"[12][0-9]{3}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})"
)


class ParsedLine(NamedTuple):
    """One line by itself. `time` is elapsed or an aware UTC instant; a line without a name is the broadcaster's."""

    time: timedelta | datetime | None
    name: str | None
    role: Role
    text: str


@dataclass(frozen=True, slots=True)
class ChatLine:
    """One message of a log, put in time. `instant` is aware UTC and never before the line above."""

    line_number: int
    instant: datetime
    name: str
    """The display name."""
    login: str
    """What the platform calls them; the name, where the log has no other."""
    role: Role
    text: str


@dataclass(frozen=True, slots=True)
class ChatLog:
    """A whole log. `read_start` gives the instant of a time written as this log writes its own, or TimecodeError."""

    lines: Sequence[ChatLine]
    read_start: Callable[[str], datetime]


def parse_line(text: str) -> ParsedLine | None:
    """One line of our own form or of the console; None for a blank line or a `#` line. Raises nothing."""
    line = text.strip()
    if not line or line.startswith("#"):
        return None
    bracket = _BRACKET.match(line)
    time = _parse_time(bracket[1]) if bracket else None
    rest = line[bracket.end() :].lstrip() if bracket and time is not None else line
    speaker = _SPEAKER.match(rest)
    name = clean_name(speaker[2]) if speaker else ""
    if speaker is None or not name:
        return ParsedLine(time, None, Role.BROADCASTER, rest)
    return ParsedLine(time, name, _ROLES[speaker[1]], rest[speaker.end() :].lstrip())


def bounded_lines(file: BinaryIO) -> Iterator[str]:
    """The file's lines as text, never reading more than 8 KiB for one; ChatLogError past 64 MiB or 200,000 lines."""
    size = 0
    for number in count(1):
        line = file.readline(MAX_LINE_BYTES + 1)
        if not line:
            return
        size += len(line)
        if len(line) > MAX_LINE_BYTES and not line.endswith(b"\n"):
            raise ChatLogError(f"Line {number} is longer than 8 KiB.")
        if number > MAX_LOG_LINES:
            raise ChatLogError("The log has more than 200,000 lines; split it.")
        if size > MAX_LOG_BYTES:
            raise ChatLogError("The log is larger than 64 MiB; split it.")
        text = line.decode("utf-8", "replace")
        yield text.removeprefix("\ufeff") if number == 1 else text


def read_log(lines: Iterable[str], *, now: datetime, zone: tzinfo) -> ChatLog:
    """The whole log, or ChatLogError naming its first bad line.

    An elapsed log is put so that it ends `now`; ISO instants are their own. Chatterino's wall clock is read in
    `zone`, on the date its header gives, otherwise on the latest that does not end after `now`.
    """
    lines = list(lines)
    if _is_chatterino(lines):
        return _read_chatterino(lines, now, zone)
    return _read_own(lines, now)


def _parse_time(text: str) -> timedelta | datetime | None:
    try:
        if _INSTANT.fullmatch(text):
            return datetime.fromisoformat(text).astimezone(UTC)
        return timedelta(seconds=parse_elapsed(text))
    except (ValueError, TimecodeError):
        return None


def _is_chatterino(lines: Iterable[str]) -> bool:
    """What the first line that somebody said, or Chatterino's own header, shows."""
    for line in lines:
        if chatterino.parse_header(line):
            return True
        ours = parse_line(line)
        if ours and ours.name is not None:
            return False
        theirs = chatterino.parse_line(line)
        if ours and theirs and theirs.name is not None:
            return True
    return False


def _read_chatterino(lines: Iterable[str], now: datetime, zone: tzinfo) -> ChatLog:
    said = [
        ChatLine(number, instant, name, line.login, Role.VIEWER, line.text)
        for number, instant, line in chatterino.read(lines, now=now, zone=zone)
        if line.name is not None and (name := clean_name(line.name))
    ]
    first, last = (said[0].instant, said[-1].instant) if said else (now, now)
    return ChatLog(said, partial(chatterino.read_start, first=first, last=last, zone=zone))


def _read_own(lines: Iterable[str], now: datetime) -> ChatLog:
    """Times are lengths here: elapsed ones since the log's zero, which only its end tells; instants since 1970."""
    said: list[tuple[timedelta | None, int, str, ParsedLine]] = []
    kind: type | None = None
    latest: timedelta | None = None
    for number, name, line in _own_lines(lines):
        if line.time is not None:
            if kind not in (None, type(line.time)):
                raise ChatLogError(f"Line {number} has another kind of time than the lines before it.")
            kind = type(line.time)
            time = line.time - _EPOCH if isinstance(line.time, datetime) else line.time
            if latest is not None and time < latest:
                raise ChatLogError(f"Line {number} goes back in time.")
            latest = time
        said.append((latest, number, name, line))
    if kind is datetime:
        zero, before_any = _EPOCH, next(time for time, *_ in said if time is not None)
    else:
        zero, before_any = now - (latest or timedelta(0)), timedelta(0)
    return ChatLog(
        [
            ChatLine(number, zero + (before_any if time is None else time), name, name, line.role, line.text)
            for time, number, name, line in said
        ],
        _read_instant if kind is datetime else partial(_read_elapsed, zero=zero),
    )


def _own_lines(lines: Iterable[str]) -> Iterator[tuple[int, str, ParsedLine]]:
    for number, text in enumerate(lines, 1):
        line = parse_line(text)
        if line is None:
            continue
        if line.name is None:
            raise ChatLogError(f"Line {number} is not a chat line; write [01:12:34] <name> message.")
        yield number, line.name, line


def _read_elapsed(text: str, *, zero: datetime) -> datetime:
    return zero + timedelta(seconds=parse_elapsed(text))


def _read_instant(text: str) -> datetime:
    time = _parse_time(text)
    if not isinstance(time, datetime):
        raise TimecodeError("Write the time as the log does, with its zone: 2026-11-19T20:14:05+01:00.")
    return time
