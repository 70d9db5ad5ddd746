"""What people paste and type of a recording: the link, followed where it is a short one, and the part they mean."""

import re
from dataclasses import replace
from typing import cast

from commands.services import Services
from moments.errors import BadLink
from moments.ranges import Range, parse_range
from providers.links import Kind, Link, recognise
from storage import Store, saves, sources, tracks
from storage.saves import Moment
from storage.tracks import Source

_OWN = re.compile(r"(?P<page>[mt])/(?P<id>[0-9A-Za-z]{1,64})/?(?:[?#].*)?", re.ASCII)
_NOT_OURS = "There is no such moment any more: its author may have deleted it. Paste the link of the song or video."


def track_key(track_id: str) -> str:
    """A word that can be typed in the place of a recording's link: the short end of its page's address."""
    return f"t/{track_id}"


def moment_key(moment_id: str) -> str:
    """The same for a saved moment: its recording, and its part unless another is typed."""
    return f"m/{moment_id}"


async def read_link(services: Services, text: str, person: str) -> Link:
    """The thing a pasted link means, with the times it names; else BadLink, which says what to paste instead.

    A page of our own means its recording, and a moment's page its part too. `person` is whoever asks, for the pace of
    short links: TooFast when they, or all together, are too fast.
    """
    own = find_own(services.public_url, text)
    if own is not None:
        return await _of_page(services, own)
    found = recognise(text.strip())
    if isinstance(found, Link):
        return found
    if services.short_links is None:
        raise BadLink("Short links cannot be followed here: open it and paste the address it leads to.")
    return await services.short_links.follow(found, person)


def find_own(site: str, text: str) -> re.Match[str] | None:
    """Which `page`, and the `id` there, when somebody pasted the address of a page of ours, or a key made of one."""
    word = text.strip().removeprefix("<").removesuffix(">")
    for start in (f"{site}/", f"{site}/".partition("://")[2]):
        if word[: len(start)].lower() == start.lower():
            word = word[len(start) :]
            break
    return _OWN.fullmatch(word)


async def _of_page(services: Services, own: re.Match[str]) -> Link:
    if own["page"] == "m":
        moment = await saves.moment(services.store, own["id"])
        if moment is not None:
            return await _at_home(services, moment, moment.start_seconds, moment.end_seconds)
    else:
        track = await tracks.find(services.store, own["id"])
        for source in await tracks.sources(services.store, track) if track else ():
            return await _at_home(services, source)
    raise BadLink(_NOT_OURS)


async def _at_home(services: Services, of: Moment | Source, start: int | None = None, end: int | None = None) -> Link:
    """The link to where a recording is, with these times."""
    thing = (of.provider, of.media_id)
    link = await link_of(services.store, thing) or Link(*thing, cast("Kind", of.kind))
    return replace(link, start_seconds=start, end_seconds=end)


async def link_of(store: Store, thing: tuple[str, str]) -> Link | None:
    """A thing, (provider, media id), as somebody pasted it in public: its address may need a name or a key besides.

    None for what nobody saved a part of.
    """
    found = await sources.pasted(store, *thing)
    if found is None:
        return None
    kind, url = found
    try:
        link = recognise(url)
    except BadLink:
        link = None
    if isinstance(link, Link) and (link.provider, link.media_id) == thing:
        return link
    return Link(*thing, cast("Kind", kind))  # the store holds what a Link said


def read_range(link: Link, text: str) -> tuple[Range, str]:
    """The part meant by what was typed after a link, or by the link itself, and the note behind it; TimecodeError."""
    return parse_range(text, link.start_seconds, link.end_seconds)


def read_part(link: Link, text: str | None) -> Range | None:
    """The same for a question, whose further words mean nothing; None when neither says from when to when."""
    if not (text and text.strip()) and (link.start_seconds is None or link.end_seconds is None):
        return None
    return read_range(link, text or "")[0]
