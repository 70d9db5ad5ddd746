"""Logging in with Discord, put together from the settings; the bot itself may be off."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.settings import Settings
from providers.discord import DiscordOAuth
from providers.http import open_http


@asynccontextmanager
async def open_discord_login(settings: Settings) -> AsyncIterator[DiscordOAuth | None]:
    """Discord's OAuth over an HTTP client of its own, until the block ends; None without its settings."""
    secret = settings.discord_client_secret
    if not settings.discord_application_id or secret is None:
        yield None
        return
    async with open_http([settings.discord_api_url]) as http:
        yield DiscordOAuth(http, settings.discord_api_url, settings.discord_application_id, secret.get_secret_value())
