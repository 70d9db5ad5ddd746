"""How fast marks are kept: whole commands in, durable answers out, against two yardsticks of the same run.

Every figure is taken through the command layer, on the chat's own clock, with the answers held against the rows.
"""

import asyncio
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from itertools import count, takewhile
from pathlib import Path
from statistics import median
from typing import NamedTuple

from bench.baselines import locked_commits, one_transaction, take_marks
from bench.chat import PEOPLE, crowd, open_chat
from bench.crowds import crowd_rows
from bench.load import closed_loop, open_loop
from bench.probes import loop_lag, neighbours, probe_page
from bench.report import Row, number, percentile, show
from bot.garbage import settle
from bot.logs import configure_logs
from web_export.app import Site
from web_export.keys import SiteConfig

MARKS = 40_000
LOCKED_MARKS = 4_000
REPEATS = 5
OPEN_RATE, OPEN_MARKS = 2_000, 20_000
LONE_MARKS = PEOPLE
QUIET_MARKS = 200
PROBES, PROBE_RATE = 2_000, 200
"""Ten seconds of them: a flood shorter than that says little about its 99th percentile."""

CROWD = 4_001
"""Four times as many as are let in at once, and the one person of the quiet channel."""
COOLDOWN = timedelta(seconds=16)


class Measured(NamedTuple):
    """One repeat: answers a second, and the yardsticks on the very same rows."""

    rate: float
    raw: float
    locked: float
    marks_a_commit: float


def main() -> int:
    """Print the table; 0 when every target is met."""
    configure_logs("console", "info")
    rows = [*full_speed(), *asyncio.run(steady()), *asyncio.run(flooded()), *asyncio.run(beside_a_flood())]
    rows += crowd_rows()
    return 0 if show(f"Keeping marks, {PEOPLE:,} people in flight", rows) else 1


def full_speed() -> list[Row]:
    """The middle one of some repeats, by its ratio to the raw insert; the yardsticks follow each at once."""
    with neighbours() as others:
        repeats = [asyncio.run(measure()) for _ in range(REPEATS)]
    by_raw = sorted(repeats, key=lambda one: one.rate / one.raw)[REPEATS // 2]
    by_locked = sorted(repeats, key=lambda one: one.rate / one.locked)[REPEATS // 2]
    return [
        Row(
            f"answered marks {spread([one.rate / one.locked for one in repeats])}",
            *(by_locked.rate, "/s", by_locked.locked),
            at_least=8,
            against="locked commit each",
        ),
        Row(
            f"answered marks {spread([one.rate / one.raw for one in repeats])}",
            *(by_raw.rate, "/s", by_raw.raw),
            at_least=0.15,
            against="one executemany",
        ),
        Row("taken by other programs meanwhile", others.percent, "% of the cores"),
        Row("marks a commit", by_raw.marks_a_commit, at_least=50),
    ]


async def measure() -> Measured:
    """Everybody marks as fast as they are answered, then the same rows go into two fresh databases."""
    with tempfile.TemporaryDirectory(prefix="moments-bench-") as name:
        folder = Path(name)
        async with open_chat(folder / "moments.db") as chat:
            settle()
            run = await closed_loop(chat.mark, PEOPLE, range(MARKS))
            stats = chat.store.stats
        check(folder / "moments.db", len(run.answers))
        stored = take_marks(folder / "moments.db", folder / "raw.db")
        take_marks(folder / "moments.db", folder / "locked.db")
        settle()
        raw = one_transaction(folder / "raw.db", stored)
        locked = await locked_commits(folder / "locked.db", stored, PEOPLE, LOCKED_MARKS)
    return Measured(run.rate, MARKS / raw, locked.rate, stats.marks / stats.commits)


async def steady() -> list[Row]:
    """Marks at a pace people can keep up, in milliseconds, beside a mark that is alone."""
    with tempfile.TemporaryDirectory(prefix="moments-bench-") as name:
        database = Path(name) / "moments.db"
        async with open_chat(database) as chat:
            settle()
            lone = await closed_loop(lambda _, number: chat.mark(number, number), 1, range(LONE_MARKS))
            run = await open_loop(chat.mark, PEOPLE, OPEN_MARKS, OPEN_RATE)
        check(database, LONE_MARKS + OPEN_MARKS)
    alone = 1000 * median(lone.answers)
    return [
        Row(f"answer at {OPEN_RATE:,} marks/s, median", 1000 * median(run.answers), "ms", alone, against="alone"),
        Row(
            f"answer at {OPEN_RATE:,} marks/s, p99",
            *(1000 * percentile(run.answers, 99), "ms", alone),
            at_most=10,
            against="alone",
        ),
    ]


async def flooded() -> list[Row]:
    """The event loop and /healthz of the real site while everybody marks as fast as they can, in milliseconds."""
    with tempfile.TemporaryDirectory(prefix="moments-bench-") as name:
        database = Path(name) / "moments.db"
        async with open_chat(database) as chat:
            site = Site(chat.services, SiteConfig(port=0))
            await site.start()
            try:
                settle()
                url = f"http://127.0.0.1:{site.port}/healthz"
                idle_lag, idle_page = await watch(url)
                done = asyncio.Event()
                flood = asyncio.create_task(closed_loop(chat.mark, PEOPLE, until(done)))
                with neighbours() as others:
                    lag, page = await watch(url)
                done.set()
                run = await flood
            finally:
                await site.close()
        check(database, len(run.answers))
    return [
        Row(f"a flood of {run.seconds:.0f} s", run.rate, "marks/s"),
        Row("taken by other programs in the flood", others.percent, "% of the cores"),
        Row("loop lag in the flood, p99", *milliseconds(lag, idle_lag), at_most=8, against="idle"),
        Row(f"/healthz in the flood, p99 of {len(page):,}", *milliseconds(page, idle_page), at_most=8, against="idle"),
    ]


async def watch(url: str) -> tuple[list[float], list[float]]:
    """How late the event loop is and how long the page takes, in seconds, for as long as the probes last."""
    async with loop_lag() as lag:
        page = await probe_page(url, PROBE_RATE, PROBES)
    return lag, page


async def beside_a_flood() -> list[Row]:
    """A lone channel's marks while many more people than are let in at once flood another, in milliseconds."""
    with tempfile.TemporaryDirectory(prefix="moments-bench-") as name:
        database = Path(name) / "moments.db"
        async with open_chat(database) as chat:
            chat.people = crowd(CROWD)
            settle()
            loud, quiet = chat.places[:2]
            done = asyncio.Event()
            flood = asyncio.create_task(
                closed_loop(lambda person, number: chat.mark_in(loud, person, number), CROWD - 1, until(done))
            )
            waits = []
            for number in range(QUIET_MARKS):
                await asyncio.sleep(0.02)
                begun = time.perf_counter()
                await chat.mark_in(quiet, CROWD - 1, number)
                waits.append(time.perf_counter() - begun)
                chat.now += COOLDOWN
            done.set()
            run = await flood
        check(database, len(run.answers) + QUIET_MARKS)
    return [
        Row(
            "a lone channel beside a flooding one, p99",
            *(1000 * percentile(waits, 99), "ms", 1000 * median(run.answers)),
            at_most=1,
            against="the flood's median",
        )
    ]


def until(done: asyncio.Event) -> Iterator[int]:
    """Numbers until the event is set."""
    return takewhile(lambda _: not done.is_set(), count())


def milliseconds(samples: list[float], idle: list[float]) -> tuple[float, str, float]:
    """The 99th percentile of both."""
    return 1000 * percentile(samples, 99), "ms", 1000 * percentile(idle, 99)


def spread(ratios: list[float]) -> str:
    """The least and the most of several runs' ratios."""
    return f"[{number(min(ratios))}–{number(max(ratios))} × in {len(ratios)} runs]"


def check(database: Path, answered: int) -> None:
    """A figure counts only when every answered mark is a row and every row was answered, numbered without a gap."""
    with closing(sqlite3.connect(database)) as connection:
        kept, messages = connection.execute("SELECT count(*), count(DISTINCT source_message_id) FROM mark").fetchone()
        gaps = connection.execute("SELECT sum(last_number) - (SELECT count(*) FROM mark) FROM session").fetchone()
    assert (kept, messages, gaps) == (answered, answered, (0,)), (kept, messages, gaps, answered)


if __name__ == "__main__":
    sys.exit(main())
