"""The kinds of argument commands take, each reading its part of what was typed."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from moments.errors import UsageError
from moments.timecodes import parse_number, parse_shift, seconds_back

MOST_SECONDS_BACK = 600

_SESSION_ID = re.compile(r"[0-9A-Za-z]{22}|latest", re.ASCII | re.IGNORECASE)
"""Any other word behind a command is talk."""


@dataclass(frozen=True, slots=True)
class Argument:
    """One parameter of a command. `read` returns its value and the rest of the text, or None when it is not there."""

    usage: str
    description: str
    read: Callable[[str], tuple[Any, str] | None]
    typed: str = "{}"
    """How a value from a field of its own is typed in a line: `-{}` for ten seconds ago."""
    whole: tuple[int, int] | None = None
    """The lowest and highest, where it is a whole number."""
    longest: int = 500
    """Characters, where it is text."""
    in_field: Callable[[str], tuple[Any, str] | None] | None = None
    """How it is read from a field of its own, where a line parts it from what follows by more than a space."""

    def read_field(self, given: str | int) -> tuple[Any, str] | None:
        """As `read`, from what was typed into a field of its own."""
        return (self.in_field or self.read)(self.typed.format(given))


def first_word(text: str) -> tuple[str, str]:
    """The first word and what follows it; any white space parts them, the full-width one of Japanese keyboards too."""
    word, *rest = text.split(None, 1) or [""]
    return word, rest[0].rstrip() if rest else ""


def _back(text: str) -> tuple[int, str] | None:
    word, rest = first_word(text)
    seconds = seconds_back(word)
    if seconds is None:
        return None
    if seconds > MOST_SECONDS_BACK:
        raise UsageError(f"You can go back {MOST_SECONDS_BACK} seconds at most. Try `clip` -{MOST_SECONDS_BACK}.")
    return seconds, rest


def _shift(text: str) -> tuple[int, str] | None:
    word, rest = first_word(text)
    return (parse_shift(word), rest) if word else None


def _number(text: str) -> tuple[int, str] | None:
    word, rest = first_word(text)
    return (parse_number(word), rest) if word else None


def _word(text: str) -> tuple[str, str] | None:
    word, rest = first_word(text)
    return (word, rest) if word else None


def _words(text: str) -> tuple[str, str] | None:
    return (text, "") if text else None


def _session_id(text: str) -> tuple[str, str] | None:
    word, rest = first_word(text)
    return (word, rest) if _SESSION_ID.fullmatch(word) else None


def _before_bar(text: str) -> tuple[str, str] | None:
    title, bar, game = text.partition("|")
    return (title.strip(), bar + game) if text else None


def _after_bar(text: str) -> tuple[str, str] | None:
    return (text[1:].strip(), "") if text.startswith("|") else None


SecondsBack = Annotated[int, Argument("−N", "how many seconds ago, at most 600", _back, "-{}", (0, MOST_SECONDS_BACK))]
Shift = Annotated[int, Argument("±N", "seconds later (+) or earlier (-), at most 7200", _shift, "{:+}", (-7200, 7200))]
Number = Annotated[int, Argument("#N", "the mark's number", _number, "#{}", (1, 999_999))]
Words = Annotated[str, Argument("note", "what happened, in your words", _words)]
Title = Annotated[str, Argument("title", "what the stream is called", _before_bar, in_field=_words)]
Game = Annotated[str, Argument("| game", "what is being played", _after_bar, in_field=_words)]
Format = Annotated[str, Argument("format", "the file you want, for example csv", _word)]
CommandName = Annotated[str, Argument("command", "the command to explain", _word)]
Url = Annotated[str, Argument("url", "the link of a song or video", _word, longest=2_000)]
Part = Annotated[str, Argument("range", "from when to when, for example 0:45-1:00", _words)]
"""All that follows the link: where a range ends and a note begins depends on the times the link itself names."""
SessionId = Annotated[str, Argument("session", "which session: its id, or latest", _session_id)]
Setting = Annotated[str, Argument("setting", "what to change, for example cooldown", _word)]
Value = Annotated[str, Argument("value", "what it should be, for example 30", _words)]
