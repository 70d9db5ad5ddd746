"""Streaming the crowd moments of marks gives the groups of the object model."""

import asyncio
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from moments.crowd import CrowdMoment, Point, crowd_moments
from web_export.formats.selection import crowds, people_in

if TYPE_CHECKING:
    from tests.web_export.formats.conftest import Record

spoken_marks = st.lists(
    st.tuples(st.integers(1, 3), st.integers(0, 60), st.sampled_from("abcd"), st.just("")), max_size=30
).map(sorted)


@given(spoken=spoken_marks, window=st.integers(0, 20), size=st.integers(1, 7))
def test_the_groups_are_those_of_the_object_model(
    spoken: list[tuple[int, int, str, str]], window: int, size: int, record: "Record"
) -> None:
    session = record(spoken)

    async def found() -> list[CrowdMoment]:
        return [
            CrowdMoment(
                group[0].segment_index,
                group[0].offset_seconds,
                people_in(group),
                tuple(mark.number for mark in group),
            )
            async for group in crowds(session.chunks(size), window)
        ]

    points = [Point(mark.segment_index, mark.offset_seconds, mark.number, mark.person_id) for mark in session.marks]
    assert asyncio.run(found()) == list(crowd_moments(points, window))
