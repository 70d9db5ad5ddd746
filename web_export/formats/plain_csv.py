"""CSV for scripts: RFC 4180, plain UTF-8, everything word for word."""

from collections.abc import AsyncIterator, Callable, Iterable
from datetime import UTC, datetime, timedelta

from moments.marks import Timestamp
from moments.sessions import Defaults, Session
from moments.timecodes import hms
from moments.vod import Vods
from storage.reads import MarkRow
from web_export.formats.format import Format, Marks, Rows
from web_export.formats.options import ExportOptions
from web_export.formats.selection import selected, whole_move
from web_export.shapes import iso

# The contract's five, then the number people type (#12) and the offset for arithmetic, since spreadsheets take
# `00:42:15` for a time of day, and the link into the VOD. Everything else there is about a mark is in the JSON.
COLUMNS = ("segment_index", "offset_hms", "note", "submitted_by", "created_at", "number", "offset_seconds", "vod_url")
MEDIA_TYPE = "text/csv; charset=utf-8; header=present"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

Guard = Callable[[str], str]


def table(rows: Iterable[MarkRow], vods: Vods, move: int = 0, guard: Guard | None = None) -> str:
    """One line a mark, with the values of COLUMNS; `guard` sees people's own words only.

    Offsets are shown `move` seconds later; links follow from where the marks are. What csv.writer writes, in two
    thirds of its time: bench/export.py holds a million marks against sqlite3's shell.
    """
    lines: list[str] = []
    last_segment, last_offset, shown, clock, url = -1, -1, 0, "", ""
    second_began, second = -1_000_000, ""
    for segment_index, offset, note, name, created_at, number in rows:
        # Marks come by the second, many to each: most of both times is the one just made.
        if offset != last_offset or segment_index != last_segment:
            last_segment, last_offset = segment_index, offset
            shown = max(0, offset + move)
            clock = hms(shown)
            place = vods.place(segment_index, offset) if vods else None
            url = place.url if place else ""
        microsecond = created_at - second_began
        if not 0 <= microsecond < 1_000_000:
            microsecond = created_at % 1_000_000
            second_began = created_at - microsecond
            second = iso(_EPOCH + timedelta(microseconds=second_began))[:-7]
        if guard:
            note, name = guard(note), guard(name)
        if "," in note or '"' in note or "\n" in note or "\r" in note:
            note = quoted(note)
        if "," in name or '"' in name or "\n" in name or "\r" in name:
            name = quoted(name)
        lines.append(f"{segment_index},{clock},{note},{name},{second}{microsecond:06d}Z,{number},{shown},{url}\r\n")
    return "".join(lines)


def quoted(text: str) -> str:
    """A field in quotes, its own doubled."""
    return '"' + text.replace('"', '""') + '"'


async def write_rows(rows: Rows, vods: Vods, move: int = 0, guard: Guard | None = None) -> AsyncIterator[bytes]:
    """The file's bytes from bare rows: the header and one line a mark."""
    yield ",".join(COLUMNS).encode() + b"\r\n"
    async for chunk in rows:
        yield table(chunk, vods, move, guard).encode()


def row(mark: Timestamp) -> MarkRow:
    """A mark as the bare row the table is written from."""
    created_at = (mark.created_at - _EPOCH) // _MICROSECOND
    return (mark.segment_index, mark.offset_seconds, mark.note, mark.submitted_by, created_at, mark.number)


async def rows_of(marks: Marks) -> AsyncIterator[list[MarkRow]]:
    """Bare rows from marks."""
    async for chunk in marks:
        yield list(map(row, chunk))


def write(
    session: Session, marks: Marks, options: ExportOptions, defaults: Defaults, vods: Vods
) -> AsyncIterator[bytes]:
    """The file's bytes, some marks at a time."""
    rows = rows_of(selected(session, marks, options, defaults))
    return write_rows(rows, vods, whole_move(session, options, defaults))


CSV = Format("csv", "CSV", "Plain UTF-8, for scripts.", MEDIA_TYPE, write, write_rows=write_rows, linked=True)
