"""The timeline's geometry: shares, places, collisions, bars."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moments.crowd import Point
from moments.sessions import Segment
from web_export.digest import Digest, digest
from web_export.timeline import BARS, MOST_TICKS, Timeline, timeline

START = datetime(2026, 8, 23, 20, tzinfo=UTC)


def segments(*lengths_and_breaks: int, is_open: bool = False) -> list[Segment]:
    """Lengths and the breaks between them in turn, in seconds."""
    made, at = [], START
    for place, seconds in enumerate(lengths_and_breaks):
        end = at + timedelta(seconds=seconds)
        if place % 2 == 0:
            last = place == len(lengths_and_breaks) - 1
            made.append(Segment(place // 2 + 1, at, None if last and is_open else end))
        at = end
    return made


def counted(*points: tuple[int, int, int], window: int = 15) -> Digest:
    """From (segment, offset, person)."""
    numbered = [
        Point(segment, offset, number, person) for number, (segment, offset, person) in enumerate(sorted(points), 1)
    ]
    return digest(numbered, window, revision=1)


def drawn(made: list[Segment], *points: tuple[int, int, int], after: int = 0) -> Timeline:
    end = made[-1].end_time or made[-1].start_time
    return timeline(made, counted(*points), end + timedelta(seconds=after))


def test_one_open_segment_fills_the_line_and_ends_now() -> None:
    line = drawn(segments(0, is_open=True), (1, 15, 1), after=60)
    (stretch,) = line.stretches
    assert (stretch.x, stretch.width, stretch.open) == (0, 100, True)
    assert line.ticks == (25,)
    assert (line.live, line.end, line.end_seconds) == (True, "00:01:00", 60)


def test_segments_share_the_width_in_proportion_and_breaks_are_short() -> None:
    line = drawn(segments(3000, 360, 1000))
    first, second = line.stretches
    (gap,) = line.breaks
    assert first.width == pytest.approx(3 * second.width, abs=0.02)
    assert (gap.x, gap.width, gap.length) == (first.width, 7, "6 min")
    assert second.x == pytest.approx(gap.x + gap.width, abs=0.02)
    assert second.x + second.width == pytest.approx(100, abs=0.02)


@given(st.lists(st.integers(0, 100_000), min_size=1, max_size=61), st.booleans())
def test_whatever_the_lengths_everything_stays_inside_in_order(lengths: list[int], is_open: bool) -> None:
    if len(lengths) % 2 == 0:
        lengths = lengths[1:]
    line = drawn(segments(*lengths, is_open=is_open), (1, 0, 1), (len(lengths) // 2 + 1, 10**6, 2), after=5)
    edges = [edge for stretch in line.stretches for edge in (stretch.x, stretch.x + stretch.width)]
    assert edges[0] == 0
    assert edges[-1] == pytest.approx(100, abs=0.05)
    assert all(later >= earlier - 0.02 for earlier, later in pairwise(edges))
    assert all(stretch.width > 0.3 for stretch in line.stretches)
    assert all(0 <= tick <= 100.02 for tick in line.ticks)


def test_a_mark_shifted_past_its_segment_is_drawn_at_its_end() -> None:
    line = drawn(segments(100, 10, 100), (1, 5000, 1))
    assert line.ticks == (line.stretches[0].width,)


def test_pins_rise_by_the_root_of_their_people_and_only_the_largest_is_amber() -> None:
    nine = [(1, 1000, person) for person in range(9)]
    four = [(1, 5000, person) for person in range(4)]
    line = drawn(segments(10_000), *nine, *four, (1, 8000, 1))
    tall, short = line.pins
    assert [(pin.x, pin.count, pin.largest) for pin in line.pins] == [(10, "9", True), (50, "4", False)]
    assert (9 - short.head_rem) / (9 - tall.head_rem) == pytest.approx(2 / 3, abs=0.01)


def test_heads_that_would_collide_are_left_out_where_they_would() -> None:
    crowds = [(1, offset, person) for offset, people in ((500, 4), (550, 3), (520, 2)) for person in range(people)]
    line = drawn(segments(1000), *crowds)
    assert [(pin.x, pin.room) for pin in line.pins] == [(50, "any"), (55, "wide")]


def test_past_two_hundred_marks_ticks_become_bars() -> None:
    few = [(1, offset, 1) for offset in range(MOST_TICKS)]
    assert not drawn(segments(1000), *few).bars
    line = drawn(segments(1000), *few, (1, 900, 1), (1, 901, 2))
    assert not line.ticks
    assert not line.pins
    (bars,) = line.bars
    paths = dict(bars.paths)
    assert bars.box == 4 * BARS
    assert paths["most"] == "M432 100v-22h3V100z"  # 2 marks of the peak's 9
    assert paths["high"].startswith("M0 100v-")


def test_bars_show_every_mark_and_none_is_too_small_to_see() -> None:
    line = drawn(segments(1200), *[(1, 5, person) for person in range(1000)], (1, 1199, 1), (1, 99_999, 2))
    paths = dict(line.bars[0].paths)
    assert paths["most"] == "M0 100v-100h3V100z"
    assert paths["low"] == "M476 100v-5h3V100z"


def test_labels_appear_only_where_they_fit() -> None:
    wide = drawn(segments(1000)).stretches[0]
    assert (wide.title_room, wide.length_room) == ("any", "any")
    narrow = drawn(segments(1000, 10, 20)).stretches[1]
    assert (narrow.title_room, narrow.length_room) == ("none", "none")
    first, second = drawn(segments(1000, 60, 800, 60, 300)).breaks
    assert (first.room, second.room) == ("any", "wide")


def test_the_words_say_what_the_picture_shows() -> None:
    line = drawn(segments(3130, 360, 0, is_open=True), (1, 2535, 1), (1, 2536, 2), (2, 9, 1), after=2885)
    assert line.in_words == (
        "Segment 1: 00:52:10 long, 2 marks. Then a break of 6 min. Segment 2: open, 00:48:05 long, 1 mark."
        " Most people: 2 people at 00:42:15 in segment 1."
    )
