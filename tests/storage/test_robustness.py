"""What must not follow from a bug, a refusal or a reader who leaves."""

import asyncio
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from moments.errors import Refusal, StoreError
from moments.sessions import Defaults
from storage import Change, Transaction, open_store
from tests.chat import EVENING, ROOM, Chat, open_chat


async def _long_session(chat: Chat, marks: int) -> None:
    await chat.says("<~nightowl> !start")
    async with chat.store.one_transaction():
        for number in range(marks):
            chat.passes(1)
            await chat.says(f"<@v{number % 50}> !clip {number}")


async def test_a_watcher_that_breaks_stops_no_mark(database: Path) -> None:
    def broken(_changes: Sequence[Change]) -> None:
        raise KeyError("somebody else's bug")

    async with open_store(database, defaults=Defaults(), on_commit=broken) as store, asyncio.timeout(5):
        await store.run(_nothing, message=None, now=EVENING)
        await store.run(_nothing, message=None, now=EVENING)
        await store.ping()


async def test_a_job_that_calls_itself_off_leaves_the_writer_alive(database: Path) -> None:
    async def called_off(_transaction: Transaction) -> None:
        raise asyncio.CancelledError

    async with open_chat(database) as chat, asyncio.timeout(5):
        with pytest.raises(StoreError, match="called off"):
            await chat.store.run(called_off, message=None, now=EVENING)
        assert (await chat.says("<~nightowl> !start")).startswith("Started")


async def test_when_the_writer_is_gone_nobody_waits_and_everybody_knows(database: Path) -> None:
    async with open_chat(database) as chat, asyncio.timeout(5):
        await chat.says("<~nightowl> !start")
        chat.store.writing.cancel()
        await asyncio.wait([chat.store.writing])
        assert await chat.says("<rook> !clip") != ""
        with pytest.raises(StoreError, match="stopped writing"):
            await chat.store.ping()
        chat.store.close = _closed  # type: ignore[method-assign]  # it has ended already


async def test_a_refused_command_costs_the_next_mark_nothing(database: Path) -> None:
    """In a session of 20,000 marks: reading it all again would take a hundred times as long as a mark."""
    async with open_chat(database) as chat:
        await _long_session(chat, 20_000)
        await chat.says("<@warm> !clip")

        async def seconds(before: str) -> float:
            await chat.says(before)
            started = time.perf_counter()
            assert (await chat.says("<@warm> !clip")).startswith("Marked")
            return time.perf_counter() - started

        usual = min([await seconds("<rook> talk") for _ in range(5)])
        refused = min([await seconds("<stranger> !unclip") for _ in range(5)])
    assert refused < 10 * usual


async def test_readers_who_leave_do_not_keep_others_waiting(database: Path) -> None:
    async with open_chat(database) as chat:
        await _long_session(chat, 20_000)
        session = await chat.store.find_session("latest")
        started = time.perf_counter()
        await chat.store.points(session)
        one = time.perf_counter() - started
        leaving = [asyncio.create_task(chat.store.points(session)) for _ in range(60)]
        await asyncio.sleep(0)
        for task in leaving:
            task.cancel()
        started = time.perf_counter()
        await chat.store.ping()
        assert time.perf_counter() - started < 30 * one  # had they stayed: sixty, since they share one interpreter
        await asyncio.gather(*leaving, return_exceptions=True)
        assert len(await chat.store.points(session)) == 20_000


async def test_closing_does_not_wait_for_a_reader_that_is_still_out(database: Path) -> None:
    async with asyncio.timeout(5):
        async with open_chat(database) as chat:
            await _long_session(chat, 2_000)
            session = await chat.store.find_session("latest")
            reading = asyncio.create_task(chat.store.points(session))
            await asyncio.sleep(0)
        await asyncio.wait([reading])


async def test_no_read_gives_out_a_hidden_mark(database: Path) -> None:
    async with open_chat(database) as chat:
        await chat.says("<~nightowl> !start")
        await chat.says("<rook> !clip rude words")
        session = await chat.store.find_session("latest")
        await chat.says("<@sable> !delclip 1")
        assert await chat.store.marks(session) == []
        assert await chat.store.notes(session, [1]) == {}
        assert await chat.store.points(session) == []
        assert await chat.store.totals(session) == (0, 0)
        assert [row async for chunk in chat.store.stream_rows(session) for row in chunk] == []
        assert [mark async for chunk in chat.store.stream_marks(session) for mark in chunk] == []


async def test_old_messages_are_let_go_once_a_day(database: Path) -> None:
    async with open_chat(database) as chat:
        await chat.says("<~nightowl> !start", message_id="first")
        for day in range(9):
            chat.passes(86_400)
            await chat.says("<~nightowl> !pause", message_id=f"p{day}")
            await chat.says("<~nightowl> !resume", message_id=f"r{day}")
        known = await chat.store.fetch("SELECT message_id FROM handled_message")
    assert "first" not in {row[0] for row in known}
    assert len(known) == 16


async def test_when_it_ended_does_not_change_with_its_marks(database: Path) -> None:
    async with open_chat(database) as chat:
        await chat.says("<~nightowl> !start Marathon")
        await chat.says("<rook> !clip one")
        await chat.says("<~nightowl> !end")
        chat.passes(3 * 86_400)
        await chat.says("<rook> !renote other words")
    async with open_chat(database, now=chat.watch.now) as chat:
        assert await chat.says("<~nightowl> !end") == "Already ended, 3 days ago."


async def test_public_only_finds_no_private_session(database: Path) -> None:
    async with open_chat(database) as chat:
        await chat.says("<~nightowl> !start")
        session = await chat.store.find_session("latest", public_only=True)
        await chat.store.run(_make_private, message=None, now=EVENING)
        for word in ("latest", session.id, ROOM.platform_id, "console/nightowl"):
            with pytest.raises(Exception, match="There is no session"):
                await chat.store.find_session(word, public_only=True)
            assert (await chat.store.find_session(word)).id == session.id


async def test_a_job_that_refuses_after_writing_is_undone(database: Path) -> None:
    async def write_then_refuse(transaction: Transaction) -> None:
        mark = await transaction.mark_numbered(ROOM, 1)
        assert mark is not None
        await transaction.remove_mark(ROOM, mark, EVENING)
        raise Refusal("no, after all")

    async with open_chat(database) as chat:
        await chat.says("<~nightowl> !start")
        await chat.says("<rook> !clip one")
        with pytest.raises(Refusal):
            await chat.store.run(write_then_refuse, message=None, now=EVENING)
        assert [mark.note for mark in await chat.marks()] == ["one"]
        assert (await chat.says("<mika> !clip two")).endswith("2 people within 15 s")


async def test_one_transaction_that_broke_for_somebody_who_has_gone_keeps_nothing_after(database: Path) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def breaks(transaction: Transaction) -> None:
        begun.set()
        await go_on.wait()
        await transaction._connection.execute("INSERT INTO person (id) VALUES ('no number')")

    async def all_of_it(chat: Chat) -> None:
        async with chat.store.one_transaction():
            gone = asyncio.create_task(chat.store.run(breaks, message=None, now=EVENING))
            await begun.wait()
            gone.cancel()
            await asyncio.wait([gone])
            go_on.set()
            assert await chat.says("<~nightowl> !start") == "Something broke on our side."

    async with open_chat(database) as chat, asyncio.timeout(5):
        with pytest.raises(sqlite3.Error):
            await all_of_it(chat)
        assert await chat.store.newest_session(*ROOM[:2]) is None
        assert (await chat.says("<~nightowl> !start")).startswith("Started")


async def _nothing(_transaction: Transaction) -> None:
    return


async def _closed() -> None:
    return


async def _make_private(transaction: Transaction) -> None:
    await transaction._connection.execute("UPDATE channel SET visibility = 'private'")
