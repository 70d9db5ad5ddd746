"""How well two recordings fit when each is read in one way, and which words then stay unaccounted for."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from rapidfuzz import fuzz

from moments.letters import fold, in_latin, in_other_scripts, scripts, words
from moments.names import Agreement, agreement, is_art_track, names_in, sounds_alike
from moments.readings import Reading
from moments.titles import Segment, Title, bare_key, numbers_in, other_script, title_keys
from moments.versions import Versions, is_neutral, versions_in

_NEAR_TITLE = 85


class Named(IntEnum):
    NO = 0
    NEAR = 1
    BARE = 2
    """The same once version words inside the title are set aside."""
    SOUNDS = 3
    ALIAS = 4
    """The same but for asides, which must be accounted for."""
    YES = 5


class Fit(NamedTuple):
    """How well one reading of each side fits the other; the better one is greater."""

    title: Named
    artist: Agreement
    unexplained: int
    """Negative: how many stretches of words nobody can account for."""
    same_versions: bool
    score: int
    left: tuple[str, ...]
    one: Reading
    other: Reading


@dataclass(frozen=True, slots=True)
class Side:
    """One recording, taken apart."""

    title: Title
    by: tuple[str, ...]
    is_listed: bool
    names: tuple[str, ...]
    """Every name in `by`."""
    channel_versions: Versions


def fit(mine: Reading, theirs: Reading, one: Side, other: Side) -> Fit:
    named, asides = _titles_agree(mine.title, theirs.title)
    artist = _artists_agree(mine.artists, theirs.artists)
    score = round(fuzz.ratio(compact(mine.title.full), compact(theirs.title.full)))
    if named is Named.NO or artist is Agreement.NO:
        return Fit(named, artist, 0, False, score, (), mine, theirs)
    if named is Named.BARE:
        mine, theirs = _with_versions_of_title(mine), _with_versions_of_title(theirs)
    left = _unexplained(one, (mine, theirs), other, asides[0]) + _unexplained(other, (theirs, mine), one, asides[1])
    known = _known(one, mine, other, theirs)
    left += _loose_ends(one, other, known, (mine, theirs))
    versions = versions_of(mine, one, theirs.artists) == versions_of(theirs, other, mine.artists)
    return Fit(named, artist, -len(left), versions, score, tuple(left), mine, theirs)


def _with_versions_of_title(reading: Reading) -> Reading:
    said = reading.versions | versions_in(words(reading.title.full))
    return Reading(reading.title, reading.artists, Versions(said.kinds, reading.versions.which), reading.left)


def _titles_agree(one: Segment, other: Segment) -> tuple[Named, tuple[tuple[str, ...], tuple[str, ...]]]:
    """How well, and the asides of each that the agreement leaves out."""
    if title_keys(one.full) & title_keys(other.full):
        return Named.YES, ((), ())
    for left, right, aside_left, aside_right in _alias_pairs(one, other):
        if title_keys(left) & title_keys(right):
            return Named.ALIAS, (aside_left, aside_right)
    if sounds_alike(one.full, other.full):
        return Named.SOUNDS, ((), ())
    for left, right, aside_left, aside_right in _alias_pairs(one, other):
        if sounds_alike(left, right):
            return Named.SOUNDS, (aside_left, aside_right)
    if bare_key(one.full) and bare_key(one.full) == bare_key(other.full):
        return Named.BARE, ((), ())
    near = _is_masked(one.full, other.full) or fuzz.ratio(compact(one.full), compact(other.full)) >= _NEAR_TITLE
    return (Named.NEAR if near and numbers_in(one.full) == numbers_in(other.full) else Named.NO), ((), ())


def _is_masked(one: str, other: str) -> bool:
    """Whether one is the other with stars for letters: `F**k`. It may be the clean version."""
    if ("*" in one) == ("*" in other) or len(one) != len(other):
        return False
    return all(a == b or "*" in (a, b) for a, b in zip(fold(one), fold(other), strict=False))


def _alias_pairs(one: Segment, other: Segment) -> Iterator[tuple[str, str, tuple[str, ...], tuple[str, ...]]]:
    for left, aside_left in _aliases(one):
        for right, aside_right in _aliases(other):
            yield left, right, aside_left, aside_right


def _aliases(segment: Segment) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The names a segment may give, each with the rest of it."""
    yield segment.full, ()
    if not segment.asides and len(scripts(segment.full)) > 1:
        latin, others = in_latin(segment.full), in_other_scripts(segment.full)
        if words(latin) != words(segment.full) != words(others):
            yield latin, (others,)
            yield others, (latin,)
    if segment.asides:
        yield segment.core, segment.asides
        for place, aside in enumerate(segment.asides):
            if other_script(aside, segment.core):
                yield aside, (segment.core, *segment.asides[:place], *segment.asides[place + 1 :])


def _artists_agree(one: tuple[str, ...], other: tuple[str, ...]) -> Agreement:
    """Each side's main artist must be among the other's; when only one is, that is near."""
    if _is_company(one, other) or _is_company(other, one):
        return Agreement.YES
    both = main_among(one, other), main_among(other, one)
    return Agreement.NEAR if min(both) < Agreement.NEAR and max(both) >= Agreement.SOUNDS else min(both)


def _is_company(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether two people or more are named, and the other side names them all: services bill them in any order."""
    people = [name for text in one for name in _people(text)]
    return len(people) > 1 and all(_is_known(name, other) for name in people)


def main_among(one: tuple[str, ...], other: tuple[str, ...]) -> Agreement:
    main = names_in(one[0])[:2] if one else ()
    among = [name for text in other for name in names_in(text)]
    return max((agreement(name, known) for name in main for known in among), default=Agreement.NO)


def _known(one: Side, mine: Reading, other: Side, theirs: Reading) -> tuple[str, ...]:
    """Everybody who may be named: artists, guests, and a channel that is an artist's. A label's or a show's is not."""
    names = mine.artists + theirs.artists + one.title.guests + other.title.guests
    names += one.names if is_official(one, theirs.artists) else ()
    return names + (other.names if is_official(other, mine.artists) else ())


def _unexplained(side: Side, pair: tuple[Reading, Reading], other: Side, asides: tuple[str, ...]) -> list[str]:
    """What this side says beyond the title, and nobody can account for."""
    mine, theirs = pair
    known = _known(side, mine, other, theirs)
    by_artist = is_official(side, theirs.artists)
    left = [text for text in (*asides, *mine.left) if not is_neutral(words(text)) and not _are_known(text, known)]
    if by_artist:
        left = [text for text in left if not any(set(words(text)) <= set(words(name)) for name in known)]
    left = [text for text in left if versions_in(words(text)).kinds or not _is_translated(text, pair, by_artist)]
    if by_artist and side.title.is_audio:
        left = [text for text in left if text not in side.title.decorations or versions_in(words(text)).kinds]
    return left


def _is_translated(text: str, pair: tuple[Reading, Reading], by_artist: bool) -> bool:
    """Whether it is the title again: as it sounds, or as the artist puts it into English.

    Only into Latin letters: there the words that tell a version are best known, and another script may hide one.
    """
    titles = [name for reading in pair for name in (reading.title.full, reading.title.core)]
    if any(title_keys(text) & title_keys(name) or sounds_alike(text, name) for name in titles):
        return True
    return by_artist and scripts(text) == {"latin"} and any(other_script(text, name) for name in titles)


def _are_known(text: str, known: tuple[str, ...]) -> bool:
    """Whether a text is one known name, or a list of nothing else."""
    whole, *listed = names_in(text)
    return _is_known(whole, known) or (bool(listed) and all(_is_known(name, known) for name in listed))


def _is_known(name: str, known: Iterable[str]) -> bool:
    return any(agreement(name, part) >= Agreement.SOUNDS for text in known for part in names_in(text))


def is_official(side: Side, artists: tuple[str, ...]) -> bool:
    """Whether a catalogue speaks, or the very artist the other side means."""
    return side.is_listed or main_among(side.by, artists) >= Agreement.SOUNDS


def _loose_ends(one: Side, other: Side, known: tuple[str, ...], pair: tuple[Reading, Reading]) -> list[str]:
    """Hashtags, years and guests that only one side has, and that matter."""
    names = {compact(name) for text in known for name in names_in(text)}
    names |= {key for reading in pair for key in title_keys(reading.title.full)}
    left = ["#" + tag for side in (one, other) for tag in side.title.hashtags if tag not in names]
    if one.title.has_year != other.title.has_year:
        dated = one if one.title.has_year else other
        left += ["a year"] if dated.is_listed or _is_art_track(dated) else []
    return [*left, *_strangers(one, other, pair[0], pair[1]), *_strangers(other, one, pair[1], pair[0])]


def _strangers(one: Side, other: Side, mine: Reading, theirs: Reading) -> list[str]:
    """Guests `one` names and `other` should, but does not.

    A catalogue lists everybody, a channel is one name and need not. A release that names its guests in its title is
    another than one of the same artist that does not.
    """
    there = other.names + theirs.artists + other.title.guests
    featured = [name for text in one.title.guests for name in _people(text)]
    beside = [name for text in mine.artists for name in _people(text)][1:]
    if other.is_listed or (other.title.guests and one.title.guests):
        must = featured + beside if other.is_listed else featured
    else:
        must = featured if _is_art_track(other) and one.is_listed else []
    if not other.is_listed and must and other.title.guests and _are_all_known(other.title.guests, one, mine):
        return []
    return [name for name in must if not _is_known(name, there)]


def _are_all_known(guests: tuple[str, ...], side: Side, reading: Reading) -> bool:
    there = side.names + reading.artists + side.title.guests
    return all(_is_known(name, there) for text in guests for name in _people(text))


def _people(text: str) -> tuple[str, ...]:
    whole, *listed = names_in(text)
    return tuple(listed) or (whole,)


def _is_art_track(side: Side) -> bool:
    return not side.is_listed and any(map(is_art_track, side.by))


def versions_of(reading: Reading, side: Side, artists: tuple[str, ...]) -> Versions:
    """What this reading says about the version, and what its channel does unless the channel is the artist."""
    if side.channel_versions.kinds and main_among(side.by, artists) < Agreement.SOUNDS:
        return reading.versions | side.channel_versions
    return reading.versions


def compact(text: str) -> str:
    return "".join(words(text))
