"""Which session an address means."""

from aiohttp import hdrs, web
from yarl import URL

from moments.sessions import Session
from web_export.keys import SERVICES
from web_export.views import public_session


async def asked_session(request: web.Request) -> Session:
    """The public session in the address. Another word for it (`latest`, a channel) leads on to its own address."""
    word = request.match_info["session"]
    session = await public_session(request.app[SERVICES].store, word)
    if session.id != word:
        rest = request.path.removeprefix(f"/s/{word}")
        address = URL.build(path=f"/s/{session.id}{rest}", query_string=request.query_string)
        raise web.HTTPFound(address, headers={hdrs.CACHE_CONTROL: "no-cache"})
    return session
