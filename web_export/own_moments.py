"""Somebody's own saved moments, with all their words, and a button to delete each."""

import re
from dataclasses import dataclass
from typing import NamedTuple

from aiohttp import web

from commands.recorded import my_moments
from commands.shown import service_name
from moments.errors import UsageError
from moments.ranges import Range, range_words
from moments.wording import ago
from storage import Transaction, saves
from storage.saves import OwnMoment
from storage.web_sessions import WebSession
from web_export.keys import SERVICES
from web_export.oauth import see_other
from web_export.personal import personal_page
from web_export.visitors import visitor_of

A_PAGE, ON_ONES_PAGE = 50, 5
_ROW = re.compile(r"[0-9]{1,18}", re.ASCII)
_NO_PLACE = "That place in the list cannot be read. Open your page again."

routes = web.RouteTableDef()


@dataclass(frozen=True, slots=True)
class OwnView:
    """A saved moment in its author's list; `only_mine` says why nobody else reads its words, if nobody does."""

    id: str
    title: str
    range: str
    note: str
    only_mine: str
    beyond: bool
    when: str
    message_url: str
    """The chat message its link was taken from; empty for most."""


class OwnList(NamedTuple):
    """A page of the list, and what `before` is on the next."""

    moments: tuple[OwnView, ...]
    older: int | None


@routes.get("/me/moments")
async def list_page(request: web.Request) -> web.Response:
    """All of them, a page at a time; for somebody who is not logged in, the way in."""
    visitor = await visitor_of(request)
    if visitor is None:
        return see_other("/me")
    word = request.query.get("before")
    if word is not None and not _ROW.fullmatch(word):
        raise UsageError(_NO_PLACE)
    before = int(word) if word is not None else None
    mine = await own_list(request, visitor, before=before, limit=A_PAGE)
    platform = visitor.platform
    return await personal_page(request, "me_moments.html", mine=mine, newest=before is None, platform=platform)


@routes.post("/me/moments/{moment}/delete")
async def delete(request: web.Request) -> web.Response:
    """Delete one, and what it replaced; somebody else's is as good as none (AZ-6)."""
    visitor = await visitor_of(request)
    if visitor is None:
        return see_other("/me")
    services, moment = request.app[SERVICES], request.match_info["moment"]
    author, now = visitor.author, services.clock()

    async def job(transaction: Transaction) -> bool:
        return await saves.delete(transaction, author, moment, now)

    gone = await services.store.run(job, message=None, now=now)
    return see_other("/me/moments?said=" + ("deleted" if gone else "none"))


async def own_list(
    request: web.Request, visitor: WebSession, *, before: int | None = None, limit: int = ON_ONES_PAGE
) -> OwnList:
    """The newest of somebody's own, from a place on."""
    services = request.app[SERVICES]
    author = visitor.author
    found = await my_moments(services, author, before, limit)
    now = services.clock()
    titles = {(each.provider, each.media_id): _named(each) for each in found.moments} | found.titles
    return OwnList(
        tuple(
            OwnView(
                each.id,
                titles[each.provider, each.media_id],
                range_words(Range(each.start_seconds, each.end_seconds)),
                each.note,
                _only_mine(each),
                each.beyond,
                ago(each.created_at, now),
                each.message_url,
            )
            for each in found.moments
        ),
        found.older,
    )


def _named(moment: OwnMoment) -> str:
    return f"On {service_name(moment.provider)}"


def _only_mine(moment: OwnMoment) -> str:
    if not moment.note:
        return ""
    if moment.hidden:
        return "hidden by a moderator"
    return "words only you see" if moment.private else ""
