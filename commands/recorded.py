"""Moments of songs and videos, for chat, pages and the JSON API alike: saving a part, and asking what others saved.

Everything here needs the store alone. What services tell of a recording is shown when it is there, and missed by
nobody when it is not.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

import structlog

from commands.pasted import find_own, read_link, read_part, read_range
from commands.services import Services
from commands.shown import ALONE
from moments.errors import Refusal
from moments.live import Author, Place
from moments.notes import clean_note
from moments.people import Role
from moments.ranges import Range
from moments.saves import Part
from moments.sessions import Visibility
from moments.wording import counted
from providers.links import Link, deep_link
from storage import Transaction, popularity, saves, sources, tracks
from storage.ledger import account_key
from storage.popularity import Words
from storage.saves import OwnMoment, Saved, SaveRequest
from storage.sources import State
from storage.tracks import Track

ANYBODY = "anybody"
"""Whoever asks without a name: all of them share one pace for short links."""
NOTES = 3
MOMENTS_A_PAGE = 50

_log = structlog.get_logger()


class Typed(NamedTuple):
    """Where in a chat something was typed, by whom there, and when by the platform's clock."""

    place: Place
    role: Role
    instant: datetime


def origin_of(place: Place) -> str:
    """How a save says in which chat it was typed."""
    return f"{place.platform}:{place.platform_id}"


class SavedMoment(NamedTuple):
    """A part that is kept, and how many people agree."""

    moment_id: str
    title: str | None
    """As the service calls it, while that may be shown."""
    link: Link
    range: Range
    people: int
    """How many have saved this part, its author included."""
    replaced: tuple[Range, ...]
    """The author's own earlier parts it took the place of, newest first."""
    note_cut: bool
    track: Track
    noted: bool
    """Whether words came with it."""


class Counted(NamedTuple):
    """How many people saved a part of a recording."""

    link: Link
    track: Track | None
    """None when nobody saved any of it."""
    title: str | None
    range: Range
    people: int


class BestParts(NamedTuple):
    """What people saved most of a recording; nothing when nobody saved any of it."""

    link: Link
    track: Track | None
    title: str | None
    parts: tuple[Part, ...]
    words: tuple[Words, ...]
    """What people said of the first, for everybody to read, newest first."""


class OwnMoments(NamedTuple):
    """A page of somebody's own saves, newest first."""

    moments: tuple[OwnMoment, ...]
    titles: dict[tuple[str, str], str]
    """By (provider, media id), those that may be shown."""
    older: int | None
    """What `before` is on the next page; None on the last."""


class Resolved(NamedTuple):
    """What a link, and a range, mean; the public id of the track is None when nobody saved any of it."""

    provider: str
    media_id: str
    track: str | None
    start_seconds: int | None
    end_seconds: int | None


async def save_moment(
    services: Services,
    author: Author,
    url_text: str,
    range_text: str,
    note: str = "",
    *,
    origin: str,
    now: datetime,
    private: bool = False,
    message_id: str | None = None,
    message_url: str = "",
    typed: Typed | None = None,
    once: bool = False,
) -> SavedMoment:
    """Keep a part of what a link leads to; `note` comes behind what follows the range in `range_text`.

    `message_url` is the message the link was taken from. `once` is a Refusal for who has saved this part already.
    In a chat (`typed`) its moderators decide who is heard, the cooldown is the one marks have, and a private channel
    makes the words private; who may mark there is about marks alone. A message delivered again is answered as the
    first time. Raises UsageError, Refusal, and Repeated for a message whose save has been deleted.
    """
    link = await read_link(services, url_text, account_key(author))
    part, rest = read_range(link, range_text)
    words = clean_note(f"{rest} {note}")
    thing = (link.provider, link.media_id, link.kind)
    times = (part.start_seconds, part.end_seconds, now)
    url = deep_link(link, link.start_seconds) if find_own(services.public_url, url_text) else url_text.strip()
    request = SaveRequest(author, *thing, *times, words.text, private, origin, url, message_id, message_url)

    async def keep(transaction: Transaction) -> Saved:
        return await _keep(transaction, request, typed, once=once)

    saved = await services.store.run(keep, message=None, now=now)
    _tell_enricher(services, link)
    replaced = tuple(Range(*times) for times in saved.replaced)
    title = await title_of(services, link)
    return SavedMoment(
        saved.id, title, link, part, saved.people, replaced, words.was_cut, saved.track, noted=bool(words.text)
    )


async def _keep(transaction: Transaction, request: SaveRequest, typed: Typed | None, *, once: bool) -> Saved:
    before = await saves.delivered_before(transaction, request)
    if before is not None:
        return before
    people = await saves.people_with(transaction, request) if once else None
    if people is not None:
        raise Refusal(f"You have saved this part already. {saved_by(people)}.")
    if typed is None:
        return await saves.save(transaction, request)
    place, role, instant = typed
    live = await transaction.live(place)
    live.check_welcome(request.author, instant)
    person = (await transaction.account(request.author)).person_id
    if role < Role.MODERATOR:
        live.check_cooldown(person, instant)
    private = request.private or live.channel.visibility is Visibility.PRIVATE
    saved = await saves.save(transaction, request._replace(private=private))
    await transaction.keep_pace(place, person, instant)
    return saved


def _tell_enricher(services: Services, link: Link) -> None:
    if services.enricher is None:
        return
    try:
        services.enricher.wanted(link)
    except Exception:
        _log.exception("a service will not be asked about a save, which is on disk all the same")


def saved_by(people: int) -> str:
    """`Saved by 64 people`."""
    return f"Saved by {counted(people, 'person')}"


async def saved(services: Services, url: str, range_text: str | None = None, *, person: str = ANYBODY) -> Counted:
    """How many people saved a part; a link that names both its ends needs no range. Raises UsageError."""
    link = await read_link(services, url, person)
    return await _count(services, link, read_range(link, range_text or "")[0])


async def saved_or_best(
    services: Services, url: str, range_text: str | None = None, *, person: str = ANYBODY
) -> Counted | BestParts:
    """The same for people: who names no part means the most saved one."""
    link = await read_link(services, url, person)
    part = read_part(link, range_text)
    return await _best(services, link) if part is None else await _count(services, link, part)


async def best(services: Services, url: str, *, person: str = ANYBODY) -> BestParts:
    """The most saved parts of what a link leads to, and what was said of the best. Raises UsageError."""
    return await _best(services, await read_link(services, url, person))


async def _count(services: Services, link: Link, part: Range) -> Counted:
    thing = (link.provider, link.media_id)
    found = await popularity.saved_by(services.store, *thing, part.start_seconds, part.end_seconds)
    title = await title_of(services, link)
    return Counted(link, found.track if found else None, title, part, found.people if found else 0)


async def _best(services: Services, link: Link) -> BestParts:
    store, title = services.store, await title_of(services, link)
    track = await tracks.of_source(store, link.provider, link.media_id)
    parts = await services.best.of(store, track) if track else ()
    if track is None or not parts:
        return BestParts(link, track, title, (), ())
    words = await popularity.newest_words(store, track, *parts[0][:2], limit=NOTES)
    return BestParts(link, track, title, parts, tuple(words))


async def my_moments(
    services: Services, author: Author, before: int | None = None, limit: int = MOMENTS_A_PAGE
) -> OwnMoments:
    """Somebody's own saves with all their words, newest first; `before` is where the last page ended."""
    found = await saves.own(services.store, *author[:2], before=before, limit=limit + 1)
    page = tuple(found[:limit])
    titles = await titles_of(services, {(moment.provider, moment.media_id) for moment in page})
    return OwnMoments(page, titles, page[-1].row_id if len(found) > limit else None)


async def resolve(services: Services, url: str, range_text: str | None = None, *, person: str = ANYBODY) -> Resolved:
    """What a link and a range mean, parsed as every command does; a link's own start stands alone without a range."""
    link = await read_link(services, url, person)
    part = read_part(link, range_text)
    start, end = (part.start_seconds, part.end_seconds) if part else (link.start_seconds, link.end_seconds)
    track = await tracks.of_source(services.store, link.provider, link.media_id)
    return Resolved(link.provider, link.media_id, track.id if track else None, start, end)


async def title_of(services: Services, link: Link) -> str | None:
    """What the link's own service calls it, while that may be shown in a line of text."""
    thing = (link.provider, link.media_id)
    return (await titles_of(services, [thing])).get(thing)


async def titles_of(services: Services, things: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """The same of several things, (provider, media id) each."""
    wanted = [thing for thing in things if thing[0] != ALONE]  # its logo and a link back must go with it (LEG-2)
    found = await sources.find_all(services.store, wanted, services.clock())
    return {thing: told.title for thing, told in found.items() if told.title and told.state is State.KNOWN}
