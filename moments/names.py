"""Artists' names as lists, channels and titles write them, and whether two of them are one."""

from enum import IntEnum
from functools import lru_cache

import regex  # type: ignore[import-untyped]  # its stubs are a package of their own, types-regex
from rapidfuzz import fuzz

from moments.letters import in_latin, in_other_scripts, scripts, with_umlauts_spelled, words
from moments.sounds import consonants, pronounced
from moments.versions import versions_in

_BETWEEN = regex.compile(
    r"\s*[,;/|、，×]\s*|\s+(?:and|und|et|y|e|и|та|i|og|och|ve|con|with|feat\.?|ft\.?|featuring|vs\.?|x|en)\s+|\s*[&＆+]\s*",
    regex.IGNORECASE,
)
_TITLES = frozenset({"dj", "mc", "mr", "the", "группа", "гурт"})
"""What many artists are called; alone it names nobody."""
_CHANNEL_WORDS = frozenset(
    words(
        "official oficial officiel offiziell ufficiale oficjalny oficjalnie официальный официальная офіційний канал"
        " kanał channel canal kanal topic vevo music musica musik tv artist youtube הערוץ הרשמי רשמי 公式"
        " 公式チャンネル チャンネル official公式 オフィシャル 官方 頻道 官方頻道"
        " 공식 채널 공식채널 قناة الرسمية الرسمي القناة resmi"
    )
)
_ARTISTS_OWN = regex.compile(r"(?:\s-\s+topic|(?<=\S)vevo)\s*$", regex.IGNORECASE)
_OFFICIAL = frozenset(
    words("official oficial officiel offiziell ufficiale oficjalny официальный הרשמי 公式 공식 官方 الرسمية resmi")
)
_STUCK = regex.compile(r"(?:official)?(.+?)(?:official)?(?:vevo|official|music|tv)?")


class Agreement(IntEnum):
    """How well two names agree."""

    NO = 0
    UNREADABLE = 1
    """They share no script, and no table says how one would sound in the other."""
    NEAR = 2
    SOUNDS = 3
    """The same consonants in another script."""
    YES = 4


def claims_an_artist(channel: str) -> bool:
    """Whether a channel says it is somebody's own: `… - Topic`, `…VEVO`, `… Official`."""
    return _ARTISTS_OWN.search(channel) is not None or not _OFFICIAL.isdisjoint(words(channel))


def is_art_track(channel: str) -> bool:
    """Whether the channel is a `… - Topic` one, where titles are those of the release."""
    return channel.rstrip().casefold().endswith(" - topic")


_LEAST_IN_NAME = 2
_LEAST_IN_TITLE = 3
"""Fewer consonants than that are in too many titles."""
_ANDS = frozenset({"and", "und", "y", "et", "e", "i", "и"})


@lru_cache(maxsize=16_384)
def names_in(text: str) -> tuple[str, ...]:
    """The whole text as one name, then the names it may list."""
    text = _ARTISTS_OWN.sub("", text)
    listed = tuple(name for name in _BETWEEN.split(text) if name and name.strip())
    return (text, *listed) if len(listed) > 1 else (text,)


@lru_cache(maxsize=16_384)
def agreement(one: str, other: str) -> Agreement:
    """Whether two names are one, as far as letters tell."""
    if _keys(one) & _keys(other):
        return Agreement.YES
    pairs = [(a, b) for a in _aliases(one) for b in _aliases(other) if scripts(a) and scripts(b)]
    foreign = [(a, b) for a, b in pairs if not scripts(a) & scripts(b)]
    if any(_sounds_alike(a, b, least=_LEAST_IN_NAME) for a, b in foreign):
        return Agreement.SOUNDS
    if any(fuzz.ratio(a, b) >= 85 for a in _keys(one) for b in _keys(other)):
        return Agreement.NEAR
    if foreign and len(foreign) == len(pairs):
        return Agreement.UNREADABLE
    return Agreement.NO


def name_sounds_alike(one: str, other: str) -> bool:
    """Whether two names in different scripts have the same consonants."""
    return not scripts(one) & scripts(other) and _sounds_alike(one, other, least=_LEAST_IN_NAME)


def sounds_alike(one: str, other: str) -> bool:
    """Whether two titles in different scripts have the same consonants, and enough of them to mean something."""
    return not scripts(one) & scripts(other) and _sounds_alike(one, other, least=_LEAST_IN_TITLE)


def _sounds_alike(one: str, other: str, least: int) -> bool:
    among = scripts(one) | scripts(other)
    sound = consonants(one, among)
    if sound != consonants(other, among):
        return False
    return len(sound) >= least or (bool(sound) and pronounced(one, among) == pronounced(other, among))


@lru_cache(maxsize=16_384)
def _aliases(name: str) -> tuple[str, ...]:
    """The name whole, without its brackets, what is in them, and its stretches in one script each."""
    found = [name]
    if len(scripts(name)) > 1 and not versions_in(words(name)).kinds:
        found += [in_latin(name), in_other_scripts(name)]
    told = (alias.strip() for alias in found if not _TITLES.issuperset(words(alias)))
    return tuple(dict.fromkeys(told)) or (name,)


def _without_and(name: tuple[str, ...]) -> tuple[str, ...]:
    """`simongarfunkel`, as channels run names together; an `et` at the end joins nothing."""
    return (*name[:1], *(word for word in name[1:-1] if word not in _ANDS), *name[1:][-1:])


@lru_cache(maxsize=16_384)
def _keys(name: str) -> frozenset[str]:
    keys = set()
    for alias in _aliases(name):
        for told in (words(alias), words(with_umlauts_spelled(alias))):
            own = tuple(word for word in told if word not in _CHANNEL_WORDS) or told
            for form in (told, own, _without_and(own)):
                keys.add("".join(form))
                if len(form) > 1 and form[0] == "the":
                    keys.add("".join(form[1:]))
            stuck = _STUCK.fullmatch("".join(own))
            if stuck and len(stuck[1]) > 2:
                keys |= {stuck[1], stuck[1].removeprefix("the")}
    return frozenset(key for key in keys if key)
