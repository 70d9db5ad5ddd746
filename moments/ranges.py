"""Ranges as people type them: `0:45-1:00`, `45s to 1m`, `0:45+15`, or a length where the link says the start.

Whole seconds throughout. What is typed is cut before a pattern sees it, and every pattern is bounded (TXT-4, TXT-6).
"""

import re
from dataclasses import dataclass

from moments.errors import TimecodeError

LONGEST_SECONDS = 604_800
"""A week: no recording is longer, and every store holds it (TXT-4)."""
LONGEST_TYPED = 500
"""Characters in which a range must be found; what follows is the note's."""

_FIELD = "[0-9]{1,6}"
_TIME = rf"(?:(?:{_FIELD}:){{1,2}}[0-9]{{2}}|(?:{_FIELD}(?:[hH]|[mM](?:[iI][nN])?|[sS](?:[eE][cC])?)){{1,3}}|{_FIELD})"
_DASHES = "-‐-―−"
_UNTIL = rf"[-=]{{1,2}}>|[{_DASHES}]|[→⟶]|\.{{2,3}}|…|[tT][oO]"
# Neither a further digit or letter nor a sign that leads to one: 60.5, 1:005, 45-60-75 are no ranges with a note.
_ENDS = rf"(?![\w%:])(?![{_DASHES}+.,…→>]{{1,9}}\w)"
_RANGE = re.compile(rf"({_TIME})\s*({_UNTIL}|\+)\s*({_TIME}){_ENDS}")
_LENGTH = re.compile(rf"(\+?)\s*({_TIME}){_ENDS}")
_ATTEMPT = re.compile(
    rf"[\[(]?[{_DASHES}+]?\d[\w:.,]{{0,20}}\s*(?:{_UNTIL}|\+)\s*[{_DASHES}+]?\d"
    rf"|{_FIELD}:[0-9]{{2}}\s*(?:[~〜]|\s|until|till)\s*{_FIELD}:[0-9]{{2}}"
)
_CLOCK = re.compile(rf"(?:({_FIELD}):)?({_FIELD}):([0-9]{{2}})")
_UNITS = re.compile(rf"(?=[0-9])(?i:(?:({_FIELD})h)?(?:({_FIELD})m(?:in)?)?(?:({_FIELD})s(?:ec)?)?)", re.ASCII)
_PLAIN = re.compile(_FIELD)

_WHAT_TO_TYPE = "Say from when to when, for example 0:45-1:00."
_TWO_DIGITS = "Write two digits after each colon, for example 1:05-1:20."
_TOO_LATE = "Times go up to 168 hours: check the numbers, for example 0:45-1:00."


@dataclass(frozen=True, slots=True, order=True)
class Range:
    """A half-open stretch of a recording, in whole seconds: 0 ≤ start < end ≤ a week; else TimecodeError."""

    start_seconds: int
    end_seconds: int

    def __post_init__(self) -> None:
        if self.end_seconds > LONGEST_SECONDS:
            raise TimecodeError(_TOO_LATE)
        if self.start_seconds < 0:
            raise TimecodeError("Times begin at 0:00, for example 0:00-0:15.")
        if self.end_seconds < self.start_seconds:
            swapped = f"{clock(max(self.end_seconds, 0))}-{clock(self.start_seconds)}"
            raise TimecodeError(f"That ends before it starts: try {swapped}.")
        if self.end_seconds == self.start_seconds:
            raise TimecodeError(f"That ends where it starts: try {_with_length(self.start_seconds)}.")

    @property
    def length_seconds(self) -> int:
        return self.end_seconds - self.start_seconds


def clock(seconds: int) -> str:
    """`0:45`, `59:59`, `1:02:03`: as people type a time and as services show it."""
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour}:{minute:02d}:{second:02d}" if hour else f"{minute}:{second:02d}"


def range_words(part: Range) -> str:
    """`0:45–1:00`. What it says can be typed as a range."""
    return f"{clock(part.start_seconds)}–{clock(part.end_seconds)}"


def read_time(text: str) -> int | None:
    """Seconds from one time alone, `90`, `90s`, `1m30s`, `1:30`, `1:02:03`, at most a week; None when it is none."""
    try:
        seconds = _seconds(text)
    except TimecodeError:
        return None
    return seconds if seconds <= LONGEST_SECONDS else None


def parse_range(text: str, link_start: int | None = None, link_end: int | None = None) -> tuple[Range, str]:
    """The range at the beginning of what follows a link, and the rest of the text, which is the note.

    A range beats the link's own times. A bare length needs `link_start`; with both of the link's times no range is
    needed, and a number before further words is then theirs unless it has a `+`. Else TimecodeError, saying what to
    type.
    """
    typed = text.strip()
    head = typed[:LONGEST_TYPED]
    if found := _RANGE.match(head):
        start, until = _seconds(found[1]), _seconds(found[3])
        return Range(start, start + until if found[2] == "+" else until), _note(typed[found.end() :])
    if link_start is None or _ATTEMPT.match(head):
        raise TimecodeError(_what_instead(head, link_start))
    found = _LENGTH.match(head)
    if found and (link_end is None or found[1] or found.end() == len(typed)):
        return Range(link_start, link_start + _seconds(found[2])), _note(typed[found.end() :])
    if link_end is None:
        raise TimecodeError(_what_instead(head, link_start))
    return Range(link_start, link_end), typed


def _note(rest: str) -> str:
    """What follows a range, without the comma that parts them."""
    return rest[rest[:1] in set(",;.") and not rest[1:2].strip() :].lstrip()


def _seconds(time: str) -> int:
    if _PLAIN.fullmatch(time):
        return int(time)
    found = _CLOCK.fullmatch(time) or _UNITS.fullmatch(time)
    if found is None:
        raise TimecodeError(_WHAT_TO_TYPE)
    hours, minutes, seconds = (int(field or 0) for field in found.groups())
    if ":" in time and found[1] and len(found[2]) != 2:
        raise TimecodeError(_TWO_DIGITS)
    total = hours * 3600 + minutes * 60 + seconds
    if (found[1] and minutes > 59) or ((found[1] or found[2]) and seconds > 59):
        raise TimecodeError(f"Minutes and seconds go up to 59 there: for {time} type {clock(total)}.")
    return total


def _with_length(start: int) -> str:
    start = min(start, LONGEST_SECONDS - 15)
    return f"{clock(start)}-{clock(start + 15)}"


def _what_instead(head: str, link_start: int | None) -> str:
    """The sentence for what is no range: about the first thing wrong with it."""
    times = " ".join(head.split(None, 3)[:3]) if re.match(rf"[{_DASHES}+]?\s*\d", head) else ""
    if any(char.isdigit() and not char.isascii() for char in times):
        return "Type times in the digits 0 to 9, for example 0:45-1:00."
    for pattern, sentence in _WRONG:
        if pattern.search(times):
            return sentence
    if link_start is not None:
        return "Say how long it lasts, for example +15, or from when to when, for example 0:45-1:00."
    if found := _LENGTH.match(times):
        if found[1]:
            return "Say where it starts too, for example 0:45+15."
        return f"Say where it ends too, for example {_with_length(_seconds(found[2]))}."
    return _WHAT_TO_TYPE


_WRONG = (
    (re.compile(r"[0-9]{7}"), _TOO_LATE),
    (re.compile(r"[0-9][.,][0-9]"), "Use whole seconds, for example 0:45-1:00."),
    (re.compile(r":(?:[0-9](?![0-9])|[0-9]{3})"), _TWO_DIGITS),
    (re.compile(rf"^[{_DASHES}]"), "Times begin at 0:00 and have no sign, for example 0:45-1:00."),
    (re.compile(rf"^{_TIME}\s*(?:{_UNTIL}|\+)\s*{_TIME}[\w%:]"), "Put a space behind the range: 0:45-1:00 your note."),
)
