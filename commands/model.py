"""The three nouns of a command: what was heard, the invocation a command gets, and its reply."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple, TypeVar

from commands.services import Services
from moments.live import Author, Place
from moments.notes import isolate
from moments.people import Role
from moments.sessions import ReplyLevel
from storage import Job
from storage.answers import Trace

T = TypeVar("T")

COMMAND_NAME = re.compile(r"`([a-z]+)`")
"""How replies and errors name a command; each platform shows it as it is typed there."""


# Generous on purpose: anything a chat might turn into something to click, in any script. Our own quotation marks stay.
_LINK = re.compile(
    r"[a-z]{2,12}://[^\s\"\u2069]+"
    r"|(?<![\w-])(?:[\w-]{1,63}\.){1,6}(?:xn--[\w-]{1,59}|[^\W\d_]{2,24}(?!\w))(?:[-:/?#][^\s\"\u2069]*)?",
    re.IGNORECASE,
)


def without_links(text: str, site: str = "", names: Collection[str] = ()) -> str:
    """The text with `[link]` in place of whatever looks like one, but for what is ours: those that begin with `site`,
    the site's own address up to its first slash, and `names` that only look like one.
    """

    def shown(found: re.Match[str]) -> str:
        return found[0] if found[0] in names or (site and found[0].startswith(site)) else "[link]"

    return _LINK.sub(shown, text)


def quoted(words: str) -> str:
    """Somebody's own words inside a reply: in their own direction, and never taken for a command we name."""
    return isolate(COMMAND_NAME.sub("`\u2060\\1`", words) if "`" in words else words)


@dataclass(frozen=True, slots=True)
class Platform:
    """What replies may look like on a platform."""

    name: str
    prefix: str = "!"
    reply_length: int = 500
    """Characters of one message."""
    answers_refusals: bool = True
    """Whether somebody too fast, or not allowed to, is told; where everyone reads along that is only noise."""
    answers_unknown: bool = False
    """Whether a word that is no command is answered; where other bots listen it may be theirs."""
    default_level: ReplyLevel = ReplyLevel.FULL
    """How much is answered in channels that chose nothing."""
    bare_off: frozenset[str] = frozenset()
    """Commands that answer only to `!moments name` until the channel switches their bare name on."""
    private_replies: bool = True
    """Whether `private` replies reach their reader alone; where not, nothing private is ever replied (LINK-1)."""
    once_seconds: int = 0
    """The same refusal or read answer is given once a channel in so many seconds."""
    hides_links: bool = False
    """Whether links in people's words are shown as `[link]`: link filters punish who repeats them (CHAT-3)."""
    always_answers: bool = False
    """Whether a command cannot be left without an answer; where the channel wants none, its caller alone reads it."""
    cards: bool = False
    """Whether more than a line is shown, so that cards are worth making."""


class Guild(NamedTuple):
    """A Discord server, as a command may know it."""

    id: str
    name: str
    may_manage: bool
    """Whether the caller may manage it (MANAGE_GUILD on this very message, AZ-4)."""
    has_bot: bool = True
    """Whether the bot itself is a member; else the caller brought it along, installed for themselves alone."""
    lacks: tuple[str, ...] = ()
    """Permissions the bot needs to post in this channel and does not have, in Discord's own words."""


class Heard(NamedTuple):
    """One message, as an adapter translated it."""

    platform: Platform
    place: Place
    author: Author
    role: Role
    text: str
    instant: datetime
    """When it was typed, by the platform's clock."""
    message_id: str | None = None
    """The platform's own id of it: the same message is handled once."""
    arrived: datetime | None = None
    """When it reached us, where that is not now: a line that tells its own time."""
    private: bool = False
    """Typed where nobody else reads along: its words are shown to nobody else (design.md §8)."""
    options: Mapping[str, str | int] | None = None
    """Where the platform has fields for a command's arguments: what was typed into each, by the argument's keyword;
    `text` is the command's name alone then.
    """
    guild: Guild | None = None
    """The Discord server it was typed in."""
    hidden: bool = False
    """Typed in a server where not everybody in it reads along: words go no further from there by themselves."""
    invited: bool = False
    """Of these: typed where only who was invited reads along, however public the channel around it is."""

    @property
    def keeps_words(self) -> bool:
        """Whether what is said of a recording there is shown to its author alone (design.md §8)."""
        return self.private or self.hidden


class Invocation(NamedTuple):
    """What a command may know about the message that called it."""

    services: Services
    heard: Heard
    arrived: datetime
    """When it reached us, by our clock."""
    level: ReplyLevel = ReplyLevel.FULL
    """How much this channel wants to be answered."""

    def quoted(self, words: str) -> str:
        """Somebody's own words inside a reply, as this platform may show them."""
        platform = self.heard.platform
        shown = quoted(without_links(words) if platform.hides_links else words)
        # Where links of ours are live, nobody's words may pass for ours, whichever way they are written (CHAT-2).
        return f"\u2068{shown}\u2069" if platform.cards and shown[:1] != "\u2068" else shown

    async def write(self, job: Job[T]) -> T:
        """Run a job in the store's next transaction, once for this message however often it is delivered."""
        heard = self.heard
        message = (heard.author.platform, heard.message_id) if heard.message_id else None
        return await self.services.store.run(job, message=message, now=self.arrived)


Kind = Literal["marked", "changed", "read", "refusal"]
"""What a reply tells: a mark is kept; something was changed; what was asked; or that a rule says no."""


class Button(NamedTuple):
    """Something to press under a card: it opens a page, or runs a press of commands/presses.py."""

    label: str
    """In our own words, never anybody else's (CHAT-2)."""
    url: str = ""
    press: str = ""
    """`save:<moment id>`: the press and its argument, at most 90 characters."""


class Card(NamedTuple):
    """An answer worth sharing, for platforms that show more than a line. Plain text throughout."""

    head: str
    """Our own words: `0:45–1:00 · Saved by 3 people`."""
    title: str = ""
    """What the service calls the recording: somebody else's words."""
    by_line: str = ""
    note: str = ""
    """The author's own words."""
    lines: tuple[str, ...] = ()
    """Further sentences of ours; people's words in them are `quoted`."""
    picture: str = ""
    """Where a small heatmap is, as a PNG; absolute."""
    buttons: tuple[Button, ...] = ()
    moment: str = ""
    """The moment it shows: with its id the card can be made again, with what is known by then."""
    shows: tuple[Trace, ...] = ()
    """What of people's it repeats: where it stays to be read, it goes when that goes."""


class Reply(NamedTuple):
    """What is answered; `private` where the platform can. A crowded chat may be spared some kinds."""

    text: str
    private: bool = False
    kind: Kind = "read"
    same: str = ""
    """What makes it the same answer as another, where its words tell of a running clock too."""
    card: Card | None = None
    """The same answer with more in it; `text` says it all in one line."""
    aside: str = ""
    """What its caller alone should know besides, where the platform can."""
    shows: tuple[Trace, ...] = ()
    """What of people's the text repeats, as in Card."""
