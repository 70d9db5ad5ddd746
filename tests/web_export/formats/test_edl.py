"""Resolve's marker list, read back by a reader written from research/exports.md §1.1."""

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moments.errors import UsageError
from moments.sessions import Defaults
from web_export.formats.options import FRAME_RATES

if TYPE_CHECKING:
    from tests.web_export.formats.conftest import Record, Recording

EVENT = re.compile(
    r"(?P<event>\d{3})  001      V     C        "
    r"(?P<a>\d\d:\d\d:\d\d:\d\d) (?P<b>\d\d:\d\d:\d\d:\d\d) (?P=a) (?P=b)  \r\n"
    r"(?P<comment>[^|\r\n]*) \|C:ResolveColor(?P<colour>[A-Z][a-z]+) \|M:(?P<name>[^|\r\n]*) \|D:(?P<length>\d+)\r\n"
)


@dataclass(frozen=True)
class Read:
    frame: int
    name: str
    comment: str
    colour: str
    length: int


def read(file: bytes, counted: int = 30, start: int = 3600) -> list[Read]:
    head, *events = file.decode().split("\r\n\r\n")
    assert re.fullmatch(r"TITLE: [^\r\n]+\r\nFCM: NON-DROP FRAME(\r\n)?", head)
    found = []
    for number, text in enumerate(events, 1):
        match = EVENT.fullmatch(text.removesuffix("\r\n") + "\r\n")
        assert match, text
        assert int(match["event"]) == number
        begin, end = (frames(match[side], counted) for side in "ab")
        assert end == begin + 1
        frame = begin - start * counted
        found.append(Read(frame, match["name"], match["comment"], match["colour"], int(match["length"])))
    return found


def frames(timecode: str, counted: int) -> int:
    hour, minute, second, frame = map(int, timecode.split(":"))
    assert frame < counted
    return (hour * 3600 + minute * 60 + second) * counted + frame


def test_a_marker_as_Resolve_writes_it(record: "Record") -> None:
    session = record([(1, 2_535, "rook", "Boss skip")]).titled("Speedrun finals")
    assert session.file("edl", lead="0").decode() == (
        "TITLE: Speedrun finals\r\nFCM: NON-DROP FRAME\r\n"
        "\r\n001  001      V     C        01:42:15:00 01:42:15:01 01:42:15:00 01:42:15:01  \r\n"
        "#1 · segment 1 · 00:42:15 · by rook |C:ResolveColorBlue |M:Boss skip |D:1\r\n"
    )


def test_EXP_2_no_words_forge_a_field_or_lose_themselves(hostile: "Recording") -> None:
    found = read(hostile.file("edl"))
    assert len(found) == len(hostile.marks) - 1, "two marks share a second"
    names = "; ".join(marker.name for marker in found)
    for mark in hostile.marks:
        assert (mark.note.replace("|", "/") or f"Mark #{mark.number}") in names
    assert [marker.frame for marker in found] == sorted({marker.frame for marker in found})


def test_marks_of_one_frame_are_one_marker(record: "Record") -> None:
    (one,) = read(record([(1, 45, "rook", "a"), (1, 45, "mira", "")]).file("edl", lead="0"))
    assert one.name == "a; Mark #2"
    assert one.comment == "#1 · segment 1 · 00:00:45 · by rook; #2 · segment 1 · 00:00:45 · by mira"


def test_a_thousand_marks_of_one_frame_are_counted(record: "Record") -> None:
    (one,) = read(record([(1, 45, "rook", "a")] * 1000).file("edl"))
    assert one.name == "; ".join(["a"] * 100) + "; and 900 more"


def test_the_channels_lead_moves_markers_back_but_never_before_the_start(record: "Record") -> None:
    session = record([(1, 2, "a", "x"), (1, 45, "b", "y"), (2, 3, "c", "z")])
    assert [marker.frame for marker in read(session.file("edl"))] == [0, 40 * 30, 3_998 * 30]
    assert [marker.frame for marker in read(session.file("edl", lead="0"))] == [60, 45 * 30, 4_003 * 30]
    own = session.session.channel.seconds(Defaults()).lead_seconds
    assert own == 5, "the channel's own, not the operator's"


def test_breaks_are_part_of_the_timeline_to_the_microsecond(record: "Record") -> None:
    session = record([(1, 10, "a", "x"), (3, 10, "b", "y")])
    found = read(session.file("edl", lead="0", shift="0.51", fps="60", start_tc="00:00:00:00"), 60, 0)
    assert [marker.frame for marker in found] == [631, 600_631]


def test_a_mark_adjusted_past_its_segment_comes_in_its_place(record: "Record") -> None:
    found = read(
        record([(1, 4_000, "a", "one"), (1, 4_100, "a", "late"), (2, 0, "b", "two"), (2, 200, "b", "last")]).file("edl")
    )
    assert [marker.name for marker in found] == ["one; two", "late", "last"]


def test_a_crowd_moment_is_one_long_marker(record: "Record") -> None:
    spoken = [
        (1, 100, "a", ""),
        (1, 104, "b", "dodge"),
        (1, 110, "c", "wow"),
        (1, 300, "a", "x"),
        (1, 310, "b", "y"),
        (2, 1, "a", "alone"),
    ]
    big, small = read(record(spoken).file("edl", min_people="2", lead="0"))
    assert (big.frame, big.name, big.colour, big.length) == (3_000, "dodge", "Yellow", 301)
    assert big.comment == "#2 · segment 1 · 00:01:44 · by b · 3 people"
    assert (small.frame, small.name, small.colour) == (9_000, "x", "Blue")


def test_parts_hold_999_markers_each_and_end(record: "Record") -> None:
    session = record([(1, second, "a", f"n{second}") for second in range(2_000)]).titled("T")
    first, second, third = (session.file("edl", lead="0", part=part) for part in "123")
    assert [len(read(part)) for part in (first, second, third)] == [999, 999, 2]
    assert [marker.name for part in (first, second, third) for marker in read(part)] == [f"n{n}" for n in range(2_000)]
    assert [part.split(b"\r\n")[0] for part in (first, third)] == [
        b"TITLE: T (part 1, more follow)",
        b"TITLE: T (part 3)",
    ]
    with pytest.raises(UsageError, match=r"^There is no part 4: the last one is part=3\.$"):
        session.file("edl", lead="0", part="4")


def test_exactly_999_markers_are_one_part(record: "Record") -> None:
    session = record([(1, second, "a", "") for second in range(999)]).titled("T")
    assert session.file("edl").startswith(b"TITLE: T\r\n")
    with pytest.raises(UsageError, match="no part 2: the last one is part=1"):
        session.file("edl", part="2")


def test_no_marks_are_a_head_without_events(record: "Record") -> None:
    assert read(record([]).file("edl")) == []
    assert record([]).titled(" \n ").file("edl") == b"TITLE: Moments\r\nFCM: NON-DROP FRAME\r\n"


def test_a_segment_that_begins_meanwhile_waits_for_the_next_download(record: "Record") -> None:
    session = record([(1, 10, "a", "x"), (2, 10, "b", "y")])
    earlier = replace(session, session=replace(session.session, segments=session.session.segments[:1]))
    for least in "12":
        assert [marker.name for marker in read(earlier.file("edl", min_people=least))] == ["x"][: 2 - int(least)]


def test_a_title_stays_in_its_line(record: "Record") -> None:
    session = record([]).titled("a\r\n001  001\u2028 |M:x")
    assert session.file("edl").decode().split("\r\n")[0] == "TITLE: a 001 001 /M:x"


def test_timecodes_end_at_a_hundred_hours(record: "Record") -> None:
    last = 99 * 3600 - 1
    assert len(read(record([(1, last - 1, "a", "")]).file("edl", lead="0"))) == 1
    with pytest.raises(UsageError, match="mark #1 comes later"):
        record([(1, last + 1, "a", "")]).file("edl", lead="0")


spoken_marks = st.lists(
    st.tuples(st.integers(1, 3), st.integers(0, 20_000), st.just("a"), st.just("x")), min_size=1, max_size=12
).map(sorted)


@given(
    spoken=spoken_marks,
    fps=st.sampled_from(list(FRAME_RATES)),
    shift=st.decimals(-90, 90, places=3).map(lambda shift: f"{shift:f}"),
    lead=st.integers(0, 60),
)
def test_every_mark_is_within_half_a_frame_of_its_place(
    spoken: list[tuple[int, int, str, str]], fps: str, shift: str, lead: int, record: "Record"
) -> None:
    rate, beginnings = FRAME_RATES[fps], (0, 4_000, 10_000)
    file = record(spoken).file("edl", fps=fps, shift=shift, lead=str(lead), start_tc="00:00:00:00")
    found = [Fraction(marker.frame) / rate.exact for marker in read(file, rate.counted, 0)]
    for segment, offset, _, _ in spoken:
        place = max(Fraction(0), beginnings[segment - 1] + offset - lead + Fraction(shift))
        assert min(abs(place - seconds) for seconds in found) <= 1 / (2 * rate.exact)
    assert found == sorted(set(found))
