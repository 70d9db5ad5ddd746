"""Everything there is about a session's visible marks: `{"session": {…}, "timestamps": [{…}]}`."""

from collections.abc import AsyncIterator

import orjson

from moments.sessions import Defaults, Session
from moments.vod import Vods
from web_export.formats.format import Format, Marks
from web_export.formats.options import ExportOptions
from web_export.formats.selection import moved, selected, whole_move
from web_export.shapes import session_json, timestamp_json


async def write(
    session: Session, marks: Marks, options: ExportOptions, defaults: Defaults, vods: Vods
) -> AsyncIterator[bytes]:
    """The document's bytes, some marks at a time."""
    yield b'{"session":' + orjson.dumps(session_json(session)) + b',"timestamps":['
    comma = b""
    move = whole_move(session, options, defaults)
    async for chunk in selected(session, marks, options, defaults):
        if chunk:
            shown = [timestamp_json(moved(mark, move), vods.place_of(mark)) for mark in chunk]
            yield comma + orjson.dumps(shown)[1:-1]
            comma = b","
    yield b"]}\n"


JSON = Format("json", "JSON", "Everything, for programs.", "application/json", write, linked=True)
