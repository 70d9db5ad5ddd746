"""CSV for spreadsheets: a byte order mark, and no cell a viewer wrote is ever a formula (EXP-1)."""

import re
from collections.abc import AsyncIterator

from moments.sessions import Defaults, Session
from web_export.formats.format import Format, Marks, Rows
from web_export.formats.options import ExportOptions
from web_export.formats.plain_csv import MEDIA_TYPE, rows_of
from web_export.formats.plain_csv import write_rows as write_table
from web_export.formats.selection import chosen

# At a cell's start, and after a semicolon too: where the comma is the decimal sign, Excel splits cells there.
# Programs differ in whether spaces before the sign save them.
_FORMULA = re.compile("(^|;)(?= *[=+\\-@\t\r\n＝＋－＠])")


def guard(text: str) -> str:
    """The text with `'` before whatever a spreadsheet would take for the start of a formula."""
    return _FORMULA.sub(r"\1'", text)


async def write_rows(rows: Rows) -> AsyncIterator[bytes]:
    """The file's bytes from bare rows."""
    yield "\ufeff".encode()  # without it Excel on Windows reads its own code page
    async for chunk in write_table(rows, guard):
        yield chunk


def write(session: Session, marks: Marks, options: ExportOptions, defaults: Defaults) -> AsyncIterator[bytes]:
    """The file's bytes, some marks at a time."""
    return write_rows(rows_of(chosen(session, marks, options, defaults)))


EXCEL_CSV = Format(
    "excel.csv",
    "CSV for Excel",
    "For spreadsheets, formula-safe.",
    MEDIA_TYPE,
    write,
    write_rows=write_rows,
)
