"""The ways to understand a title: which words are the song's name, which its artist's, and which are left over."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import regex  # type: ignore[import-untyped]  # its stubs are a package of their own, types-regex

from moments.letters import in_latin, in_other_scripts, scripts, words
from moments.names import name_sounds_alike
from moments.titles import Segment, Title, joined
from moments.versions import NONE, Versions, begins_or_ends_with_version, versions_in, without_neutral_end

_READING_LIMIT = 40

_BY = regex.compile(r"^(.+?)\s+(?:by|von|par|por)\s+(.+)$", regex.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to understand a title: what the song is called, by whom, and what is left over."""

    title: Segment
    artists: tuple[str, ...]
    versions: Versions = NONE
    left: tuple[str, ...] = ()


def readings(title: Title, by: tuple[str, ...], hints: Iterable[str], is_listed: bool) -> Iterator[Reading]:
    """The ways to understand a title: as the name alone, and for an upload also as `artist - name` in either order.

    `hints` are the names the other side knows: they part what no dash parts.
    """
    yield from islice(_all_readings(title, by, tuple(hints), is_listed), _READING_LIMIT)


def _all_readings(title: Title, by: tuple[str, ...], hints: tuple[str, ...], is_listed: bool) -> Iterator[Reading]:
    yield from _plain_readings(title.segments, by, hints, title.versions, is_listed)
    described = tuple(s for s in title.segments[1:] if begins_or_ends_with_version(words(s.full)))
    if described:
        versions = title.versions
        for segment in described:
            versions |= versions_in(words(segment.full))
        rest = tuple(segment for segment in title.segments if segment not in described)
        yield from _plain_readings(rest, by, hints, versions, is_listed)


def _plain_readings(
    segments: tuple[Segment, ...], by: tuple[str, ...], hints: Iterable[str], versions: Versions, is_listed: bool
) -> Iterator[Reading]:
    if not segments:
        return
    yield Reading(joined(segments), by, versions)
    if is_listed:
        if len(segments) > 1:
            yield Reading(segments[0], by, versions, _texts(segments[1:]))
        return
    for place, segment in enumerate(segments):
        others = segments[:place] + segments[place + 1 :]
        is_last = place == len(segments) - 1
        artist, remarks = ((_parts(segment)[0],), _remarks(segment)) if is_last else ((segment.full,), ())
        if others:
            yield Reading(segment, by, versions, _texts(others))
            yield Reading(joined(others), artist, versions, remarks)
        for number, other in enumerate(others):
            unread = _texts(others[:number] + others[number + 1 :])
            yield Reading(other, artist, versions, (*remarks, *unread))
        for named, rest in _parted(segment, hints):
            yield Reading(rest, (named,), versions, _texts(others))


def _remarks(segment: Segment) -> tuple[str, ...]:
    """What follows an artist's name at the very end: there it may be a remark and not the name in another script."""
    return _parts(segment)[1:]


def _parts(segment: Segment) -> tuple[str, ...]:
    latin, others = in_latin(segment.core).strip(), in_other_scripts(segment.core).strip()
    is_mixed = len(scripts(segment.core)) > 1 and words(latin) != words(segment.core) != words(others)
    return (*((latin, others) if is_mixed else (segment.core,)), *segment.asides)


def _parted(segment: Segment, hints: Iterable[str]) -> Iterator[tuple[str, Segment]]:
    if named := _BY.match(segment.full):
        yield named[2], Segment(((named[1], False),))
    # A name in brackets is no `artist - name`: covers credit the original's artist so.
    told = without_neutral_end(words(segment.core))
    asides = tuple((aside, True) for aside in segment.asides)
    for hint in hints:
        name = words(hint)
        if len(name) >= len(told):
            continue
        for named, rest in ((told[: len(name)], told[len(name) :]), (told[-len(name) :], told[: -len(name)])):
            if named == name or name_sounds_alike(" ".join(named), hint):
                yield hint, Segment(((" ".join(rest), False), *asides))


def _texts(segments: Iterable[Segment]) -> tuple[str, ...]:
    """The words of segments nobody reads, in the parts that must each be accounted for."""
    return tuple(text for segment in segments for text in _parts(segment))
