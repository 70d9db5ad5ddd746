"""One person's accounts on their own page: the second login in the same browser that links them, and the way back."""

from collections.abc import Collection
from typing import NamedTuple

from aiohttp import web

from commands import linking
from commands.authority import Viewer
from moments.errors import UsageError
from moments.live import Author
from storage import linking as links
from storage.linking import SETTLES_AFTER, Linked, News
from storage.web_sessions import WebSession
from web_export import words
from web_export.finishing import finish
from web_export.keys import SERVICES
from web_export.login import identified
from web_export.oauth import OTHER_WAY, Purpose, leave, remember, returned, see_other
from web_export.personal import personal_page
from web_export.visitors import let_in, viewer, visitor_of
from web_export.ways import ways

routes = web.RouteTableDef()


class OtherView(NamedTuple):
    """Another account of the reader's."""

    platform: str
    platform_name: str
    name: str
    since: str
    settles: str
    """The day from which each reaches what is the other's; empty when they do."""
    can_confirm: bool
    """Whether a login with it would have them do so at once."""


class NewsView(NamedTuple):
    """What another account did to this one's links: the words before and after its name."""

    day: str
    before: str
    name: str
    after: str


class Accounts(NamedTuple):
    """The reader's other accounts, what happened to them, and the providers that could be linked, by name."""

    linked: list[OtherView]
    news: list[NewsView]
    ways: dict[str, str]


@routes.post("/me/link/{provider}")
async def start(request: web.Request) -> web.Response:
    """On to the other provider, by a page that leads on: our policy lets no form's answer redirect there."""
    visitor, provider = await visitor_of(request), request.match_info["provider"]
    if visitor is None:
        return see_other("/me")
    details = {"session": visitor.id}
    address, browser = await leave(request, Purpose.LINK, provider=provider, details=details)
    response = await personal_page(request, "leaving.html", address=address, where=words.platform(provider))
    remember(request, response, browser)
    return response


@routes.get("/me/link/{provider}/callback")
async def callback(request: web.Request) -> web.Response:
    """Back from it: whoever is logged in here, still by the very login that left, has two accounts from now on."""
    location, who = await finish(request, _come_back(request))
    response = see_other(location)
    if who is not None:
        await let_in(request, response, who)
    return response


@routes.post("/me/unlink")
async def unlink(request: web.Request) -> web.Response:
    """Part the account on another platform from this one."""
    visitor = await visitor_of(request)
    if visitor is None:
        return see_other("/me")
    platform, services = (await request.post()).get("platform", ""), request.app[SERVICES]
    parted = await linking.part(services, visitor.author, str(platform), services.clock())
    response = see_other("/me?said=" + ("unlinked" if parted else "not-together"))
    if parted:
        await let_in(request, response, viewer(visitor))
    return response


async def accounts_of(request: web.Request, visitor: WebSession) -> Accounts:
    """What a reader's page says of their accounts."""
    services, author = request.app[SERVICES], visitor.author
    linked = await links.others(services.store, *author[:2])
    news = await links.untold(services.store, author)
    known = {visitor.platform, *(each.account.platform for each in linked)}
    logins = ways(services)
    there = {provider: words.platform(provider) for provider in logins if provider not in known}
    return Accounts([_other(each, logins) for each in linked], [_news(each) for each in news], there)


async def _come_back(request: web.Request) -> tuple[str, Viewer | None]:
    """Where they go on and, unless they said no, who they are here."""
    services = request.app[SERVICES]
    back = await returned(request, Purpose.LINK, provider=request.match_info["provider"])
    other, visitor = await identified(services, back), await visitor_of(request)
    if visitor is None or visitor.id != back.attempt.details["session"]:
        raise UsageError(OTHER_WAY)
    if other is None:
        return "/me?said=not-linked", None
    await linking.join(
        services, visitor.author, Author(other.platform, other.user_id, other.display_name), services.clock()
    )
    return "/me?said=linked", viewer(visitor)


def _other(linked: Linked, logins: Collection[str]) -> OtherView:
    account: Author = linked.account
    settles = "" if linked.settled else words.day(linked.linked_at + SETTLES_AFTER)
    name = words.platform(account.platform) or "Console"
    since, can_confirm = words.day(linked.linked_at), bool(settles) and account.platform in logins
    return OtherView(account.platform, name, account.display_name, since, settles, can_confirm)


def _news(news: News) -> NewsView:
    whom = f"the {words.platform(news.account.platform)} account" if news.account.display_name else "an account"
    name = news.account.display_name or "that was deleted since"
    if news.act == "linked":
        return NewsView(words.day(news.at), f"linked by {whom}", name, "as one person with it. Not you? Unlink it.")
    return NewsView(words.day(news.at), f"unlinked by {whom}", name, "and a person of its own again.")
