"""The writer: what is answered is on disk, once; what fails, fails alone."""

import asyncio
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from moments.errors import Refusal, Repeated, StoreError, TooFast
from moments.sessions import Status, ended, paused, resumed
from storage import Transaction, open_store, own
from tests.stream import BEGAN, DEFAULTS, Stream


def rows(path: Path, sql: str, *parameters: object) -> list[Any]:
    """Asked past the store."""
    connection = sqlite3.connect(path)
    try:
        return list(connection.execute(sql, parameters))
    finally:
        connection.close()


async def refuse(_transaction: Transaction) -> None:
    raise Refusal("Not here.")


async def break_down(_transaction: Transaction) -> None:
    raise ZeroDivisionError


# --- once and only once


async def test_a_message_delivered_again_is_the_same_mark(path: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        channel = Stream(store)
        await channel.start()
        first = await channel.mark("ann", 10, message="m1")
        again = await channel.mark("ann", 11, message="m1")
        assert again == first
        assert [mark.number for mark in await channel.marks()] == [1]


async def test_a_message_twice_in_one_batch_is_one_mark(path: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        channel = Stream(store)
        await channel.start()
        answers = await asyncio.gather(*(channel.mark("ann", 10, message="m1") for _ in range(5)))
        assert {answer.mark for answer in answers} == {answers[0].mark}
        assert len(await channel.marks()) == 1


async def test_a_message_delivered_again_after_a_restart_is_the_same_mark(path: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        await Stream(store).start()
        first = await Stream(store).mark("ann", 10, "ha", "m1")
        await Stream(store).mark("ben", 12, message="m2")
    async with open_store(path, defaults=DEFAULTS) as store:
        again = await Stream(store).mark("ann", 10, "ha", "m1")
        assert again.mark == first.mark
        assert again.people == 2
        assert len(await Stream(store).marks()) == 2


async def test_a_removed_marks_message_makes_no_other(path: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        channel = Stream(store)
        await channel.start()
        await channel.mark("ann", 10, message="m1")
        await channel.remove(1, 20, message="m2")
        with pytest.raises(Repeated):
            await channel.mark("ann", 10, message="m1")
        with pytest.raises(Repeated):
            await channel.remove(1, 20, message="m2")
    async with open_store(path, defaults=DEFAULTS) as store:
        with pytest.raises(Repeated):
            await Stream(store).mark("ann", 10, message="m1")
        assert await Stream(store).marks() == []


async def test_a_job_and_a_mark_of_one_message_in_one_batch_are_done_once(path: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        channel = Stream(store)
        await channel.start()
        await channel.mark("ann", 10)
        done = await asyncio.gather(
            channel.remove(1, 20, message="m1"),
            channel.mark("ben", 21, message="m1"),
            channel.remove(1, 20, message="m1"),
            return_exceptions=True,
        )
        assert [type(outcome) for outcome in done] == [type(None), Repeated, Repeated]


async def test_numbers_are_never_used_twice(path: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        channel = Stream(store)
        await channel.start()
        await channel.mark("ann", 10)
        await channel.mark("ben", 11)
        await channel.remove(2, 12)
    async with open_store(path, defaults=DEFAULTS) as store:
        assert (await Stream(store).mark("cat", 13)).mark.number == 3
        await Stream(store).forget("cat", 14)
        assert (await Stream(store).mark("dan", 15)).mark.number == 4


# --- failing alone


async def test_a_failed_job_leaves_the_others_of_its_batch(path: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        channel = Stream(store)
        await channel.start()
        await channel.mark("ann", 1)
        await channel.mark("ben", 1)
        outcomes = await asyncio.gather(
            channel.mark("ann", 30),
            store.run(break_down, message=None, now=BEGAN),
            channel.mark("ben", 31),
            channel.mark("cat", 31),
            store.run(refuse, message=None, now=BEGAN),
            channel.mark("dan", 32),
            channel.mark("ann", 33),
            return_exceptions=True,
        )
        assert [type(outcome).__name__ for outcome in outcomes] == [
            "Marked", "ZeroDivisionError", "Marked", "Marked", "Refusal", "Marked", "TooFast",
        ]  # fmt: skip
        assert len(await channel.marks()) == 6
        assert len({mark.person_id for mark in await channel.marks()}) == 4


async def test_a_failed_job_leaves_nothing_of_itself(path: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        channel = Stream(store)
        began = await channel.start()
        await channel.mark("ann", 1)

        async def half(transaction: Transaction) -> None:
            live = await transaction.live(channel.place)
            over = ended(live.session, BEGAN + timedelta(seconds=40))
            assert over is not None
            mark = await transaction.mark_numbered(channel.place, 1)
            assert mark is not None
            await transaction.remove_mark(channel.place, mark, BEGAN)
            await transaction.save_session(channel.place, over)
            raise Refusal("On second thoughts.")

        before = await store.revision(began)
        with pytest.raises(Refusal):
            await store.run(half, message=("console", "m1"), now=BEGAN)
        assert (await channel.mark("ben", 41, message="m1")).mark.number == 2
        assert len(await channel.marks()) == 2
        assert await store.revision(began) == before + 1


@pytest.mark.parametrize("user", ["\ud800", "a\udfffb"])
async def test_a_name_that_cannot_be_stored_fails_alone(path: Path, user: str) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        channel = Stream(store)
        await channel.start()
        outcomes = await asyncio.gather(
            *(channel.mark(f"viewer{n}", 5) for n in range(10)),
            channel.mark(user, 5),
            *(channel.mark(f"viewer{n}", 5) for n in range(10, 20)),
            return_exceptions=True,
        )
        assert [n for n, outcome in enumerate(outcomes) if isinstance(outcome, Exception)] == [10]
        assert len(await channel.marks()) == 20


async def test_a_failed_batch_fails_its_waiters_and_the_writer_lives_on(path: Path, locked: Callable[..., Any]) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        channel = Stream(store)
        await channel.start()
        kept = await channel.mark("ann", 1, message="m0")
        with locked(path, "BEGIN IMMEDIATE"):
            outcomes = await asyncio.gather(
                *(channel.mark(f"viewer{n}", 5, message=f"m{n}") for n in range(1, 301)), return_exceptions=True
            )
            assert {type(outcome).__name__ for outcome in outcomes} == {"StoreBusy"}
            assert store.stats.failures
        # Refused means free: the same messages, the same people, no cooldown, no number lost.
        again = await asyncio.gather(*(channel.mark(f"viewer{n}", 5, message=f"m{n}") for n in range(1, 301)))
        assert sorted(marked.mark.number for marked in again) == list(range(2, 302))
        assert (await channel.mark("ann", 1, message="m0")).mark == kept.mark


async def test_a_mark_whose_asker_has_gone_is_kept(path: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        channel = Stream(store)
        await channel.start()
        asking = asyncio.create_task(channel.mark("ann", 10))
        await asyncio.sleep(0)
        asking.cancel()
        await channel.mark("ben", 11)
        assert [mark.submitted_by for mark in await channel.marks()] == ["Ann", "Ben"]


async def test_closing_writes_what_waits_and_takes_nothing_new(path: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        channel = Stream(store)
        await channel.start()
        waiting = [asyncio.create_task(channel.mark(f"viewer{n}", 5)) for n in range(600)]
        await asyncio.sleep(0)
    assert all(task.done() and task.exception() is None for task in waiting)
    assert rows(path, "SELECT count(*) FROM mark") == [(600,)]
    with pytest.raises(StoreError, match="stopping"):
        await channel.mark("late", 6)


# --- several writers


async def test_two_stores_on_one_file_see_each_others_changes(path: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as one, open_store(path, defaults=DEFAULTS) as two:
        here, there = Stream(one), Stream(two)
        with pytest.raises(Refusal):
            await there.mark("ann", 1)
        await here.start()
        assert (await there.mark("ann", 1)).mark.number == 1
        with pytest.raises(TooFast):
            await here.mark("ann", 2)
        assert (await here.mark("ben", 2)).people == 2
        await there.move(paused, 30)
        with pytest.raises(Refusal, match="Paused"):
            await here.mark("cat", 31)
        await here.move(resumed, 60)
        assert (await there.mark("cat", 61)).mark[1:4] == (3, 2, 1)
        with pytest.raises(Refusal, match="started"):
            await there.start(70)
        await here.forget("ann", 71)
        assert (await there.mark("ann", 72)).mark.number == 4
        assert (await there.mark("cat", 100)).mark.number == 5


async def test_two_stores_writing_at_once_lose_nothing(path: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as one, open_store(path, defaults=DEFAULTS) as two:
        await Stream(one).start()
        marked = await asyncio.gather(
            *(Stream((one, two)[n % 2]).mark(f"viewer{n}", n % 50, message=f"m{n // 2}") for n in range(200))
        )
        numbers = {answer.mark.number for answer in marked}
        assert len(numbers) == 100
        assert rows(path, "SELECT count(*), count(DISTINCT source_message_id) FROM mark") == [(100, 100)]


# --- together or not at all


async def test_one_transaction_is_kept_whole(path: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        channel = Stream(store)
        async with store.one_transaction():
            await channel.start()
            await channel.fill(30)
            assert rows(path, "SELECT count(*) FROM mark") == [(0,)]
        assert rows(path, "SELECT count(*) FROM mark") == [(30,)]


async def test_one_transaction_rolls_back_whole(path: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        channel = Stream(store)
        with pytest.raises(ZeroDivisionError):  # noqa: PT012 -- it comes out of the block
            async with store.one_transaction():
                await channel.start()
                await channel.mark("ann", 1)
                raise ZeroDivisionError
        assert await store.newest_session(*channel.place[:2]) is None
        assert (await channel.start()).status is Status.ACTIVE
        assert (await channel.mark("ann", 1)).mark.number == 1
    assert rows(path, "SELECT count(*) FROM session") == [(1,)]


async def test_one_transaction_that_lost_a_batch_keeps_nothing(path: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        channel = Stream(store)
        with pytest.raises(UnicodeEncodeError):  # noqa: PT012 -- it comes out of the block
            async with store.one_transaction():
                await channel.start()
                await channel.mark("ann", 1)
                for user in ("\ud800", "ben"):
                    with pytest.raises(UnicodeEncodeError):
                        await channel.mark(user, 2)
        assert rows(path, "SELECT count(*) FROM session") == [(0,)]
        await channel.start()
        assert (await channel.mark("ben", 3)).mark.number == 1


# --- forgetting


async def test_PRIV_4_forget_removes_a_person_everywhere(path: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        first, second = Stream(store), Stream(store, "yen")
        for channel in (first, second):
            await channel.start()
            await channel.mark("secret-user", 1, "secret-note", f"secret-message-{channel.place.platform_id}")
            await channel.mark("ben", 2)
        await first.hide(2, "secret-user", 3)
        assert await second.forget("secret-user", 60) == (2, 1, 0)
        assert await own.marks_of(store, "console", "secret-user") is None
        assert [len(await channel.marks()) for channel in (first, second)] == [0, 1]
        fresh = await second.mark("secret-user", 61)
        assert fresh.people == 1
        assert fresh.mark.number == 3
    kept = {
        table: rows(path, f"SELECT * FROM {table}")  # noqa: S608 -- a constant
        for table in ("channel", "session", "forgotten")
    }
    assert "secret" not in repr(kept)
    assert rows(path, "SELECT count(*) FROM mark WHERE hidden_by LIKE '%secret%' OR note LIKE '%secret%'") == [(0,)]
    assert rows(path, "SELECT count(*) FROM person WHERE id NOT IN (SELECT person_id FROM account)") == [(0,)]


async def test_PRIV_4_the_ledger_keeps_the_latest_time(path: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        channel = Stream(store)
        await channel.start()
        for at in (10, 100, 50):
            await channel.mark("ann", at)
            await channel.forget("ann", at + 1)
    ((at,),) = rows(path, "SELECT forgotten_at FROM forgotten")
    assert at == int((BEGAN.timestamp() + 101) * 1e6)


# --- the database's own rules


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE session SET status = 'sleeping'",
        "INSERT INTO session SELECT 99, 'x', channel_id, '', '', 'paused', 0, 0, 0, 0, 0 FROM session",
        "INSERT INTO session SELECT 99, public_id, channel_id, '', '', 'ended', 0, 0, 0, 0, 0 FROM session",
        "INSERT INTO segment SELECT session_id, 2, start_time, NULL, created_at, NULL FROM segment",
        "UPDATE segment SET end_time = start_time - 1",
        "UPDATE segment SET segment_index = 0",
        "UPDATE mark SET offset_seconds = -1",
        "UPDATE mark SET number = 0",
        "UPDATE mark SET segment_index = 7",
        "UPDATE mark SET account_id = 77",
        "UPDATE mark SET source_message_id = 'same'",
        "INSERT INTO account SELECT 99, person_id, platform, user_id, '' FROM account",
        "UPDATE channel SET visibility = 'secret'",
        "UPDATE channel SET cooldown_seconds = -1",
        "INSERT INTO channel (platform, platform_id, display_name) SELECT platform, platform_id, '' FROM channel",
    ],
)
async def test_the_database_itself_holds_the_rules(path: Path, statement: str) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        await Stream(store).start()
        await Stream(store).mark("ann", 1)
        await Stream(store).mark("ben", 2)
    connection = sqlite3.connect(path)
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute(statement)
    finally:
        connection.close()
