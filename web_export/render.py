"""Templates and static files: one strict environment, and addresses that change with what they lead to."""

import gzip
import hashlib
import mimetypes
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from importlib.resources import files

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined

from moments.wording import counted
from web_export import words
from web_export.keys import SERVICES

IMMUTABLE = "public, max-age=31536000, immutable"
_OWN_PAGE = re.compile(r"/me(/s/[0-9A-Za-z_-]{1,64})?/", re.ASCII)
TITLES = {404: "Nothing here", 429: "A little slower", 503: "Not right now"}


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One packaged file, in memory, plain and gzipped."""

    url: str
    media_type: str
    body: bytes
    zipped: bytes


def _load(name: str, body: bytes) -> StaticFile:
    digest = hashlib.sha256(body).hexdigest()[:16]
    media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return StaticFile(f"/static/{digest}/{name}", media_type, body, gzip.compress(body, 9, mtime=0))


STATIC: Mapping[str, StaticFile] = {
    file.name: _load(file.name, file.read_bytes()) for file in files("web_export").joinpath("static").iterdir()
}
LOOK = "".join(file.url for file in STATIC.values())
"""Changes with how pages look."""
_BY_URL = {file.url: file for file in STATIC.values()}


def static_url(name: str) -> str:
    """Where a packaged file is served; KeyError when there is none of that name."""
    return STATIC[name].url


def environment() -> Environment:
    """Escapes in every template whatever its suffix, and refuses names it was not given (security.md WEB-1)."""
    templates = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        loader=PackageLoader("web_export", "templates"),
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    templates.globals.update(static_url=static_url, counted=counted)
    templates.filters.update(compact=words.compact, typed=words.typed)
    return templates


_ENVIRONMENT = environment()


def render(template: str, **values: object) -> bytes:
    """A whole page."""
    return _ENVIRONMENT.get_template(template).render(values).encode()


def html_response(body: bytes, *, cache: str, status: int = 200) -> web.Response:
    """A page as it is sent; `cache` is its Cache-Control."""
    response = web.Response(body=body, status=status, content_type="text/html", charset="utf-8")
    response.headers["Cache-Control"] = cache
    response.enable_compression()
    return response


def error_page(request: web.Request, status: int, sentence: str) -> web.Response:
    """A refusal as a page: the sentence says what happened and what to do, and what was pressed is a link away."""
    heading = TITLES.get(status, "That did not work")
    # Told to everybody alike, whether there is a private one or nothing at all (AZ-6).
    can_log_in = request.app[SERVICES].twitch is not None
    perhaps_yours = can_log_in and status == HTTPStatus.NOT_FOUND and request.path.startswith(("/c/", "/s/"))
    body = render(
        "error.html", heading=heading, sentence=sentence, perhaps_yours=perhaps_yours, own_page=_own_page(request)
    )
    return html_response(body, cache="no-store", status=status)


def _own_page(request: web.Request) -> str | None:
    """The page of one's own whose button or list it was, without its `/me`; None for any other address."""
    found = _OWN_PAGE.match(f"{request.path}/")
    return (found[1] or "") if found else None


async def serve_static(request: web.Request) -> web.Response:
    """A packaged file, for ever: another content has another address."""
    file = _BY_URL.get(request.path)
    if file is None:
        raise web.HTTPNotFound
    zipped = "gzip" in request.headers.get("Accept-Encoding", "")
    response = web.Response(body=file.zipped if zipped else file.body, content_type=file.media_type)
    response.headers.update({"Cache-Control": IMMUTABLE, "Vary": "Accept-Encoding"})
    if zipped:
        response.headers["Content-Encoding"] = "gzip"
    return response


def add_static(app: web.Application) -> None:
    """Serve the packaged files under /static/."""
    app.router.add_get("/static/{digest}/{name}", serve_static, name="static")
