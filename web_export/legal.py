"""What is kept of people and for how long, and the terms; both the same for everyone (PRIV-1)."""

from typing import NamedTuple

from aiohttp import web

from commands.model import COMMAND_NAME
from storage.retention import RETENTION
from web_export.keys import CONFIG
from web_export.render import html_response, render

CACHE = "public, max-age=30"


class Row(NamedTuple):
    """Something that is kept, in whole sentences."""

    name: str
    what: str
    why: str
    how_long: str


ROWS = tuple(
    Row(
        kept.name,
        *(
            COMMAND_NAME.sub(r"!\1", f"{words[0].upper()}{words[1:]}.")
            for words in (kept.what, kept.why, kept.how_long)
        ),
    )
    for kept in RETENTION
)
"""The table the purge goes by."""

routes = web.RouteTableDef()


@routes.get("/privacy")
async def privacy(request: web.Request) -> web.Response:
    """What is kept, why and for how long, and what one can do about it."""
    body = render("privacy.html", kept=ROWS, contact=request.app[CONFIG].contact)
    return html_response(body, cache=CACHE)


@routes.get("/terms")
async def terms(request: web.Request) -> web.Response:
    """What may be expected of whom."""
    return html_response(render("terms.html", contact=request.app[CONFIG].contact), cache=CACHE)
