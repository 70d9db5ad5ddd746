"""Discord over HTTP for whoever logs in with it. What the bot itself does there belongs to bot/discord."""

from providers.discord.oauth import DiscordOAuth

__all__ = ["DiscordOAuth"]
