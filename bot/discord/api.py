"""Discord over HTTP, put together from the settings, for every use case that asks it something."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from bot.discord.guilds import DiscordGuilds
from bot.discord.rest import Rest, open_rest
from bot.settings import DiscordSettings
from commands.services import Clock


class Discord(NamedTuple):
    """Discord as we use it; only the process that runs it is connected."""

    rest: Rest
    guilds: DiscordGuilds


@asynccontextmanager
async def open_discord(settings: DiscordSettings, site: str, clock: Clock) -> AsyncIterator[Discord]:
    """Discord over HTTP, until the block ends; `site` is our public address."""
    async with open_rest(settings, site) as rest:
        yield Discord(rest, DiscordGuilds(rest, clock))
