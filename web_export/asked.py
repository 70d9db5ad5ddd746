"""Which session, and which channel, an address means."""

import structlog
from aiohttp import hdrs, web
from yarl import URL

from moments.errors import ProviderError
from moments.sessions import Channel, Session
from web_export.keys import NAMES, SERVICES
from web_export.reading import may_read_channel, readable_session

NAMES_ON = "twitch"
"""The platform whose channels are addressed by names."""

log = structlog.stdlib.get_logger("web_export")


async def asked_session(request: web.Request, *, file: str = "") -> Session:
    """The session in the address, or whose download of that ending is asked for; NotFound unless the asker may see it.

    Another word for a public one (`latest`, a channel) leads on to its own address.
    """
    word = request.match_info["session"]
    session = await readable_session(request, word, file=file)
    if session.id != word:
        rest = request.path.removeprefix(f"/s/{word}")
        address = URL.build(path=f"/s/{session.id}{rest}", query_string=request.query_string)
        raise web.HTTPFound(address, headers={hdrs.CACHE_CONTROL: "no-cache"})
    return session


async def named_channel(request: web.Request) -> Channel | None:
    """The channel in the address, by its id or, on Twitch, by the name it has today; None unless the asker may see it.

    For one they may not see all is done that is done for one that is not there (AZ-6).
    """
    platform, word = request.match_info["platform"], request.match_info["channel"]
    channel = await _readable_channel(request, platform, word)
    if channel is None and platform == NAMES_ON and (user_id := await request.app[NAMES].id_of(word)):
        channel = await _readable_channel(request, platform, user_id)
    return channel


async def _readable_channel(request: web.Request, platform: str, platform_id: str) -> Channel | None:
    channel = await request.app[SERVICES].store.channel(platform, platform_id)
    return channel if channel is not None and await may_read_channel(request, channel) else None


async def lead_to_name(request: web.Request, channel: Channel) -> None:
    """Lead from a channel's id to its name, where that is known; only for somebody who may see the channel."""
    if channel.platform != NAMES_ON or request.match_info["channel"] != channel.platform_id:
        return
    try:
        login = await request.app[NAMES].login_of(channel.platform_id)
    except ProviderError as error:
        log.warning("a channel is shown under its id: Twitch did not tell its name", error=str(error))
        return
    if login and login != channel.platform_id:
        address = URL.build(path=f"/c/{channel.platform}/{login}", query_string=request.query_string)
        raise web.HTTPFound(address, headers={hdrs.CACHE_CONTROL: "no-cache"})
