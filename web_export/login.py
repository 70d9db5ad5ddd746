"""Logging in with Twitch or Discord, and out (AUTH-4, AUTH-9). The token is given back at once and never kept."""

from urllib.parse import urlsplit

from aiohttp import web

from commands.authority import Viewer
from commands.services import Services
from moments.grants import Grant
from moments.notes import clean_name
from providers.twitch.oauth import LOGIN_SCOPE, MODERATES_SCOPE
from web_export.finishing import finish
from web_export.keys import SERVICES
from web_export.oauth import Purpose, Returned, leave, remember, return_path, returned, see_other, twitch_of
from web_export.personal import personal_page
from web_export.visitors import let_in, let_out, viewer_of
from web_export.ways import DISCORD, TWITCH, way_of

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

REFUSED = {TWITCH: "refused", DISCORD: "refused-discord"}
"""What is said of a login that the provider, or its owner, broke off."""

routes = web.RouteTableDef()


@routes.get("/login/{provider:twitch|discord}")
async def login(request: web.Request) -> web.Response:
    """Go to the provider; `return` says where to go afterwards.

    `moderator=1` asks Twitch which channels one moderates, too; Discord is asked for no more than who one is.

    Reached by links: a form's answer may not lead to another site under our policy.
    """
    if at_home := elsewhere(request):
        return see_other(at_home)
    scopes = {LOGIN_SCOPE, MODERATES_SCOPE} if request.query.get("moderator") == "1" else {LOGIN_SCOPE}
    back_to, provider = return_path(request.query.get("return", "/me")), request.match_info["provider"]
    address, browser = await leave(request, Purpose.LOGIN, scopes, provider=provider, return_to=back_to)
    response = see_other(address)
    remember(request, response, browser)
    return response


@routes.get("/login/{provider:twitch|discord}/callback")
async def callback(request: web.Request) -> web.Response:
    """Back from the provider: a login of ours begins, and the provider's token is given back."""
    location, who = await finish(request, _come_back(request))
    response = see_other(location)
    if who is not None:
        await let_in(request, response, who)
    return response


@routes.get("/logout")
async def ask(request: web.Request) -> web.Response:
    """A button; following a link logs nobody out."""
    return await personal_page(request, "logout.html", viewer=await viewer_of(request))


@routes.post("/logout")
async def logout(request: web.Request) -> web.Response:
    """End this login."""
    response = see_other("/me?said=out")
    await let_out(request, response)
    return response


def elsewhere(request: web.Request) -> str | None:
    """The same address at the public name of this very machine, when it was asked by another one.

    Providers send people back to the public address, and cookies of `127.0.0.1` are not there for `localhost`.
    """
    public = urlsplit(request.app[SERVICES].public_url)
    asked = urlsplit(f"//{request.host}").hostname
    if asked == public.hostname or not {asked, public.hostname} <= _LOOPBACK:
        return None
    return request.app[SERVICES].link(request.path_qs)


async def _come_back(request: web.Request) -> tuple[str, Viewer | None]:
    """Where they go on and, unless they said no, who they are."""
    provider = request.match_info["provider"]
    back = await returned(request, Purpose.LOGIN, provider=provider)
    who = await identified(request.app[SERVICES], back)
    return (f"/me?said={REFUSED[provider]}", None) if who is None else (back.attempt.return_path, who)


async def identified(services: Services, back: Returned) -> Viewer | None:
    """Who came back, and nothing of the grant is left; None for somebody who said no."""
    if back.grant is None:
        return None
    try:
        if back.grant.platform != TWITCH:
            return Viewer(back.grant.platform, back.grant.user_id, back.display_name or back.grant.login)
        return await _on_twitch(services, back.grant)
    finally:
        await way_of(services, back.grant.platform).give_back(back.grant)


async def _on_twitch(services: Services, grant: Grant) -> Viewer:
    helix = twitch_of(services).helix
    name = await display_name(services, grant)
    if MODERATES_SCOPE not in grant.scopes:
        return Viewer(grant.platform, grant.user_id, name)
    moderated = await helix.moderated_channels(grant.user_id, grant.access_token)
    ids = frozenset(channel.user_id for channel in moderated)
    return Viewer(grant.platform, grant.user_id, name, ids, services.clock())


async def display_name(services: Services, grant: Grant) -> str:
    """How the grant's owner is called today."""
    found = await twitch_of(services).helix.users(ids=[grant.user_id])
    return clean_name(found[0].display_name) if found else grant.login
