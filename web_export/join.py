"""The streamer's side of joining a Discord channel: the page a code opens, its button, and the list of what is joined.

The code comes with the link and is then in a cookie of this page alone: neither in the address bar nor, while somebody
logs in, in the store. Discord's side is commands/joining.py (AZ-4).
"""

import re
from typing import NamedTuple

from aiohttp import web

from commands import joining
from commands.acting import account_of
from moments.errors import NotAllowed, UsageError
from storage import joined
from storage.retention import JOIN_CODE
from storage.web_sessions import WebSession
from web_export import words
from web_export.headers import PRIVATE
from web_export.keys import SERVICES
from web_export.oauth import see_other
from web_export.personal import personal_page
from web_export.visitors import cookie_name, set_cookie, viewer_of
from web_export.ways import TWITCH

_CODE = re.compile(r"[\w-]{32}", re.ASCII)
_NO_CODE = "That link is not whole. Open the one that /setup join gave in Discord, up to its end."

_PATH = "/join"
_COOKIE = "moments-join"

routes = web.RouteTableDef()


class JoinedView(NamedTuple):
    """A Discord channel that marks along with the visitor's stream."""

    id: str
    guild: str
    channel: str
    since: str
    moderators: bool


@routes.get("/join")
async def page(request: web.Request) -> web.Response:
    """What would be joined, who asked, and one button; for who is not logged in with Twitch, the way in.

    The code stays with them. Nobody but a streamer is told anything of the server.
    """
    request[PRIVATE] = True
    if "code" in request.query:
        return _with_code(request, _code(request.query["code"]))
    code, viewer = _code(request.cookies.get(cookie_name(request, _COOKIE, _PATH), "")), await viewer_of(request)
    if viewer is None or viewer.platform != TWITCH:
        return await personal_page(request, "join_login.html")
    services = request.app[SERVICES]
    try:
        channel = await joining.own_channel(services, account_of(viewer))
    except NotAllowed:
        response = await personal_page(request, "join_not_yours.html", name=viewer.display_name)
        response.set_status(403)
        return response
    asked = await joining.asked(services, code)
    account = asked.requested_by.partition(":")[2]
    return await personal_page(request, "join.html", code=code, asked=asked, account=account, channel=channel)


@routes.post("/join")
async def agree(request: web.Request) -> web.Response:
    """Join what the page named, as the streamer who read it."""
    request[PRIVATE] = True
    form, viewer = await request.post(), await viewer_of(request)
    code = _code(str(form.get("code", "")))
    if viewer is None:
        return _with_code(request, code)
    services, by = request.app[SERVICES], account_of(viewer)
    read = str(form.get("discord", "")), str(form.get("streamer", ""))
    ticked = form.get("moderators") == "1"
    await joining.agree(services, code, by, read=read, moderators=ticked, now=services.clock())
    return see_other("/me?said=joined")


@routes.post("/me/joined/{channel}/end")
async def leave(request: web.Request) -> web.Response:
    """End one of one's own joinings."""
    viewer = await viewer_of(request)
    if viewer is None:
        return see_other("/me")
    services = request.app[SERVICES]
    ended = await joining.leave(services, account_of(viewer), request.match_info["channel"], services.clock())
    return see_other(f"/me?said={'unjoined' if ended else 'not-joined'}")


async def joined_list(request: web.Request, visitor: WebSession) -> list[JoinedView]:
    """What is joined to the visitor's own channel."""
    store = request.app[SERVICES].store
    channel = await store.channel(visitor.platform, visitor.user_id)
    found = await joined.of_twitch(store, channel) if channel else []
    return [
        JoinedView(each.discord_channel, each.guild_name, each.channel_name, words.day(each.joined_at), each.moderators)
        for each in found
    ]


def _with_code(request: web.Request, code: str) -> web.Response:
    """On to the page, with the code where only that page gets it."""
    response = see_other(_PATH)
    set_cookie(request, response, _COOKIE, code, JOIN_CODE, _PATH)
    return response


def _code(word: str) -> str:
    if not _CODE.fullmatch(word):
        raise UsageError(_NO_CODE)
    return word
