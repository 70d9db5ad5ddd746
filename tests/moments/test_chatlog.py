"""The log grammar: our own form, the console's lines, and how a file becomes lines."""

import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moments.chatlog import (
    MAX_LINE_BYTES,
    MAX_LOG_BYTES,
    MAX_LOG_LINES,
    ChatLine,
    ChatLog,
    ParsedLine,
    bounded_lines,
    parse_line,
    read_log,
)
from moments.errors import ChatLogError, TimecodeError
from moments.people import Role

NOW = datetime(2026, 11, 20, 12, 0, 0, 250_000, tzinfo=UTC)
CET = timezone(timedelta(hours=1), "CET")


def log(text: str) -> ChatLog:
    return read_log(text.splitlines(keepends=True), now=NOW, zone=CET)


def elapsed(text: str) -> list[timedelta]:
    """When each line happens, before the end of the log."""
    return [NOW - line.instant for line in log(text).lines]


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("[01:12:34] <ana> !clip", (timedelta(hours=1, minutes=12, seconds=34), "ana", Role.VIEWER, "!clip")),
        ("[1200:00:00] <ana> late", (timedelta(hours=1200), "ana", Role.VIEWER, "late")),
        ("<ana> !clip -20 that dodge\r\n", (None, "ana", Role.VIEWER, "!clip -20 that dodge")),
        ("<@mod> !pause", (None, "mod", Role.MODERATOR, "!pause")),
        ("<~ana> !start", (None, "ana", Role.BROADCASTER, "!start")),
        ("[0:00:01] <@Ana María 🎧> hi", (timedelta(seconds=1), "Ana María 🎧", Role.MODERATOR, "hi")),
        ("<ana>", (None, "ana", Role.VIEWER, "")),
        ("[0:00:01]<ana>hi", (timedelta(seconds=1), "ana", Role.VIEWER, "hi")),
        ("<ana> <b> [0:00:09] # no", (None, "ana", Role.VIEWER, "<b> [0:00:09] # no")),
        ("[2026-11-19T20:14:05Z] <a> x", (datetime(2026, 11, 19, 20, 14, 5, tzinfo=UTC), "a", Role.VIEWER, "x")),
        (
            "[2026-11-19 20:14:05.5+01:00] <a> x",
            (datetime(2026, 11, 19, 19, 14, 5, 500_000, UTC), "a", Role.VIEWER, "x"),
        ),
        ("!start Any% | Celeste", (None, None, Role.BROADCASTER, "!start Any% | Celeste")),
        ("[0:10:00] !pause", (timedelta(minutes=10), None, Role.BROADCASTER, "!pause")),
        ("[GG] well played", (None, None, Role.BROADCASTER, "[GG] well played")),
        ("[0:99:00] <a> x", (None, None, Role.BROADCASTER, "[0:99:00] <a> x")),
        ("<> who", (None, None, Role.BROADCASTER, "<> who")),
        ("<@\u200b> who", (None, None, Role.BROADCASTER, "<@\u200b> who")),
        (f"<{'n' * 101}> who", (None, None, Role.BROADCASTER, f"<{'n' * 101}> who")),
        ("<3 you all", (None, None, Role.BROADCASTER, "<3 you all")),
    ],
)
def test_lines_of_our_own_form(text: str, parsed: tuple[object, ...]) -> None:
    assert parse_line(text) == ParsedLine(*parsed)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["", "  \n", "# a comment", "  # indented", "#"])
def test_lines_that_are_skipped(text: str) -> None:
    assert parse_line(text) is None


def test_an_elapsed_log_ends_now() -> None:
    assert log("# my stream\n[00:00:10] <~ana> !start\n\n[01:00:10] <bo> !clip\n").lines == [
        ChatLine(2, NOW - timedelta(hours=1), "ana", "ana", Role.BROADCASTER, "!start"),
        ChatLine(4, NOW, "bo", "bo", Role.VIEWER, "!clip"),
    ]


def test_a_line_without_a_time_happens_at_the_last_time_seen() -> None:
    seconds = [delta.total_seconds() for delta in elapsed("<a> x\n[0:00:05] <a> x\n<a> x\n[0:00:09] <a> x\n<a> x\n")]
    assert seconds == [9, 4, 4, 0, 0]


def test_a_log_without_times_happens_now() -> None:
    assert elapsed("<a> x\n<b> y\n") == [timedelta(0)] * 2


def test_instants_are_their_own() -> None:
    lines = log("<a> first\n[2026-11-19T20:14:05Z] <a> x\n[2026-11-19T21:15:05+01:00] <a> y\n").lines
    start = datetime(2026, 11, 19, 20, 14, 5, tzinfo=UTC)
    assert [line.instant for line in lines] == [start, start, start + timedelta(minutes=1)]


def test_an_empty_log_has_no_lines() -> None:
    assert log("").lines == []
    assert log("# nothing\n\n").lines == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("<a> x\nhello\n", "Line 2 is not a chat line; write [01:12:34] <name> message."),
        ("[12:34] <a> x\n", "Line 1 is not a chat line; write [01:12:34] <name> message."),
        ("[2026-11-19T20:14:05] <a> no zone\n", "Line 1 is not a chat line; write [01:12:34] <name> message."),
        ("[2026-13-19T20:14:05Z] <a> x\n", "Line 1 is not a chat line; write [01:12:34] <name> message."),
        ("[00:00:05] x\n[00:00:06] <a> x\n", "Line 1 is not a chat line; write [01:12:34] <name> message."),
        ("[00:00:06] <a> x\n\n[00:00:05] <a> x\n", "Line 3 goes back in time."),
        ("[2026-11-19T20:14:05Z] <a> x\n[2026-11-19T20:15:05+01:00] <a> x\n", "Line 2 goes back in time."),
        (
            "[00:00:06] <a> x\n[2026-11-19T20:14:05Z] <a> x\n",
            "Line 2 has another kind of time than the lines before it.",
        ),
        ("[00:00:06] <a> x\n[00:00:07] a: x\n", "Line 2 is not a chat line; write [01:12:34] <name> message."),
    ],
)
def test_a_bad_line_is_named(text: str, sentence: str) -> None:
    with pytest.raises(ChatLogError) as refused:
        log(text)
    assert str(refused.value) == sentence


def test_the_start_is_read_as_the_log_writes_its_times() -> None:
    assert log("[0:10:00] <a> x\n").read_start("0:04:00") == NOW - timedelta(minutes=6)
    instants = log("[2026-11-19T20:14:05Z] <a> x\n")
    assert instants.read_start("2026-11-19T21:00:00+01:00") == datetime(2026, 11, 19, 20, tzinfo=UTC)
    with pytest.raises(TimecodeError, match="as the log does, with its zone"):
        instants.read_start("0:04:00")
    with pytest.raises(TimecodeError, match="hours:minutes:seconds"):
        log("[0:10:00] <a> x\n").read_start("2026-11-19T20:14:05Z")


def test_lines_of_a_file() -> None:
    file = BytesIO("\ufeff# top\r\n<a> é\n<b> last".encode() + b"\xff\0")
    assert list(bounded_lines(file)) == ["# top\r\n", "<a> é\n", "<b> last\ufffd\0"]


def test_FILE_3_an_endless_line_is_not_read_whole() -> None:
    file = BytesIO(b"<a> ok\n" + b"\0" * 1_000_000)
    with pytest.raises(ChatLogError, match=r"^Line 2 is longer than 8 KiB\.$"):
        list(bounded_lines(file))
    assert file.tell() <= 7 + MAX_LINE_BYTES + 1


def test_FILE_3_the_longest_line_is_read() -> None:
    assert len(list(bounded_lines(BytesIO(b"x" * MAX_LINE_BYTES + b"\n" + b"x" * MAX_LINE_BYTES)))) == 2


def test_FILE_3_a_log_of_too_many_lines_is_refused() -> None:
    assert sum(1 for _ in bounded_lines(BytesIO(b"\n" * MAX_LOG_LINES))) == MAX_LOG_LINES
    with pytest.raises(ChatLogError, match="more than 200,000 lines"):
        list(bounded_lines(BytesIO(b"\n" * (MAX_LOG_LINES + 1))))


def test_FILE_3_a_log_of_too_many_bytes_is_refused() -> None:
    line = b"x" * (MAX_LINE_BYTES - 1) + b"\n"
    with pytest.raises(ChatLogError, match="larger than 64 MiB"):
        for _ in bounded_lines(BytesIO(line * (MAX_LOG_BYTES // len(line) + 1))):
            pass


LINE_PIECES = [
    "[0:00:01]",
    "[20:14:05]",
    "[2026-11-19T20:14:05Z]",
    "<",
    ">",
    "@",
    "~",
    "a",
    ": ",
    " ",
    "#",
    "[",
    "]",
    "\ud800",
    "9",
]
hostile_line = st.text() | st.lists(st.sampled_from(LINE_PIECES)).map("".join)
header = st.datetimes().map("# Start logging at {:%Y-%m-%d %H:%M:%S} CET".format)
timed_line = st.times().map("[{:%H:%M:%S}] name: text".format)


@given(st.lists(hostile_line | header | timed_line, max_size=20))
def test_any_text_is_read_in_order_or_refused(lines: list[str]) -> None:
    try:
        read = read_log(lines, now=NOW, zone=CET).lines
    except ChatLogError:
        return
    assert [line.instant for line in read] == sorted(line.instant for line in read)
    assert all(line.instant.utcoffset() == timedelta(0) and line.name for line in read)


@given(st.text())
def test_any_start_is_read_or_refused(text: str) -> None:
    for lines in (["[0:10:00] <a> x"], ["[2026-11-19T20:14:05Z] <a> x"], ["[20:14:05] a: x"]):
        try:
            assert read_log(lines, now=NOW, zone=CET).read_start(text).tzinfo is not None
        except TimecodeError:
            continue


@pytest.mark.parametrize(
    "attack",
    [
        "[" * 8192,
        "<" * 8192,
        "<" * 4000 + ">" * 4000,
        "[0:00:01] <" + "a" * 8000,
        "<" + "a\u0315\u0300" * 33 + ">" + ":" * 8000,
        "[20:14:05] " + "a" * 8000 + ":",
        "[20:14:05] " + "名 " * 4000 + ":",
        "# Start logging at " + "2" * 8000,
        " " * 8192,
    ],
)
def test_TXT_6_hostile_lines_are_read_within_5_ms(attack: str) -> None:
    def seconds() -> float:
        start = time.perf_counter()
        with suppress(ChatLogError):
            read_log([attack], now=NOW, zone=CET)
        return time.perf_counter() - start

    assert min(seconds() for _ in range(5)) < 0.005


def test_a_full_log_is_read_quickly() -> None:
    start = time.perf_counter()
    text = [f"[{n // 3600:02d}:{n // 60 % 60:02d}:{n % 60:02d}] <viewer{n % 900}> hello there\n" for n in range(20_000)]
    assert len(read_log(text, now=NOW, zone=CET).lines) == 20_000
    assert time.perf_counter() - start < 5
