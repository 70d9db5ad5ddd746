"""Moments of songs and videos in chat: moment, saved, best, mymoments."""

from collections.abc import Sequence

from commands.arguments import Part, Url, Words
from commands.cards import card_of, part_card, trace_of, without_note, without_press
from commands.model import Card, Invocation, Reply
from commands.recorded import (
    NOTES,
    BestParts,
    Counted,
    SavedMoment,
    Typed,
    best,
    my_moments,
    origin_of,
    save_moment,
    saved_by,
    saved_or_best,
)
from commands.registry import command
from commands.shown import Thing
from moments.notes import NOTE_LIMIT, shortened
from moments.ranges import Range, range_words
from moments.sessions import ReplyLevel
from providers.links import Link, deep_link
from storage.answers import Trace
from storage.ledger import account_key
from storage.popularity import Words as Said
from storage.popularity import newest_words
from storage.saves import OwnMoment
from storage.tracks import Track

TITLE_LENGTH = 80
LINK_LENGTH = 300
"""The longest link to another service that is given; our own page has it anyway."""
OWN_MOMENTS = 3

_BETWEEN = " · "


@command("moment", "Save a part of a song or video.")
async def moment(call: Invocation, url: Url, range: Part = "", note: Words = "") -> Reply:  # noqa: A002 -- the word people type
    """Save a range of what a link leads to."""
    return await saved_reply(call, await save_here(call, url, range, note))


async def save_here(
    call: Invocation, url: str, part: str, note: str = "", *, message_url: str = "", once: bool = False
) -> SavedMoment:
    """Save a part for whoever called, in the place they called from."""
    heard = call.heard
    return await save_moment(
        call.services,
        heard.author,
        url,
        part,
        note,
        origin=origin_of(heard.place),
        now=call.arrived,
        private=heard.keeps_words,
        message_id=heard.message_id,
        message_url=message_url,
        typed=Typed(heard.place, heard.role, heard.instant),
        once=once,
    )


async def saved_reply(call: Invocation, made: SavedMoment) -> Reply:
    """What is answered to a save, with its card; what has no place on that is said beside it."""
    card, private = await moment_card(call, made.moment_id), call.heard.private
    card = without_press(card) if card and private else card
    besides = [*_moved(made), *([f"note cut to {NOTE_LIMIT} characters"] if made.note_cut else ())]
    besides += ["your note is kept, for you alone"] if made.noted and private else []
    said = [f"Moment {_named(call, made.title, made.range)}", saved_by(made.people), *besides]
    text = _BETWEEN.join([*said, call.services.link(f"/m/{made.moment_id}")])
    aside = _sentence(_BETWEEN.join(besides)) if card else ""
    shows = (Trace(moment_id=made.moment_id),)
    return Reply(text, kind="marked", card=card, aside=aside, shows=shows)


async def moment_card(call: Invocation, moment_id: str) -> Card | None:
    """A moment's card as this channel may read it, where there are cards."""
    card = await card_of(call.services, moment_id) if call.heard.platform.cards else None
    return without_note(card) if card and call.level is not ReplyLevel.FULL else card


async def best_card(call: Invocation, track: Track, part: Range, first: Thing | None = None) -> Card | None:
    """The same for a part of a track, with what was said of it."""
    if not call.heard.platform.cards:
        return None
    said: list[Said] = []
    if call.level is ReplyLevel.FULL:
        said = await newest_words(call.services.store, track, part.start_seconds, part.end_seconds, limit=NOTES)
    return await part_card(call.services, track, part, first, tuple(said))


@command("saved", "Say how many people saved a part of a song or video.")
async def saved(call: Invocation, url: Url, range: Part = "") -> Reply:  # noqa: A002 -- the word people type
    """How many agree on a range, or on the best part when none is named."""
    found = await saved_or_best(call.services, url, range, person=account_key(call.heard.author))
    match found:
        case Counted(track=None) | Counted(people=0):
            return Reply(
                f"Nobody has saved {range_words(found.range)} of this yet. Type `moment` and the link to be first."
            )
        case Counted():
            said = [saved_by(found.people), _named(call, found.title, found.range)]
        case BestParts(parts=()):
            return _nobody()
        case BestParts():
            said = [f"Most saved: {_named(call, found.title, _best_of(found))}", saved_by(found.parts[0].people)]
    track = found.track
    if track is None:
        return Reply(_BETWEEN.join(said))
    part = found.range if isinstance(found, Counted) else _best_of(found)
    card = await best_card(call, track, part, _thing(found.link))
    return Reply(_BETWEEN.join([*said, call.services.link(f"/t/{track.id}")]), card=card)


@command("best", "Say which part of a song or video most people saved.")
async def best_(call: Invocation, url: Url) -> Reply:
    """The most saved part, where it plays, and what was said of it."""
    found = await best(call.services, url, person=account_key(call.heard.author))
    if not found.parts or found.track is None:
        return _nobody()
    part = _best_of(found)
    plays = deep_link(found.link, part.start_seconds)
    if len(plays) > LINK_LENGTH:
        plays = call.services.link(f"/t/{found.track.id}")
    said = [f"Best part: {_named(call, found.title, part)}", saved_by(found.parts[0].people), plays]
    words = found.words if call.level is ReplyLevel.FULL else ()
    said += [f'"{call.quoted(each.note)}"' for each in words]
    card = await best_card(call, found.track, part, _thing(found.link))
    return Reply(_BETWEEN.join(said), card=card, shows=tuple(map(trace_of, words)))


@command("mymoments", "Link to the moments you saved.", private=True)
async def mymoments(call: Invocation) -> Reply:
    """One's own newest, where nobody else reads along; elsewhere the page that asks who one is (design.md §8)."""
    page = call.services.link("/me")
    if not call.heard.platform.private_replies:
        return Reply(f"Your moments are on your own page; log in there: {page}")
    own = await my_moments(call.services, call.heard.author, limit=OWN_MOMENTS)
    if not own.moments:
        return Reply("You have saved no moment yet. Type `moment`, a link and a range like 0:45-1:00.", private=True)
    newest = [_own(call, each, own.titles.get((each.provider, each.media_id))) for each in own.moments]
    return Reply(_BETWEEN.join([f"Your newest: {newest[0]}", *newest[1:], f"All: {page}"]), private=True)


def _own(call: Invocation, own: OwnMoment, title: str | None) -> str:
    words = _named(call, title, Range(own.start_seconds, own.end_seconds))
    there = f" (from {own.message_url})" if own.message_url else ""
    return f"{words} {call.services.link(f'/m/{own.id}')}{there}"


def _best_of(found: BestParts) -> Range:
    return Range(*found.parts[0][:2])


def _thing(link: Link) -> Thing:
    return link.provider, link.media_id


def _named(call: Invocation, title: str | None, part: Range) -> str:
    """The title where there is one, and the part."""
    words = f'"{call.quoted(shortened(title, TITLE_LENGTH))}" ' if title else ""
    return words + range_words(part)


def _moved(made: SavedMoment) -> Sequence[str]:
    """Which other parts of the same person it took the place of."""
    elsewhere = [range_words(part) for part in made.replaced if part != made.range]
    if not elsewhere:
        return ()
    return (f"Moved your earlier {'save' if len(elsewhere) == 1 else 'saves'} {', '.join(elsewhere)}",)


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}." if words else ""


def _nobody() -> Reply:
    return Reply("Nobody has saved a part of this yet. Type `moment`, the link and a range like 0:45-1:00 to be first.")
