"""The forms of a time that people type, against `timedelta` and against what they must not be."""

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from moments.errors import TimecodeError
from moments.timecodes import hms, parse_elapsed, parse_number, parse_shift, seconds_back

PARSERS: list[Callable[[str], object]] = [parse_elapsed, seconds_back, parse_shift, parse_number]

OTHER_DIGITS = [
    "१२",
    "1_0",
    "²",
    "١٢",
    "１２",
    "9" * 5000,
    str(2**31),
    str(2**63),
    "1e3",
    "0x10",
    " 1",
    "1 ",
    "1\n",
    "",
]


@given(st.integers(0, 999_999 * 3600 + 3599))
@example(24 * 3600)
@example(100 * 3600)
@example(1000 * 3600 + 61)
def test_hours_grow_without_limit(seconds: int) -> None:
    text = hms(seconds)
    hours, minutes, rest = text.split(":")
    assert timedelta(hours=int(hours), minutes=int(minutes), seconds=int(rest)) == timedelta(seconds=seconds)
    assert (len(minutes), len(rest)) == (2, 2)
    assert len(hours) == max(2, len(str(seconds // 3600)))
    assert parse_elapsed(text) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0:00:00", 0), ("1:02:03", 3723), ("01:12:34", 4354), ("26:00:00", 93_600), ("1200:00:01", 4_320_001)],
)
def test_elapsed_times(text: str, seconds: int) -> None:
    assert parse_elapsed(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "12:34",
        "1:60:00",
        "1:00:60",
        "1:2:3",
        "-1:00:00",
        "1:00:00 ",
        "1:00:00\n",
        "1:00:00.5",
        "1234567:00:00",
        "१:००:००",
    ],
)
def test_TXT_4_what_is_no_elapsed_time(text: str) -> None:
    with pytest.raises(TimecodeError, match="hours:minutes:seconds"):
        parse_elapsed(text)


@pytest.mark.parametrize(
    ("word", "seconds"), [("-20", 20), ("−20", 20), ("-20s", 20), ("-5S", 5), ("-0", 0), ("-999999", 999_999)]
)
def test_seconds_back(word: str, seconds: int) -> None:
    assert seconds_back(word) == seconds


@pytest.mark.parametrize(
    "word", ["+1", "20", "20s", "–20", "—20", "-5x", "--5", "-", "-5ss", "-1.5", "-1:00", "-1234567", "s"]
)
def test_words_that_belong_to_the_note(word: str) -> None:
    assert seconds_back(word) is None


@pytest.mark.parametrize(
    ("word", "seconds"),
    [
        ("+5", 5),
        ("-5", -5),
        ("−5", -5),
        ("+5s", 5),
        ("-5S", -5),
        ("+7200", 7200),
        ("-7200", -7200),
        ("-0", 0),
        ("+007", 7),
    ],
)
def test_shifts(word: str, seconds: int) -> None:
    assert parse_shift(word) == seconds


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("5", "Say which way: `adjust` +5 or `adjust` -5."),
        ("30s", "Say which way: `adjust` +30 or `adjust` -30."),
        ("+7201", "A mark moves by at most 7200 seconds at once: `adjust` +7200."),
        ("-999999", "A mark moves by at most 7200 seconds at once: `adjust` +7200."),
        ("9999", "A mark moves by at most 7200 seconds at once: `adjust` +7200."),
        ("later", "Say by how many seconds: `adjust` +5 or `adjust` -5."),
        ("+1:00", "Say by how many seconds: `adjust` +5 or `adjust` -5."),
        ("–5", "Say by how many seconds: `adjust` +5 or `adjust` -5."),
        ("+-5", "Say by how many seconds: `adjust` +5 or `adjust` -5."),
    ],
)
def test_what_is_said_about_other_shifts(word: str, sentence: str) -> None:
    with pytest.raises(TimecodeError) as refused:
        parse_shift(word)
    assert str(refused.value) == sentence


@pytest.mark.parametrize(("word", "number"), [("#12", 12), ("12", 12), ("#1", 1), ("999999999", 999_999_999)])
def test_mark_numbers(word: str, number: int) -> None:
    assert parse_number(word) == number


@pytest.mark.parametrize("word", [*OTHER_DIGITS, "##1", "#", "-1", "#-1", "12a"])
def test_TXT_4_what_is_no_mark_number(word: str) -> None:
    with pytest.raises(TimecodeError, match="for example #12"):
        parse_number(word)


@pytest.mark.parametrize("digits", OTHER_DIGITS)
def test_TXT_4_other_digits_are_no_times(digits: str) -> None:
    assert seconds_back(f"-{digits}") is None
    with pytest.raises(TimecodeError):
        parse_shift(f"+{digits}")
    with pytest.raises(TimecodeError):
        parse_elapsed(f"{digits}:00:00")


@given(st.text() | st.text(st.sampled_from("0123456789:-−+#sS१²")))
def test_any_text_is_read_or_refused(text: str) -> None:
    for parse in PARSERS:
        try:
            value = parse(text)
        except TimecodeError:
            continue
        assert value is None or isinstance(value, int)


@pytest.mark.parametrize(
    "attack", ["1" * 2000, "1:" * 4096, "+" * 8192, "1" * 24 + "x", "#" + "9" * 8000, "-" + "0" * 8000]
)
def test_TXT_6_hostile_times_are_refused_within_5_ms(attack: str) -> None:
    def seconds(parse: Callable[[str], object]) -> float:
        start = time.perf_counter()
        with suppress(TimecodeError):
            parse(attack)
        return time.perf_counter() - start

    for parse in PARSERS:
        assert min(seconds(parse) for _ in range(5)) < 0.005
