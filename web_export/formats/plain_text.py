"""One line a mark, for people: `Segment 1 00:42:15 – Geralt insulted the Baron`."""

from collections.abc import AsyncIterator

from moments.marks import Timestamp
from moments.sessions import Defaults, Session
from moments.vod import Vods
from web_export.formats.format import Format, Marks
from web_export.formats.options import ExportOptions
from web_export.formats.selection import chosen


def line(mark: Timestamp) -> str:
    """One mark; without a note it ends with its time. Cleaned notes have no line break, so none can forge a line."""
    note = f" – {mark.note}" if mark.note else ""
    return f"Segment {mark.segment_index} {mark.offset_hms}{note}\n"


async def write(
    session: Session, marks: Marks, options: ExportOptions, defaults: Defaults, vods: Vods
) -> AsyncIterator[bytes]:
    """The file's bytes, some marks at a time; empty without marks."""
    async for chunk in chosen(session, marks, options, defaults):
        yield "".join(map(line, chunk)).encode()


TEXT = Format("txt", "Text", "One line a mark, to paste.", "text/plain; charset=utf-8", write)
