"""A session's downloads: `/s/<session>/export.<format>`, streamed, and the same bytes for `moments export`."""

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from hashlib import blake2b

from aiohttp import ETag, hdrs, web
from aiohttp.helpers import content_disposition_header

from commands.vod import vods as vods_of_session
from moments.sessions import Defaults, Session
from moments.vod import NO_VODS, Vods
from storage import Store
from web_export.asked import asked_session
from web_export.formats import by_slug
from web_export.formats.format import Format
from web_export.formats.options import ExportOptions, parse_options
from web_export.headers import is_known
from web_export.keys import SERVICES

WRITE_BYTES = 64 * 1024
"""Bytes gathered for one write: small enough to keep memory flat, large enough to be few."""
FORMATS_VERSION = 2
"""Grows when a format writes the same session differently, so that no cache keeps the old file."""

routes = web.RouteTableDef()
_NOT_IN_FILE_NAMES = re.compile("[^0-9A-Za-z_-]")


async def export(
    store: Store, session: Session, form: Format, options: ExportOptions, defaults: Defaults, vods: Vods = NO_VODS
) -> AsyncGenerator[bytes, None]:
    """The file's bytes, in pieces of 64 KiB.

    Raises UsageError, before the first piece, when the session has no such part.
    """
    if form.write_rows and options == ExportOptions():
        pieces = form.write_rows(store.stream_rows(session), vods)
    else:
        pieces = form.write(session, store.stream_marks(session), options, defaults, vods)
    gathered = bytearray()
    async for piece in pieces:
        gathered += piece
        while len(gathered) >= WRITE_BYTES:
            yield bytes(gathered[:WRITE_BYTES])
            del gathered[:WRITE_BYTES]
    if gathered:
        yield bytes(gathered)


def file_name(session: Session, form: Format, options: ExportOptions) -> str:
    """`moments-<session id>-<date>.<ext>` (EXP-4), with the frame rate and the part where there are any."""
    words = ["moments", _NOT_IN_FILE_NAMES.sub("-", session.id), f"{session.created_at:%Y-%m-%d}"]
    if form.editor:
        words.append(f"{options.fps.label}fps")
    if form.parted and options.part > 1:
        words.append(f"part{options.part}")
    return "-".join(words) + f".{form.slug}"


@routes.get(r"/s/{session:[^/]{1,64}}/export.{slug:[a-z.]{1,32}}")
async def download(request: web.Request) -> web.StreamResponse:
    """One download, with an ETag of the session's state and everything asked for."""
    services = request.app[SERVICES]
    form = by_slug(request.match_info["slug"])
    options = parse_options(request.query)
    session = await asked_session(request, file=form.slug)
    vods = await vods_of_session(services, session, options.lead) if form.linked else NO_VODS
    tag = await _tag(services.store, session, form, options, services.defaults, vods)
    # After the question whether there is anything to see: a tag must not tell (API-2).
    if is_known(request, tag):
        fresh = web.Response(status=304)
        _describe(fresh, tag)
        return fresh
    response = web.StreamResponse()
    _describe(response, tag)
    response.headers[hdrs.CONTENT_TYPE] = form.media_type
    response.headers[hdrs.CONTENT_DISPOSITION] = content_disposition_header(
        "attachment", filename=file_name(session, form, options)
    )
    async with aclosing(export(services.store, session, form, options, services.defaults, vods)) as pieces:
        first = await anext(pieces, b"")  # what can be refused is refused here, while it can still be said
        await response.prepare(request)
        if request.method != hdrs.METH_HEAD:
            await response.write(first)
            async for piece in pieces:
                await response.write(piece)
    return response


def _describe(response: web.StreamResponse, tag: str) -> None:
    response.etag = ETag(tag)
    response.headers[hdrs.CACHE_CONTROL] = "public, max-age=30"


async def _tag(
    store: Store, session: Session, form: Format, options: ExportOptions, defaults: Defaults, vods: Vods
) -> str:
    revision = await store.revision(session)
    what = repr((FORMATS_VERSION, form.slug, options, defaults, session, revision, vods))
    return blake2b(what.encode(), digest_size=16).hexdigest()
