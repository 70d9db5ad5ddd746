"""What a use case may lean on, put together once by bot/app.py and passed in."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol

from commands.archives import Archives
from commands.arrivals import Arrivals
from commands.best import Best
from commands.feed import Feed
from moments.people import Role
from moments.sessions import Defaults
from storage import Store
from storage.keys import SecretKeys

if TYPE_CHECKING:
    from providers.discord import DiscordOAuth
    from providers.links import Link
    from providers.shortlinks import ShortLinks
    from providers.twitch import TwitchApi  # a log is replayed without loading an HTTP client

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The wall clock, aware."""
    return datetime.now(UTC)


class Enricher(Protocol):
    """Asks services about recordings, in the background."""

    def wanted(self, link: "Link") -> None:
        """Somebody saved a part of this; whatever is found out about it, nobody waits for."""


class Guilds(Protocol):
    """Asks Discord about its servers."""

    async def role(self, guild_id: str, channel_id: str, user_id: str, *, afresh: bool = False) -> Role:
        """What somebody may do in a server's channel, by what Discord said in the last ten minutes; `afresh`: says now.

        Whoever is no member, or the bot is none any more, is a viewer. Raises ProviderError when Discord cannot be
        asked.
        """


class Asked(NamedTuple):
    """A question that waits for its answer: when it was put, and by which message."""

    at: datetime
    message_id: str | None


class Tries(NamedTuple):
    """Wrong guesses: the first was when, and how many there were."""

    since: datetime
    wrong: int


@dataclass(frozen=True, slots=True)
class Services:
    """The store, the live feed, the clock, the operator's defaults and secrets."""

    store: Store
    feed: Feed
    clock: Clock
    defaults: Defaults
    public_url: str
    """Without a slash at its end; every link we hand out begins with it."""
    keys: SecretKeys
    formats: tuple[str, ...] = ()
    """The downloads a session's page offers, by the ending of their files."""
    twitch: "TwitchApi | None" = None
    """Twitch's own programs' door; None when no credentials are set."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when channels were connected or disconnected, so that platforms listen to the right ones at once."""
    asked_to_forget: dict[tuple[str, str], Asked] = field(default_factory=dict)
    """Who asked to be forgotten and has yet to say it twice, by platform and user id."""
    archives: Archives = field(default_factory=Archives)
    """What is being asked about the archives of streams."""
    mirroring_off: dict[int, str] = field(default_factory=dict)
    """Why marks of a channel, by its id, do not become stream markers although they should; a sentence each."""
    short_links: "ShortLinks | None" = None
    """Follows short links; None: they are refused in words."""
    enricher: Enricher | None = None
    """Told of what people save; None when no service is asked anything."""
    best: Best = field(default_factory=Best)
    """The best parts of tracks."""
    arrivals: Arrivals = field(default_factory=Arrivals)
    """Who waits for what services tell of a recording."""
    guilds: Guilds | None = None
    """Discord's word on who moderates where; None when Discord is not set up."""
    discord_login: "DiscordOAuth | None" = None
    """Discord's word on who logs in; None when its application's id and secret are not set."""
    link_tries: dict[tuple[str, str], Tries] = field(default_factory=dict)
    """Who typed wrong codes for linking, by platform and user id."""

    def link(self, path: str) -> str:
        """A page of our own, absolute."""
        return self.public_url + path
