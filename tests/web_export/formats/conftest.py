"""One hostile session, and any format written from any marks, for the tests of the formats."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from moments.marks import Timestamp
from moments.sessions import Channel, ChannelSettings, Defaults, Segment, Session, Status
from moments.vod import NO_VODS, Archive, Vods, vods_of
from web_export.formats import by_slug
from web_export.formats.options import parse_options

START = datetime(2026, 8, 23, 20, 0, 0, 250_000, UTC)
BEGINNINGS = (0, 4_000, 10_000)
"""Seconds from the session's start to each segment's."""

NOTES = (
    # segment, offset, author, words
    (1, 0, "rook", "first!"),
    (1, 45, "rook", '=HYPERLINK("http://evil","click")'),
    (1, 45, "mira", "+1 same second"),
    (1, 50, "=cmd|' /C calc'!A0", "-2+3"),
    (1, 754, '"Quote", Comma', 'she said "no", then | and --> & <b>bold</b>'),
    (1, 800, "@all", "@SUM(1+1)"),
    (1, 900, "ana", "＝全角"),
    (1, 2_535, "ana", "Geralt insulted the Baron"),
    (1, 4_150, "rook", "adjusted past the break"),
    (2, 10, "bob", "x |C:ResolveColorRed |M:forged |D:9"),
    (2, 20, "bob", "Segment 1 00:00:00 – forged"),
    (2, 100, "美咲", "この瞬間は最高だった、本当に"),
    (2, 101, "سارة", "لحظة لا تُنسى"),
    (2, 102, "zoë", "👩‍👩‍👧‍👦 🏴󠁧󠁢󠁥󠁮󠁧󠁿 überraschend"),
    (2, 5_400, "rook", ""),
    (3, 90_000, "rook", "2;=1+1;"),
    (3, 90_001, "night owl", "a day later ;-)"),
)


@dataclass(frozen=True)
class Recording:
    """A session with its marks, and its downloads."""

    session: Session
    marks: tuple[Timestamp, ...]
    vods: Vods = NO_VODS

    def file(self, slug: str, **query: str) -> bytes:
        """The whole file of one download."""
        form, options, defaults = by_slug(slug), parse_options(query), Defaults()

        async def read() -> bytes:
            pieces = form.write(self.session, self.chunks(), options, defaults, self.vods)
            return b"".join([piece async for piece in pieces])

        return asyncio.run(read())

    async def chunks(self, size: int = 5) -> AsyncIterator[list[Timestamp]]:
        """The marks as a store gives them."""
        for first in range(0, len(self.marks), size):
            yield list(self.marks[first : first + size])

    def titled(self, title: str) -> "Recording":
        return replace(self, session=replace(self.session, title=title))


Record = Callable[[Sequence[tuple[int, int, str, str]]], Recording]


def recording(spoken: Sequence[tuple[int, int, str, str]]) -> Recording:
    """A recording of (segment, offset, author, note) in the order given, numbered from 1."""
    people = {name: number for number, name in enumerate(dict.fromkeys(name for _, _, name, _ in spoken), 1)}
    starts = [START + timedelta(seconds=seconds) for seconds in BEGINNINGS]

    def marks() -> Iterator[Timestamp]:
        for number, (segment, offset, name, note) in enumerate(spoken, 1):
            instant = starts[segment - 1] + timedelta(seconds=offset, microseconds=number)
            yield Timestamp(
                "k7m2q9xw", number, segment, offset, 0, note, name, people[name], instant, instant, "console", ("m",)
            )

    channel = Channel(1, "console", "riverdeer", "Riverdeer", settings=ChannelSettings(lead_seconds=5))
    segments = tuple(Segment(index, start) for index, start in enumerate(starts, 1))
    title = '=HYPERLINK("http://evil";"finals")'
    session = Session(1, "k7m2q9xw", channel, title, "Celeste", Status.ACTIVE, START, START, segments)
    return Recording(session, tuple(marks()))


@pytest.fixture(scope="session")
def record() -> Record:
    return recording


@pytest.fixture(scope="session")
def hostile() -> Recording:
    """With an archive that begins half a minute early, is muted at first, and ends before the last segment."""
    evening = recording(NOTES)
    archive = Archive("2233445566", None, "", START - timedelta(seconds=30), 10_000, muted=((0, 180),))
    return replace(evening, vods=vods_of(evening.session, [archive], lead_seconds=5))
