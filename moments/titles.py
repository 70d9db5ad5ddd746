"""A title as services and uploaders write it, taken apart: segments, asides, guests, version words."""

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

import regex  # type: ignore[import-untyped]  # its stubs are a package of their own, types-regex

from moments.letters import scripts, with_umlauts_spelled, words
from moments.versions import (
    NONE,
    Versions,
    hashtag_tells_version,
    is_neutral,
    is_year,
    tells_audio,
    versions_in,
    without_neutral_end,
    without_remaster,
)

_TITLE_LIMIT = 300  # code points; YouTube allows 100, and this bounds the cost of everything below
_SEGMENT_LIMIT = 4  # what follows is one more; every pair of them may be artist and name

_SYMBOLS = regex.compile(r"[\p{So}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Emoji_Presentation}\p{Emoji_Modifier}\uFE0F]+")
_HASHTAG = regex.compile(r"#(?=\p{L})([\p{L}\p{M}\p{N}_]+)")
_SPELLINGS = (
    (regex.compile(r"\b[Mm]/[Vv]\b"), "MV"),
    (regex.compile(r"[ǀ│¦\\]"), "|"),
    (regex.compile(r"[〜～~]"), " - "),
    (regex.compile(r"\s[-–—]\s*(from\s+[\"“].*)$", regex.IGNORECASE), r" (\1)"),
)
_PIECE = regex.compile(
    r"(?P<aside>\((?:[^()]|\([^()]*\))*\)|\[[^\[\]]*\]|\{[^{}]*\}|<[^<>]*>|〔[^〕]*〕)"
    r"|(?P<quote>【[^】]*】|「[^」]*」|『[^』]*』|《[^》]*》|〈[^〉]*〉|«[^»]*»|“[^”]*”"
    r"|(?<![\p{L}\p{N}])\"[^\"]+\"(?![\p{L}\p{N}])|(?<![\p{L}\p{N}])['‘][^'’‘]+['’](?![\p{L}\p{N}]))"
    r"|(?P<break>\s+[-‐‑–—‒―−_•·:]+\s+|\s[-–—](?=\S)|(?<=\S)[-–—]\s+|\s*\|+\s*|\s+/+\s+|\s*//+\s*)"
    r"|(?P<plain>.)",
    regex.DOTALL,
)
_GUESTS = regex.compile(
    r"(?:^|\s)(?:feat(?:uring|\.)?|ft\.?|фит\.?|при участии|при уч\.|z udziałem|gościnnie|피처링)\s+(.+)$",
    regex.IGNORECASE,
)
_WITH_GUESTS = regex.compile(r"^\s*(?:with|w/|con|avec|mit|duet with)\s+(.+)$", regex.IGNORECASE)
_PRODUCER = regex.compile(
    r"(?:^|\s)(?:prod(?:uced)?\.?(?:\s+by\b|\s*:|\s)|прод\.?\s|produção:?\s|זמר והפקה:?\s).*$", regex.IGNORECASE
)
_SOUNDTRACK = regex.compile(
    r"\s*(?:music\s+)?(?:from|de|из|z filmu|iz filma)\s+(?:the\s+)?(?:[\"“'‘].+[\"”'’]"
    r"(?:\s*/?\s*(?:original\s+)?(?:soundtrack|score)?(?:\s+version)?)?"
    r"|.*\b(?:soundtrack|motion picture|film|movie|(?:tv|television|netflix|hbo|original) series|ost)\b.*)\s*",
    regex.IGNORECASE,
)

_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_DIGITS = {word: str(number) for number, word in enumerate(_NUMBERS)}
_PARTS = frozenset(words("part pt pts parte część часть частина partie teil del parti ч"))
_ROMANS = {word: str(number) for number, word in enumerate(words("i ii iii iv v vi vii viii ix x"), start=1)}
_LEADING = frozenset({"karaoke", "speed:nightcore"})
_SAFE_ROMANS = frozenset({"ii", "iii", "iv", "vi", "vii", "viii", "ix"})


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a title between dashes, with the asides in brackets that are words of it."""

    pieces: tuple[tuple[str, bool], ...]
    """Text, and whether it stood in brackets."""

    @property
    def full(self) -> str:
        """All of it, in order."""
        return " ".join(text for text, _ in self.pieces)

    @property
    def core(self) -> str:
        """Without its asides, unless it is nothing else."""
        return " ".join(text for text, is_aside in self.pieces if not is_aside) or self.full

    @property
    def asides(self) -> tuple[str, ...]:
        """What stood in brackets beside the core."""
        found = tuple(text for text, is_aside in self.pieces if is_aside)
        return found if len(found) < len(self.pieces) else ()


@dataclass(frozen=True, slots=True)
class Title:
    """A title taken apart."""

    text: str
    segments: tuple[Segment, ...]
    versions: Versions = NONE
    guests: tuple[str, ...] = ()
    has_year: bool = False
    decorations: frozenset[str] = frozenset()
    """What stands behind a bar or in heavy brackets: an album, a film, a show."""
    is_cut: bool = False
    """Too long to be read whole, so that not every word is known."""
    is_audio: bool = False
    """It says it is the release's own sound: `Official Audio`, a visualizer, a lyric video."""
    hashtags: tuple[str, ...] = ()
    """Folded, and only those that may tell a version."""


@dataclass(slots=True)
class _Parts:
    segments: list[list[tuple[str, bool]]] = field(default_factory=lambda: [[]])
    versions: Versions = NONE
    guests: list[str] = field(default_factory=list)
    has_year: bool = False
    is_audio: bool = False
    decorating: set[int] = field(default_factory=set)

    def plain(self, text: str) -> None:
        text = _PRODUCER.sub("", text)
        if guests := _GUESTS.search(text):
            named = guests[1].split()
            while len(named) > 1 and is_neutral(words(named[-1])):
                named.pop()
            self.guests.append(" ".join(named))
            text = text[: guests.start()]
        if text.strip():
            self.segments[-1].append((text.strip(), False))

    def aside(self, text: str) -> bool:
        """Take what says something about the recording; whether anything else is left."""
        text = _PRODUCER.sub("", text)
        plain = words(text)
        self.is_audio = self.is_audio or (is_neutral(plain) and tells_audio(plain))
        if is_neutral(plain) or not text.strip() or _is_soundtrack(text):
            return False
        if is_year(plain):
            self.has_year = True
            return False
        if guests := _GUESTS.search(text) or _WITH_GUESTS.search(text):
            self.guests.append(guests[1])
            return self.aside(text[: guests.start()])
        versions = versions_in(plain)
        self.versions |= versions
        return not versions.kinds


def joined(segments: Iterable[Segment]) -> Segment:
    """Segments as one."""
    return Segment(tuple(piece for segment in segments for piece in segment.pieces))


@lru_cache(maxsize=4096)
def take_apart(title: str) -> Title:
    """Any string, bounded; raises nothing."""
    text = _SYMBOLS.sub(" ", unicodedata.normalize("NFKC", title[:_TITLE_LIMIT]))
    parts = _Parts()
    hashtags = []
    for hashtag in _HASHTAG.findall(text):
        hashtag = "".join(words(hashtag.replace("_", " ")))
        parts.versions |= versions_in((hashtag,))
        if hashtag_tells_version(hashtag):
            hashtags.append(hashtag)
    text = without_remaster(_HASHTAG.sub(" ", text))
    for pattern, plain in _SPELLINGS:
        text = pattern.sub(plain, text)
    _fill(parts, text)
    segments = tuple(Segment(tuple(pieces)) for pieces in parts.segments if pieces)
    if not segments and text.strip():  # `???` and `( )` are titles as well
        segments = (Segment(((text.strip(), False),)),)
    decorations = frozenset(Segment(tuple(parts.segments[place])).full for place in parts.decorating)
    told = tuple(segment for segment in segments if not is_neutral(words(segment.full)))
    if len(told) < 2:  # `Charli xcx - 360`: a song may be called what uploaders say of their videos
        told = segments
    if len(told) > _SEGMENT_LIMIT:
        told = (*told[:_SEGMENT_LIMIT], joined(told[_SEGMENT_LIMIT:]))
    return Title(
        text,
        told,
        parts.versions,
        tuple(parts.guests),
        parts.has_year,
        decorations,
        len(title) > _TITLE_LIMIT,
        parts.is_audio,
        tuple(hashtags),
    )


def _fill(parts: _Parts, text: str) -> None:
    plain = ""
    for piece in _PIECE.finditer(text):
        if piece["plain"] is not None:
            plain += piece[0]
            continue
        parts.plain(plain)
        plain = ""
        if piece["break"] is not None:
            parts.segments.append([])
            if "|" in piece[0]:
                parts.decorating.add(len(parts.segments) - 1)
        elif piece["aside"] is not None:
            if parts.aside(piece[0][1:-1]):
                parts.segments[-1].append((piece[0][1:-1].strip(), True))
        elif parts.aside(piece[0][1:-1]):
            parts.segments += [[(piece[0][1:-1].strip(), False)], []]
            if piece[0][0] == "【":
                parts.decorating.add(len(parts.segments) - 2)
    parts.plain(plain)


def _is_soundtrack(text: str) -> bool:
    return _SOUNDTRACK.fullmatch(text) is not None and versions_in(words(text)).kinds <= {"version"}


@lru_cache(maxsize=16_384)
def title_keys(text: str) -> frozenset[str]:
    """The forms of a title that count as the same title: spaces, number words, `Pt. II` and umlauts aside."""
    forms = [words(text), words(with_umlauts_spelled(text))]
    forms += [without_neutral_end(form) for form in forms]
    return frozenset("".join(form) for form in forms) | frozenset("".join(_numbered(form)) for form in forms)


@lru_cache(maxsize=16_384)
def bare_key(text: str) -> str:
    """The title without version words at its end, to tell another version from another song."""
    told = without_neutral_end(words(text))
    end = len(told)
    while end > 1 and versions_in(told[end - 1 :]).kinds and not versions_in(told[end - 1 :]).which:
        end -= 1
    leading = versions_in(told[:1]).kinds
    start = int(end > 1 and bool(leading) and leading <= _LEADING)
    return "".join(told[start:end])


def numbers_in(text: str) -> tuple[str, ...]:
    """The numbers a title holds, in order: songs that differ in one are never the same."""
    return tuple(regex.findall(r"\d+", " ".join(_numbered(words(text)))))


def _numbered(text: tuple[str, ...]) -> Iterator[str]:
    for place, word in enumerate(text):
        after_part = place > 0 and text[place - 1] in _PARTS
        if word in _PARTS:
            yield "part"
        elif word in _ROMANS and (after_part or (word in _SAFE_ROMANS and place == len(text) - 1)):
            yield _ROMANS[word]
        else:
            yield _DIGITS.get(word, word)


def other_script(text: str, than: str) -> bool:
    """Whether two texts share no script, as a title and its translation in brackets."""
    return bool(scripts(text)) and bool(scripts(than)) and not scripts(text) & scripts(than)
