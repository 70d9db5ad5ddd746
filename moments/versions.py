"""What words say about the version of a song, by the vocabularies beside this file."""

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

import regex  # type: ignore[import-untyped]  # its stubs are a package of their own, types-regex

from moments.letters import words
from moments.vocabulary import AUDIO, KINDS, NEUTRAL, NEUTRAL_BESIDE, NEUTRAL_WHOLE

_GLUE = frozenset(
    words("a an at in from the by on of for to and en na w z de la el im am aus mit dem der с в на из 's x")
)

_CJK = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}ー]"
_YEAR = regex.compile(r"(?:19|20)\d\d")
_REMASTERED = regex.compile(
    r"(?:\b(?:19|20)\d\d\s+)?(?:(?:\d+th anniversary|new|digital|digitally|stereo|4k|hd)\s+)*"
    r"\b(?:remaster(?:ed|s|izado|izada)?|remasteris\p{L}+|ремастер\p{L}*|リマスター|리마스터)"
    r"(?:\s+(?:version|edition|audio|stereo))?(?:\s+(?:in\s+)?(?:(?:19|20)\d\d|4k|hd|hq))?"
    r"|\b(?:19|20)\d\d\s+master\b",
    regex.IGNORECASE,
)


class Versions(NamedTuple):
    """What a stretch of words says about the version: its kinds (`live`, `live:tour`), and the words that say which."""

    kinds: frozenset[str] = frozenset()
    which: frozenset[str] = frozenset()

    def __or__(self, other: "Versions") -> "Versions":
        return Versions(self.kinds | other.kinds, self.which | other.which)


NONE = Versions()


def kind_of(version: str) -> str:
    """`live` for `live:tiny desk` and for `live` itself."""
    return version.partition(":")[0]


def _entries(lines: str) -> list[tuple[str, ...]]:
    return [words(entry) for entry in lines.replace("\n", " ").split(",") if entry.strip()]


def _kinds() -> Iterable[tuple[tuple[str, ...], str]]:
    for kind, lines in KINDS.items():
        alike, _, apart = lines.partition(";")
        yield from ((entry, kind) for entry in _entries(alike))
        yield from ((entry, f"{kind}:{' '.join(entry)}") for entry in _entries(apart))


_KIND_OF = dict(_kinds())
_LONGEST = max(map(len, _KIND_OF))
_CJK_KINDS = {
    entry[0]: kind for entry, kind in _KIND_OF.items() if len(entry) == 1 and regex.fullmatch(_CJK + "+", entry[0])
}
_CJK_KIND = regex.compile("|".join(sorted(map(regex.escape, _CJK_KINDS), key=len, reverse=True)))
_STRONG = frozenset(entry for entry in _entries(NEUTRAL) if len(entry) == 1)
_STRONG_WORDS = frozenset(word for entry in _entries(NEUTRAL) for word in entry)
_WEAK_WORDS = frozenset(word for entry in _entries(NEUTRAL_BESIDE) for word in entry)
_WHOLE = frozenset(_entries(NEUTRAL_WHOLE))
_TELLING = regex.compile(
    "|".join(regex.escape(word) for word in map("".join, _KIND_OF) if len(word) > 3 or not word.isascii())
)
_PICTURE = frozenset({"video", "clip", "mv", "videoclip"})  # a `video version` is cut for the picture
_AUDIO = frozenset(word for entry in _entries(AUDIO) for word in entry)
_CJK_STRONG = sorted((word for word in _STRONG_WORDS if regex.fullmatch(_CJK + "+", word)), key=len, reverse=True)
_CJK_NEUTRAL = regex.compile(f"(?:{'|'.join(map(regex.escape, _CJK_STRONG))}|mv|pv)+")


def without_remaster(text: str) -> str:
    """The text without `2011 Remaster` and the like: the same recording, and the same times, when the length agrees."""
    return str(_REMASTERED.sub(" ", text))


@lru_cache(maxsize=16_384)
def is_neutral(text: tuple[str, ...]) -> bool:
    """Whether these words say nothing about the recording: `official lyric video`, `4k`, `explicit`."""
    if not text or text in _WHOLE:
        return True
    if text in _KIND_OF or ("version" in text and not _PICTURE.isdisjoint(text)):
        return False
    return any(_is_strong(word) for word in text) and all(
        _is_strong(word) or word in _WEAK_WORDS or _YEAR.fullmatch(word) for word in text
    )


def tells_audio(text: tuple[str, ...]) -> bool:
    """Whether neutral words say that this is the release's own sound."""
    return not _AUDIO.isdisjoint(text)


def is_year(text: tuple[str, ...]) -> bool:
    """A year alone, as uploaders add it."""
    return len(text) == 1 and _YEAR.fullmatch(text[0]) is not None


def hashtag_tells_version(word: str) -> bool:
    """Whether a folded hashtag may say which version this is; such words stick together, as in `guitarcover`."""
    return _TELLING.search(word) is not None


@lru_cache(maxsize=16_384)
def without_neutral_end(text: tuple[str, ...]) -> tuple[str, ...]:
    """The words without `official music video` at their end; all of them when nothing else is there."""
    end = len(text)
    while end and (_is_strong(text[end - 1]) or (end < len(text) and text[end - 1] in _WEAK_WORDS)):
        end -= 1
    while (
        end < len(text)
        and text[end] in _WEAK_WORDS
        and not _is_strong(text[end])
        and text[end] not in ("music", "full")
    ):
        end += 1
    return text[:end] or text


@lru_cache(maxsize=16_384)
def versions_in(text: tuple[str, ...]) -> Versions:
    """The version words among these, and the others beside them; `NONE` when there is none."""
    kinds, others, place = set(), [], 0
    while place < len(text):
        length = next((n for n in range(_LONGEST, 0, -1) if text[place : place + n] in _KIND_OF), 0)
        if length:
            kinds.add(_KIND_OF[text[place : place + length]])
        elif found := _CJK_KIND.findall(text[place]):
            kinds.update(_CJK_KINDS[word] for word in found)
        else:
            others.append(text[place])
        place += length or 1
    if not kinds:
        return NONE
    if kinds != {"version"}:
        kinds.discard("version")
    return Versions(frozenset(kinds), frozenset(_saying(others)))


def begins_or_ends_with_version(text: tuple[str, ...]) -> bool:
    """Whether these words may be a description (`live at …`, `… remix`) rather than a title."""
    return any(text[:n] in _KIND_OF or text[-n:] in _KIND_OF for n in range(1, _LONGEST + 1)) or any(
        _CJK_KIND.search(word) for word in text
    )


def _saying(others: Iterable[str]) -> Iterable[str]:
    return (word for word in others if word not in _GLUE and not _is_strong(word) and word not in ("music", "original"))


def _is_strong(word: str) -> bool:
    return word in _STRONG_WORDS or _CJK_NEUTRAL.fullmatch(word) is not None
