"""What the writer knows is what it would read, and staying right costs no channel a reading of all its marks."""

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, TypeVar

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from moments.errors import NotAllowed, Refusal, TooFast
from moments.live import Author
from moments.marks import Timestamp
from moments.sessions import Session, ended, paused, resumed
from storage import Store, Transaction, barred, hiding, open_store, streams
from storage._sqlite import to_microseconds
from tests.stream import BEGAN, DEFAULTS, Stream

T = TypeVar("T")

CHANNELS = ("geralt", "yen")
PEOPLE = ("ann", "ben", "cid")
BY = Author("console", "mod", "Mod")


async def run(stream: Stream, job: Callable[[Transaction], Awaitable[T]]) -> T:
    """A job without a message."""
    return await stream.store.run(job, message=None, now=BEGAN)


async def let_go(stream: Stream) -> None:
    """Somebody may have changed what the channel chose, or is called."""
    await run(stream, lambda transaction: transaction.let_channel_go(stream.place))


# --- any history, and what a store opened now would know


class Step(NamedTuple):
    """What is done inside one transaction, by whom or to whom, where and when."""

    transaction: Transaction
    stream: Stream
    user: str
    now: datetime

    async def newest(self) -> Timestamp:
        """The user's newest visible mark; Refusal without one."""
        mark = await self.transaction.own_last_mark(self.stream.place, Author("console", self.user, ""))
        if mark is None:
            raise Refusal("No mark.")
        return mark

    async def session(self) -> Session:
        """The channel's newest session."""
        session = (await self.transaction.live(self.stream.place)).session
        assert session is not None
        return session


async def unclip(step: Step) -> None:
    await step.transaction.remove_mark(step.stream.place, await step.newest(), step.now)


async def hide(step: Step) -> None:
    await step.transaction.hide_mark(step.stream.place, await step.newest(), BY, "delclip", step.now)


async def shift(step: Step) -> None:
    mark = await step.newest()
    moved = mark._replace(offset_seconds=mark.offset_seconds + 9, adjust_seconds=mark.adjust_seconds + 9)
    await step.transaction.change_mark(step.stream.place, mark, moved, step.now)


async def hide_all(step: Step) -> None:
    account = ("console", step.user)
    await hiding.hide_all_of(step.transaction, step.stream.place, await step.session(), account, "x", "silenced")


async def restore(step: Step) -> None:
    await hiding.restore(step.transaction, step.stream.place, await step.session(), 1)


async def bar(step: Step) -> None:
    author = Author("console", step.user, "")
    await barred.add(step.transaction, (await step.session()).channel, author, BY, step.now)
    await step.transaction.let_channel_go(step.stream.place)


async def read_again(step: Step) -> None:
    await step.transaction.let_channel_go(step.stream.place)


async def link(step: Step) -> None:
    mover, stays = [
        await step.transaction.account(Author("console", user, user.title())) for user in (step.user, "ann")
    ]
    if mover.person_id != stays.person_id:
        await step.transaction.move_account(mover, stays.person_id)


async def unlink(step: Step) -> None:
    account = await step.transaction.account(Author("console", step.user, step.user.title()))
    await step.transaction.move_account(account, None)


def choosing(**seconds: int) -> Callable[[Step], Awaitable[None]]:
    """A change of the channel's settings."""

    async def choose(step: Step) -> None:
        channel = (await step.transaction.live(step.stream.place)).channel
        chosen = replace(channel, settings=replace(channel.settings, **seconds))  # type: ignore[arg-type]
        await step.transaction.save_settings(step.stream.place, chosen)

    return choose


JOBS = {
    **{job.__name__: job for job in (unclip, hide, shift, hide_all, restore, bar, read_again, link, unlink)},
    "window 3": choosing(crowd_window_seconds=3),
    "window 30": choosing(crowd_window_seconds=30),
    "cooldown 2": choosing(cooldown_seconds=2),
    "cooldown 12": choosing(cooldown_seconds=12),
}
MOVES: dict[str, Any] = {"pause": paused, "resume": resumed, "end": ended}


async def act(stream: Stream, what: str, user: str, at: int) -> None:
    """One step of a history."""
    if what == "clip":
        await stream.mark(user, at)
    elif what == "forget":
        await stream.forget(user, at)
    elif what == "start":
        await stream.start(at)
    elif what in MOVES:
        await stream.move(MOVES[what], at)
    else:
        now = BEGAN + timedelta(seconds=at)
        await run(stream, lambda transaction: JOBS[what](Step(transaction, stream, user, now)))


ACTS = ["clip", "clip", "clip", "clip", "forget", "forget", "read_again", "start", *MOVES, *JOBS]
STEPS = st.lists(
    st.tuples(st.sampled_from(CHANNELS), st.sampled_from(ACTS), st.sampled_from(PEOPLE), st.integers(1, 20)),
    max_size=40,
)


async def knowledge(stream: Stream, at: int) -> list[object]:
    """All a store goes by when somebody marks in the channel; paces only while they matter."""

    async def job(transaction: Transaction) -> list[object]:
        live = await transaction.live(stream.place)
        assert live.session is not None
        crowds = [await transaction._crowd(live, segment.index) for segment in live.session.segments]
        session = replace(live.session, updated_at=BEGAN)  # marks move it on disk alone: storage.streams
        return [
            *(live.channel, live.seconds, live.cooldown, live.barred, session, live.last_number),
            {person: marks for person, marks in live.marks_by_person.items() if marks},
            {
                who: when
                for who, when in live.last_accepted.items()
                if when > BEGAN + timedelta(seconds=at) - live.cooldown
            },
            [[crowd.people_at(offset) for offset in range(900)] for crowd in crowds],
        ]

    return await run(stream, job)


def copied(path: Path, to: Path) -> Path:
    """The database as it is now, whoever has it open."""
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(to)) as target:
        source.backup(target)
    return to


async def assert_knows_what_it_would_read(store: Store, path: Path, at: int) -> None:
    async with open_store(copied(path, path.with_name("copy.db")), defaults=DEFAULTS) as fresh:
        for name in CHANNELS:
            assert await knowledge(Stream(store, name), at) == await knowledge(Stream(fresh, name), at)


@example(steps=[("geralt", "clip", "ann", 1), ("geralt", "clip", "ben", 1), ("yen", "forget", "ann", 1)])
@example(steps=[("geralt", "clip", "ann", 1), ("geralt", "unclip", "ann", 1), ("yen", "forget", "ann", 1)])
@example(steps=[("geralt", "clip", "ann", 1), ("geralt", "window 3", "ann", 1), ("geralt", "clip", "ben", 9)])
@example(
    steps=[
        *(("geralt", "clip", who, 20) for who in ("ann", "ben", "cid")),
        ("geralt", "hide", "ben", 1),
        ("geralt", "link", "ben", 1),
    ]
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS)
async def test_after_any_history_the_writer_knows_what_it_would_read(steps: list[tuple[str, str, str, int]]) -> None:
    with TemporaryDirectory() as folder:
        path, at = Path(folder) / "moments.db", 0
        async with open_store(path, defaults=DEFAULTS) as store:
            for name in CHANNELS:
                await Stream(store, name).start()
            for channel, what, user, later in steps:
                at += later if what not in {"start", "link", "unlink"} else 20
                try:
                    await act(Stream(store, channel), what, user, at)
                except Refusal:
                    continue
            await assert_knows_what_it_would_read(store, path, at)


async def test_PRIV_4_who_was_forgotten_is_a_stranger_at_once(path: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        here, there = [Stream(store, name) for name in CHANNELS]
        for stream in (here, there):
            await stream.start()
            first = await stream.mark("ann", 10)
            assert (await stream.mark("ben", 11)).people == 2
        await there.forget("ann", 11)
        again, other = await asyncio.gather(here.mark("ann", 12), here.mark("cid", 12))
        assert again.mark.person_id not in {first.mark.person_id, other.mark.person_id}
        assert (again.people, other.people) == (2, 3)  # neither her mark nor her cooldown was left
        await assert_knows_what_it_would_read(store, path, 12)


async def test_what_a_channel_chose_is_no_way_around_a_timeout(path: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        stream = Stream(store)
        await stream.start()

        async def silence(transaction: Transaction) -> None:
            (await transaction.live(stream.place)).silenced["console", "ann"] = BEGAN + timedelta(seconds=20)

        await run(stream, silence)
        await let_go(stream)
        with pytest.raises(NotAllowed):
            await stream.mark("ann", 19)  # typed before, and late
        await stream.forget("ann", 20)
        assert (await stream.mark("ann", 19)).mark.number == 1


@pytest.mark.parametrize("what", ["link", "unlink"])
async def test_AZ_5_linking_and_unlinking_are_no_way_around_a_cooldown_or_a_timeout(path: Path, what: str) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        stream, other = [Stream(store, name) for name in CHANNELS]
        await stream.start()
        await other.start()
        for user in ("ann", "ben"):
            await stream.mark(user, 1)
        await act(stream, "unlink", "cid", 1)
        if what == "unlink":
            await act(stream, "link", "ben", 1)

        async def silence(transaction: Transaction) -> None:
            (await transaction.live(stream.place)).silenced["console", "cid"] = BEGAN + timedelta(seconds=40)

        await run(stream, silence)
        await stream.mark("ben", 20)
        await act(stream, what, "ben", 20)
        for user in ("ann", "ben") if what == "link" else ("ben",):
            with pytest.raises(TooFast):
                await stream.mark(user, 21)
        with pytest.raises(NotAllowed):
            await stream.mark("cid", 39)  # typed before, and late
        await assert_knows_what_it_would_read(store, path, 40)


async def test_VOTE_3_a_newcomer_is_not_the_person_an_unlinked_account_became(path: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        stream = Stream(store)
        await stream.start()
        await stream.mark("ann", 1)
        await act(stream, "unlink", "ann", 1)
        assert (await stream.mark("ben", 1)).people == 2


async def test_whoever_marks_in_the_transaction_that_links_them_is_counted_as_who_they_are_by_then(path: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        stream, other = [Stream(store, name) for name in CHANNELS]
        await stream.start()
        await other.start()
        for user in ("ann", "ben"):
            await stream.mark(user, 1)
        linking, first = (
            asyncio.create_task(act(stream, "link", "ben", 20)),
            asyncio.create_task(stream.mark("ben", 20)),
        )
        marked = await stream.mark("cid", 20)
        await linking
        assert (await first).mark.person_id != marked.mark.person_id
        await assert_knows_what_it_would_read(store, path, 40)


async def test_what_is_known_of_one_session_is_not_taken_for_another(path: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        stream = Stream(store)
        await stream.start()
        await stream.mark("ann", 10)

        async def set_aside(transaction: Transaction) -> None:
            await transaction.start_afresh(stream.place)  # as a log does that is told beside the session
            await transaction.let_channel_go(stream.place)

        await run(stream, set_aside)
        with pytest.raises(TooFast):
            await stream.mark("ann", 12)
        assert (await stream.mark("ben", 12)).people == 2


async def test_a_longer_cooldown_holds_for_marks_the_shorter_one_let_be_forgotten(path: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        stream = Stream(store)
        await stream.start()

        async def remember_few(transaction: Transaction) -> None:
            (await transaction.live(stream.place)).most_paces = 1

        await run(stream, remember_few)
        await act(stream, "cooldown 2", "mod", 1)
        await stream.mark("ann", 10)
        await stream.mark("ben", 19)
        await act(stream, "cooldown 12", "mod", 20)
        with pytest.raises(TooFast):
            await stream.mark("ann", 21)


# --- what it costs

BUSY, MARKS, VIEWERS = 8, 6000, 1500


def fill(path: Path) -> None:
    """Past the store, so many marks in each session, by the same viewers everywhere."""
    with closing(sqlite3.connect(path)) as connection, connection:
        viewers = range(1000, 1000 + VIEWERS)
        connection.executemany("INSERT INTO person VALUES (?)", [(n,) for n in viewers])
        connection.executemany(
            "INSERT INTO account VALUES (?, ?, 'console', ?, '')", [(n, n, f"v{n}") for n in viewers]
        )
        at = to_microseconds(BEGAN)
        for (row,) in connection.execute("SELECT id FROM session").fetchall():
            connection.executemany(
                "INSERT INTO mark VALUES (?, ?, 1, ?, 0, ?, ?, ?, '', '', 'console', NULL, NULL, NULL)",
                [(row, n + 1, n // 2, at, at, viewers[n % VIEWERS]) for n in range(MARKS)],
            )
        connection.execute("UPDATE session SET last_number = ?", (MARKS,))


class Streams:
    """Many channels with very many marks each."""

    def __init__(self, store: Store) -> None:
        self._streams = [Stream(store, f"channel{n}") for n in range(BUSY)]
        self._rounds = 0

    async def start(self) -> None:
        """Open a session in each."""
        for stream in self._streams:
            await stream.start()

    async def seconds(self, happens: Callable[[Sequence[Stream]], Awaitable[None]] | None = None) -> float:
        """How long something takes, and then a mark in every channel by somebody new."""
        self._rounds += 1
        started = time.perf_counter()
        if happens is not None:
            await happens(self._streams)
        for stream in self._streams:
            await stream.mark(f"new{self._rounds}", MARKS // 2)
        return time.perf_counter() - started


@pytest.mark.parametrize(
    "what",
    ["a viewer of one channel is forgotten", "a viewer of all is forgotten", "let go", "a viewer of all is linked"],
)
async def test_RES_4_nobody_makes_all_channels_be_read_again(path: Path, what: str) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        await Streams(store).start()
    fill(path)
    async with open_store(path, defaults=DEFAULTS) as store:
        busy = Streams(store)
        reading_all = await busy.seconds()
        after = [await busy.seconds(happening(what, n)) for n in range(8)]
    assert min(after) < reading_all / 5  # measured: a twelfth to a sixtieth, with what happened


def happening(what: str, n: int) -> Callable[[Sequence[Stream]], Awaitable[None]]:
    """The n-th time that something happens."""

    async def happens(busy: Sequence[Stream]) -> None:
        if what == "let go":
            for stream in busy:
                await let_go(stream)
        elif what == "a viewer of all is linked":
            await act(busy[0], "link", f"v{1000 + n}", 10)
        elif what == "a viewer of one channel is forgotten":
            await busy[0].mark(f"guest{n}", 10)
            await busy[0].forget(f"guest{n}", 10)
        else:
            await busy[0].forget(f"v{1000 + n}", 10)

    return happens


class Plans:
    """Instead of a store: how SQLite would answer what is asked."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.steps: list[str] = []

    async def fetch(self, sql: str, *parameters: object) -> list[Any]:
        """Nothing; the plan is kept."""
        with closing(sqlite3.connect(self._path)) as connection:
            self.steps += [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)]
        return []


async def test_what_is_asked_all_the_time_reads_no_growing_table_whole(path: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        channel = (await Stream(store).start()).channel
    overdue, deleted = Plans(path), Plans(path)
    await streams.gone(overdue, BEGAN)  # type: ignore[arg-type]
    assert any("session_open" in step for step in overdue.steps)  # may be walked: most sessions are not in it
    assert not [step for step in overdue.steps if step in {"SCAN session", "SCAN channel"}]
    await hiding.of_message(deleted, channel, "m1")  # type: ignore[arg-type]
    assert any("handled_message_of_mark" in step for step in deleted.steps)
    assert not [step for step in deleted.steps if step.startswith("SCAN") and step != "SCAN said"]


GROWING = ("account", "person", "mark", "session", "pace", "handled_message", "audit", "forgotten", "web_session")


async def test_forgetting_somebody_reads_no_growing_table_whole(path: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        stream = Stream(store)
        await stream.start()
        await stream.mark("ann", 10)
        told: list[str] = []
        await store._writer.connection.set_trace_callback(told.append)
        assert await stream.forget("ann", 20) == (1, 1, 0)
        await store._writer.connection.set_trace_callback(None)  # type: ignore[arg-type]  # aiosqlite's own
    plans = Plans(path)
    for statement in told:
        if statement.startswith(("SELECT", "UPDATE", "DELETE", "INSERT")):
            await plans.fetch(statement)
    assert len(plans.steps) > 10
    assert not any("mark_in_order" in step for step in plans.steps)  # all marks of a session, whoever made them
    assert [step for step in plans.steps if step.startswith("SCAN") and step.split()[1] in GROWING] == []
