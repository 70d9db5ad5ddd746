"""Names and titles by their sound, so that `Кино` and `Kino` can be one: small tables, consonants before vowels."""

from functools import lru_cache
from typing import Any

import regex  # type: ignore[import-untyped]  # its stubs are a package of their own, types-regex

from moments.letters import scripts, words


def _row(letters: str, sounds: str) -> dict[str, str]:
    return dict(zip(letters, sounds.split(), strict=True))


# The commonest romanisations. Hebrew and Arabic write few vowels and their gutturals are romanised in many ways, or
# not at all, so both sides lose those.
_CYRILLIC = dict(
    _row("абвгдезийклмнопрстуфыэґ", "a b v g d e z i i k l m n o p r s t u f y e g"),
    ж="zh", х="kh", ц="ts", ч="ch", ш="sh", щ="shch", ю="yu", я="ya", ъ="", ь="", є="ye", і="i", ї="yi", ђ="dj",
    ћ="ch", љ="lj", њ="nj", џ="dz", ј="j",
)  # fmt: skip
_GREEK = dict(
    _row("αβγδεζηικλμνορσςτυφω", "a v g d e z i i k l m n o r s s t y f o"),
    θ="th", ξ="x", π="p", χ="ch", ψ="ps",
)  # fmt: skip
_HEBREW = dict(
    _row("אבגדהוזחטיכךלמםנןסעפףקרת", "- b g d - - z - t - k k l m m n n s - p p k r t"),
    צ="ts", ץ="ts", ש="sh",
)  # fmt: skip
_ARABIC = dict(
    _row("ابتثجحدذرزسصضطظعغفقكلمنهوي", "- b t t g - d d r z s s d t z - g f k k l m n - - -"),
    ش="sh", خ="", ء="",
)  # fmt: skip
_KANA_ROWS = {
    "": "あいうえお", "k": "かきくけこ", "g": "がぎぐげご", "s": "さしすせそ", "z": "ざじずぜぞ", "t": "たちつてと",
    "d": "だぢづでど", "n": "なにぬねの", "h": "はひふへほ", "b": "ばびぶべぼ", "p": "ぱぴぷぺぽ", "m": "まみむめも",
    "r": "らりるれろ",
}  # fmt: skip
_KANA = {kana: row + vowel for row, line in _KANA_ROWS.items() for kana, vowel in zip(line, "aiueo", strict=True)}
_KANA |= {"し": "shi", "ち": "chi", "つ": "tsu", "じ": "ji", "ふ": "fu", "や": "ya", "ゆ": "yu", "よ": "yo"}
_KANA |= {"わ": "wa", "を": "o", "ん": "n", "ー": "", "っ": "", "ゃ": "ya", "ゅ": "yu", "ょ": "yo"}
_KANA |= {"ぁ": "a", "ぃ": "i", "ぅ": "u", "ぇ": "e", "ぉ": "o", "ゔ": "v"}
_ROMAN = {k: v.replace("-", "") for k, v in (_CYRILLIC | _GREEK | _HEBREW | _ARABIC | _KANA).items()}

_INITIALS = "g kk n d tt r m b pp s ss - j jj ch k t p h".replace("-", "").split(" ")
_MEDIALS = (
    "a", "ae", "ya", "yae", "eo", "e", "yeo", "ye", "o", "wa", "wae", "oe", "yo", "u", "wo", "we", "wi", "yu", "eu",
    "ui", "i",
)  # fmt: skip
_FINALS = "- k k k n n n t l k m l l l p l m p p t t ng t t k t p t".replace("-", "").split(" ")
_HANGUL_BEGIN, _HANGUL_END = 0xAC00, 0xD7A3


def _rules(lines: str) -> tuple[tuple[Any, str], ...]:
    pairs = (rule.split(">") for rule in lines.split())
    return tuple((regex.compile(pattern), plain) for pattern, plain in pairs)


_LOOSE = _rules("shch|sch|sh>s kh>k ph>f tz|ts>z ch>č c(?=[eiy])>s [cq]>k x>ks w>v")
_ABJAD = _rules("[ck]h> j>g [vw]>b f>p") + _LOOSE
_KANA_LOOSE = _LOOSE + _rules("l>r č>t v>b f>h")
_HANGUL_LOOSE = _LOOSE + _rules("r>l f>p v>b")
_DOUBLED = regex.compile(r"(\p{L})\1+")
_VOWELS = regex.compile(r"[aeiouyhj]|[^\p{L}\p{N}]")
_UNSAID = regex.compile(r"h|[^\p{L}\p{N}]")


@lru_cache(maxsize=16_384)
def consonants(text: str, among: frozenset[str]) -> str:
    """What is left of the romanised text when only consonants count that every script in `among` can tell apart.

    Empty when it has letters no small table can romanise (Han, Thai, …).
    """
    return str(_DOUBLED.sub(r"\1", _VOWELS.sub("", _romanised(text, among))))


def pronounced(text: str, among: frozenset[str]) -> str:
    """The romanised text with its vowels, for the scripts that write them; any other is like nothing but itself."""
    if among & {"hebrew", "arabic"}:
        return text
    return str(_DOUBLED.sub(r"\1", _UNSAID.sub("", _romanised(text, among).replace("y", "i").replace("j", "i"))))


@lru_cache(maxsize=16_384)
def _romanised(text: str, among: frozenset[str]) -> str:
    if scripts(text) & {"han", "other"}:
        return ""
    roman = "".join(_roman(letter) for letter in " ".join(word for word in words(text) if word != "and"))
    rules = _LOOSE
    if among & {"hebrew", "arabic"}:
        rules = _ABJAD
    elif among & {"kana", "hangul"}:
        rules = _KANA_LOOSE if "kana" in among else _HANGUL_LOOSE
    for pattern, plain in rules:
        roman = pattern.sub(plain, roman)
    return roman


def _roman(letter: str) -> str:
    if _HANGUL_BEGIN <= ord(letter) <= _HANGUL_END:
        place = ord(letter) - _HANGUL_BEGIN
        return _INITIALS[place // 588] + _MEDIALS[place % 588 // 28] + _FINALS[place % 28]
    if "ァ" <= letter <= "ヴ":
        letter = chr(ord(letter) - 0x60)
    return _ROMAN.get(letter, letter)
