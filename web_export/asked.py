"""Which session, and which channel, an address means."""

from aiohttp import hdrs, web
from yarl import URL

from moments.sessions import Channel, Session
from storage import connections
from web_export.keys import SERVICES
from web_export.reading import may_read_channel, readable_session

NAMES_ON = "twitch"
"""The platform whose channels are addressed by names."""


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

    For one they may not see all is done that is done for one that is not there (AZ-6): Twitch is asked for no name,
    or how long that takes, and whether it can be asked at all, would tell which names are those of channels here.
    """
    platform, word = request.match_info["platform"], request.match_info["channel"]
    channel = await _readable_channel(request, platform, word)
    if channel is None and platform == NAMES_ON:
        services = request.app[SERVICES]
        user_id = await connections.called(services.store, platform, word.lower(), services.clock())
        channel = await _readable_channel(request, platform, user_id) if user_id else None
    return channel


async def _readable_channel(request: web.Request, platform: str, platform_id: str) -> Channel | None:
    channel = await request.app[SERVICES].store.channel(platform, platform_id)
    return channel if channel is not None and await may_read_channel(request, channel) else None


async def lead_to_name(request: web.Request, channel: Channel) -> None:
    """Lead from a channel's id to its name, where that is known; only for somebody who may see the channel."""
    if channel.platform != NAMES_ON or request.match_info["channel"] != channel.platform_id:
        return
    services = request.app[SERVICES]
    login = await connections.login_of(services.store, channel.platform, channel.platform_id, services.clock())
    if login and not login.isdecimal():  # a name of digits may be the id of another channel
        address = URL.build(path=f"/c/{channel.platform}/{login}", query_string=request.query_string)
        raise web.HTTPFound(address, headers={hdrs.CACHE_CONTROL: "no-cache"})


def name_today(request: web.Request, channel: Channel) -> str:
    """How a channel is called on its own page: by its display name, unless it was renamed since we were told that one.

    On Twitch a display name is the login in other letters, capitals or another script's; and the name in the address
    is the login of today (named_channel).
    """
    login, told = request.match_info["channel"].lower(), channel.display_name
    by_id = request.match_info["channel"] == channel.platform_id
    if channel.platform != NAMES_ON or by_id or not told.isascii() or told.lower() == login:
        return told
    return login
