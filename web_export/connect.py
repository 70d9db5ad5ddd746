"""Connecting a channel, by its streamer; and the bot's own account, by whoever can read the terminal (AUTH-4)."""

from dataclasses import replace
from urllib.parse import quote

import structlog
from aiohttp import web

from commands import connecting
from commands.authority import Viewer
from commands.connecting import BOT_SCOPES, CLIPS, MARKERS, SEAT
from commands.services import Services
from moments.errors import MomentsError, Refusal, StoreError
from moments.grants import Grant
from web_export.finishing import finish
from web_export.keys import SERVICES
from web_export.login import display_name, elsewhere
from web_export.oauth import Purpose, leave, remember, returned, see_other, twitch_of
from web_export.personal import personal_page
from web_export.visitors import let_in

FEATURES = {"markers": MARKERS, "clips": CLIPS}
"""What a streamer may tick, and what Twitch calls the leave for it."""

log = structlog.stdlib.get_logger("web_export")
routes = web.RouteTableDef()


@routes.get("/twitch/connect")
async def connect(request: web.Request) -> web.Response:
    """What is asked and why, and one button; with the code from the terminal, the bot's own account's."""
    services = request.app[SERVICES]
    twitch = twitch_of(services)
    code = request.query.get("code")
    if code is not None:
        await connecting.check_bot_code(services, code)
        return await personal_page(request, "connect_bot.html", code=code, bot_id=twitch.bot_id)
    ready = await connecting.bot_is_authorised(services)
    return await personal_page(request, "connect.html", ready=ready)


@routes.get("/twitch/connect/start")
async def start(request: web.Request) -> web.Response:
    """On to Twitch, by a page that leads on: the policy lets no form's answer redirect to another site (finding 6)."""
    if at_home := elsewhere(request):
        return see_other(at_home)
    services, code = request.app[SERVICES], request.query.get("code")
    if code is not None:
        details = {"code": await connecting.check_bot_code(services, code)}
        address, browser = await leave(request, Purpose.BOT, BOT_SCOPES, details=details)
    else:
        scopes = {SEAT} | {scope for name, scope in FEATURES.items() if name in request.query}
        details = {"scopes": " ".join(sorted(scopes))}
        address, browser = await leave(request, Purpose.CONNECT, scopes, details=details)
    response = await personal_page(request, "leaving.html", address=address)
    remember(request, response, browser)
    return response


@routes.get("/twitch/connect/callback")
async def callback(request: web.Request) -> web.Response:
    """Back from Twitch, with a streamer's leave or with the bot's own account."""
    location, who = await finish(request, _come_back(request))
    response = see_other(location)
    if who is not None:
        try:
            await let_in(request, response, who)
        except StoreError as error:  # the channel is connected all the same, and its page says so to everybody
            log.warning("a streamer who connected could not be logged in", error=str(error))
    return response


async def _come_back(request: web.Request) -> tuple[str, Viewer | None]:
    """Where they go on and, for a streamer who agreed, who they are."""
    back = await returned(request, Purpose.CONNECT, Purpose.BOT)
    is_bot = back.attempt.purpose == Purpose.BOT
    if back.grant is None:
        return f"/twitch/connect?said={'bot-refused' if is_bot else 'not-connected'}", None
    services, details = request.app[SERVICES], back.attempt.details
    try:
        if is_bot:
            return await _keep_bot(services, back.grant, details["code"]), None
        return await _keep_streamer(services, back.grant, frozenset(details["scopes"].split()))
    except MomentsError:
        await connecting.give_back(services, back.grant)  # nothing was kept
        raise


async def _keep_streamer(services: Services, grant: Grant, asked: frozenset[str]) -> tuple[str, Viewer]:
    """Where the streamer lands, and who they are."""
    granted = grant.scopes & asked
    if SEAT not in granted:
        raise Refusal(
            "Without leave to be in your chat the bot hears nobody. Nothing was changed; try again and agree."
        )
    name = await display_name(services, grant)
    await connecting.connect(services, replace(grant, scopes=granted), name, grant.login, services.clock())
    said = ["connected=1", *(f"no_{name}=1" for name, scope in FEATURES.items() if scope in asked - granted)]
    location = f"/c/{grant.platform}/{quote(grant.login, safe='')}?{'&'.join(said)}"
    return location, Viewer(grant.platform, grant.user_id, name)


async def _keep_bot(services: Services, grant: Grant, code_digest: str) -> str:
    """Where the operator lands."""
    bot_id = twitch_of(services).bot_id
    if grant.user_id != bot_id:
        raise Refusal(
            f"That was the account {grant.login}, with the id {grant.user_id}. The bot’s has the id {bot_id}: switch "
            "accounts on Twitch and open the link from the terminal again."
        )
    if not grant.scopes >= BOT_SCOPES:
        raise Refusal("Twitch did not grant all the bot needs. Open the link from the terminal again and agree to all.")
    await connecting.authorise_bot(services, grant, code_digest, services.clock())
    return "/twitch/connect?said=bot"
