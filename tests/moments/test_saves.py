"""The rules of saving: which saves count, whose words they carry, the heatmap and the best parts."""

from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moments.saves import LONGEST, Part, Save, Span, around, best_parts, fold, heatmap, reach, union

spans = st.builds(lambda start, length: (start, start + length), st.integers(0, 20), st.integers(1, 20))


def counted(*stretches: Span) -> list[Span]:
    """What counts of one person's saves, in the order accepted."""
    folded = fold(Save(number, *stretch) for number, stretch in enumerate(stretches))
    return [save[1:3] for save in folded.counted]


@pytest.mark.parametrize(
    ("made", "left"),
    [
        ([(45, 60)], [(45, 60)]),
        ([(45, 60), (45, 60)], [(45, 60)]),
        ([(45, 60), (49, 64)], [(49, 64)]),
        ([(45, 60), (49, 56)], [(49, 56)]),
        ([(45, 60), (50, 60)], [(45, 60), (50, 60)]),
        ([(45, 60), (45, 65)], [(45, 60), (45, 65)]),
        ([(10, 20), (18, 28), (14, 24)], [(14, 24)]),  # one save replaces two
        ([(10, 20), (14, 24), (18, 28)], [(18, 28)]),  # the same in another order
        ([(14, 24), (10, 20), (18, 28)], [(10, 20), (18, 28)]),  # and in another
        ([(10, 12), (12, 14)], [(12, 14)]),  # near without a common second
    ],
)
def test_a_save_replaces_ones_own_within_four_seconds_at_both_ends(made: list[Span], left: list[Span]) -> None:
    assert counted(*made) == left


@given(st.lists(spans, max_size=30))
def test_no_window_holds_a_person_twice_and_every_replaced_save_says_by_which(made: list[Span]) -> None:
    folded = fold(Save(number, *stretch) for number, stretch in enumerate(made))
    left = folded.counted
    for one, other in product(left, left):
        assert one == other or max(abs(a - b) for a, b in zip(one[1:3], other[1:3], strict=True)) > 4
    assert {save.id for save in left} | folded.replaced_by.keys() == set(range(len(made)))
    for earlier, later in folded.replaced_by.items():
        assert later > earlier
        assert max(abs(a - b) for a, b in zip(made[earlier], made[later], strict=True)) <= 4


def test_a_save_without_words_keeps_those_of_the_newest_with_words_it_replaces() -> None:
    first, second = Save(1, 10, 20, words_id=1), Save(2, 18, 28, words_id=2)
    (left,) = fold([first, second, Save(3, 14, 24)]).counted
    assert left.words_id == 2
    (left,) = fold([first, Save(2, 18, 28), Save(3, 14, 24)]).counted
    assert left.words_id == 1
    (left,) = fold([first, Save(3, 11, 21), Save(4, 12, 22)]).counted
    assert left.words_id == 1
    (left,) = fold([first, Save(3, 11, 21, words_id=3)]).counted
    assert left.words_id == 3


def test_what_agrees_with_a_second_is_within_two_of_it() -> None:
    assert around(10) == (8, 9, 10, 11, 12)
    assert reach(10) == (8, 12)


@given(st.lists(spans, max_size=20))
def test_the_union_holds_each_second_once(stretches: list[Span]) -> None:
    merged = union(stretches)
    assert [second for each in merged for second in range(*each)] == sorted(
        {second for each in stretches for second in range(*each)}
    )
    assert all(one[1] < other[0] for one, other in pairwise(merged))


def test_a_heatmap_is_half_open_and_as_long_as_the_recording() -> None:
    edges = [(1, 2), (3, -1), (5, -1)]
    assert heatmap(edges, None) == [0, 2, 2, 1, 1]
    assert heatmap(edges, 7) == [0, 2, 2, 1, 1, 0, 0]
    assert heatmap(edges, 4) == [0, 2, 2, 1]
    assert heatmap([], None) == []
    assert heatmap([], 2) == [0, 0]
    assert len(heatmap([(0, 1), (10**12, -1)], None)) == LONGEST


def test_the_best_parts_share_no_second_and_are_ranked_by_people() -> None:
    cells = [(45, 60, 3), (46, 61, 2), (59, 70, 4), (60, 75, 1), (75, 80, 1)]
    assert best_parts(cells) == [Part(45, 60, 5), Part(60, 75, 1), Part(75, 80, 1)]
    assert best_parts(cells, limit=1) == [Part(45, 60, 5)]
    assert best_parts([]) == []


def test_among_equals_the_one_more_saved_exactly_is_first_then_the_earliest_then_the_shortest() -> None:
    assert best_parts([(10, 20, 1), (11, 21, 2)]) == [Part(11, 21, 3)]
    assert best_parts([(30, 40, 1), (10, 20, 1)]) == [Part(10, 20, 1), Part(30, 40, 1)]
    assert best_parts([(10, 40, 1), (10, 20, 1)]) == [Part(10, 20, 1)]


@given(st.dictionaries(spans, st.integers(1, 9), max_size=40))
def test_the_best_parts_are_what_looking_at_all_pairs_finds(cells: dict[Span, int]) -> None:
    def people(span: Span) -> int:
        return sum(n for other, n in cells.items() if max(abs(other[0] - span[0]), abs(other[1] - span[1])) <= 2)

    expected: list[tuple[int, int, int]] = []
    for span in sorted(cells, key=lambda span: (-people(span), -cells[span], span)):
        if all(span[1] <= start or end <= span[0] for start, end, _ in expected):
            expected.append((*span, people(span)))
    assert best_parts((*span, n) for span, n in cells.items()) == expected[:5]
