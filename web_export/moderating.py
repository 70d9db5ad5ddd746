"""The page where a session is moderated, with every button chat's commands have, for those who moderate its channel."""

import re
from collections.abc import Awaitable, Callable
from datetime import timedelta

from aiohttp import web

from commands import moderation, private_links
from commands.acting import account_of, give
from commands.authority import role_of
from moments.errors import NotAllowed, NotFound, Refusal, UsageError
from moments.live import Author
from moments.people import Role
from moments.timecodes import LONGEST_SHIFT
from storage import Transaction, all_marks
from web_export import words
from web_export.desk import Desk, choices, desk_view, goes_on
from web_export.digest import TOTALS
from web_export.headers import PRIVATE
from web_export.keys import SERVICES
from web_export.oauth import see_other
from web_export.personal import personal_page
from web_export.positions import parse_position
from web_export.visitors import viewer_of
from web_export.ways import TWITCH, ways

HOURS = {"24": "a day", "168": "a week"}
"""How long a link made here may open its session."""
_ID = re.compile(r"[0-9A-Za-z_-]{1,64}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)
_NO_PLACE = "That place in the list cannot be read. Open the page again."
_MOVED_ON = "Another session has begun since. Open that one's page to moderate it."
_STANDS_OTHERWISE = "That button does nothing any more: the session went on meanwhile. Its page shows how it stands."
_NO_BUTTON = "That is no button of this page. Reload it and try again."
_NO_SHIFT = (
    "Type how many seconds later or earlier the links should open, with a plus or a minus: +5 or -5, "
    f"at most {LONGEST_SHIFT}. 0 puts them back."
)

Act = Callable[[web.Request, Desk], Awaitable[str | web.Response]]
"""What a button does: the word for `said`, or a page of its own."""

routes = web.RouteTableDef()


@routes.get("/me/s/{session}")
async def page(request: web.Request) -> web.Response:
    """All about one session; the way in for whoever is not logged in, the same whatever the address says (AZ-6)."""
    if await viewer_of(request) is None:
        return await _ask(request, "moderate_login.html", 200)
    desk = await _desk(request, act=False)
    if desk is None:
        return await _ask(request, "moderate_none.html", 404)
    services, here = request.app[SERVICES], request.query.get("before")
    before = parse_position(here, _NO_PLACE)
    view = await desk_view(services, desk, await request.app[TOTALS].of(desk.session), before, here or "")
    return await _personal(
        request,
        "moderate.html",
        page=view,
        choices=choices(view.head.status),
        hours=HOURS,
        longest_shift=LONGEST_SHIFT,
    )


def _act(path: str) -> Callable[[Act], Act]:
    """A button of the page: only for whom the platform calls a moderator now (AZ-3)."""

    def register(act: Act) -> Act:
        async def handle(request: web.Request) -> web.StreamResponse:
            if await viewer_of(request) is None:
                return see_other(_own_path(request))
            if await _desk(request, act=False) is None:
                return await _ask(request, "moderate_none.html", 404)
            desk = await _desk(request, act=True)
            if desk is None:
                return await _ask(request, "moderate_again.html", 403, TWITCH)
            done = await act(request, desk)
            return done if isinstance(done, web.Response) else see_other(await _back(request, done))

        routes.post("/me/s/{session}" + path)(handle)
        return act

    return register


@_act("/state")
async def change_state(request: web.Request, desk: Desk) -> str | web.Response:
    """Start, pause, resume or end: the commands themselves."""
    form = await request.post()
    command = str(form.get("act", ""))
    text = " | ".join(str(form.get(name, "")).replace("|", "/").strip() for name in ("title", "game"))
    if command not in _SAID:
        raise UsageError(_NO_BUTTON)
    await _give(request, desk, command, text if command == "start" else "", usage=_NO_BUTTON)
    if command != "start":
        return _SAID[command]
    channel = desk.session.channel
    begun = await request.app[SERVICES].store.newest_session(channel.platform, channel.platform_id)
    return see_other(f"/me/s/{begun.id if begun else desk.session.id}?said=started")


@_act("/vodshift")
async def shift(request: web.Request, desk: Desk) -> str:
    """Correct where the marks fall in the recording."""
    seconds = str((await request.post()).get("seconds", "")).strip()
    await _give(request, desk, "vodshift", seconds, usage=_NO_SHIFT)
    return "shifted"


@_act("/marks/{number}/hide")
async def hide(request: web.Request, desk: Desk) -> str:
    """Take a mark out of everyone's sight."""
    services, session = request.app[SERVICES], desk.session
    by = account_of(desk.viewer)
    await moderation.hide(services, session.channel, session, _number(request), by, "on the site", services.clock())
    return "hidden"


@_act("/marks/{number}/restore")
async def restore(request: web.Request, desk: Desk) -> str:
    """Show it again."""
    services, session = request.app[SERVICES], desk.session
    by = account_of(desk.viewer)
    await moderation.restore(services, session.channel, session, _number(request), by, services.clock())
    return "restored"


@_act("/marks/{number}/block")
async def block(request: web.Request, desk: Desk) -> str:
    """Take no more marks from whoever made this one."""
    services, session = request.app[SERVICES], desk.session
    found = await all_marks.numbered(services.store, session, _number(request))
    if found is None:
        raise NotFound("There is no such mark in this session.")
    await moderation.bar(services, session.channel, found.author, account_of(desk.viewer), services.clock())
    return "blocked"


@_act("/unblock")
async def unblock(request: web.Request, desk: Desk) -> str:
    """Take somebody's marks again."""
    services = request.app[SERVICES]
    platform, _, user_id = str((await request.post()).get("account", "")).partition(":")
    who, by = Author(platform, user_id, ""), account_of(desk.viewer)
    await moderation.unbar(services, desk.session.channel, who, by, services.clock())
    return "unblocked"


@_act("/links")
async def link(request: web.Request, desk: Desk) -> web.Response:
    """A signed link, shown once: only its own words open anything, and they are kept nowhere."""
    services, session, by = request.app[SERVICES], desk.session, account_of(desk.viewer)
    if not await private_links.may_issue(services, session.channel, by):
        raise NotAllowed("Only the streamer, and moderators they named, can give links.")
    hours = str((await request.post()).get("hours", ""))
    if hours not in HOURS:
        raise UsageError("Choose how long the link should work.")
    lasts, now = timedelta(hours=int(hours)), services.clock()

    async def job(transaction: Transaction) -> str:
        return await private_links.issue(transaction, services.keys, session, by, now, lasts=lasts)

    path = await services.store.run(job, message=None, now=now)
    return await _personal(
        request, "moderate_link.html", link=services.link(path), lasts=HOURS[hours], session_id=session.id
    )


@_act("/links/revoke")
async def revoke(request: web.Request, desk: Desk) -> str:
    """Every link into the channel ends."""
    await give(request.app[SERVICES], desk.viewer, desk.role, desk.session.channel, "setup", "links revoke")
    return "revoked"


_SAID = {"start": "started", "pause": "paused", "resume": "resumed", "end": "over"}


async def _give(request: web.Request, desk: Desk, command: str, text: str, *, usage: str) -> None:
    """A command about the channel's newest session; Refusal when that is not the one on the page.

    Whatever else it refuses is told in the page's words, `usage` where the text is wrong: its own say what to type
    in chat.
    """
    services, channel = request.app[SERVICES], desk.session.channel
    if not await goes_on(services.store, desk.session):
        raise Refusal(_MOVED_ON)
    try:
        await give(services, desk.viewer, desk.role, channel, command, text)
    except UsageError as error:
        raise UsageError(usage) from error
    except NotAllowed:
        raise
    except (NotFound, Refusal) as error:
        raise Refusal(_STANDS_OTHERWISE) from error


async def _desk(request: web.Request, *, act: bool) -> Desk | None:
    """The session, for somebody who moderates its channel; None alike for one that is not there."""
    services, viewer = request.app[SERVICES], await viewer_of(request)
    session = await services.store.session(request.match_info["session"])
    if viewer is None or session is None:
        return None
    role = await role_of(services, viewer, session.channel, act=act)
    return Desk(session, viewer, role) if role >= Role.MODERATOR else None


async def _ask(request: web.Request, template: str, status: int, *providers: str) -> web.Response:
    """Links to logins that lead back here, with these providers, else with all there are; Twitch is asked what
    somebody moderates, too.
    """
    there = {provider: words.platform(provider) for provider in providers or ways(request.app[SERVICES])}
    response = await _personal(request, template, ways=there, back_to=_own_path(request))
    response.set_status(status)
    return response


async def _personal(request: web.Request, template: str, **values: object) -> web.Response:
    request[PRIVATE] = True
    return await personal_page(request, template, **values)


async def _back(request: web.Request, said: str) -> str:
    """The page again, at the place in the list where the button was, with a word on what was done."""
    before = str((await request.post()).get("before", ""))
    place = f"&before={before}" if before and parse_position(before, _NO_PLACE) else ""
    return f"{_own_path(request)}?said={said}{place}"


def _own_path(request: web.Request) -> str:
    word = request.match_info["session"]
    return f"/me/s/{word}" if _ID.fullmatch(word) else "/me"


def _number(request: web.Request) -> int:
    word = request.match_info["number"]
    if not _NUMBER.fullmatch(word):
        raise NotFound("There is no such mark in this session.")
    return int(word)
