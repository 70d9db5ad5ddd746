"""Who may read what: public pages everyone; a private channel's its moderators, and whoever brought a link (AZ-6)."""

from contextlib import suppress

from aiohttp import web

from commands.authority import role_of
from moments.errors import NotFound
from moments.people import Role
from moments.sessions import Channel, Session
from web_export.headers import PRIVATE
from web_export.keys import SERVICES
from web_export.links import has_link
from web_export.views import is_public
from web_export.visitors import look_again, viewer_of

NO_SESSION = "There is no session here. Check the link, or ask in chat with !clips (/clips on Discord)."


async def readable_session(request: web.Request, word: str, *, file: str = "", refusal: str = NO_SESSION) -> Session:
    """A session the asker may see, by its id, `latest` or its channel; a private channel's by its id alone.

    `file` is the ending of the download that is asked for. NotFound, in the same words, for a session that is not
    there and for one that is not theirs. Whose a public one is asked by is not looked at (API-1).
    """
    store = request.app[SERVICES].store
    with suppress(NotFound):
        return await store.find_session(word, public_only=True)
    session = await store.session(word) if request.cookies else None
    if session is None or not await _may_read(request, session, file):
        raise NotFound(refusal)
    request[PRIVATE] = True
    return session


async def may_still_read(request: web.Request, session_id: str) -> bool:
    """Whether somebody who is reading a session may go on, as things are now (RES-5)."""
    look_again(request)
    session = await request.app[SERVICES].store.session(session_id)
    if session is None or not await _may_read(request, session, ""):
        return False
    if not is_public(session.channel):
        request[PRIVATE] = True
    return True


async def may_read_channel(request: web.Request, channel: Channel) -> bool:
    """Whether the asker may see a channel's page."""
    if is_public(channel):
        return True
    may = await _moderates(request, channel)
    if may:
        request[PRIVATE] = True
    return may


async def _may_read(request: web.Request, session: Session, file: str) -> bool:
    channel = session.channel
    return is_public(channel) or await _moderates(request, channel) or await has_link(request, session, file)


async def _moderates(request: web.Request, channel: Channel) -> bool:
    viewer = await viewer_of(request)
    return await role_of(request.app[SERVICES], viewer, channel, act=False) >= Role.MODERATOR
