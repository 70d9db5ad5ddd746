"""What is offered while somebody types into a command's fields: recordings of this place, parts, sessions, and words.

Everything is read from the store by an index, so that an answer takes no longer where much was saved. Nobody else's
words are among it, and what was saved in private is offered to its author alone.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice
from typing import NamedTuple, cast

from commands import joining
from commands.access import may, may_see
from commands.choices import CHOICES
from commands.help import offered
from commands.model import Heard
from commands.pasted import find_own, read_link, track_key
from commands.recorded import origin_of, saved_by
from commands.registry import COMMANDS
from commands.services import Services
from commands.setup import OTHERS, OTHERS_VALUES
from commands.shown import Place
from moments.errors import BadLink, MomentsError, TimecodeError
from moments.notes import clean_note, shortened
from moments.ranges import LONGEST_SECONDS, Range, clock, parse_range, range_words, read_time
from moments.sessions import Channel
from moments.wording import ago, counted
from providers.links import Kind, Link, recognise
from storage import public_saves, sources, tracks

MOST = 25
"""What Discord shows."""
LONGEST = 100
"""Characters of a label, and of a value."""
LONGEST_LINK = 2_000
LENGTHS = (15, 30, 10, 20, 45, 60)
"""Seconds that are offered behind a start, the likeliest first."""

_DASH = re.compile(r"\s*(?:[-‐-―−+→]|\.{2,3}|to\b).*", re.IGNORECASE)
_WORD = re.compile(r"[a-z0-9_]+")


class Suggestion(NamedTuple):
    """Something to choose: as it is shown, and what is sent for it."""

    label: str
    value: str


async def suggest(services: Services, heard: Heard, option: str, typed: str) -> list[Suggestion]:
    """At most MOST suggestions for a field, by what is typed into it so far; `heard` has the other fields.

    Nothing for who may not use the command. Raises StoreError.
    """
    command = COMMANDS.get(heard.text)
    offer = _OFFERS.get(option)
    if command is None or offer is None:
        return []
    try:
        heard = await joining.follow(services, heard, command)
    except MomentsError:
        return []  # why not is said when the command is given
    if not may(heard.role, command.name):
        return []
    found = await offer(services, heard, typed.strip()[:LONGEST_LINK])
    fitting = (Suggestion(_label(each.label), each.value) for each in found if 0 < len(each.value) <= LONGEST)
    return list(islice(fitting, MOST))


def _label(words: str) -> str:
    return shortened(clean_note(words, LONGEST).text, LONGEST) or "…"


def _matches(typed: str, label: str) -> bool:
    return all(word in label.casefold() for word in typed.casefold().split())


# --- recordings


async def _urls(services: Services, heard: Heard, typed: str) -> list[Suggestion]:
    link = await _at_hand(services, typed)
    if link is not None:
        place = Place(link, await sources.find(services.store, link.provider, link.media_id, services.clock()))
        track = await tracks.of_source(services.store, link.provider, link.media_id)
        key = track_key(track.id) if track else ""
        return [Suggestion(_named(place), typed if len(typed) <= LONGEST else key)]
    return [each for each in await _recent(services, heard) if _matches(typed, each.label)]


async def _recent(services: Services, heard: Heard) -> list[Suggestion]:
    found = await public_saves.recent(services.store, origin_of(heard.place), *heard.author[:2])
    things = [(each.provider, each.media_id) for each in found]
    told = await sources.find_all(services.store, things, services.clock())
    return [
        Suggestion(
            _named(Place(Link(*each[1:3], cast("Kind", each.kind)), told.get((each.provider, each.media_id)))),
            track_key(each.track_id),
        )
        for each in found
    ]


def _named(place: Place) -> str:
    """What a recording is called, by whom, and which service says so."""
    told = None if place.alone else place.told  # Spotify's words stand beside nobody else's (R6)
    if told is None or not told.title:
        return f"{place.name}: {place.link.media_id}"
    by = f" · {shortened(told.by_line, 30)}" if told.by_line else ""
    rest = f"{by} · {place.service}"
    return f"{shortened(told.title, LONGEST - len(rest))}{rest}"


async def _at_hand(services: Services, text: str) -> Link | None:
    """What a link means, as far as nobody has to be asked."""
    try:
        found = recognise(text) if not find_own(services.public_url, text) else await read_link(services, text, "")
    except BadLink:
        return None
    return found if isinstance(found, Link) else None


# --- parts


async def _ranges(services: Services, heard: Heard, typed: str) -> list[Suggestion]:
    link = await _at_hand(services, str((heard.options or {}).get("url", "")))
    start, end = (link.start_seconds, link.end_seconds) if link else (None, None)
    last = await _last(services, link)
    own = [Range(start, end)] if start is not None and end is not None and end <= last else []
    if not typed:
        return await _best(services, link) + [_part(part) for part in own or _from(start, last)]
    begun = read_time(_DASH.sub("", typed))
    try:
        part, note = parse_range(typed, start, end)
    except TimecodeError:
        closer = [each for each in _from(begun, last) if range_words(each).replace("–", "-").startswith(typed)]
        return [_part(each) for each in closer or _from(begun, last)]
    whole = _part(part)
    exact = whole._replace(value=typed) if note else whole  # what stands behind a range is the note
    others = [_part(each) for each in _from(begun, last) if each != part]
    return [exact, *others] if part.end_seconds <= last else others


async def _last(services: Services, link: Link | None) -> int:
    """The last second a part may end at: where the recording does, if that is known."""
    told = await sources.find(services.store, link.provider, link.media_id, services.clock()) if link else None
    known = Place(link, told).duration_seconds if link else None
    return LONGEST_SECONDS if known is None else min(known, LONGEST_SECONDS)


async def _best(services: Services, link: Link | None) -> list[Suggestion]:
    track = await tracks.of_source(services.store, link.provider, link.media_id) if link else None
    parts = await services.best.of(services.store, track) if track else ()
    return [
        Suggestion(f"{range_words(Range(*each[:2]))} · {saved_by(each.people)}", _typed(Range(*each[:2])))
        for each in parts
    ]


def _from(start: int | None, last: int) -> list[Range]:
    """The likely parts that start there and end by the last second."""
    if start is None:
        return []
    return [Range(start, start + length) for length in LENGTHS if start + length <= last]


def _part(part: Range) -> Suggestion:
    return Suggestion(f"{range_words(part)}, {counted(part.length_seconds, 'second')}", _typed(part))


def _typed(part: Range) -> str:
    return f"{clock(part.start_seconds)}-{clock(part.end_seconds)}"


# --- sessions


async def _sessions(services: Services, heard: Heard, typed: str) -> list[Suggestion]:
    channel = await services.store.known(heard.place)
    if channel is None or not may_see(heard.role, channel):
        return []
    now = services.clock()
    found = await services.store.channel_sessions(channel, limit=MOST)
    named = [(shortened(each.title or each.name, 70), ago(each.created_at, now), each.id) for each in found]
    words = [Suggestion(f"{name} · {when}", public_id) for name, when, public_id in named]
    return [each for each in words if _matches(typed, each.label) or each.value.startswith(typed)]


# --- words


async def _settings(_services: Services, heard: Heard, typed: str) -> list[Suggestion]:
    here = heard.place.platform
    words = [*(name for name, choice in CHOICES.items() if choice.is_for(here)), *OTHERS]
    return _beginning(words, typed)


async def _values(services: Services, heard: Heard, typed: str) -> list[Suggestion]:
    setting = str((heard.options or {}).get("setting", "")).lower()
    choice, here = CHOICES.get(setting), heard.place.platform
    if choice is None or not choice.is_for(here):
        return _beginning(OTHERS_VALUES.get(setting, ()), typed)
    channel = await services.store.known(heard.place) or Channel(0, *heard.place)
    words = dict.fromkeys(_WORD.findall(choice.values_on(here).lower()))
    return _beginning([word for word in words if choice.change(channel, word) is not None], typed)


async def _formats(services: Services, _heard: Heard, typed: str) -> list[Suggestion]:
    return _beginning(services.formats, typed)


async def _names(_services: Services, heard: Heard, typed: str) -> list[Suggestion]:
    found = _beginning(offered(heard), typed)
    return [each._replace(label=f"{each.value}: {COMMANDS[each.value].help}") for each in found]


def _beginning(words: Sequence[str], typed: str) -> list[Suggestion]:
    """Those that begin like what is typed, then those that have it elsewhere."""
    part = typed.casefold()
    found = sorted((word for word in words if part in word), key=lambda word: not word.startswith(part))
    return [Suggestion(word, word) for word in found]


_OFFERS: dict[str, Callable[[Services, Heard, str], Awaitable[list[Suggestion]]]] = {
    "url": _urls,
    "range": _ranges,
    "session": _sessions,
    "setting": _settings,
    "value": _values,
    "format": _formats,
    "about": _names,
}
SUGGESTS = frozenset(_OFFERS)
"""The parameters that have suggestions, by their keywords: each means the same in every command that has it."""
