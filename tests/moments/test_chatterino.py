"""Chatterino's logs: whose line it is, and which day and instant the wall clock meant."""

from datetime import UTC, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo, available_timezones

import pytest

from moments.chatlog import ChatLog, read_log
from moments.chatterino import WallLine, parse_line
from moments.errors import ChatLogError, TimecodeError

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
CET = timezone(timedelta(hours=1), "CET")


def log(text: str, *, now: datetime = NOW) -> ChatLog:
    return read_log(text.splitlines(), now=now, zone=CET)


def local(read: ChatLog) -> list[str]:
    return [f"{line.instant.astimezone(CET):%d %H:%M:%S}" for line in read.lines]


@pytest.mark.parametrize(
    ("text", "name", "login", "said"),
    [
        ("[20:14:05] ana: !clip that dodge", "ana", "ana", "!clip that dodge"),
        ("[20:14:05]  ana: !clip", "ana", "ana", "!clip"),
        ("[20:14:05] Ana_99: a: b", "Ana_99", "Ana_99", "a: b"),
        ("[20:14:05] 名前 namae: !clip", "名前", "namae", "!clip"),
        ("[20:14:05] 名前(namae): !clip", "名前", "namae", "!clip"),
        ("[20:14:05] 名前: !clip", "名前", "名前", "!clip"),
        ("[20:14:05] ana:", "ana", "ana", ""),
        ("[20:14:05] ana: ", "ana", "ana", ""),
        ("[20:14:05] ana: <b> !clip", "ana", "ana", "<b> !clip"),
        ("[20:14:05] ana: https://example.org", "ana", "ana", "https://example.org"),
    ],
)
def test_what_somebody_said(text: str, name: str, login: str, said: str) -> None:
    assert parse_line(text) == WallLine(time(20, 14, 5), name, login, said)


@pytest.mark.parametrize(
    "text",
    [
        "[20:15:00] ana has been timed out for 10s.",
        "[20:15:00] mod timed out ana for 10s: spam",
        "[20:15:00] banned ana: spam",
        "[20:15:00] ana subscribed at Tier 1. They've subscribed for 3 months!",
        "[20:15:00] see https://example.org",
        "[20:15:00] joined channel",
        "[20:15:00]",
    ],
)
def test_what_the_system_said_has_no_name(text: str) -> None:
    line = parse_line(text)
    assert line is not None
    assert line.name is None


@pytest.mark.parametrize(
    "text", ["ana: hi", "[24:00:00] ana: hi", "[1:02:03] ana: hi", "[20:14] ana: hi", "[20:14:05] <ana> hi", ""]
)
def test_lines_of_another_shape(text: str) -> None:
    assert parse_line(text) is None


def test_the_header_gives_the_date() -> None:
    read = log(
        "# Start logging at 2026-01-31 23:59:50 CET\n[23:59:58] a: x\n[00:00:03] a: y\n"
        "# Stop logging at 2026-02-01 00:01:00CET\n"
    )
    assert [(line.line_number, line.instant) for line in read.lines] == [
        (2, datetime(2026, 1, 31, 22, 59, 58, tzinfo=UTC)),
        (3, datetime(2026, 1, 31, 23, 0, 3, tzinfo=UTC)),
    ]


def test_a_later_header_gives_the_next_date() -> None:
    first = "# Start logging at 2026-01-01 20:00:00 CET\n[20:00:01] a: x\n"
    later = "# Start logging at 2026-01-09 19:00:00 CET\n[19:00:05] a: y\n"
    assert local(log(first + later)) == ["01 20:00:01", "09 19:00:05"]


def test_a_header_in_the_middle_dates_the_lines_before_it() -> None:
    assert local(log("[23:59:58] a: x\n# Start logging at 2026-01-02 00:00:01 CET\n[00:00:01] a: y\n")) == [
        "01 23:59:58",
        "02 00:00:01",
    ]


def test_without_a_header_the_log_ends_at_the_latest_date_not_after_now() -> None:
    assert local(log("[12:59:00] a: x\n[13:00:00] a: x\n")) == ["20 12:59:00", "20 13:00:00"]
    assert local(log("[12:59:00] a: x\n[13:00:01] a: x\n")) == ["19 12:59:00", "19 13:00:01"]
    assert local(log("[22:00:00] a: x\n[02:00:00] a: x\n")) == ["19 22:00:00", "20 02:00:00"]
    assert local(log("[22:00:00] a: x\n[02:00:00] a: x\n[21:00:00] a: x\n[01:00:00] a: x\n")) == [
        "18 22:00:00",
        "19 02:00:00",
        "19 21:00:00",
        "20 01:00:00",
    ]


def test_a_clock_set_back_a_little_stands_still() -> None:
    assert local(log("[10:00:02] a: x\n[10:00:00] a: y\n[10:00:03] a: z\n")) == ["20 10:00:02"] * 2 + ["20 10:00:03"]
    assert local(log("[23:59:59] a: w\n[00:00:01] a: x\n[23:59:59] a: y\n[00:00:02] a: z\n")) == [
        "19 23:59:59",
        "20 00:00:01",
        "20 00:00:01",
        "20 00:00:02",
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[20:14:05] a: x\n[20:13:00] a: y\n", "Line 2 goes back in time."),
        (
            "# Start logging at 2026-01-02 10:00:00 CET\n# Start logging at 2026-01-01 10:00:00 CET\n",
            "Line 2 goes back in time.",
        ),
        ("[20:14:05] a: x\nhello\n", "Line 2 is not a line of a Chatterino log: [20:14:05] name: text."),
        ("[20:14:05] a: x\n[20:14:06] <a> x\n", "Line 2 is not a line of a Chatterino log: [20:14:05] name: text."),
    ],
)
def test_a_bad_line_is_named(text: str, sentence: str) -> None:
    with pytest.raises(ChatLogError) as refused:
        log(text)
    assert str(refused.value) == sentence


def test_a_log_may_begin_with_what_the_system_said() -> None:
    assert [line.text for line in log("[20:14:03] joined channel\n[20:14:05] a: x\n").lines] == ["x"]


@pytest.mark.skipif("Europe/Berlin" not in available_timezones(), reason="no time zones: apt install tzdata")
def test_the_hour_that_an_autumn_night_has_twice() -> None:
    spoken = "[02:59:58] a: x\n[02:00:03] a: y\n[02:59:00] a: z\n[03:00:00] a: w\n"
    lines = read_log(
        ["# Start logging at 2026-10-25 02:59:00 CEST", *spoken.splitlines()], now=NOW, zone=ZoneInfo("Europe/Berlin")
    ).lines
    assert [f"{line.instant:%H:%M:%S}" for line in lines] == ["00:59:58", "01:00:03", "01:59:00", "02:00:00"]


@pytest.mark.parametrize(
    ("start", "instant"),
    [
        ("20:14:05", "19 20:14:05"),
        ("22:00:00", "19 22:00:00"),
        ("01:00:00", "20 01:00:00"),
        ("20:00:00", "19 20:00:00"),
        ("03:00:00", "19 03:00:00"),
    ],
)
def test_the_start_is_a_time_during_the_log_or_the_latest_before_it(start: str, instant: str) -> None:
    read = log("[20:14:05] a: x\n[02:30:00] a: y\n")
    assert f"{read.read_start(start).astimezone(CET):%d %H:%M:%S}" == instant


@pytest.mark.parametrize("start", ["0:10", "25:00:00", "2026-11-19T20:14:05Z", "२०:१४:०५", ""])
def test_other_starts_are_refused(start: str) -> None:
    with pytest.raises(TimecodeError, match="as the log does: 20:14:05"):
        log("[20:14:05] a: x\n").read_start(start)
