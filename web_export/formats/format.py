"""What a download format is: a few words for menus and routes, and one function that writes it."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import TypeAlias

from moments.marks import Timestamp
from moments.sessions import Defaults, Session
from moments.vod import Vods
from storage.reads import MarkRow
from web_export.formats.options import ExportOptions

Marks: TypeAlias = AsyncIterator[list[Timestamp]]
"""A session's visible marks by (segment, offset, number), some at a time."""
Rows: TypeAlias = AsyncIterator[list[MarkRow]]
"""The same, as the store has them: building objects first would cost more than writing the file."""
Write: TypeAlias = Callable[[Session, Marks, ExportOptions, Defaults, Vods], AsyncIterator[bytes]]


@dataclass(frozen=True, slots=True)
class Format:
    """One download. The slug is its file ending too; label and hint are the menu's words."""

    slug: str
    label: str
    hint: str
    media_type: str
    write: Write
    """The file's bytes, as the marks arrive: never more of them in memory than the format needs at once."""
    write_rows: Callable[[Rows, Vods], AsyncIterator[bytes]] | None = None
    """The same file from bare rows, for a download without options of a long session."""
    editor: bool = False
    """Its times are frames of a timeline: it asks for fps and start_tc, and is moved back by the channel's lead."""
    linked: bool = False
    """It links each mark into the VOD."""
    parted: bool = False
    """It holds only so many marks a file, and `part` asks for the next ones."""
