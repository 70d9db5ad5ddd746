"""What a download may be asked, to the last value and one beyond."""

from fractions import Fraction

import pytest

from moments.errors import UsageError
from web_export.formats.options import FRAME_RATES, ExportOptions, parse_options


def test_nothing_asked_blanks_and_unknown_names_are_the_defaults() -> None:
    assert parse_options({}) == ExportOptions()
    assert (
        parse_options({"fps": "", "start_tc": " ", "shift": "", "lead": "", "min_people": "", "part": ""})
        == ExportOptions()
    )
    assert parse_options({"utm_source": "x", "colour": "red"}) == ExportOptions()


@pytest.mark.parametrize(
    ("name", "word", "value"),
    [
        ("shift", "0", 0), ("shift", "1.5", Fraction(3, 2)), ("shift", "-0.1", Fraction(-1, 10)), ("shift", " 2", 2),
        ("shift", "+2", 2), ("shift", "−20", -20), ("shift", "86400", 86_400), ("shift", "-86400", -86_400),
        ("shift", "0.000000001", Fraction(1, 10**9)),
        ("lead", "0", 0), ("lead", "86400", 86_400), ("lead", "020", 20),
        ("min_people", "1", 1), ("min_people", "10000", 10_000),
        ("part", "1", 1), ("part", "10000", 10_000),
        ("start_tc", "00:00:00:00", "00:00:00:00"), ("start_tc", "23:59:59:29", "23:59:59:29"),
    ],
)  # fmt: skip
def test_EXP_5_values_within_the_limits(name: str, word: str, value: object) -> None:
    assert getattr(parse_options({name: word}), name) == value


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("fps", ["0", "-30", "29.970", "31", "1e3", "30/1", "३०", "NaN", "30" * 5000]),
        ("start_tc", ["01:00:00", "1:00:00:00", "01:00:00:30", "24:00:00:00", "00:60:00:00", "00:00:60:00",
                      "01:00:00;00", "٠١:00:00:00", "01:00:00:00\x00", "01:00:00:00 0", "01:00:00:000", "x" * 5000]),
        ("shift", ["86400.1", "-86401", "86401", "1,5", ".5", "1.", "1e3", "--1", "inf", "nan", "१२", "²", "1_0",
                   "0x10", "1/2", "9" * 5000, "0." + "1" * 5000]),
        ("lead", ["-1", "86401", "1.5", "+5", "१२", "1_0", "²", "9" * 5000]),
        ("min_people", ["0", "-1", "10001", "1.0", "two", "१", "9" * 5000]),
        ("part", ["0", "-1", "10001", "1.0", "९", "9" * 5000]),
    ],
)  # fmt: skip
def test_EXP_5_TXT_4_everything_else_is_refused_in_one_sentence(name: str, words: list[str]) -> None:
    for word in words:
        with pytest.raises(UsageError) as refusal:
            parse_options({name: word})
        sentence = str(refusal.value)
        assert sentence.startswith(f"{name} "), "it names what to change"
        assert sentence.endswith(".")
        assert "\n" not in sentence
        assert len(sentence) < 120, "it never repeats what was sent"


@pytest.mark.parametrize("label", FRAME_RATES)
def test_EXP_5_frame_rates_are_a_list_and_timecodes_fit_them(label: str) -> None:
    rate = FRAME_RATES[label]
    assert abs(float(label) - rate.exact) < 0.001
    last = f"00:00:00:{rate.counted - 1:02d}"
    assert parse_options({"fps": label, "start_tc": last}).start_frame == rate.counted - 1
    with pytest.raises(UsageError):
        parse_options({"fps": label, "start_tc": f"00:00:00:{rate.counted:02d}"})
    for frame in (0, 1, rate.counted - 1, rate.counted, 3600 * rate.counted, 86_399 * rate.counted):
        assert parse_options({"fps": label, "start_tc": rate.timecode(frame)}).start_frame == frame


def test_timecodes_count_whole_frames_at_broken_rates() -> None:
    assert FRAME_RATES["29.97"].timecode(108_000 + 29) == "01:00:00:29"
    assert FRAME_RATES["23.976"].timecode(24) == "00:00:01:00"
    assert FRAME_RATES["30"].timecode(100 * 3600 * 30) == "100:00:00:00"
