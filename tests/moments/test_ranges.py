"""The forms of a range that people type, what comes after them, and what is said about all else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moments.errors import TimecodeError
from moments.ranges import LONGEST_SECONDS, Range, clock, parse_range, range_words, read_time

FORMS = {
    "0:45-1:00": (45, 60),
    "45-60": (45, 60),
    "45s-1m": (45, 60),
    "45S-1M": (45, 60),
    "45sec-1min": (45, 60),
    "1m30s-2m": (90, 120),
    "1h2m3s-1h2m20s": (3723, 3740),
    "1h-1h15s": (3600, 3615),
    "1:02:03–1:02:20": (3723, 3740),
    "0:45+15": (45, 60),
    "0:45+15s": (45, 60),
    "0:45 + 15s": (45, 60),
    "0:45+0:15": (45, 60),
    "45s+1m": (45, 105),
    "0:45 to 1:00": (45, 60),
    "45s TO 1M": (45, 60),
    "45to60": (45, 60),
    "45-1:00": (45, 60),
    "0:45-60": (45, 60),
    "0:45-1m": (45, 60),
    "75:30-76:00": (4530, 4560),
    "120:00-2:00:15": (7200, 7215),
    "00:45-01:00": (45, 60),
    "00:00:45-00:01:00": (45, 60),
    "0-15": (0, 15),
    "0:00-0:01": (0, 1),
    "0:45 - 1:00": (45, 60),
    "0:45  -1:00": (45, 60),
    "0:45\u3000—\u30001:00": (45, 60),
    "0:45–1:00": (45, 60),
    "0:45—1:00": (45, 60),
    "0:45−1:00": (45, 60),
    "0:45‑1:00": (45, 60),
    "0:45→1:00": (45, 60),
    "0:45 → 1:00": (45, 60),
    "0:45->1:00": (45, 60),
    "0:45 -> 1:00": (45, 60),
    "0:45-->1:00": (45, 60),
    "0:45..1:00": (45, 60),
    "0:45 .. 1:00": (45, 60),
    "45..60": (45, 60),
    "0:45...1:00": (45, 60),
    "0:45…1:00": (45, 60),
    "  0:45-1:00  ": (45, 60),
    "167:59:59-168:00:00": (604_799, 604_800),
    "604799-604800": (604_799, 604_800),
}

NOTES = {
    "0:45-1:00 that drop!": "that drop!",
    "0:45-1:00\tthat drop!": "that drop!",
    "0:45-1:00 - that drop": "- that drop",
    "0:45-1:00, that drop": "that drop",
    "0:45-1:00. Wow": "Wow",
    "0:45-1:00🔥": "🔥",
    "0:45-1:00 :)": ":)",
    '0:45-1:00 "that drop"': '"that drop"',
    "0:45-1:00 2 people": "2 people",
    "0:45-1:00 + friends": "+ friends",
    "45-60 m8 great": "m8 great",
    "0:45 to 1:00 to me the best": "to me the best",
    "0:45+15 seconds": "seconds",
    "0:45-1:00 " + "é" * 3000: "é" * 3000,
}

REFUSED = {
    "": "Say from when to when, for example 0:45-1:00.",
    "that drop": "Say from when to when, for example 0:45-1:00.",
    "from 0:45 to 1:00": "Say from when to when, for example 0:45-1:00.",
    "0:45": "Say where it ends too, for example 0:45-1:00.",
    "1:30 that drop": "Say where it ends too, for example 1:30-1:45.",
    "45s": "Say where it ends too, for example 0:45-1:00.",
    "0:45 -": "Say where it ends too, for example 0:45-1:00.",
    "168:00:00": "Say where it ends too, for example 167:59:45-168:00:00.",
    "+15": "Say where it starts too, for example 0:45+15.",
    "1:00-0:45": "That ends before it starts: try 0:45-1:00.",
    "1:02:20-1:02:03": "That ends before it starts: try 1:02:03-1:02:20.",
    "60-0": "That ends before it starts: try 0:00-1:00.",
    "0:45-0:45": "That ends where it starts: try 0:45-1:00.",
    "0:45+0": "That ends where it starts: try 0:45-1:00.",
    "0-0": "That ends where it starts: try 0:00-0:15.",
    "0:45.5-1:00": "Use whole seconds, for example 0:45-1:00.",
    "0:45-1:00.5": "Use whole seconds, for example 0:45-1:00.",
    "45,5-60": "Use whole seconds, for example 0:45-1:00.",
    "1:5-1:10": "Write two digits after each colon, for example 1:05-1:20.",
    "1:05-1:1": "Write two digits after each colon, for example 1:05-1:20.",
    "1:2:03-1:03:00": "Write two digits after each colon, for example 1:05-1:20.",
    "1:005-2:00": "Write two digits after each colon, for example 1:05-1:20.",
    "0:45-1:005": "Write two digits after each colon, for example 1:05-1:20.",
    "1:75-2:00": "Minutes and seconds go up to 59 there: for 1:75 type 2:15.",
    "0:45-0:60": "Minutes and seconds go up to 59 there: for 0:60 type 1:00.",
    "1:75:00-2:30:00": "Minutes and seconds go up to 59 there: for 1:75:00 type 2:15:00.",
    "1m75s-3m": "Minutes and seconds go up to 59 there: for 1m75s type 2:15.",
    "1h90s-2h": "Minutes and seconds go up to 59 there: for 1h90s type 1:01:30.",
    "-0:45-1:00": "Times begin at 0:00 and have no sign, for example 0:45-1:00.",
    "-0-5": "Times begin at 0:00 and have no sign, for example 0:45-1:00.",
    "−5-10": "Times begin at 0:00 and have no sign, for example 0:45-1:00.",
    "0:45-1:00drop": "Put a space behind the range: 0:45-1:00 your note.",
    "0:45-1:00: drop": "Put a space behind the range: 0:45-1:00 your note.",
    "45-60-75": "Put a space behind the range: 0:45-1:00 your note.",
    "45-60%": "Put a space behind the range: 0:45-1:00 your note.",
    "0:45--1:00": "Say from when to when, for example 0:45-1:00.",
    "1s2m-5m": "Say from when to when, for example 0:45-1:00.",
    "1m2m-5m": "Say from when to when, for example 0:45-1:00.",
    "0:45-:50": "Say where it ends too, for example 0:45-1:00.",
}

DIGITS = {
    "１:00-2:00": "Type times in the digits 0 to 9, for example 0:45-1:00.",
    "0:45-१:००": "Type times in the digits 0 to 9, for example 0:45-1:00.",
    "０：４５-１：００": "Type times in the digits 0 to 9, for example 0:45-1:00.",
    "١٢-٢٠": "Type times in the digits 0 to 9, for example 0:45-1:00.",
    "१२": "Type times in the digits 0 to 9, for example 0:45-1:00.",
    "45-60²": "Type times in the digits 0 to 9, for example 0:45-1:00.",
    "²-5": "Say from when to when, for example 0:45-1:00.",
    "1_0-20": "Say from when to when, for example 0:45-1:00.",
    "1e3-2000": "Say from when to when, for example 0:45-1:00.",
    "0x10-20": "Say from when to when, for example 0:45-1:00.",
    "0:45\x00-1:00": "Say where it ends too, for example 0:45-1:00.",
    "45ſ-60": "Say from when to when, for example 0:45-1:00.",
    "604799-604801": "Times go up to 168 hours: check the numbers, for example 0:45-1:00.",
    "0:45+604800": "Times go up to 168 hours: check the numbers, for example 0:45-1:00.",
    "168:00:00+1": "Times go up to 168 hours: check the numbers, for example 0:45-1:00.",
    "999998-999999": "Times go up to 168 hours: check the numbers, for example 0:45-1:00.",
    "999999:00:00-999999:00:01": "Times go up to 168 hours: check the numbers, for example 0:45-1:00.",
    f"0-{2**31}": "Times go up to 168 hours: check the numbers, for example 0:45-1:00.",
    f"{2**63}-{2**63 + 1}": "Times go up to 168 hours: check the numbers, for example 0:45-1:00.",
    f"0-{'9' * 5000}": "Times go up to 168 hours: check the numbers, for example 0:45-1:00.",
    f"{'9' * 5000}-0": "Times go up to 168 hours: check the numbers, for example 0:45-1:00.",
}


def refusal(text: str, start: int | None = None, end: int | None = None) -> str:
    """The sentence about a text that must be no range."""
    with pytest.raises(TimecodeError) as refused:
        parse_range(text, start, end)
    return str(refused.value)


@pytest.mark.parametrize(("text", "seconds"), FORMS.items())
def test_ranges(text: str, seconds: tuple[int, int]) -> None:
    assert parse_range(text) == (Range(*seconds), "")
    assert parse_range(f"{text.rstrip()} a note") == (Range(*seconds), "a note")


@pytest.mark.parametrize(("text", "note"), NOTES.items())
def test_what_follows_a_range_is_the_note(text: str, note: str) -> None:
    assert parse_range(text) == (Range(45, 60), note)


@pytest.mark.parametrize(("text", "sentence"), REFUSED.items())
def test_what_is_said_about_what_is_no_range(text: str, sentence: str) -> None:
    assert refusal(text) == sentence


@pytest.mark.parametrize(("text", "sentence"), DIGITS.items())
def test_TXT_4_other_digits_and_numbers_too_great_are_refused(text: str, sentence: str) -> None:
    assert refusal(text) == sentence


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("15", (45, 60, "")),
        ("15s", (45, 60, "")),
        ("+15", (45, 60, "")),
        ("+ 15s", (45, 60, "")),
        ("1:00", (45, 105, "")),
        ("1m30s", (45, 135, "")),
        ("15 that drop", (45, 60, "that drop")),
        ("15, that drop", (45, 60, "that drop")),
        ("15 to go!", (45, 60, "to go!")),
        ("0:50-1:00 x", (50, 60, "x")),
        ("0:50+5 x", (50, 55, "x")),
    ],
)
def test_a_bare_length_continues_the_start_in_the_link(text: str, expected: tuple[int, int, str]) -> None:
    found, note = parse_range(text, link_start=45)
    assert (found.start_seconds, found.end_seconds, note) == expected


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "Say how long it lasts, for example +15, or from when to when, for example 0:45-1:00."),
        ("that drop", "Say how long it lasts, for example +15, or from when to when, for example 0:45-1:00."),
        ("1.5", "Use whole seconds, for example 0:45-1:00."),
        ("-15", "Times begin at 0:00 and have no sign, for example 0:45-1:00."),
        ("+0", "That ends where it starts: try 0:45-1:00."),
        ("0:45 1:00", "Say how long it lasts, for example +15, or from when to when, for example 0:45-1:00."),
        ("0:45~1:00 x", "Say how long it lasts, for example +15, or from when to when, for example 0:45-1:00."),
        ("0:45 until 1:00", "Say how long it lasts, for example +15, or from when to when, for example 0:45-1:00."),
        ("45 - 1:5", "Write two digits after each colon, for example 1:05-1:20."),
        ("604800", "Times go up to 168 hours: check the numbers, for example 0:45-1:00."),
        ("9999999", "Times go up to 168 hours: check the numbers, for example 0:45-1:00."),
    ],
)
def test_what_is_said_where_the_link_has_a_start_only(text: str, sentence: str) -> None:
    assert refusal(text, start=45) == sentence


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", (45, 60, "")),
        ("that drop", (45, 60, "that drop")),
        ("3 people cried", (45, 60, "3 people cried")),
        ("10/10", (45, 60, "10/10")),
        ("- wow", (45, 60, "- wow")),
        ("1:00-1:10 wow", (60, 70, "wow")),
        ("30", (45, 75, "")),
        ("+30 wow", (45, 75, "wow")),
    ],
)
def test_a_link_with_both_times_needs_no_range_and_a_range_beats_them(
    text: str, expected: tuple[int, int, str]
) -> None:
    found, note = parse_range(text, link_start=45, link_end=60)
    assert (found.start_seconds, found.end_seconds, note) == expected


def test_a_range_gone_wrong_is_not_taken_for_a_note() -> None:
    assert refusal("1:5-1:10 wow", 45, 60) == "Write two digits after each colon, for example 1:05-1:20."
    assert refusal("1:10-1:00 wow", 45, 60) == "That ends before it starts: try 1:00-1:10."


def test_an_end_in_the_link_without_a_start_is_no_range() -> None:
    assert refusal("", None, 60) == "Say from when to when, for example 0:45-1:00."
    assert refusal("15", None, 60) == "Say where it ends too, for example 0:15-0:30."


def test_a_link_whose_times_are_no_range_is_refused() -> None:
    assert refusal("", 60, 45) == "That ends before it starts: try 0:45-1:00."
    assert refusal("", 45, LONGEST_SECONDS + 1).startswith("Times go up to")


@pytest.mark.parametrize(("start", "end"), [(-1, 5), (-5, -1), (5, 5), (6, 5), (0, LONGEST_SECONDS + 1), (0, 2**63)])
def test_TXT_4_no_other_range_can_be_made(start: int, end: int) -> None:
    with pytest.raises(TimecodeError):
        Range(start, end)


@given(st.integers(0, LONGEST_SECONDS - 1), st.integers(1, LONGEST_SECONDS))
def test_what_a_range_is_called_can_be_typed(start: int, length: int) -> None:
    part = Range(start, min(start + length, LONGEST_SECONDS))
    assert parse_range(range_words(part)) == (part, "")
    assert part.length_seconds == part.end_seconds - part.start_seconds
    assert read_time(clock(start)) == start


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (Range(45, 60), "0:45–1:00"),
        (Range(0, 5), "0:00–0:05"),
        (Range(3590, 3605), "59:50–1:00:05"),
        (Range(90_000, 90_001), "25:00:00–25:00:01"),
    ],
)
def test_ranges_in_words(part: Range, words: str) -> None:
    assert range_words(part) == words


@pytest.mark.parametrize(
    "text", ["", " 90", "90 ", "90\n", "-0", "+9", "1:5", "1:60", "1m60s", "९०", "²", "45ſ", "604801", "9" * 9]
)
def test_TXT_4_what_is_no_time(text: str) -> None:
    assert read_time(text) is None
