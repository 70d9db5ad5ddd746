"""Counts and times in words, the same in chat and on pages."""

from datetime import datetime

_PLURALS = {"person": "people"}


def counted(number: int, noun: str) -> str:
    """`1 person`, `64 people`, `1,204 marks`."""
    return f"{number:,} {noun if number == 1 else _PLURALS.get(noun, noun + 's')}"


def ago(instant: datetime, now: datetime) -> str:
    """How long before now, in its largest unit: `just now`, `5 minutes ago`, `3 days ago`."""
    seconds = int((now - instant).total_seconds())
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= length:
            return f"{counted(seconds // length, unit)} ago"
    return "just now"
