"""Anchored groups: the sweep against a plain quadratic reading of the rule, the index against the sweep."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moments.crowd import CrowdIndex, CrowdMoment, Point, crowd_moments

WINDOWS = st.integers(0, 20)


def points_of(*marks: tuple[int, int], segment: int = 1) -> list[Point]:
    """Points from (offset, person), numbered as they come, in order of position."""
    return sorted(Point(segment, offset, number, person) for number, (offset, person) in enumerate(marks, 1))


def by_the_rule(points: list[Point], window: int) -> Iterator[CrowdMoment]:
    """The rule word by word: the first unclaimed mark takes all unclaimed ones in its window."""
    unclaimed = sorted(points)
    while unclaimed:
        first = unclaimed[0]
        taken = [
            p
            for p in unclaimed
            if p.segment_index == first.segment_index and 0 <= p.offset_seconds - first.offset_seconds <= window
        ]
        people = len({p.person_id for p in taken})
        numbers = tuple(p.number for p in taken)
        yield CrowdMoment(first.segment_index, first.offset_seconds, people, numbers)
        unclaimed = [p for p in unclaimed if p not in taken]


def test_one_mark_is_a_moment_of_one_person() -> None:
    assert list(crowd_moments(points_of((40, 7)), 15)) == [CrowdMoment(1, 40, 1, (1,))]


def test_nothing_marked_is_no_moment() -> None:
    assert list(crowd_moments([], 15)) == []


def test_the_window_includes_its_last_second() -> None:
    points = points_of((100, 1), (115, 2), (116, 3))
    assert list(crowd_moments(points, 15)) == [
        CrowdMoment(1, 100, 2, (1, 2)),
        CrowdMoment(1, 116, 1, (3,)),
    ]


def test_groups_do_not_chain() -> None:
    points = points_of(*((second, second) for second in range(0, 100, 10)))
    assert [moment.people for moment in crowd_moments(points, 15)] == [2, 2, 2, 2, 2]


def test_one_person_counts_once() -> None:
    assert [moment.people for moment in crowd_moments(points_of((5, 1), (6, 1), (7, 2)), 15)] == [2]


def test_a_group_never_crosses_a_segment() -> None:
    points = [*points_of((3, 1)), Point(2, 3, 2, 2), Point(2, 4, 3, 1)]
    assert list(crowd_moments(points, 15)) == [CrowdMoment(1, 3, 1, (1,)), CrowdMoment(2, 3, 2, (2, 3))]


def test_the_sweep_yields_a_group_before_it_reads_past_the_next_mark() -> None:
    read: list[int] = []

    def reading() -> Iterator[Point]:
        for point in points_of((0, 1), (1, 2), (50, 3), (100, 4)):
            read.append(point.number)
            yield point

    next(crowd_moments(reading(), 15))
    assert read == [1, 2, 3]


POINTS = st.builds(
    lambda rows: [Point(segment, offset, number, person) for number, (segment, offset, person) in enumerate(rows, 1)],
    st.lists(st.tuples(st.integers(1, 3), st.integers(0, 60), st.integers(1, 5)), max_size=40),
)


@given(POINTS, WINDOWS)
def test_the_sweep_is_the_rule(points: list[Point], window: int) -> None:
    assert list(crowd_moments(sorted(points), window)) == list(by_the_rule(points, window))


def test_add_answers_with_the_people_of_the_group() -> None:
    index = CrowdIndex(15)
    assert [index.add(100, 1, 7), index.add(110, 2, 7), index.add(115, 3, 8), index.add(116, 4, 9)] == [
        1,
        1,
        2,
        1,
    ]


def test_a_late_mark_moves_the_groups_after_it() -> None:
    index = CrowdIndex(10)
    for number, offset in enumerate((10, 20, 30, 40), 1):
        index.add(offset, number, number)
    assert [index.people_at(offset) for offset in (10, 20, 30, 40)] == [2, 2, 2, 2]
    assert index.add(5, 5, 5) == 2
    assert [index.people_at(offset) for offset in (5, 10, 20, 30, 40)] == [2, 2, 2, 2, 1]


def test_taking_the_anchor_out_anchors_the_group_again() -> None:
    index = CrowdIndex.from_points(points_of((0, 1), (10, 2), (20, 3)), 15)
    assert [index.people_at(10), index.people_at(20)] == [2, 1]
    index.remove(0, 1, 1)
    assert [index.people_at(0), index.people_at(10), index.people_at(20)] == [0, 2, 2]


def test_telling_the_index_again_changes_nothing() -> None:
    index = CrowdIndex.from_points(points_of((0, 1), (10, 2)), 15)
    assert index.add(10, 2, 2) == 2
    index.remove(10, 99, 2)
    index.remove(10, 2, 1)
    index.remove(11, 2, 2)
    assert index.people_at(0) == 2
    index.remove(10, 2, 2)
    index.remove(10, 2, 2)
    assert index.people_at(0) == 1


@pytest.mark.parametrize(("offset", "people"), [(99, 0), (100, 2), (112, 2), (115, 2), (116, 0)])
def test_people_at_reaches_over_the_whole_window(offset: int, people: int) -> None:
    assert CrowdIndex.from_points(points_of((100, 1), (105, 2)), 15).people_at(offset) == people


def assert_equals_sweep(index: CrowdIndex, points: list[Point], window: int) -> None:
    moments = list(crowd_moments(sorted(points), window))
    assert index._anchors == [moment.offset_seconds for moment in moments]
    for offset in range(85):
        covering = [m.people for m in moments if m.offset_seconds <= offset <= m.offset_seconds + window]
        assert index.people_at(offset) == sum(covering)
    # Nothing of the seconds and groups that are gone may stay behind.
    assert sorted(index._marks) == index._seconds == sorted({p.offset_seconds for p in points})
    assert set(index._people) <= set(index._anchors)


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, Point]]:
    """Adds at any offset, and removes of what is there, in any order."""
    there: list[Point] = []
    history: list[tuple[str, Point]] = []
    for number in range(1, draw(st.integers(0, 40)) + 1):
        if there and draw(st.integers(0, 2)) == 0:
            history.append(("remove", there.pop(draw(st.integers(0, len(there) - 1)))))
        else:
            point = Point(1, draw(st.integers(0, 60)), number, draw(st.integers(1, 5)))
            there.append(point)
            history.append(("add", point))
    return history


@given(histories(), WINDOWS, st.booleans(), st.integers(0, 40))
def test_the_index_is_the_sweep_after_any_history(
    history: list[tuple[str, Point]], window: int, look_often: bool, read_after: int
) -> None:
    index, points = CrowdIndex(window), list[Point]()
    for step, (what, point) in enumerate(history):
        if step == read_after:
            index = CrowdIndex.from_points(sorted(points), window)
        if what == "add":
            points.append(point)
            people = index.add(point.offset_seconds, point.number, point.person_id)
            group = next(m for m in crowd_moments(sorted(points), window) if point.number in m.numbers)
            assert people == group.people
        else:
            points.remove(point)
            index.remove(point.offset_seconds, point.number, point.person_id)
        if look_often:
            assert_equals_sweep(index, points, window)
    assert_equals_sweep(index, points, window)


@given(POINTS, WINDOWS, st.randoms(use_true_random=False))
def test_reading_points_in_any_order_is_the_same_index(points: list[Point], window: int, random) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    points = [point for point in points if point.segment_index == 1]
    shuffled = random.sample(points, len(points))
    assert_equals_sweep(CrowdIndex.from_points(shuffled, window), points, window)


@given(POINTS, WINDOWS, st.data())
def test_taking_out_many_at_once_is_the_same_as_never_having_had_them(
    points: list[Point], window: int, data: st.DataObject
) -> None:
    points = [point for point in points if point.segment_index == 1]
    gone = data.draw(st.lists(st.sampled_from(points), unique=True)) if points else []
    index = CrowdIndex.from_points(points, window)
    for looked_at in data.draw(st.sets(st.integers(0, 84), max_size=5)):
        index.people_at(looked_at)
    index.remove_all([*(point[1:] for point in gone), (7, 999, 1)])
    assert_equals_sweep(index, [point for point in points if point not in gone], window)
