"""Every format: its golden file, and a second reader that finds the same marks in it."""

import asyncio
import csv
import io
import json
import re
import tracemalloc
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moments.errors import NotFound
from moments.marks import Timestamp
from moments.sessions import Defaults
from moments.timecodes import hms
from moments.vod import NO_VODS
from storage.reads import MarkRow
from web_export.formats import FORMATS, by_slug
from web_export.formats.excel_csv import guard
from web_export.formats.options import parse_options
from web_export.formats.plain_csv import COLUMNS, row

if TYPE_CHECKING:
    from tests.web_export.formats.conftest import Record, Recording

GOLDEN = Path(__file__).parent / "golden"

Spoken = tuple[int, int, str, str]  # segment, offset, author, note
Reader = Callable[[bytes], list[Spoken]]


def read_csv(file: bytes) -> list[Spoken]:
    records = list(csv.DictReader(io.StringIO(file.decode(), newline=""), strict=True))
    for record in records:
        assert record["offset_hms"] == hms(int(record["offset_seconds"]))
    return [(int(r["segment_index"]), int(r["offset_seconds"]), r["submitted_by"], r["note"]) for r in records]


def read_excel(file: bytes) -> list[Spoken]:
    return read_csv(file.decode("utf-8-sig").encode())


def read_text(file: bytes) -> list[Spoken]:
    found = []
    for line in file.decode().split("\n")[:-1]:
        match = re.fullmatch(r"Segment (\d+) (\d{2,}):(\d\d):(\d\d)(?: – (.+))?", line)
        assert match, line
        segment, hour, minute, second = map(int, match.groups()[:4])
        found.append((segment, hour * 3600 + minute * 60 + second, "", match[5] or ""))
    return found


def read_json(file: bytes) -> list[Spoken]:
    marks = json.loads(file)["timestamps"]
    return [(m["segment_index"], m["offset_seconds"], m["submitted_by"] or "", m["note"] or "") for m in marks]


READERS: dict[str, Reader] = {"csv": read_csv, "excel.csv": read_excel, "txt": read_text, "json": read_json}


def as_read(slug: str, spoken: Spoken) -> Spoken:
    """What a format is meant to keep of one mark."""
    segment, offset, name, note = spoken
    if slug == "excel.csv":
        return segment, offset, guard(name), guard(note)
    return segment, offset, "" if slug == "txt" else name, note


@pytest.mark.parametrize("slug", [form.slug for form in FORMATS])
def test_every_format_writes_its_golden_file(slug: str, hostile: "Recording") -> None:
    file, golden = hostile.file(slug), GOLDEN / f"hostile.{slug}"
    if not golden.exists():
        golden.write_bytes(file)
        pytest.fail(f"{golden} was missing and is written now: look at it, then keep it.")
    assert file == golden.read_bytes()


def test_no_golden_file_is_left_over() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == {f"hostile.{form.slug}" for form in FORMATS}


def test_formats_have_words_for_the_menu_and_a_slug_of_their_own() -> None:
    assert [form.slug for form in FORMATS] == ["csv", "excel.csv", "txt", "json", "edl"]
    assert all(form.label and form.hint.endswith(".") and "/" in form.media_type for form in FORMATS)
    assert all(by_slug(form.slug) is form for form in FORMATS)


def test_an_unknown_format_names_those_there_are() -> None:
    with pytest.raises(NotFound, match=r"csv, excel\.csv, txt, json, edl\.$"):
        by_slug("docx")


@pytest.mark.parametrize("slug", READERS)
def test_EXP_2_a_second_reader_finds_every_mark_with_its_words(slug: str, hostile: "Recording") -> None:
    spoken = [(m.segment_index, m.offset_seconds, m.submitted_by, m.note) for m in hostile.marks]
    assert READERS[slug](hostile.file(slug)) == [as_read(slug, one) for one in spoken]


@pytest.mark.parametrize("slug", READERS)
def test_a_session_without_marks_is_a_sound_file(slug: str, record: "Record") -> None:
    assert READERS[slug](record([]).file(slug)) == []


# What the cleaner leaves: no control characters, no line or paragraph separators, no surrogates.
words = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=30).map(str.strip)
spoken_marks = st.lists(
    st.tuples(st.integers(1, 3), st.integers(0, 200_000), words.map(lambda name: name or "x"), words), max_size=12
).map(sorted)


@given(spoken=spoken_marks)
@pytest.mark.parametrize("slug", READERS)
def test_EXP_2_any_words_keep_their_order_and_their_number(slug: str, spoken: list[Spoken], record: "Record") -> None:
    assert READERS[slug](record(spoken).file(slug)) == [as_read(slug, one) for one in spoken]


@given(notes=st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_the_table_is_what_the_csv_module_writes(notes: list[str], record: "Record") -> None:
    session = record([(1, 59 * second, f"{note}x", note) for second, note in enumerate(notes)])
    expected = io.StringIO(newline="")
    writer = csv.writer(expected)
    writer.writerow(COLUMNS)
    for mark in session.marks:
        created_at = mark.created_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        words = (mark.offset_hms, mark.note, mark.submitted_by, created_at)
        writer.writerow((mark.segment_index, *words, mark.number, mark.offset_seconds, ""))
    assert session.file("csv").decode() == expected.getvalue()


@pytest.mark.parametrize("slug", [form.slug for form in FORMATS if form.write_rows])
def test_bare_rows_write_the_same_file(slug: str, hostile: "Recording") -> None:
    write_rows = by_slug(slug).write_rows
    assert write_rows

    async def rows() -> AsyncIterator[list[MarkRow]]:
        async for chunk in hostile.chunks():
            yield list(map(row, chunk))

    async def read() -> bytes:
        return b"".join([piece async for piece in write_rows(rows(), hostile.vods)])

    assert asyncio.run(read()) == hostile.file(slug)


@pytest.mark.parametrize(
    ("words", "guarded"),
    [
        ("=1+1", "'=1+1"), ("+1", "'+1"), ("-2+3", "'-2+3"), ("@SUM(1)", "'@SUM(1)"), ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"), ("\n=1", "'\n=1"), ("＝1", "'＝1"), ("＋1", "'＋1"), ("－1", "'－1"), ("＠a", "'＠a"),
        (" =1", "' =1"), ("2;=1+1;", "2;'=1+1;"), ("a; @b;=c", "a;' @b;'=c"), ("plain", "plain"), ("a=b", "a=b"),
        ("1-2", "1-2"), ("", ""),
    ],
)  # fmt: skip
def test_EXP_1_no_words_are_a_formula_in_a_spreadsheet(words: str, guarded: str, record: "Record") -> None:
    assert guard(words) == guarded
    session = record([(1, 7, words or "x", words)])
    assert read_csv(session.file("csv")) == [(1, 7, words or "x", words)], "plain CSV is word for word"
    assert read_excel(session.file("excel.csv")) == [(1, 7, guarded or "x", guarded)]


def test_EXP_1_numbers_stay_numbers(hostile: "Recording") -> None:
    records = csv.DictReader(io.StringIO(hostile.file("excel.csv").decode("utf-8-sig"), newline=""))
    for record, mark in zip(records, hostile.marks, strict=True):
        assert (record["number"], record["offset_seconds"]) == (str(mark.number), str(mark.offset_seconds))
        assert record["offset_hms"] == mark.offset_hms


def test_the_text_line_of_the_contract(record: "Record") -> None:
    session = record([(1, 2_535, "ana", "Geralt insulted the Baron"), (1, 5_400, "ana", "")])
    assert session.file("txt").decode() == "Segment 1 00:42:15 – Geralt insulted the Baron\nSegment 1 01:30:00\n"


def test_json_holds_what_may_leave_and_nothing_else(hostile: "Recording") -> None:
    document = json.loads(hostile.file("json"))
    assert list(document) == ["session", "timestamps"]
    assert document["session"]["channel"] == {
        "platform": "console",
        "id": "riverdeer",
        "display_name": "Riverdeer",
        "visibility": "public",
    }
    assert document["timestamps"][14] == {
        "id": "k7m2q9xw-15",
        "number": 15,
        "session_id": "k7m2q9xw",
        "segment_id": "k7m2q9xw-s2",
        "segment_index": 2,
        "offset_seconds": 5_400,
        "offset_hms": "01:30:00",
        "note": None,
        "submitted_by": "rook",
        "created_at": "2026-08-23T22:36:40.250015Z",
        "instant": "2026-08-23T22:36:40.250015Z",
        "adjust_seconds": 0,
        "platform": "console",
        "vod_url": "https://www.twitch.tv/videos/2233445566?t=2h37m5s",
        "vod_muted": False,
    }
    assert document["timestamps"][0]["vod_muted"] is True
    assert (document["timestamps"][16]["vod_url"], document["timestamps"][16]["vod_muted"]) == (None, False)


@pytest.mark.parametrize("slug", READERS)
@pytest.mark.parametrize(
    ("query", "offsets"),
    [
        ({}, [0, 45, 100]),
        ({"lead": "20"}, [0, 25, 80]),
        ({"shift": "1.5"}, [1, 46, 101]),
        ({"shift": "-0.5"}, [0, 44, 99]),
        ({"shift": "-50"}, [0, 0, 50]),
        ({"shift": "10.5", "lead": "20"}, [0, 35, 90]),
    ],
)
def test_stored_offsets_move_only_when_asked(
    slug: str, query: dict[str, str], offsets: list[int], record: "Record"
) -> None:
    session = record([(1, 0, "ann", "a"), (1, 45, "bob", "b"), (2, 100, "cat", "c")])
    assert [offset for _, offset, _, _ in READERS[slug](session.file(slug, **query))] == offsets


@pytest.mark.parametrize("slug", [form.slug for form in FORMATS])
def test_EXP_5_fifty_thousand_marks_take_no_more_memory_than_a_chunk_or_a_part(slug: str, hostile: "Recording") -> None:
    form, (mark, *_) = by_slug(slug), hostile.marks

    async def chunks() -> AsyncIterator[list[Timestamp]]:
        for first in range(0, 50_000, 1_000):
            yield [mark._replace(number=n, offset_seconds=n, note=f"moment {n}") for n in range(first, first + 1_000)]

    async def written() -> int:
        pieces = form.write(hostile.session, chunks(), parse_options({}), Defaults(), NO_VODS)
        return sum([len(piece) async for piece in pieces])

    tracemalloc.start()
    try:
        assert asyncio.run(written()) > 100_000
        assert tracemalloc.get_traced_memory()[1] < 3 * 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("slug", READERS)
def test_min_people_keeps_the_marks_of_crowd_moments(slug: str, record: "Record") -> None:
    session = record([(1, 5, "a", "x"), (1, 20, "b", "y"), (1, 21, "c", "z"), (1, 60, "a", "q"), (1, 61, "a", "r")])
    assert [note for *_, note in READERS[slug](session.file(slug, min_people="2"))] == ["x", "y"]
