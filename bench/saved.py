"""What asking and saving cost on tracks with very many saves, against small ones and against counting afresh.

Saves are put into our own tables in bulk; the same few thousand, saved one by one, must leave the very same rows.
"""

import asyncio
import random
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, closing
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import NamedTuple, TypeVar

from bench.report import Row, show
from moments.live import Author
from moments.saves import Part, Save, around, best_parts, fold, heatmap, reach, union
from moments.sessions import Defaults
from storage import Store, Transaction, open_store, popularity, saves
from storage._sqlite import to_microseconds
from storage.popularity import SAVED_BY
from storage.saves import SaveRequest

T = TypeVar("T")

SIZES = (1_000, 100_000, 1_000_000)
SAMPLE = 3_000
SECONDS = 600
PEOPLE_PER_SAVE = 0.29
ROUNDS = 15
READS, ALONE, TOGETHER = 400, 8, 60
"""A round's reads; its saves with a commit each; its saves that share one."""
TICK = 0.001
THING = ("youtube", "bench")
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
AT = to_microseconds(BEGAN)

_HOT = [random.Random(7).randrange(20, SECONDS - 60) for _ in range(9)]
_INSERT = (
    "INSERT INTO save (id, public_id, track_source_id, account_id, start_seconds, end_seconds, note, private, origin,"
    " url, created_at, platform, source_message_id, replaced_by, words_id, shown)"
    " VALUES (?, ?, 1, ?, ?, ?, ?, 0, 'bench', '', ?, 'bench', ?, ?, ?, ?)"
)
_COUNTED = (
    "SELECT account.person_id, start_seconds, end_seconds FROM save JOIN account ON account.id = save.account_id"
    " WHERE replaced_by IS NULL AND beyond = 0"
)
_EVERY = (
    "SELECT account.person_id, save.id, start_seconds, end_seconds FROM save"
    " JOIN account ON account.id = save.account_id WHERE beyond = 0 ORDER BY account.person_id, save.id"
)
_ROWS = (
    "SELECT id, track_source_id, account_id, start_seconds, end_seconds, note, replaced_by, words_id, shown"
    " FROM save ORDER BY id"
)
_CELLS = "SELECT * FROM cell ORDER BY track_id, start_seconds, end_seconds"
_EDGES = "SELECT * FROM edge ORDER BY track_id, second"


class Made(NamedTuple):
    """One save somebody makes."""

    person: int
    start: int
    end: int
    note: str


def main() -> int:
    """Print the table; 0 when every target is met."""
    with tempfile.TemporaryDirectory(prefix="moments-bench-") as name:
        folder = Path(name)
        asyncio.run(check_bulk(folder))
        paths = [folder / f"{size}.db" for size in SIZES]
        for path, size in zip(paths, SIZES, strict=True):
            asyncio.run(make(path, size))
        rows = [*reading(paths), *asyncio.run(writing(paths)), *asyncio.run(whole_tracks(paths[-1]))]
    return 0 if show("Saved by, heatmap and best part of one track", rows) else 1


# --- tracks with many saves


def crowd(count: int, seed: int = 1) -> Iterator[Made]:
    """Half of all saves are of nine parts everybody loves, give or take some seconds."""
    chance = random.Random(seed)
    people = max(1, int(count * PEOPLE_PER_SAVE))
    for number in range(count):
        if number % 2:
            start = max(0, round(chance.gauss(chance.choice(_HOT), 1.5)))
            end = start + max(2, round(chance.gauss(15, 1.5)))
        else:
            start = chance.randrange(SECONDS - 61)
            end = start + chance.randrange(3, 60)
        yield Made(chance.randrange(people) + 1, start, end, "that drop!" if number % 5 == 0 else "")


async def make(path: Path, count: int) -> None:
    """A track with this many saves, in bulk."""
    async with open_store(path, defaults=Defaults()):
        pass
    made = list(crowd(count))
    people = sorted({each.person for each in made})
    rows, cells, edges = settle(made)
    with closing(sqlite3.connect(path)) as connection:
        write = connection.executemany
        connection.execute("INSERT INTO track (id, public_id, created_at) VALUES (1, 'bench', ?)", (AT,))
        connection.execute("INSERT INTO track_source VALUES (1, ?, ?, 'video', 1)", THING)
        write("INSERT INTO person VALUES (?)", [(person,) for person in people])
        write("INSERT INTO account VALUES (?1, ?1, 'bench', 'u' || ?1, 'U')", [(person,) for person in people])
        write(_INSERT, reversed(rows))  # what replaces comes before what it replaced
        write("INSERT INTO cell VALUES (1, ?, ?, ?)", [(*span, people) for span, people in sorted(cells.items())])
        write("INSERT INTO edge VALUES (1, ?, ?)", [edge for edge in sorted(edges.items()) if edge[1]])
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def settle(made: Sequence[Made]) -> tuple[list[tuple[object, ...]], Counter[tuple[int, int]], Counter[int]]:
    """The rows of these saves, the cells and the edges, person by person."""
    numbered = sorted(enumerate(made, start=1), key=lambda each: (each[1].person, each[0]))
    cells: Counter[tuple[int, int]] = Counter()
    edges: Counter[int] = Counter()
    rows: list[tuple[object, ...]] = []
    for person, own in groupby(numbered, key=lambda each: each[1].person):
        mine = list(own)
        folded = fold(Save(number, one.start, one.end, number if one.note else None) for number, one in mine)
        words = {save.id: save.words_id for save in folded.counted}
        spans = [save[1:3] for save in folded.counted]
        cells.update(spans)
        for start, end in union(spans):
            edges[start] += 1
            edges[end] -= 1
        for number, one in mine:
            carries = words.get(number)
            what = (number, f"{number:022d}", person, one.start, one.end, one.note, AT + number, f"m{number}")
            rows.append((*what, folded.replaced_by.get(number), carries, int(carries is not None)))
    return sorted(rows, key=lambda row: int(str(row[0]))), cells, edges


async def check_bulk(folder: Path) -> None:
    """A figure counts only when saving one by one leaves the very same rows."""
    await make(folder / "bulk.db", SAMPLE)
    async with open_store(folder / "one.db", defaults=Defaults()) as store:
        people = max(1, int(SAMPLE * PEOPLE_PER_SAVE))
        await store.run(lambda transaction: meet(transaction, people), message=None, now=BEGAN)
        for number, one in enumerate(crowd(SAMPLE), start=1):
            await store.run(saving(one, f"m{number}"), message=None, now=BEGAN)
    with (
        closing(sqlite3.connect(folder / "bulk.db")) as bulk,
        closing(sqlite3.connect(folder / "one.db")) as one_by_one,
    ):
        for query in (_ROWS, _CELLS, _EDGES):
            expected = bulk.execute(query).fetchall()
            assert expected
            assert one_by_one.execute(query).fetchall() == expected, query


async def meet(transaction: Transaction, people: int) -> None:
    """Let everybody have the account they have in the bulk."""
    for person in range(1, people + 1):
        await transaction.execute("INSERT INTO person VALUES (?)", person)
        await transaction.execute("INSERT INTO account VALUES (?1, ?1, 'bench', 'u' || ?1, 'U')", person)


def saving(one: Made, message: str) -> Callable[[Transaction], Awaitable[saves.Saved]]:
    """The job that saves it."""
    author = Author("bench", f"u{one.person}", "U")
    request = SaveRequest(
        author, *THING, "video", one.start, one.end, BEGAN + timedelta(days=1), one.note, message_id=message
    )
    return lambda transaction: saves.save(transaction, request)


# --- asking how many


def reading(paths: Sequence[Path]) -> list[Row]:
    """The one statement, warm, on all tracks in turns."""
    taken: list[list[float]] = [[] for _ in paths]
    connections = [sqlite3.connect(path) for path in paths]
    asked = [
        [(*around(one.start), *reach(one.end), *THING) for one in crowd(READS, seed=5 + turn)]
        for turn in range(ROUNDS)
    ]  # fmt: skip
    for connection in connections:
        time_reads(connection, asked[0])
    for some in asked:
        for connection, times in zip(connections, taken, strict=True):
            times.append(time_reads(connection, some))
    for connection in connections:
        connection.close()
    return against_the_smallest("reading saved by", "us", [1e6 * median(times) for times in taken])


def time_reads(connection: sqlite3.Connection, asked: Sequence[tuple[object, ...]]) -> float:
    """Seconds a read."""
    begun = time.perf_counter()
    for one in asked:
        connection.execute(SAVED_BY, one).fetchall()
    return (time.perf_counter() - begun) / len(asked)


def against_the_smallest(what: str, unit: str, figures: Sequence[float]) -> list[Row]:
    """Each size against the first."""
    rows = [Row(f"{what}, {SIZES[0]:,} saves", figures[0], unit)]
    for size, figure in list(zip(SIZES, figures, strict=True))[1:]:
        rows.append(Row(f"{what}, {size:,} saves", figure, unit, figures[0], at_most=1.5, against="at 1,000"))
    return rows


# --- one more save


async def writing(paths: Sequence[Path]) -> list[Row]:
    """One more save through the store, each with a commit of its own, then many that share one; in turns."""
    alone: list[list[float]] = [[] for _ in paths]
    together: list[list[float]] = [[] for _ in paths]
    async with AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(open_store(path, defaults=Defaults())) for path in paths]
        for turn in range(ROUNDS):
            for store, one_by_one, at_once in zip(stores, alone, together, strict=True):
                jobs = [
                    saving(one._replace(person=one.person + 100 * turn), f"more{turn}.{number}")
                    for number, one in enumerate(crowd(ALONE + TOGETHER, seed=90 + turn))
                ]
                for job in jobs[:ALONE]:
                    one_by_one.append(await timed(store.run(job, message=None, now=BEGAN)))
                rest = [store.run(job, message=None, now=BEGAN) for job in jobs[ALONE:]]
                at_once.append(await timed(asyncio.gather(*rest)) / TOGETHER)
    return [
        *against_the_smallest("one more save, alone", "us", [1e6 * median(times) for times in alone]),
        *against_the_smallest("one more save of many", "us", [1e6 * median(times) for times in together]),
    ]


async def timed(work: Awaitable[object]) -> float:
    """Seconds."""
    begun = time.perf_counter()
    await work
    return time.perf_counter() - begun


# --- the whole track


async def whole_tracks(path: Path) -> list[Row]:
    """The heatmap and the best parts of the largest track, against counting them from the rows."""
    with closing(sqlite3.connect(path)) as connection:
        heat_took, expected_heat = timed_result(lambda: heat_afresh(connection))
        counted_took, expected_best = timed_result(lambda: best_from_counted(connection))
        best_took, afresh = timed_result(lambda: best_afresh(connection))
        assert afresh == expected_best
        cells = connection.execute("SELECT count(*) FROM cell").fetchone()[0]
    async with open_store(path, defaults=Defaults()) as store:
        by = await popularity.saved_by(store, *THING, 0, 1)
        assert by is not None
        assert await popularity.heat(store, by.track, SECONDS) == expected_heat
        assert await popularity.best(store, by.track) == expected_best
        heat = [await timed(popularity.heat(store, by.track, SECONDS)) for _ in range(50)]
        best = [await timed(popularity.best(store, by.track)) for _ in range(7)]
        stall = median([await longest_stall(store, by) for _ in range(7)])
    many, ms = f"{SIZES[-1]:,} saves, 10 minutes", 1000.0
    return [
        Row(f"heatmap, {many}", ms * median(heat), "ms", ms * heat_took, at_most=0.01, against="from the rows"),
        Row(
            f"best parts cold, {many}, {cells:,} ranges",
            *(ms * median(best), "ms", ms * best_took),
            at_most=0.05,
            against="from the rows",
        ),
        Row("the same", ms * median(best), "ms", ms * counted_took, against="if rows said what counts"),
        Row("the event loop waits meanwhile", ms * stall, "ms", ms * median(best), at_most=0.5, against="of it"),
    ]


def timed_result(work: Callable[[], T]) -> tuple[float, T]:
    """Seconds, and what it found."""
    begun = time.perf_counter()
    result = work()
    return time.perf_counter() - begun, result


def heat_afresh(connection: sqlite3.Connection) -> list[int]:
    """How many people cover each second, from the saves that count."""
    edges: Counter[int] = Counter()
    rows = connection.execute(f"{_COUNTED} ORDER BY account.person_id")
    for _, own in groupby(rows, key=lambda row: row[0]):
        for start, end in union((row[1], row[2]) for row in own):
            edges[start] += 1
            edges[end] -= 1
    return heatmap(edges.items(), SECONDS)


def best_from_counted(connection: sqlite3.Connection) -> list[Part]:
    """The best parts from the saves that count, when their rows say so already."""
    rows = connection.execute(f"SELECT start_seconds, end_seconds, count(*) FROM ({_COUNTED}) GROUP BY 1, 2")
    return best_parts(rows)


def best_afresh(connection: sqlite3.Connection) -> list[Part]:
    """The best parts from what everybody has saved, in the order accepted."""
    cells: Counter[tuple[int, int]] = Counter()
    for _, own in groupby(connection.execute(_EVERY), key=lambda row: row[0]):
        cells.update(save[1:3] for save in fold(Save(*row[1:]) for row in own).counted)
    return best_parts((*span, people) for span, people in cells.items())


async def longest_stall(store: Store, by: popularity.SavedBy) -> float:
    """The longest the event loop could do nothing else while the best parts were found, in seconds."""
    finding = asyncio.create_task(popularity.best(store, by.track))
    longest = 0.0
    while not finding.done():
        begun = time.perf_counter()
        await asyncio.sleep(TICK)
        longest = max(longest, time.perf_counter() - begun - TICK)
    await finding
    return longest


if __name__ == "__main__":
    sys.exit(main())
