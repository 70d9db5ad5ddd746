"""Twitch over HTTP, put together from the settings and the store, for every use case that speaks to it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

from bot.settings import TwitchSettings
from commands.credentials import StoredGrants
from commands.services import Clock
from providers.http import open_http
from providers.twitch import Helix, TwitchApi, TwitchOAuth
from storage import Store
from storage.credentials import Vault
from storage.keys import SecretKeys


class Twitch(NamedTuple):
    """Twitch's API as we use it, and the grants behind it."""

    api: TwitchApi
    grants: StoredGrants


@asynccontextmanager
async def open_twitch(
    settings: TwitchSettings,
    store: Store,
    keys: SecretKeys,
    clock: Clock,
    on_dead: Callable[[str], Awaitable[None]],
) -> AsyncIterator[Twitch]:
    """Twitch over one HTTP client, until the block ends; `on_dead` hears of everybody whose grant no longer works."""
    grants = StoredGrants(store, Vault(keys), clock, on_dead)
    endpoints = settings.endpoints
    async with open_http((endpoints.api, endpoints.auth)) as http:
        oauth = TwitchOAuth(http, endpoints, settings.client_id, settings.client_secret.get_secret_value(), clock)
        helix = Helix(http, endpoints, oauth, grants, clock)
        try:
            yield Twitch(TwitchApi(oauth, helix, settings.bot_id), grants)
        finally:
            await helix.settle()
