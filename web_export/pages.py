"""The pages: the front page, a session, a channel. All are the same for everyone (security.md API-1)."""

import hashlib
import re
from collections import OrderedDict
from collections.abc import Sequence

from aiohttp import ETag, web

from commands.services import Services
from commands.vod import vods
from moments.crowd import Position
from moments.errors import NotFound, UsageError
from moments.sessions import Session, Status
from moments.vod import Vods
from web_export.asked import asked_session, lead_to_name, name_today, named_channel
from web_export.chat_state import chat_view
from web_export.digest import TOTALS, Digest, Digests, TotalsKept
from web_export.headers import is_known
from web_export.keys import SERVICES
from web_export.live import add_live
from web_export.moment_page import newest_moments
from web_export.positions import parse_position
from web_export.render import LOOK, add_static, html_response, render
from web_export.views import Card, SessionHead, card, head, session_view

MARKS_A_PAGE = 50
LIVE_CARDS, RECENT_SESSIONS = 6, 9
SESSIONS_A_PAGE = 20
SHARED_CACHE = "public, max-age=30"
SESSION_CACHE = "no-cache"
"""A reload must show the marks of this second, so a copy is asked about each time; the ETag makes that cheap."""
PAGES_KEPT = 64

routes = web.RouteTableDef()
DIGESTS = web.AppKey("digests", Digests)
KEPT_PAGES = web.AppKey("kept_pages", OrderedDict[str, bytes])
_NO_PLACE = "That place in the list cannot be read. Open the session's page again."
_ROW = re.compile(r"[0-9]{1,18}", re.ASCII)


def add_pages(app: web.Application) -> None:
    """Add the pages, their static files and their live stream; `app[SERVICES]` must be set."""
    app[DIGESTS] = digests = Digests(app[SERVICES].store)
    app[TOTALS] = totals = TotalsKept(app[SERVICES].store)
    app[KEPT_PAGES] = OrderedDict()
    add_static(app)
    add_live(app)
    app.add_routes(routes)

    async def close(_: web.Application) -> None:
        await app[SERVICES].archives.close()
        await app[SERVICES].best.close()
        await digests.close()
        await totals.close()

    app.on_cleanup.append(close)


@routes.get("/")
async def home(request: web.Request) -> web.Response:
    """What this is, who is live, and what was marked lately."""
    services = request.app[SERVICES]
    live = [await _card(request, session) for session in await services.store.live_sessions(LIVE_CARDS)]
    recent = await _heads(request, await services.store.ended_sessions(RECENT_SESSIONS))
    twitch, discord, saved = services.twitch is not None, services.guilds is not None, await newest_moments(request)
    body = render("home.html", live=live, recent=recent, saved=saved, twitch=twitch, discord=discord)
    return html_response(body, cache=SHARED_CACHE)


async def _card(request: web.Request, session: Session) -> Card:
    services = request.app[SERVICES]
    digest = await _digest(request, session, await services.store.revision(session))
    return card(session, digest, services.clock())


async def _heads(request: web.Request, sessions: Sequence[Session]) -> list[SessionHead]:
    now = request.app[SERVICES].clock()
    return [head(session, await request.app[TOTALS].of(session), now) for session in sessions]


async def _digest(request: web.Request, session: Session, revision: int) -> Digest:
    window = session.channel.seconds(request.app[SERVICES].defaults).crowd_window_seconds
    return await request.app[DIGESTS].of(session, window, revision)


@routes.get("/s/{session}")
async def session_page(request: web.Request) -> web.Response:
    """A session: its timeline, crowd moments, marks and downloads."""
    services = request.app[SERVICES]
    # Read first: whatever happens while the page is made comes again over the live stream.
    position = services.feed.position(request.match_info["session"])
    session = await asked_session(request)
    before = parse_position(request.query.get("before"), _NO_PLACE)
    revision = await services.store.revision(session)
    digest = await _digest(request, session, revision)
    linked = await vods(services, session)
    etag = _etag(services, session, before, revision, digest.revision, position, linked)
    if is_known(request, etag):
        response = web.Response(status=304, headers={"Cache-Control": SESSION_CACHE})
    else:
        kept = request.app[KEPT_PAGES]
        if etag not in kept:
            kept[etag] = await _session_body(request, session, digest, linked, before, position)
            while len(kept) > PAGES_KEPT:
                kept.popitem(last=False)
        response = html_response(kept[etag], cache=SESSION_CACHE)
    response.etag = ETag(etag, is_weak=True)
    return response


def _etag(services: Services, session: Session, *parts: object) -> str:
    # "5 minutes ago" and the running clock change by themselves while a session is not over: a page keeps a minute.
    minute = 0 if session.status is Status.ENDED else int(services.clock().timestamp()) // 60
    return hashlib.sha256(repr((session.id, session.status, minute, parts, LOOK)).encode()).hexdigest()[:24]


async def _session_body(
    request: web.Request, session: Session, digest: Digest, linked: Vods, before: Position | None, position: str
) -> bytes:
    services = request.app[SERVICES]
    listed = await services.store.marks(session, after=before, limit=MARKS_A_PAGE + 1, newest_first=True)
    view = session_view(
        session,
        await request.app[TOTALS].of(session),
        digest,
        linked,
        listed[:MARKS_A_PAGE],
        services.clock(),
        more=len(listed) > MARKS_A_PAGE,
        newest=before is None,
        position=position,
        defaults=services.defaults,
    )
    return render("session.html", page=view)


@routes.get("/c/{platform}/{channel}")
async def channel_page(request: web.Request) -> web.Response:
    """A channel's sessions, newest first."""
    store = request.app[SERVICES].store
    channel = await named_channel(request)
    if channel is None:
        raise NotFound("There is no such channel here. Check the link.")
    await lead_to_name(request, channel)
    before = _row_cursor(request.query.get("before"))
    found = await store.channel_sessions(channel, before=before, limit=SESSIONS_A_PAGE + 1)
    sessions = found[:SESSIONS_A_PAGE]
    heads = await _heads(request, sessions)
    older = sessions[-1].row_id if len(found) > SESSIONS_A_PAGE else None
    chat = await chat_view(request, channel)
    name = name_today(request, channel)
    body = render("channel.html", channel=channel, name=name, heads=heads, older=older, first=before is None, chat=chat)
    # Who has just connected, perhaps not for the first time, must see how it is now.
    fresh = "connected" in request.query or (chat is not None and chat.passes)
    return html_response(body, cache="no-store" if fresh else SHARED_CACHE)


def _row_cursor(word: str | None) -> int | None:
    if word is None:
        return None
    if not _ROW.fullmatch(word):
        raise UsageError("That place in the list cannot be read. Open the channel's page again.")
    return int(word)
