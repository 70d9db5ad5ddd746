"""The services' official APIs and their short links, put together from the settings and the store."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, NamedTuple

from bot.settings import Settings
from commands.enrich import Enricher, SpentUnits, load_spent
from providers.catalogue import Catalogues, Keys, Setup, hosts, user_agent
from providers.http import open_http
from providers.shortlinks import ShortLinks, open_short_links
from storage import Store

if TYPE_CHECKING:
    from providers.twitch import Helix


class Asking(NamedTuple):
    """Who asks the services, in the background and where a link is short."""

    enricher: Enricher
    short_links: ShortLinks


@asynccontextmanager
async def open_asking(settings: Settings, store: Store, helix: "Helix | None") -> AsyncIterator[Asking]:
    """Both, over HTTP clients of their own, until the block ends. Nobody is asked anything yet."""
    units, overrides = SpentUnits(), settings.provider_urls
    async with AsyncExitStack() as opened:
        setup = Setup(
            http=await opened.enter_async_context(open_http(hosts(overrides))),
            user_agent=agent(settings),
            keys=_keys(settings),
            overrides=overrides,
            helix=helix,
            youtube_spent=await load_spent(store),
            on_youtube_spent=units.note,
        )
        short_links = await opened.enter_async_context(open_short_links())
        yield Asking(Enricher(Catalogues(setup), units), short_links)


def agent(settings: Settings) -> str:
    """Who we are, with whom to write to (R11); the site's address where the contact is none that a header can carry."""
    ours = version("moments")
    try:
        return user_agent(ours, settings.contact or settings.public_url)
    except ValueError:
        return user_agent(ours, settings.public_url)


def _keys(settings: Settings) -> Keys:
    youtube, spotify = settings.youtube_api_key, settings.spotify_client_secret
    return Keys(
        youtube=youtube.get_secret_value() if youtube else None,
        spotify_id=settings.spotify_client_id or None,
        spotify_secret=spotify.get_secret_value() if spotify else None,
    )
