"""Moments of songs and videos in chat: moment, saved, best, mymoments."""

from collections.abc import Sequence

from commands.arguments import Part, Url, Words
from commands.model import Invocation, Reply
from commands.recorded import (
    BestParts,
    Counted,
    SavedMoment,
    Typed,
    best,
    my_moments,
    origin_of,
    save_moment,
    saved_or_best,
)
from commands.registry import command
from moments.notes import NOTE_LIMIT, shortened
from moments.ranges import Range, range_words
from moments.sessions import ReplyLevel
from moments.wording import counted
from providers.links import deep_link
from storage.ledger import account_key
from storage.saves import OwnMoment

TITLE_LENGTH = 80
LINK_LENGTH = 300
"""The longest link to another service that is given; our own page has it anyway."""
OWN_MOMENTS = 3

_BETWEEN = " · "


@command("moment", "Save a part of a song or video.")
async def moment(call: Invocation, url: Url, range: Part = "", note: Words = "") -> Reply:  # noqa: A002 -- the word people type
    """Save a range of what a link leads to."""
    heard = call.heard
    made = await save_moment(
        call.services,
        heard.author,
        url,
        range,
        note,
        origin=origin_of(heard.place),
        now=call.arrived,
        private=heard.private,
        message_id=heard.message_id,
        typed=Typed(heard.place, heard.role, heard.instant),
    )
    said = [f"Moment {_named(call, made.title, made.range)}", _saved_by(made.people), *_moved(made)]
    if made.note_cut:
        said.append(f"note cut to {NOTE_LIMIT} characters")
    return Reply(_BETWEEN.join([*said, call.services.link(f"/m/{made.moment_id}")]), kind="marked")


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
            said = [_saved_by(found.people), _named(call, found.title, found.range)]
        case BestParts(parts=()):
            return _nobody()
        case BestParts():
            part = found.parts[0]
            said = [f"Most saved: {_named(call, found.title, Range(*part[:2]))}", _saved_by(part.people)]
    track = found.track
    return Reply(_BETWEEN.join([*said, *([call.services.link(f"/t/{track.id}")] if track else [])]))


@command("best", "Say which part of a song or video most people saved.")
async def best_(call: Invocation, url: Url) -> Reply:
    """The most saved part, where it plays, and what was said of it."""
    found = await best(call.services, url, person=account_key(call.heard.author))
    if not found.parts or found.track is None:
        return _nobody()
    part = found.parts[0]
    plays = deep_link(found.link, part.start_seconds)
    if len(plays) > LINK_LENGTH:
        plays = call.services.link(f"/t/{found.track.id}")
    said = [f"Best part: {_named(call, found.title, Range(*part[:2]))}", _saved_by(part.people), plays]
    if call.level is ReplyLevel.FULL:
        said += [f'"{call.quoted(words.note)}"' for words in found.words]
    return Reply(_BETWEEN.join(said))


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
    return f"{words} {call.services.link(f'/m/{own.id}')}"


def _named(call: Invocation, title: str | None, part: Range) -> str:
    """The title where there is one, and the part."""
    words = f'"{call.quoted(shortened(title, TITLE_LENGTH))}" ' if title else ""
    return words + range_words(part)


def _saved_by(people: int) -> str:
    return f"Saved by {counted(people, 'person')}"


def _moved(made: SavedMoment) -> Sequence[str]:
    """Which other parts of the same person it took the place of."""
    elsewhere = [range_words(part) for part in made.replaced if part != made.range]
    if not elsewhere:
        return ()
    return (f"Moved your earlier {'save' if len(elsewhere) == 1 else 'saves'} {', '.join(elsewhere)}",)


def _nobody() -> Reply:
    return Reply("Nobody has saved a part of this yet. Type `moment`, the link and a range like 0:45-1:00 to be first.")
