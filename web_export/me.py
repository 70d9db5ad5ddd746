"""Somebody's own page: account, channel, logins and marks, and the ways to end each of them."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from urllib.parse import quote

from aiohttp import web

from commands import connecting
from commands.choices import MOST_SECONDS
from commands.connecting import CLIPS, MARKERS
from commands.forgetme import forget
from commands.services import Services
from moments.errors import NotFound, UsageError
from moments.sessions import Channel
from moments.timecodes import hms
from moments.wording import ago
from storage import own, web_sessions
from storage.connections import State
from storage.own import OwnMark
from storage.saves import saves_of
from storage.web_sessions import WebSession
from web_export import words
from web_export.choosing import Field, fields
from web_export.join import joined_list
from web_export.keys import SERVICES
from web_export.linking import accounts_of
from web_export.oauth import see_other
from web_export.own_moments import own_list
from web_export.personal import personal_page
from web_export.visitors import end, forget_cookie, is_over, visitor_of
from web_export.ways import ways

MARKS_A_PAGE = 50
_NOT_ALLOWED = "Not allowed. Connect again with its box ticked to have them"
_YET_TO_ALLOW = "Switched on, but you have yet to allow them on Twitch. Connect again with their box ticked"
_CLIPPING = "Allowed: moderators may turn crowd moments into clips"
_NOT_NOW = "Not until you connect again, with its box ticked"
_POSITION = re.compile(r"([0-9]{1,18})-([0-9]{1,9})", re.ASCII)

routes = web.RouteTableDef()


@dataclass(frozen=True, slots=True)
class MarkView:
    """A mark in its author's list. A private channel's title and page are for its moderators."""

    session: str
    """Its id, as it is written in addresses; empty for a private one."""
    note: str
    title: str
    channel: str
    segment_index: int
    offset: str
    when: str


@dataclass(frozen=True, slots=True)
class LoginView:
    """A browser that is logged in."""

    id: str
    is_this: bool
    begun: str
    seen: str


@dataclass(frozen=True, slots=True)
class ChannelView:
    """The visitor's own channel, and what they let the bot do there."""

    address: str
    """Of its page, after `/c/`."""
    state: str
    since: str
    features: tuple["Feature", ...]


class Feature(NamedTuple):
    """What the bot may give back to Twitch, and how that stands."""

    name: str
    sentence: str
    waits: bool
    """Whether the streamer wants it, and has yet to allow it."""


@routes.get("/me")
async def me(request: web.Request) -> web.Response:
    """The page; for somebody who is not logged in, the way in."""
    visitor = await visitor_of(request)
    if visitor is None:
        there = {provider: words.platform(provider) for provider in ways(request.app[SERVICES])}
        return await personal_page(request, "me_login.html", ways=there)
    services, before = request.app[SERVICES], _position(request.query.get("before"))
    who = visitor.platform, visitor.user_id
    found = await own.marks(services.store, *who, before=before, limit=MARKS_A_PAGE + 1)
    shown, now = found[:MARKS_A_PAGE], services.clock()
    return await personal_page(
        request,
        "me.html",
        visitor=visitor,
        platform=words.platform(visitor.platform),
        accounts=await accounts_of(request, visitor),
        count=await own.marks_of(services.store, *who) or 0,
        marks=[_mark(mark, now) for mark in shown],
        older=f"{shown[-1].row}-{shown[-1].number}" if len(found) > MARKS_A_PAGE else "",
        newest=before is None,
        mine=await own_list(request, visitor),
        saves=await saves_of(services.store, *who),
        channel=await _channel(request, visitor),
        joined=await joined_list(request, visitor),
        settings=await _settings(request, visitor),
        most_seconds=MOST_SECONDS,
        logins=await _logins(request, visitor),
        can_connect=services.twitch is not None,
        is_streamers=visitor.platform == connecting.PLATFORM,
    )


@routes.post("/me/logins/{id}/end")
async def end_login(request: web.Request) -> web.Response:
    """End one of one's own logins."""
    visitor = await visitor_of(request)
    if visitor is None:
        return see_other("/me")
    response = see_other("/me?said=" + ("ended" if await end(request, visitor, request.match_info["id"]) else "gone"))
    if request.match_info["id"] == visitor.id:
        forget_cookie(request, response)
    return response


@routes.post("/me/disconnect")
async def disconnect(request: web.Request) -> web.Response:
    """Take the bot out of one's own channel."""
    visitor = await visitor_of(request)
    if visitor is None:
        return see_other("/me")
    if visitor.platform != connecting.PLATFORM:
        raise NotFound("There is no channel of yours here.")
    services = request.app[SERVICES]
    told = await connecting.disconnect(services, visitor.user_id, visitor.author, services.clock())
    response = see_other("/me?said=" + ("disconnected" if told else "untold"))
    forget_cookie(request, response)
    return response


@routes.get("/me/delete")
async def ask_delete(request: web.Request) -> web.Response:
    """What would be deleted, asked once."""
    visitor = await visitor_of(request)
    if visitor is None:
        return see_other("/me")
    services = request.app[SERVICES]
    count = await own.marks_of(services.store, visitor.platform, visitor.user_id) or 0
    saved = await saves_of(services.store, visitor.platform, visitor.user_id)
    connected = await connecting.is_connected(services, visitor.author)
    accounts = await accounts_of(request, visitor)
    return await personal_page(
        request, "me_delete.html", visitor=visitor, count=count, saves=saved, connected=connected, accounts=accounts
    )


@routes.post("/me/delete")
async def delete(request: web.Request) -> web.Response:
    """The same as saying `forgetme` twice."""
    visitor = await visitor_of(request)
    if visitor is None:
        return see_other("/me")
    services = request.app[SERVICES]
    await forget(services, visitor.author, services.clock())
    response = see_other("/me?said=forgotten")
    forget_cookie(request, response)
    return response


async def _logins(request: web.Request, visitor: WebSession) -> list[LoginView]:
    services = request.app[SERVICES]
    now = services.clock()
    found = await web_sessions.of_account(services.store, visitor.platform, visitor.user_id)
    return [
        LoginView(each.id, each.id == visitor.id, words.day(each.created_at), ago(each.seen_at, now))
        for each in found
        if not is_over(each, now)
    ]


async def _settings(request: web.Request, visitor: WebSession) -> list[Field]:
    channel = await request.app[SERVICES].store.channel(visitor.platform, visitor.user_id)
    return fields(request, channel) if channel else []


async def _channel(request: web.Request, visitor: WebSession) -> ChannelView | None:
    services = request.app[SERVICES]
    found = await connecting.connection(services, visitor.author)
    channel = await services.store.channel(visitor.platform, visitor.user_id)
    if channel is None or found is None or found.state is State.DISCONNECTED:
        return None
    scopes, works = found.scopes, found.state is State.CONNECTED
    return ChannelView(
        f"{quote(found.place.platform, safe='')}/{quote(found.place.platform_id, safe='')}",
        found.state,
        words.day(found.connected_at),
        (
            _feature("Stream markers", _marking(services, channel), channel.settings.mirror_markers, MARKERS in scopes),
            _feature("Clips", _CLIPPING, channel.settings.promote, CLIPS in scopes),
        )
        if works
        else (Feature("Stream markers and clips", _NOT_NOW, waits=False),),
    )


def _feature(name: str, sentence: str, wanted: bool, allowed: bool) -> Feature:
    if allowed:
        return Feature(name, sentence, waits=False)
    return Feature(name, _YET_TO_ALLOW if wanted else _NOT_ALLOWED, waits=wanted)


def _marking(services: Services, channel: Channel) -> str:
    wrong = services.mirroring_off.get(channel.id) if channel.settings.mirror_markers else None
    return wrong or "Allowed: marks may become markers in your video"


def _mark(mark: OwnMark, now: datetime) -> MarkView:
    return MarkView(
        quote(mark.session_id, safe="") if mark.is_public else "",
        mark.note,
        (mark.title or "A session") if mark.is_public else "A private session",
        mark.channel,
        mark.segment_index,
        hms(mark.offset_seconds),
        ago(mark.created_at, now),
    )


def _position(word: str | None) -> tuple[int, int] | None:
    if word is None:
        return None
    found = _POSITION.fullmatch(word)
    if found is None:
        raise UsageError("That place in the list cannot be read. Open your page again.")
    return int(found[1]), int(found[2])
