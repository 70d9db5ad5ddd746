"""Single fields of what Discord sends, each checked and capped (PLAT-5)."""

import re
from collections.abc import Mapping
from typing import Any

Json = Mapping[str, Any]

MOST_FIELDS = 25
"""Of a list; Discord lets no command, form or message have more."""
ID = re.compile(r"[1-9][0-9]{0,19}", re.ASCII)
NAME = re.compile(r"[a-z0-9_-]{1,32}", re.ASCII)
TOKEN = re.compile(r"[A-Za-z0-9._=+-]{1,4000}", re.ASCII)
_BITS = re.compile(r"[0-9]{1,40}", re.ASCII)
_WHOLE_LIMIT = 1 << 53


class Malformed(ValueError):
    """A field that is missing or of another kind; names the field, never what was in it."""


def an_object(fields: Json, name: str) -> Json:
    """An object."""
    value = fields.get(name)
    if not isinstance(value, Mapping):
        raise Malformed(name)
    return value


def objects(fields: Json, name: str) -> list[Json]:
    """A list of objects, none where there is no such field."""
    value = fields.get(name, [])
    if not isinstance(value, list) or not all(isinstance(each, Mapping) for each in value[:MOST_FIELDS]):
        raise Malformed(name)
    return value[:MOST_FIELDS]


def text(fields: Json, name: str, longest: int) -> str:
    """So many characters of a text."""
    value = fields.get(name)
    if not isinstance(value, str):
        raise Malformed(name)
    return value[:longest]


def matching(fields: Json, name: str, pattern: re.Pattern[str]) -> str:
    """A text that is just so."""
    value = fields.get(name)
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise Malformed(name)
    return value


def bits(fields: Json, name: str) -> int:
    """Permissions."""
    return int(matching(fields, name, _BITS))


def typed(fields: Json, longest: int) -> str | int:
    """What was typed into a command's field; of a kind we never asked for there is none."""
    value = fields.get("value")
    if isinstance(value, str):
        return value[:longest]
    if type(value) is not int or abs(value) > _WHOLE_LIMIT:
        raise Malformed("value")
    return value
