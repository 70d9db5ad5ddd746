"""Times as people type and read them. Whole seconds throughout; hours have no upper limit.

Digits are `[0-9]`, so many and no more, before `int` sees them (TXT-4): by itself it takes १२ and 1_0 for numbers.
"""

import re

from moments.errors import TimecodeError

LONGEST_SHIFT = 7_200
"""Seconds a mark may be moved by at once."""

_ELAPSED = re.compile(r"([0-9]{1,6}):([0-5][0-9]):([0-5][0-9])")
_BACK = re.compile(r"[-−]([0-9]{1,6})[sS]?")
_SHIFT = re.compile(r"([-−+]?)([0-9]{1,6})[sS]?")
_NUMBER = re.compile(r"#?([0-9]{1,9})")


def hms(seconds: int) -> str:
    """`HH:MM:SS`; past 99 hours the hours simply grow."""
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour:02d}:{minute:02d}:{second:02d}"


def parse_elapsed(text: str) -> int:
    """Seconds from `H:MM:SS`, up to six digits of hours; else TimecodeError."""
    found = _ELAPSED.fullmatch(text)
    if found is None:
        raise TimecodeError("Write a time as hours:minutes:seconds, for example 1:02:03.")
    hours, minutes, seconds = map(int, found.groups())
    return hours * 3600 + minutes * 60 + seconds


def seconds_back(word: str) -> int | None:
    """The N of `clip -N`, up to six digits; None when the word is the note's own, as `+1`, `12` and `--5` are."""
    found = _BACK.fullmatch(word)
    return int(found[1]) if found else None


def parse_shift(word: str) -> int:
    """Seconds from the `±N` of `adjust`: a sign is required, at most 7,200 either way; else TimecodeError."""
    found = _SHIFT.fullmatch(word)
    if found is None:
        raise TimecodeError("Say by how many seconds: `adjust` +5 or `adjust` -5.")
    sign, seconds = found[1], int(found[2])
    if seconds > LONGEST_SHIFT:
        raise TimecodeError(f"A mark moves by at most {LONGEST_SHIFT} seconds at once: `adjust` +{LONGEST_SHIFT}.")
    if not sign:
        raise TimecodeError(f"Say which way: `adjust` +{seconds} or `adjust` -{seconds}.")
    return seconds if sign == "+" else -seconds


def parse_number(word: str) -> int:
    """A mark's number from `#12` or `12`, up to nine digits; else TimecodeError."""
    found = _NUMBER.fullmatch(word)
    if found is None:
        raise TimecodeError("Say which mark by its number, for example #12.")
    return int(found[1])
