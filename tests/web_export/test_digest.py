"""The digest: against brute force, and how often it is computed."""

import asyncio
import threading
from typing import Protocol

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.services import Services
from moments.crowd import Point, crowd_moments
from moments.errors import StoreBusy
from moments.sessions import Session
from storage import Totals
from web_export import digest as digests
from web_export.digest import LARGEST, Digest, Digests, TotalsKept, digest


class Chat(Protocol):
    async def says(self, text: str, name: str = ...) -> str: ...


points_of_sessions = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 200), st.integers(1, 6)), max_size=120).map(
    lambda marks: [Point(*mark[:2], number, mark[2]) for number, mark in enumerate(sorted(marks), 1)]
)


@given(points_of_sessions, st.integers(0, 30))
def test_counts_and_people_are_those_of_the_crowd_rule(points: list[Point], window: int) -> None:
    made = digest(points, window, revision=1)
    groups = list(crowd_moments(points, window))
    people = {number: group.people for group in groups for number in group.numbers}
    for point in points:
        assert made.people_at(point.segment_index, point.offset_seconds) == people[point.number]
    assert made.crowds == sum(group.people > 1 for group in groups)
    assert made.places == len({(point.segment_index, point.offset_seconds) for point in points})
    assert [moment.people for moment in made.largest] == sorted(
        (group.people for group in groups if group.people > 1), reverse=True
    )[:LARGEST]
    for segment in range(5):
        inside = [point for point in points if point.segment_index == segment]
        assert made.offsets(segment) == [point.offset_seconds for point in inside]
        assert made.offsets(segment, 90) == [point.offset_seconds for point in inside if point.offset_seconds < 90]
        assert made.count(segment, 20, 90) == sum(20 <= point.offset_seconds < 90 for point in inside)


def test_a_mark_that_is_newer_than_the_digest_stands_alone() -> None:
    made = digest([Point(1, 100, 1, 1), Point(1, 101, 2, 2)], 15, revision=1)
    assert made.people_at(1, 115) == 2
    assert made.people_at(1, 116) == 1
    assert made.people_at(1, 99) == 1
    assert made.people_at(2, 100) == 1


async def riverdeer(services: Services) -> Session:
    return await services.store.find_session("riverdeer")


async def test_a_digest_rests_in_a_flood_but_its_words_never_lag(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digests, "REST_FACTOR", 10**6)
    session, kept = await riverdeer(services), Digests(services.store)
    first = await kept.of(session, 15, revision=1)
    assert first.largest[0].note == "moment 0"
    assert await kept.of(session, 15, revision=1) is first
    later = await kept.of(session, 15, revision=2)
    assert (later.revision, later.words_revision) == (1, 2)


async def test_a_new_window_is_another_digest(services: Services) -> None:
    session, kept = await riverdeer(services), Digests(services.store)
    assert (await kept.of(session, 15, revision=1)).window == 15
    assert (await kept.of(session, 20, revision=1)).window == 20


async def test_only_the_sessions_looked_at_last_are_kept(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "KEPT_SESSIONS", 1)
    kept = Digests(services.store)
    session = await riverdeer(services)
    other = await services.store.find_session("hidden")
    first = await kept.of(session, 15, revision=1)
    await kept.of(other, 15, revision=1)
    assert await kept.of(session, 15, revision=1) is not first


async def test_readers_who_leave_have_one_digest_computed(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, end, computed = asyncio.Event(), threading.Event(), []
    loop = asyncio.get_running_loop()

    def slow(points: list[Point], window: int, revision: int) -> Digest:
        computed.append(revision)
        loop.call_soon_threadsafe(begun.set)
        end.wait(10)
        return digest(points, window, revision)

    monkeypatch.setattr(digests, "digest", slow)
    session, kept = await riverdeer(services), Digests(services.store)
    for _ in range(6):
        reader = asyncio.create_task(kept.of(session, 15, revision=1))
        await begun.wait()
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
    end.set()
    assert (await kept.of(session, 15, revision=1)).revision == 1
    assert computed == [1]


async def test_what_cannot_be_computed_leaves_nothing_behind(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def down(_session: Session) -> list[Point]:
        raise StoreBusy("The disk is busy.")

    session, kept = await riverdeer(services), Digests(services.store)
    with monkeypatch.context() as patched:
        patched.setattr(services.store, "points", down)
        with pytest.raises(StoreBusy):
            await kept.of(session, 15, revision=1)
    assert not kept._making._under_way
    assert (await kept.of(session, 15, revision=1)).totals == (25, 25)


async def test_totals_are_counted_once_a_revision(
    services: Services, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = []
    count = services.store.totals

    async def counting(session: Session) -> Totals:
        counted.append(session.id)
        return await count(session)

    monkeypatch.setattr(services.store, "totals", counting)
    session, kept = await riverdeer(services), TotalsKept(services.store)
    assert await asyncio.gather(*(kept.of(session) for _ in range(5))) == [(25, 25)] * 5
    assert await kept.of(session) == (25, 25)
    assert counted == [session.id]
    await chat.says("!clip one more", name="somebody else")
    assert await kept.of(session) == (26, 26)
    assert len(counted) == 2


async def test_the_front_page_counts_no_mark_twice(
    services: Services, http: aiohttp.ClientSession, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    await chat.says("!end", name="riverdeer")
    await chat.says("!start Next", name="riverdeer")

    async def front() -> str:
        async with http.get("/") as answer:
            assert answer.status == 200
            return await answer.text()

    first = await front()
    assert "25 marks" in first

    async def never(_session: Session) -> Totals:
        raise AssertionError("counted again")

    monkeypatch.setattr(services.store, "totals", never)
    monkeypatch.setattr(services.store, "points", never)
    assert "25 marks" in await front()
