"""Tracks are merged and come apart again; what services told of them expires; people are asked once."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import pytest

from moments.live import Author
from storage import Store, Transaction, open_store, popularity, questions, saves, sources, tracks
from storage.purge import purge
from storage.saves import SaveRequest
from storage.sources import Live, State, Told
from storage.tracks import Source
from tests.stream import BEGAN, DEFAULTS

T = TypeVar("T")
THINGS = [("youtube", "a"), ("deezer", "b"), ("apple_music", "c")]
ANN, BEN, CAT = (Author("twitch", name.lower(), name) for name in ("Ann", "Ben", "Cat"))


@pytest.fixture
async def store(path: Path) -> AsyncIterator[Store]:
    async with open_store(path, defaults=DEFAULTS) as opened:
        yield opened


async def run(store: Store, job: Callable[[Transaction], Awaitable[T]]) -> T:
    return await store.run(job, message=None, now=BEGAN)


@pytest.fixture
async def songs(store: Store) -> list[Source]:
    """The same song three times, each saved by somebody else."""
    for who, thing in zip((ANN, BEN, CAT), THINGS, strict=True):
        await save(store, who, thing)

    async def job(transaction: Transaction) -> list[Source]:
        return [await tracks.open_source(transaction, *thing, "track", BEGAN) for thing in THINGS]

    return await run(store, job)


async def save(store: Store, who: Author, thing: tuple[str, str], start: int = 45, end: int = 60) -> int:
    request = SaveRequest(who, *thing, "track", start, end, BEGAN)
    return (await run(store, lambda transaction: saves.save(transaction, request))).people


async def merge(store: Store, one: Source, other: Source) -> int | None:
    return await run(
        store,
        lambda transaction: tracks.merge(transaction, one, other, "isrc", 95, ["ISRC X"], "matching", BEGAN),
    )


async def unmerge(store: Store, merge_id: int | None) -> bool:
    assert merge_id is not None
    return await run(store, lambda transaction: tracks.unmerge(transaction, merge_id, "console:operator", BEGAN))


async def people(store: Store) -> list[int]:
    found = [await popularity.saved_by(store, *thing, 45, 60) for thing in THINGS]
    return [by.people if by else 0 for by in found]


async def everything(store: Store) -> dict[str, list[Any]]:
    """What is counted, and what has become of each save."""
    return {
        table: await store.fetch(sql)
        for table, sql in {
            "cell": "SELECT * FROM cell ORDER BY 1, 2, 3",
            "edge": "SELECT * FROM edge ORDER BY 1, 2",
            "save": "SELECT id, replaced_by, words_id, shown FROM save ORDER BY id",
            "track": "SELECT id, merged_into FROM track ORDER BY id",
        }.items()
    }


async def test_three_people_on_three_services_are_three_on_each_page(store: Store, songs: list[Source]) -> None:
    assert await people(store) == [1, 1, 1]
    await merge(store, songs[2], songs[0])
    assert await people(store) == [2, 1, 2]
    await merge(store, songs[1], songs[2])
    assert await people(store) == [3, 3, 3]
    found = {(await tracks.of_source(store, *thing)) for thing in THINGS}
    assert len(found) == 1
    (track,) = found
    assert track is not None
    assert [source.provider for source in await tracks.sources(store, track)] == ["youtube", "deezer", "apple_music"]
    assert await popularity.heat(store, track, 62) == [0] * 45 + [3] * 15 + [0] * 2
    assert [part.people for part in await popularity.best(store, track)] == [3]


async def test_merging_and_unmerging_are_exact_inverses_in_any_order(store: Store, songs: list[Source]) -> None:
    await save(store, ANN, THINGS[1], 47, 62)
    apart = await everything(store)
    first, second = await merge(store, songs[0], songs[1]), await merge(store, songs[2], songs[1])
    joined = await everything(store)
    assert await unmerge(store, first)
    assert await people(store) == [1, 3, 3]
    third = await merge(store, songs[0], songs[2])
    assert await everything(store) == joined
    assert await unmerge(store, third)
    assert await unmerge(store, second)
    assert not await unmerge(store, second)
    assert await everything(store) == apart


async def test_what_happened_in_between_stays_when_a_merge_is_undone(store: Store, songs: list[Source]) -> None:
    merged = await merge(store, songs[0], songs[1])
    assert await save(store, ANN, THINGS[1], 46, 61) == 2  # replaces hers on the other service
    assert await people(store) == [2, 2, 1]
    await unmerge(store, merged)
    assert await people(store) == [1, 2, 1]


async def test_a_version_only_grows_whichever_service_asks(store: Store, songs: list[Source]) -> None:
    async def versions() -> list[int]:
        found = [await tracks.of_source(store, *thing) for thing in THINGS[:2]]
        return [track.version for track in found if track]

    seen = [await versions()]
    for _ in range(3):
        await save(store, CAT, THINGS[1])
    seen.append(await versions())
    merged = await merge(store, songs[0], songs[1])
    seen.append(await versions())
    await save(store, CAT, THINGS[0])
    seen.append(await versions())
    await unmerge(store, merged)
    seen.append(await versions())
    for before, after in pairwise(seen[1:]):
        assert all(now > then for then, now in zip(before, after, strict=True))


async def test_links_of_merged_tracks_mean_the_one_they_are_in(store: Store, songs: list[Source]) -> None:
    second = await tracks.of_source(store, *THINGS[1])
    assert second is not None
    merged = await merge(store, songs[1], songs[0])
    found = await tracks.find(store, second.id)
    assert found == await tracks.of_source(store, *THINGS[0])
    assert found is not None
    assert found.id != second.id
    (row,) = await tracks.merges(store, found)
    assert (row.id, row.track_id, row.same_as) == (merged, second.id, found.id)
    assert (row.method, row.confidence, row.evidence, row.asked_by) == ("isrc", 95, ("ISRC X",), "matching")
    assert (row.merged_at, row.undone_at) == (BEGAN, None)
    await unmerge(store, merged)
    assert (await tracks.merges(store, found))[0].undone_at == BEGAN
    assert await tracks.find(store, "nothing") is None


async def test_what_is_one_already_is_not_merged_again(store: Store, songs: list[Source]) -> None:
    await merge(store, songs[0], songs[1])
    assert await merge(store, songs[1], songs[0]) is None
    assert await merge(store, songs[0], songs[0]) is None
    assert await store.fetch("SELECT count(*) FROM track_merge") == [(1,)]


# --- questions


async def test_a_person_is_asked_once_and_the_answer_holds(store: Store, songs: list[Source]) -> None:
    async def ask(transaction: Transaction) -> list[bool]:
        pairs = [(0, 1), (1, 0), (0, 2), (1, 1)]
        return [
            await questions.ask(transaction, songs[one], songs[other], 80, ["title 80"], BEGAN) for one, other in pairs
        ]

    assert await run(store, ask) == [True, False, True, False]
    first, second = await questions.unanswered(store)
    assert (first.score, first.evidence, first.asked_at) == (80, ("title 80",), BEGAN)
    assert [each.id for each in await questions.unanswered(store, after=first.id)] == [second.id]

    async def answer(transaction: Transaction) -> list[bool]:
        return [
            await questions.answer(transaction, first.id, same=True, by="console:operator", now=BEGAN),
            await questions.answer(transaction, first.id, same=False, by="console:operator", now=BEGAN),
            await questions.answer(transaction, second.id, same=False, by="console:operator", now=BEGAN),
        ]

    assert await run(store, answer) == [True, False, True]
    assert await people(store) == [2, 2, 1]
    assert await questions.unanswered(store) == []
    assert await run(store, lambda transaction: questions.said_different(transaction, songs[2], songs[0]))
    assert not await run(store, lambda transaction: questions.said_different(transaction, songs[1], songs[0]))


async def test_a_question_that_a_merge_has_answered_is_not_asked_any_more(store: Store, songs: list[Source]) -> None:
    await run(store, lambda transaction: questions.ask(transaction, songs[0], songs[1], 75, (), BEGAN))
    merged = await merge(store, songs[0], songs[1])
    assert await questions.unanswered(store) == []
    await unmerge(store, merged)
    assert len(await questions.unanswered(store)) == 1


# --- what services tell

TOLD = Told(
    *THINGS[0],
    fetched_at=BEGAN,
    expires_at=BEGAN + timedelta(days=30),
    title="Song",
    by_line="Artist",
    duration_seconds=200,
    isrc="USQX91300108",
    embeddable=True,
    regions_allowed=("DE", "PL"),
    regions_blocked=(),
    live=Live.NO,
    links=(("deezer", "b"),),
)


async def put(store: Store, told: Told) -> int:
    return await run(store, lambda transaction: sources.put(transaction, told))


async def test_what_a_service_told_comes_back_as_it_was_until_it_expires(store: Store, songs: list[Source]) -> None:
    await put(store, TOLD)
    assert await sources.find(store, *THINGS[0], BEGAN) == TOLD
    bare = Told(*THINGS[1], BEGAN, None, State.GONE)
    await put(store, bare)
    found = await sources.find_all(store, THINGS, BEGAN + timedelta(days=29))
    assert found == {THINGS[0]: TOLD, THINGS[1]: bare}
    assert await sources.find(store, *THINGS[0], BEGAN + timedelta(days=30)) is None
    assert await sources.find_all(store, [], BEGAN) == {}
    again = TOLD._replace(title="Other", embeddable=None, regions_allowed=None, links=())
    await put(store, again)
    assert await sources.find(store, *THINGS[0], BEGAN) == again


async def test_R1_the_purge_deletes_what_has_expired_and_tells_whoever_shows_it(
    store: Store, songs: list[Source]
) -> None:
    await put(store, TOLD)
    before = await tracks.of_source(store, *THINGS[0])
    at = BEGAN + timedelta(days=30)
    assert (await run(store, lambda transaction: purge(transaction, at - timedelta(seconds=1)))).sources == 0
    assert (await run(store, lambda transaction: purge(transaction, at))).sources == 1
    assert await store.fetch("SELECT * FROM api_source") == []
    after = await tracks.of_source(store, *THINGS[0])
    assert before is not None
    assert after is not None
    assert after.version > before.version
    assert await people(store) == [1, 1, 1]


async def test_what_is_gone_or_private_is_wiped(store: Store, songs: list[Source]) -> None:
    await put(store, TOLD)

    async def wipe(transaction: Transaction) -> list[bool]:
        return [await sources.wipe(transaction, *THINGS[0]) for _ in range(2)]

    assert await run(store, wipe) == [True, False]
    assert await sources.find(store, *THINGS[0], BEGAN) is None


async def test_what_nothing_is_known_of_is_due(store: Store, songs: list[Source]) -> None:
    await put(store, TOLD)
    assert await sources.due(store, BEGAN) == THINGS[:0:-1]
    assert await sources.due(store, BEGAN + timedelta(days=31), limit=2) == THINGS[:0:-1]
    assert await sources.due(store, BEGAN + timedelta(days=31)) == THINGS[::-1]


async def test_a_broadcast_has_no_end_yet(store: Store, songs: list[Source]) -> None:
    assert await put(store, TOLD._replace(duration_seconds=10, live=Live.LIVE)) == 0
    assert await save(store, BEN, THINGS[0], 50, 70) == 1
    assert await put(store, TOLD._replace(duration_seconds=65)) == 1
