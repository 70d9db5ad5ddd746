"""Words as they compare: one form for every spelling of a letter."""

import unicodedata
from functools import lru_cache

import regex  # type: ignore[import-untyped]  # its stubs are a package of their own, types-regex

# Marks are spelling here; in kana, Thai or Devanagari they are letters and stay.
_ACCENTS = regex.compile(r"(?<=[\p{Latin}\p{Cyrillic}\p{Greek}\p{Hebrew}\p{Arabic}])\p{M}+")
_LETTERS = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ى": "ي", "ة": "ه", "ـ": None}
)
_APOSTROPHES = regex.compile(r"['’‘‛`´ʼʹ′׳״]|(?<=\p{Hebrew})\"(?=\p{Hebrew})")
_STYLED = (
    (regex.compile(r"(?<=\p{Latin})\$(?=\p{Latin})|(?<!\S)\$(?=\p{Latin})"), "s"),
    (regex.compile(r"(?<=\p{Latin})!(?=\p{Latin})"), "i"),
    (regex.compile(r"[&+]"), " and "),
)
_WORD = regex.compile(r"[\p{L}\p{N}\p{M}]+")
_VISIBLE = regex.compile(r"\S+")
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})
_SCRIPTS = {
    "latin": r"\p{Latin}",
    "cyrillic": r"\p{Cyrillic}",
    "greek": r"\p{Greek}",
    "hebrew": r"\p{Hebrew}",
    "arabic": r"\p{Arabic}",
    "kana": r"\p{Hiragana}\p{Katakana}",
    "hangul": r"\p{Hangul}",
    "han": r"\p{Han}",
}
_OF_SCRIPT = {name: regex.compile(f"[{letters}]") for name, letters in _SCRIPTS.items()}
_OF_SCRIPT["other"] = regex.compile(rf"[^\P{{L}}{''.join(_SCRIPTS.values())}ー]")
_LATIN = regex.compile(r"\p{Latin}[\p{Latin}\p{M}\p{N}]*")
_OTHER_THAN_LATIN = regex.compile(r"[^\P{L}\p{Latin}][^\P{L}\p{Latin}\p{M}ー]*")


@lru_cache(maxsize=16_384)
def fold(text: str) -> str:
    """The text without case, width, accents and apostrophes; what is a word of its own stays one."""
    text = unicodedata.normalize("NFKC", text).casefold()
    text = unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFD", text))).translate(_LETTERS)
    return str(_APOSTROPHES.sub("", text))


@lru_cache(maxsize=16_384)
def words(text: str) -> tuple[str, ...]:
    """The folded words; a title of symbols alone, such as ÷, is its symbols."""
    folded = fold(text)
    for pattern, plain in _STYLED:
        folded = pattern.sub(plain, folded)
    return tuple(_WORD.findall(folded) or _VISIBLE.findall(folded))


def with_umlauts_spelled(text: str) -> str:
    """`Die Ärzte` as `die aerzte`."""
    return unicodedata.normalize("NFC", text).casefold().translate(_UMLAUTS)


@lru_cache(maxsize=16_384)
def scripts(text: str) -> frozenset[str]:
    """The scripts its letters are written in."""
    return frozenset(name for name, pattern in _OF_SCRIPT.items() if pattern.search(text))


def in_latin(text: str) -> str:
    """Only what is written in Latin letters."""
    return str(_OTHER_THAN_LATIN.sub(" ", text))


def in_other_scripts(text: str) -> str:
    """Without what is written in Latin letters."""
    return str(_LATIN.sub(" ", text))
