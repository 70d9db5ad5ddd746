"""Everything there is about a session's visible marks: `{"session": {…}, "timestamps": [{…}]}`."""

from collections.abc import AsyncIterator

import orjson

from moments.sessions import Defaults, Session
from web_export.formats.format import Format, Marks
from web_export.formats.options import ExportOptions
from web_export.formats.selection import chosen
from web_export.shapes import session_json, timestamp_json


async def write(session: Session, marks: Marks, options: ExportOptions, defaults: Defaults) -> AsyncIterator[bytes]:
    """The document's bytes, some marks at a time."""
    yield b'{"session":' + orjson.dumps(session_json(session)) + b',"timestamps":['
    comma = b""
    async for chunk in chosen(session, marks, options, defaults):
        if chunk:
            yield comma + orjson.dumps(list(map(timestamp_json, chunk)))[1:-1]
            comma = b","
    yield b"]}\n"


JSON = Format("json", "JSON", "Everything, for programs.", "application/json", write)
