"""Where Twitch is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The bases in front of `/helix/…` and `/oauth2/…`, without a slash at their end, and the websocket."""

    api: str = "https://api.twitch.tv"
    auth: str = "https://id.twitch.tv"
    eventsub: str = "wss://eventsub.wss.twitch.tv/ws"


ISSUER = "https://id.twitch.tv/oauth2"
"""Who signs Twitch's identities; stays when `Endpoints.auth` is another host (design.md §8)."""
