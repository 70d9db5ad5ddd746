"""Whether the bot is in a channel's chat, in words: the same for everyone, streamers too (API-1)."""

from dataclasses import dataclass

from aiohttp import web

from commands import connecting
from moments.live import Author
from moments.sessions import Channel
from storage.connections import State
from web_export.keys import CONFIG, SERVICES

UP = "ready"
"""What is said first of a platform that works (SiteConfig.platforms)."""
_DISCORD_AWAY = "The bot is not connected to Discord just now. It comes back by itself and answers from then on."
_THERE = "The bot is in this chat. Type !clip and what moved you."


@dataclass(frozen=True, slots=True)
class ChatView:
    """What a channel's page says of the bot."""

    sentence: str
    reconnect: bool = False
    """Whether its streamer has to connect again."""
    notes: tuple[str, ...] = ()
    """What was not granted, for whoever has just connected."""
    passes: bool = False
    """Whether somebody is about to mend it, and must not be told so once more by a copy."""


async def chat_view(request: web.Request, channel: Channel) -> ChatView | None:
    """What to say; None for a channel where there is nothing to say."""
    services = request.app[SERVICES]
    if channel.platform == "discord":
        runs = channel.platform in request.app[CONFIG].platforms()
        return ChatView(_DISCORD_AWAY, passes=True) if runs and not _is_up(request, channel.platform) else None
    found = await connecting.connection(services, Author(channel.platform, channel.platform_id, channel.display_name))
    if found is None or found.state is State.DISCONNECTED:
        return None
    if found.state is State.NEEDS_AUTHORISATION:
        return ChatView(
            "Twitch no longer lets the bot act for this channel. If it is yours, connect again; every mark is kept.",
            reconnect=True,
            passes=True,
        )
    sentence = await _wrong_with_bot(request)
    return ChatView(sentence or _THERE, notes=_just_connected(request), passes=bool(sentence))


async def _wrong_with_bot(request: web.Request) -> str:
    """What keeps the bot from the chat; empty when it is there."""
    services = request.app[SERVICES]
    if services.twitch is not None and not await connecting.bot_is_authorised(services):
        return (
            "The bot will be in this chat as soon as whoever runs this Moments has connected the bot’s own account: "
            "the link is in its terminal."
        )
    if not _is_up(request, "twitch"):
        return "The bot is not connected to Twitch just now. It joins again by itself; marks are heard from then on."
    return ""


def _is_up(request: web.Request, platform: str) -> bool:
    return request.app[CONFIG].platforms().get(platform, {}).get("state", "").startswith(UP)


def _just_connected(request: web.Request) -> tuple[str, ...]:
    notes = {
        "no_markers": "Stream markers are off: Twitch did not grant them. Connect again with their box ticked.",
        "no_clips": "Clips are off: Twitch did not grant them. Connect again with their box ticked.",
    }
    return tuple(note for name, note in notes.items() if name in request.query)
