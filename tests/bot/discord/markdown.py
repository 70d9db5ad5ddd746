"""A small honest Discord: what its clients show of a message, and what its servers find in one.

The rules are those of the client's markdown, in its order; each gives what is shown, and the name of what it became.
Only of emoji is known that no name of one begins with exactly two digits: a clock's time is none.
"""

import re
from typing import NamedTuple


class Seen(NamedTuple):
    """What a reader sees: the text, and everything that is more than text."""

    text: str
    entities: tuple[str, ...]


_AT_LINE_START = (
    ("quote", re.compile(r" *>>> ([\s\S]*)| *> ([^\n]*)")),
    ("heading", re.compile(r" *#{1,3}\s+([^\n]*)")),
    ("small", re.compile(r" *-#\s+([^\n]*)")),
    ("list", re.compile(r" *(?:[-*+]|[0-9]+\.) +([^\n]*)")),
)
_ANYWHERE = (
    ("escape", re.compile(r"\\([^0-9A-Za-z\s])")),
    ("code block", re.compile(r"```(?:[a-z0-9_+.#-]*\n)?([\s\S]+?)```")),
    ("link", re.compile(r"<([^: >]+:/[^ >]+)>")),
    ("link", re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*://[^\s<]+[^<.,:;\"')\]\s])")),
    ("named link", re.compile(r"!?\[((?:\\.|[^\]\\])*)\]\(\s*<?[^)]+?>?\s*\)")),
    ("mention", re.compile(r"<(?:@[!&]?|#)[0-9]+>|<id:[a-z]+>|@(?:everyone|here)\b|@silent\b")),
    ("command", re.compile(r"</[^>:]+:[0-9]+>")),
    ("time", re.compile(r"<t:-?[0-9]{1,17}(?::[a-zA-Z])?>")),
    ("emoji", re.compile(r"<a?:\w{1,32}:[0-9]+>")),
    ("emoji", re.compile(r":(?![0-9]{2}(?![0-9]))[^\s:]+?(?:::skin-tone-\d)?:")),
    ("strong", re.compile(r"\*\*((?:\\.|[^\\])+?)\*\*(?!\*)")),
    ("underline", re.compile(r"__((?:\\.|[^\\])+?)__(?!_)")),
    ("emphasis", re.compile(r"\*(?=\S)((?:\\.|[^*\\])+?)\*(?!\*)|\b_((?:\\.|[^_\\])+?)_\b")),
    ("strike", re.compile(r"~~(?!_)((?:\\.|[^\\])+?)~~")),
    ("spoiler", re.compile(r"\|\|((?:\\.|[^\\])+?)\|\|")),
    ("code", re.compile(r"(`+)([\s\S]*?[^`])\1(?!`)")),
)
_ON_THE_SERVER = (
    ("ping", re.compile(r"<@[!&]?[0-9]+>|@(?:everyone|here)")),
    ("preview", re.compile(r"https?://[^\s<]+", re.IGNORECASE)),
    ("invite", re.compile(r"(?i)discord(?:(?:app)?\.com/(?:invite|template)|\.gg(?:/invite)?|\.new|\.gift)/[\w-]+")),
)


def seen(sent: str) -> Seen:
    """What a reader sees of a message."""
    shown, entities = _read(sent)
    outside = re.sub(r"<https?://[^ >]+>", "", sent)  # nobody looks behind those
    entities += [name for name, pattern in _ON_THE_SERVER if pattern.search(outside)]
    return Seen(shown, tuple(entities))


def _read(sent: str) -> tuple[str, list[str]]:
    shown, at, entities = "", 0, list[str]()
    while at < len(sent):
        rules = (*(_AT_LINE_START if at == 0 or sent[at - 1] == "\n" else ()), *_ANYWHERE)
        name, found = next(((name, found) for name, rule in rules if (found := rule.match(sent, at))), ("", None))
        if found is None:
            shown, at = shown + sent[at], at + 1
            continue
        inside = next((group for group in reversed(found.groups()) if group is not None), found[0])
        if name == "escape":
            shown += inside
        else:
            text, more = (inside, []) if name in ("link", "code", "code block") or inside == found[0] else _read(inside)
            shown, entities = shown + text, [*entities, name, *more]
        at = found.end()
    return shown, entities
