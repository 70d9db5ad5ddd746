"""What buttons and forms do with saved moments: saving the same part too, and saving from a message."""

import re
from collections.abc import Callable
from typing import Annotated, NamedTuple

from commands.arguments import Argument, Part, Url, Words
from commands.model import Card, Invocation, Reply
from commands.pasted import find_own, moment_key, track_key
from commands.recorded_chat import best_card, moment_card, save_here, saved_reply
from commands.registry import press
from moments.errors import BadLink, UsageError
from moments.notes import NOTE_LIMIT
from moments.ranges import Range, range_words
from providers.links import Link, recognise
from storage import tracks

MOST_LINKS = 20
"""Links of a message that are looked at."""
LONGEST_MESSAGE = 4_000
LONGEST_LINK, LONGEST_RANGE = 2_000, 40
CHANNELS = "https://discord.com/channels"
_ID = "[0-9]{1,20}"
_PART = re.compile(r"t/([0-9A-Za-z]{1,64}) ([0-9]{1,6})-([0-9]{1,6})", re.ASCII)
_LINKS = re.compile(r"(?:https?://|spotify:)[^\s<>|]{1,2000}", re.IGNORECASE)
_BEHIND = ".,;:!?*_~`\"'”’»)]}"
"""What stands behind a link and is none of it."""
_NO_LINK = (
    "That message has no link of a song or video that Moments knows. Choose one that has, or type `moment`, the link"
    " and a range like 0:45-1:00."
)


_GONE = "That moment is gone."


def _like(pattern: str) -> Callable[[str], tuple[str, str] | None]:
    known = re.compile(pattern, re.ASCII)
    return lambda text: (text, "") if known.fullmatch(text) else None


_WHICH = f"[0-9A-Za-z]{{1,64}}|{_PART.pattern}"
Which = Annotated[str, Argument("moment", "which moment, by the button under it", _like(_WHICH), longest=90)]
Message = Annotated[str, Argument("message", "which message, by its menu", _like(f"{_ID}-{_ID}"), longest=41)]


class Field(NamedTuple):
    """One line to fill in; `name` is the parameter of the press it is for."""

    name: str
    label: str
    value: str = ""
    """What is in it already."""
    example: str = ""
    required: bool = True
    longest: int = 100


class Form(NamedTuple):
    """What is asked before a press is run."""

    title: str
    press: str
    fields: tuple[Field, ...]


class Menu(NamedTuple):
    """What can be done with a message of anybody's: by its text a form, or a UsageError that says what to do."""

    name: str
    form: str
    """The press its form leads to, with the ids of channel and message as its first argument: `123-456`."""
    form_for: Callable[[str, str], Form]
    """From the message's text and our own site's address."""


@press("save", "Save the same part for yourself.")
async def save(call: Invocation, moment: Which) -> Reply:
    """The part of a card, for whoever pressed; who has it already is told so, and keeps it as it is."""
    part = _PART.fullmatch(moment)
    key, typed = (track_key(part[1]), f"{part[2]}-{part[3]}") if part else (moment_key(moment), "")
    try:
        made = await save_here(call, key, typed, once=True)
    except BadLink as error:  # nothing of it may stay on the card
        return Reply(str(error), private=True, kind="refusal", card=Card(_GONE))
    reply = await saved_reply(call, made)
    return reply._replace(card=await _pressed(call, moment), aside="")  # its words are read beside the card


async def _pressed(call: Invocation, moment: str) -> Card | None:
    """The card the button is under, as it is now."""
    part = _PART.fullmatch(moment)
    if part is None:
        return await moment_card(call, moment)
    track = await tracks.find(call.services.store, part[1])
    return await best_card(call, track, Range(int(part[2]), int(part[3]))) if track else None


@press("form-save", "Save a part of what a message leads to.")
async def form_save(call: Invocation, message: Message, url: Url = "", range: Part = "", note: Words = "") -> Reply:  # noqa: A002 -- the word people type
    """What was filled in; where the message is stays with its author."""
    guild = call.heard.guild
    where = guild.id if guild and re.fullmatch(_ID, guild.id, re.ASCII) else "@me"
    there = f"{CHANNELS}/{where}/{message.replace('-', '/')}"
    return await saved_reply(call, await save_here(call, url, range, note, message_url=there))


def form_for(text: str, site: str = "") -> Form:
    """What is asked of a message: its first link of a song or video, from when to when, and a note.

    `site` is our own address: a link of ours is one, too. Raises UsageError for a message without any.
    """
    link, found = _first_link(text, site)
    part = ""
    if found and found.start_seconds is not None and found.end_seconds is not None:
        part = range_words(Range(found.start_seconds, found.end_seconds))
    return Form(
        "Save moment",
        "form-save",
        (
            Field("url", "Link", link, "https://youtu.be/jNQXAC9IVRw", longest=LONGEST_LINK),
            Field("range", "From when to when", part, "0:45-1:00", longest=LONGEST_RANGE),
            Field("note", "What happened, in your words", example="that drop!", required=False, longest=NOTE_LIMIT),
        ),
    )


def _first_link(text: str, site: str) -> tuple[str, Link | None]:
    """The first link we know in a message, and what it leads to where that is known at once."""
    for _, match in zip(range(MOST_LINKS), _LINKS.finditer(text[:LONGEST_MESSAGE]), strict=False):
        word = match[0].rstrip(_BEHIND)
        if site and find_own(site, word):
            return word, None
        try:
            found = recognise(word)
        except BadLink:
            continue
        return word, found if isinstance(found, Link) else None
    raise UsageError(_NO_LINK)


MENUS: tuple[Menu, ...] = (Menu("Save moment", "form-save", form_for),)
"""What stands in the menu of a message, where the platform has one."""
