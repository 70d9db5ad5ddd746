"""CSV for spreadsheets: a byte order mark, and no cell a viewer wrote is ever a formula (EXP-1)."""

import re
from collections.abc import AsyncIterator

from moments.sessions import Defaults, Session
from moments.vod import Vods
from web_export.formats.format import Format, Marks, Rows
from web_export.formats.options import ExportOptions
from web_export.formats.plain_csv import MEDIA_TYPE, rows_of
from web_export.formats.plain_csv import write_rows as write_table
from web_export.formats.selection import selected, whole_move

# At a cell's start, and after a semicolon too: where the comma is the decimal sign, Excel splits cells there.
# Programs differ in whether spaces before the sign save them.
_FORMULA = re.compile("(^|;)(?= *[=+\\-@\t\r\n＝＋－＠])")


def guard(text: str) -> str:
    """The text with `'` before whatever a spreadsheet would take for the start of a formula."""
    return _FORMULA.sub(r"\1'", text)


async def write_rows(rows: Rows, vods: Vods, move: int = 0) -> AsyncIterator[bytes]:
    """The file's bytes from bare rows, shown `move` seconds later."""
    yield "\ufeff".encode()  # without it Excel on Windows reads its own code page
    async for chunk in write_table(rows, vods, move, guard):
        yield chunk


def write(
    session: Session, marks: Marks, options: ExportOptions, defaults: Defaults, vods: Vods
) -> AsyncIterator[bytes]:
    """The file's bytes, some marks at a time."""
    rows = rows_of(selected(session, marks, options, defaults))
    return write_rows(rows, vods, whole_move(session, options, defaults))


EXCEL_CSV = Format(
    "excel.csv",
    "CSV for Excel",
    "For spreadsheets, formula-safe.",
    MEDIA_TYPE,
    write,
    write_rows=write_rows,
    linked=True,
)
