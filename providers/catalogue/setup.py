"""What a provider's catalogue is made of, and what each of them is to everybody else."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from providers.address import Link
from providers.catalogue.budget import Budget, Clock, Spent
from providers.catalogue.client import Client, Judge
from providers.catalogue.facts import MediaFacts
from providers.http import Http
from providers.twitch.helix import Helix


class Source(Protocol):
    """One provider's official API."""

    async def look_up(self, link: Link, *, now: datetime) -> MediaFacts:
        """What it says of this; raises `client.Missing`."""


@dataclass(frozen=True, slots=True)
class Keys:
    """What providers know us by; None where the operator gave nothing."""

    youtube: str | None = field(default=None, repr=False)
    spotify_id: str | None = None
    spotify_secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Setup:
    """What the catalogues of one process share."""

    http: Http
    user_agent: str
    """`name/version ( contact )`, as MusicBrainz asks (R11); see `user_agent`."""
    keys: Keys = Keys()
    overrides: Mapping[str, str] = field(default_factory=dict)
    """MOMENTS_<PROVIDER>_API_URL by provider: the base of each of its hosts."""
    helix: Helix | None = None
    youtube_units_a_day: int = 10_000
    youtube_spent: Spent | None = None
    """What the process before us had spent."""
    on_youtube_spent: Callable[[Spent], None] | None = None
    shops: tuple[str, ...] = ("us", "gb")
    """Apple's countries, asked in this order."""
    clock: Clock = field(default_factory=Clock)

    def client(self, provider: str, base: str, budget: Budget, judge: Judge | None = None) -> Client:
        """The door to this base, or to the one the operator set instead."""
        headers = {"User-Agent": self.user_agent}
        where = self.overrides.get(provider, base)
        return Client(self.http, where, budget, headers, *(() if judge is None else (judge,)))


@dataclass(frozen=True, slots=True)
class Catalogue:
    """A line of the table: whose, where, and how it is opened."""

    provider: str
    bases: tuple[str, ...]
    """Every host it asks."""
    open: Callable[[Setup], Source | None]
    """None when the operator gave it nothing to work with."""


def user_agent(version: str, contact: str) -> str:
    """R11: `Moments/<version> ( contact )`. Raises ValueError for what a header or a comment in it cannot carry."""
    agent = f"Moments/{version} ( {contact.strip()} )"
    if not contact.strip() or not agent.isascii() or not agent.isprintable() or set("()\\") & set(version + contact):
        raise ValueError("A contact is an address or a URL in plain letters, without parentheses.")
    return agent
