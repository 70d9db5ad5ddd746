"""A provider's JSON, checked at the border (OUT-6): a field of another kind spoils it all, an absurd one is dropped."""

import re

from moments.notes import clean_note
from providers.twitch.shapes import Malformed, Row

__all__ = [
    "LONGEST_SECONDS",
    "TEXT_LIMIT",
    "Malformed",
    "Row",
    "cleaned",
    "flag",
    "identifier",
    "iso_seconds",
    "isrc",
    "length",
    "line",
    "part",
    "parts",
    "plausible",
    "regions",
    "words",
]

TEXT_LIMIT = 300
"""Characters of a title or a name."""
LONGEST_SECONDS = 172_800
_MOST_ROWS = 100
_MOST_REGIONS = 300
_LONGEST_LINE = 2_000

_REGION = re.compile(r"[A-Z]{2}")
_ISRC = re.compile(r"[A-Z]{2}[A-Z0-9]{3}[0-9]{7}")
# YouTube writes weeks and days, never years or months, whose length nobody knows. A library for the whole of ISO 8601
# would bring those, fractions and unbounded numbers, all to be refused again.
_DURATION = re.compile(
    r"P(?=.)(?:([0-9]{1,4})W)?(?:([0-9]{1,5})D)?(?:T(?=.)(?:([0-9]{1,6})H)?(?:([0-9]{1,6})M)?(?:([0-9]{1,8})S)?)?"
)
_WEIGHTS = (604_800, 86_400, 3_600, 60, 1)


def line(row: Row, name: str) -> str:
    """A field of text as it is, to be compared or taken apart and not kept; empty when it is not there."""
    value = row.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Malformed(f"{name} is not text")
    return value[:_LONGEST_LINE]


def words(row: Row, name: str) -> str | None:
    """A field of text for people to read, cleaned; None when nothing of it can be seen."""
    return cleaned(line(row, name))


def cleaned(text: str) -> str | None:
    """The text as every human string is stored, at most 300 characters."""
    return clean_note(text, TEXT_LIMIT).text or None


def part(row: Row, name: str) -> Row:
    """An object within; empty when it is not there."""
    value = row.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Malformed(f"{name} is not an object")
    return value


def parts(row: Row, name: str) -> list[Row]:
    """A list of objects, the first hundred; empty when it is not there."""
    value = row.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value[:_MOST_ROWS]):
        raise Malformed(f"{name} is not a list of objects")
    return value[:_MOST_ROWS]


def flag(row: Row, name: str) -> bool | None:
    """True, false, or None when it is not there."""
    value = row.get(name)
    if value is not None and not isinstance(value, bool):
        raise Malformed(f"{name} is neither true nor false")
    return value


def identifier(row: Row, name: str) -> str:
    """What a thing is called on its service: text, or a whole number as text."""
    value = row.get(name)
    if type(value) is int:  # true and false are none
        return str(value)
    if not isinstance(value, str) or not value:
        raise Malformed(f"{name} names nothing")
    return value


def length(row: Row, name: str, units: int = 1) -> int | None:
    """A length of so many units a second, in whole seconds; None when it is not there or cannot be true."""
    value = row.get(name)
    if value is None:
        return None
    if type(value) not in (int, float):
        raise Malformed(f"{name} is not a number")
    return plausible(round(value / units))


def plausible(seconds: int) -> int | None:
    """The length, when it is one: 1 second to 48 hours."""
    return seconds if 1 <= seconds <= LONGEST_SECONDS else None


def iso_seconds(text: str) -> int | None:
    """A length like `PT4M13S`; None for `P0D`, which is YouTube's word for a stream on the air, and for the absurd."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise Malformed("duration is not ISO 8601")
    return plausible(sum(int(part or 0) * weight for part, weight in zip(match.groups(), _WEIGHTS, strict=True)))


def regions(row: Row, name: str) -> tuple[str, ...] | None:
    """Countries by their two letters, sorted; None when nothing is said."""
    value = row.get(name)
    if value is None:
        return None
    # Nothing is dropped here: a list we understand by half would open what its owner closed.
    if not isinstance(value, list) or len(value) > _MOST_REGIONS:
        raise Malformed(f"{name} is not a list of countries")
    if not all(isinstance(code, str) and _REGION.fullmatch(code) for code in value):
        raise Malformed(f"{name} is not a list of countries")
    return tuple(sorted(set(value)))


def isrc(text: str) -> str | None:
    """An ISRC without its hyphens; None for what is none. It is a key to look up with, not an identity."""
    code = text.replace("-", "").upper()
    return code if _ISRC.fullmatch(code) else None
