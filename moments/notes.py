"""The one cleaner every human string passes before it is stored (research/security.md §3.9), and what shows it safely.

Characters here are user-perceived ones: grapheme clusters, after Unicode's own table.
"""

import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

import regex  # type: ignore[import-untyped]  # its stubs are a package of their own, types-regex

NOTE_LIMIT = 100
NAME_LIMIT = 60

_INPUT_LIMIT = 4_096  # code points; a Discord message has at most 4,000, and this bounds the cost of all below
_MARKS_LIMIT = 8
_CLUSTER_LIMIT = 16  # code points; the longest real emoji has 10

_CLUSTER = regex.compile(r"\X")
_MARK = regex.compile(r"\p{M}")
_SPACES = regex.compile(r"\p{White_Space}+")
_RIGHT_TO_LEFT = regex.compile(r"[\p{Bidi_Class=R}\p{Bidi_Class=AL}\p{Bidi_Class=AN}]")
_VISIBLE = regex.compile(r"[^\p{White_Space}\p{Default_Ignorable_Code_Point}\u2800]")

# NFC sorts marks by insertion: 20,000 in a row took 0.4 s. UAX #15's Stream-Safe Text Format stops at 30.
_MARK_RUN = regex.compile(r"([^\p{ccc=0}]{30})[^\p{ccc=0}]+")

# Unassigned code points are not in here: new emoji outlive our Unicode tables.
_DROPPED = regex.compile(
    r"(\U0001F3F4[\U000E0030-\U000E0039\U000E0061-\U000E007A]{3,6}\U000E007F)"  # kept: England's flag and its like
    r"|[\p{Cs}\p{Noncharacter_Code_Point}"
    r"\x00-\x08\x0E-\x1F\x7F-\x84\x86-\x9F"  # Cc without its line ends, which are spaces
    r"\u00AD\u034F\u115F\u1160\u17B4\u17B5\u180E\u200B\u2060-\u2064\u206A-\u206F\u3164\uFEFF\uFFA0\uFFF9-\uFFFB"
    r"\u202A-\u202E\u2066-\u2069"  # embeddings, overrides and isolates would turn our own words around
    r"\U000E0000-\U000E007F]+"
)


class Note(NamedTuple):
    """Clean text, and whether its end had to go."""

    text: str
    was_cut: bool


def clean_note(text: str, limit: int = NOTE_LIMIT) -> Note:
    """At most `limit` characters and 16 code points for each, NFC, on one line; empty when nothing visible is left.

    Takes any string, lone surrogates too, raises nothing, and cleaning twice changes nothing.
    """
    if len(text) <= limit and text.isascii() and text.isprintable():
        return Note(" ".join(text.split()), False)
    was_cut = len(text) > _INPUT_LIMIT
    text = text[:_INPUT_LIMIT]
    while True:
        cleaned, cut_now = _clean_once(text, limit)
        was_cut = was_cut or cut_now
        if cleaned == text:
            return Note(cleaned, was_cut and cleaned != "")
        text = cleaned


@lru_cache(maxsize=4096)  # the same few people speak all evening
def clean_name(text: str) -> str:
    """A title, a game or a display name, cleaned as a note is; at most 60 characters."""
    return clean_note(text, NAME_LIMIT).text


def shortened(text: str, length: int) -> str:
    """The text within `length` code points: whole characters, and an ellipsis for those that had to go."""
    if len(text) <= length:
        return text
    kept, used = [], 1
    for cluster in _clusters(text[: length + _CLUSTER_LIMIT], length):
        used += len(cluster)
        if used > length:
            break
        kept.append(cluster)
    return "".join(kept) + "…"


def isolate(text: str) -> str:
    """The text for a chat line (CHAT-6): right-to-left words are isolated, so that ours around them stay in order."""
    if text.isascii() or not _RIGHT_TO_LEFT.search(text):
        return text
    return f"\u2068{text}\u2069"


def _clusters(text: str, count: int) -> Iterator[str]:
    return (match[0] for match in islice(_CLUSTER.finditer(text), count))


def _clean_once(text: str, limit: int) -> Note:
    text = unicodedata.normalize("NFC", _MARK_RUN.sub(r"\1", text))
    text = _SPACES.sub(" ", _DROPPED.sub(r"\1", text)).strip(" ")
    text, was_cut = _first_bounded(text, limit)
    text = text.rstrip(" ")
    return Note(text if _VISIBLE.search(text) else "", was_cut)


def _first_bounded(text: str, limit: int) -> Note:
    """The first `limit` clusters, each bounded; lazily, since finding every cluster of hostile text is quadratic."""
    kept: list[str] = []
    for match in _CLUSTER.finditer(text):
        if len(kept) == limit:
            return Note("".join(kept), True)
        cluster = match[0]
        if len(cluster) > _MARKS_LIMIT:
            cluster = _bounded(cluster, following=text[match.end() : match.end() + 1])
        if cluster:
            kept.append(cluster)
    return Note("".join(kept), False)


def _bounded(cluster: str, following: str) -> str:
    """The cluster within its limits, cut where it does not grow together with what follows; hostile ones may vanish."""
    marks = [mark.end() for mark in islice(_MARK.finditer(cluster), _MARKS_LIMIT)]
    last = marks[-1] if len(marks) == _MARKS_LIMIT else len(cluster)
    kept: str = cluster[:last] + _MARK.sub("", cluster[last:])
    if len(kept) > _CLUSTER_LIMIT:
        kept = kept[:_CLUSTER_LIMIT].rstrip("\u200d")
    while kept and _CLUSTER.match(kept + following).end() != len(kept):
        kept = kept[:-1]
    return kept
