"""Twitch over HTTP: OAuth and Helix. What comes over the EventSub socket belongs to bot/twitch."""

from dataclasses import dataclass

from providers.twitch.endpoints import ISSUER, Endpoints
from providers.twitch.helix import Helix
from providers.twitch.oauth import TwitchOAuth
from providers.twitch.tokens import GrantStore

__all__ = ["ISSUER", "Endpoints", "GrantStore", "Helix", "TwitchApi", "TwitchOAuth"]


@dataclass(frozen=True, slots=True)
class TwitchApi:
    """What a use case needs to speak to Twitch."""

    oauth: TwitchOAuth
    helix: Helix
    bot_id: str
    """The user id of the bot's own account."""
