"""What can go wrong with a disk or a file ends in one clear sentence, and costs no answered mark."""

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import storage
from moments.errors import (
    NotFound,
    StoreBusy,
    StoreDamaged,
    StoreError,
    StoreFull,
    StoreReadOnly,
)
from moments.live import Author, Place
from moments.sessions import Session
from storage import Store, Transaction, open_store, own
from tests.databases import rows
from tests.disk import SmallDisk
from tests.statements import Statements
from tests.stream import BEGAN, DEFAULTS, Stream

Locked = Callable[..., AbstractContextManager[None]]


async def refused(path: Path, error: type[StoreError], *, create: bool = True) -> str:
    """The sentence with which the store does not open."""
    with pytest.raises(error) as raised:
        async with open_store(path, defaults=DEFAULTS, create=create):
            pass
    assert raised.type is error
    sentence = str(raised.value)
    assert sentence.count("\n") == 0
    return sentence


async def fill(path: Path, people: int = 300) -> None:
    """Make a database with many pages."""
    async with open_store(path, defaults=DEFAULTS) as store:
        await Stream(store).start()
        await Stream(store).fill(people, "words")


# --- opening


async def test_no_database_where_one_is_needed(path: Path) -> None:
    with pytest.raises(NotFound, match="no database"):
        async with open_store(path, defaults=DEFAULTS, create=False):
            pass
    assert not path.exists()


async def test_opening_a_folder(tmp_path: Path) -> None:
    assert "is a folder" in await refused(tmp_path, StoreReadOnly)


async def test_opening_in_a_folder_that_is_missing_or_none(tmp_path: Path) -> None:
    assert "No such file or directory" in await refused(tmp_path / "nowhere" / "moments.db", StoreReadOnly)
    (tmp_path / "file").touch()
    assert "Not a directory" in await refused(tmp_path / "file" / "moments.db", StoreReadOnly)


async def test_opening_on_a_read_only_disk(small_disk: SmallDisk) -> None:
    await fill(small_disk.path / "moments.db", 10)
    small_disk.make_read_only()
    for name in ("moments.db", "new.db"):
        sentence = await refused(small_disk.path / name, StoreReadOnly)
        assert "MOMENTS_DATABASE_URL" in sentence


@pytest.mark.parametrize("free", [0, 20_000])
async def test_opening_on_a_full_disk(small_disk: SmallDisk, free: int) -> None:
    small_disk.fill(leave=free)
    assert "full" in await refused(small_disk.path / "moments.db", StoreFull)
    small_disk.free()
    await fill(small_disk.path / "moments.db", 10)  # what the failed start left is no obstacle


@pytest.mark.parametrize(
    ("at", "garbage"),
    [(0, b"\xa5" * 100), (0, b"[00:10] <ann> !clip\n" * 300), (100, b"\xa5" * 3000), (4 * 4096, b"\xa5" * 9000)],
)
async def test_opening_a_damaged_file(path: Path, at: int, garbage: bytes) -> None:
    await fill(path)
    with path.open("r+b") as file:
        file.seek(at)
        file.write(garbage)
    before = path.read_bytes()
    sentence = await refused(path, StoreDamaged)
    assert "damaged" in sentence
    assert "moments restore" in sentence
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"xy", b"SQLite format 3\x00", b"hello world, this is no database\n" * 100])
async def test_opening_what_is_no_database(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert "not a database" in await refused(path, StoreDamaged)
    assert path.read_bytes() == content


async def test_opening_while_another_process_keeps_everybody_out(path: Path, locked: Locked) -> None:
    await fill(path)
    with locked(path, "PRAGMA locking_mode = EXCLUSIVE", "BEGIN EXCLUSIVE"):
        began = time.monotonic()
        assert "Another program" in await refused(path, StoreBusy)
        assert time.monotonic() - began < 4.5
    path.unlink()
    path.touch()
    with locked(path, "BEGIN EXCLUSIVE"):
        assert "Another program" in await refused(path, StoreBusy)
    await fill(path)


async def test_opening_while_another_process_writes(path: Path, locked: Locked) -> None:
    await fill(path)
    with locked(path, "BEGIN IMMEDIATE", "UPDATE session SET title = 'never'"):
        async with open_store(path, defaults=DEFAULTS) as store:
            assert (await store.find_session("latest")).title == ""


# --- while running


async def test_a_lock_while_running_refuses_marks_and_passes(path: Path, locked: Locked) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        channel = Stream(store)
        await channel.start()
        answered = [(await channel.mark(f"before{n}", n)).mark for n in range(20)]
        with locked(path, "BEGIN IMMEDIATE"):
            began = time.monotonic()
            with pytest.raises(StoreBusy, match="Nothing was saved; try again"):
                await channel.mark("ann", 30, message="m1")
            assert 2 < time.monotonic() - began < 4.5
            assert len(await channel.marks()) == 20  # readers do not wait
        answered.append((await channel.mark("ann", 31, message="m1")).mark)
        assert [mark.number for mark in await channel.marks()] == list(range(1, 22))
    async with open_store(path, defaults=DEFAULTS) as store:
        assert await Stream(store).marks() == answered


async def test_a_short_lock_while_running_is_waited_for(path: Path, locked: Locked) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        channel = Stream(store)
        await channel.start()
        with locked(path, "BEGIN IMMEDIATE"):
            waiting = asyncio.create_task(channel.mark("ann", 1))
            await asyncio.sleep(0)
        assert (await waiting).mark.number == 1


async def test_a_full_disk_while_running_refuses_marks_and_passes(small_disk: SmallDisk) -> None:
    path = small_disk.path / "moments.db"
    answered: dict[str, int] = {}
    async with open_store(path, defaults=DEFAULTS) as store:
        channel = Stream(store)
        await channel.start()

        async def mark(user: str) -> StoreError | None:
            try:
                answered[user] = (await channel.mark(user, 5, "n" * 200, f"message-{user}")).mark.number
            except StoreError as error:
                return error
            return None

        await asyncio.gather(*(mark(f"before{n}") for n in range(100)))
        small_disk.fill(leave=100_000)
        outcomes = [
            outcome for n in range(40) for outcome in await asyncio.gather(*(mark(f"{n}.{k}") for k in range(20)))
        ]
        failures = {(type(outcome), str(outcome)) for outcome in outcomes if outcome}
        assert failures
        assert {kind for kind, _ in failures} == {StoreFull}
        assert all("Nothing was saved" in sentence for _, sentence in failures)
        assert len(await channel.marks()) == len(answered)  # readers go on
        small_disk.free()
        for n in range(40):
            assert await asyncio.gather(*(mark(f"{n}.{k}") for k in range(20))) == [None] * 20
        assert len(answered) == 900
        assert sorted(answered.values()) == list(range(1, 901))
    async with open_store(path, defaults=DEFAULTS) as store:
        marks = {mark.source_message_ids[0]: mark.number for mark in await Stream(store).marks()}
    assert marks == {f"message-{user}": number for user, number in answered.items()}


async def test_a_full_disk_and_a_kill_lose_nothing_answered(small_disk: SmallDisk, tmp_path: Path) -> None:
    path = small_disk.path / "moments.db"
    async with open_store(path, defaults=DEFAULTS) as store:
        channel = Stream(store)
        await channel.start()
        small_disk.fill(leave=1_000_000)
        outcomes = await asyncio.gather(
            *(channel.mark(f"v{n}", 5, "n" * 200) for n in range(2000)), return_exceptions=True
        )
        kept = sum(not isinstance(outcome, Exception) for outcome in outcomes)
        assert 0 < kept < 3000
        for end in ("", "-wal"):  # what a killed process leaves
            (tmp_path / f"killed.db{end}").write_bytes(path.with_name(path.name + end).read_bytes())
    async with open_store(tmp_path / "killed.db", defaults=DEFAULTS) as store:
        assert len(await Stream(store).marks()) == kept


async def test_damage_while_running_is_said(path: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        await Stream(store).start()
        await Stream(store).fill(2000, "words" * 50)
    async with open_store(path, defaults=DEFAULTS) as store:
        await store.ping()
        with path.open("r+b") as file:
            file.seek(20 * 4096)
            file.write(b"\xa5" * (path.stat().st_size - 20 * 4096))
        with pytest.raises(StoreDamaged, match="Restore a backup"):
            await Stream(store).marks()


# --- words are never statements (DB-1)

HOSTILE = [
    "' OR 1=1 --",
    "'; DROP TABLE mark; --",
    '"; DELETE FROM mark; --',
    "x' UNION SELECT digest, 1 FROM forgotten --",
    "%", "_", "*", "?", "?1", ":a", "@a", "$a", "{}", "%s", "\\", "`", "[mark]",
    "a\x00b", "\x00", "", " ", "\u202e", "\ufffd", "\U0001f600", "e\u0301" * 50, "'" * 5000,
]  # fmt: skip
words = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=30))


async def use_everything(path: Path, word: str, number: int) -> None:
    """Pass hostile words and numbers through every parameter of the store, and read each back as it was."""
    async with open_store(path, defaults=DEFAULTS) as store:
        channel = Stream(store, f"channel{word}", f"platform{word}")
        where = (channel.place.platform, channel.place.platform_id)
        if await store.newest_session(*where) is None:
            await channel.start(title=word)
        session = await store.newest_session(*where)
        assert session is not None
        assert (session.title, session.channel.platform_id) == (word, where[1])
        user = f"user{word}{os.urandom(4).hex()}"
        mark = (await channel.mark(user, 5, word, f"message{user}")).mark
        assert (await channel.mark(user, 5, word, f"message{user}")).mark == mark
        assert mark in await channel.marks()
        assert await store.notes(session, [mark.number, number]) == ({mark.number: word} if word else {})
        assert await own.marks_of(store, where[0], user) == 1
        assert await store.channel(*where) == session.channel
        await ask_around(store, session, word, number)
        await channel.hide(mark.number, word, 6)
        assert await channel.forget(user, 7) == (1, 1, 0)
        assert await own.marks_of(store, where[0], user) is None


async def ask_around(store: Store, session: Session, word: str, number: int) -> None:
    """Questions without an answer have none; nothing is taken for a pattern or a statement."""
    assert await store.session(word) is None
    assert await store.channel(word, word) is None
    assert await store.newest_session(word, word) is None
    assert await own.marks_of(store, word, word) is None
    with suppress(NotFound):
        found_channel = (await store.find_session(word)).channel
        assert word.lower() == "latest" or found_channel.platform_id.lower() == word.rpartition("/")[2].lower()
    found = await store.channel_sessions(session.channel, before=number, limit=5)
    assert [one.id for one in found] in ([], [session.id])
    assert len(await store.marks(session, after=(number, number, number), limit=abs(number))) <= 1

    async def find(transaction: Transaction) -> object:
        author = Author(word, word, word)
        place = Place(session.channel.platform, session.channel.platform_id, word)
        assert await transaction.own_last_mark(place, author) is None
        return await transaction.mark_numbered(place, -abs(number))

    assert await store.run(find, message=(word, f"{word}{os.urandom(4).hex()}"), now=BEGAN) is None


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(word=words, number=st.one_of(st.integers(-5, 5), st.integers(-(2**63) + 1, 2**63 - 1)))
async def test_DB_1_hostile_words_are_only_words(path: Path, word: str, number: int) -> None:
    await use_everything(path, word, number)


@pytest.mark.parametrize("word", HOSTILE)
async def test_DB_1_every_known_hostile_word_is_only_a_word(path: Path, word: str) -> None:
    async with open_store(path, defaults=DEFAULTS):
        pass
    before = rows(path, "SELECT * FROM sqlite_master")
    await use_everything(path, word, 2**63 - 1)
    assert rows(path, "SELECT * FROM sqlite_master") == before
    assert rows(path, "SELECT count(*) FROM session") == [(1,)]


async def test_DB_1_a_number_too_large_for_the_database_harms_nobody(path: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        channel = Stream(store)
        await channel.start()

        async def find(transaction: Transaction) -> object:
            return await transaction.mark_numbered(channel.place, 2**70)

        outcomes = await asyncio.gather(
            channel.mark("ann", 1),
            store.run(find, message=None, now=BEGAN),
            channel.mark("ben", 1),
            return_exceptions=True,
        )
        assert [type(outcome).__name__ for outcome in outcomes] == ["Marked", "OverflowError", "Marked"]


def test_DB_1_every_part_of_every_statement_is_written_in_the_program() -> None:
    foreign = list(Statements("storage", Path(storage.__file__).parent).not_our_own())
    # Names of tables, read back from a schema that check_origin() has found to be exactly ours.
    tables = """await connection.execute_fetchall("SELECT name FROM sqlite_master WHERE type = 'table'")"""
    assert foreign == [f"storage.checks: {tables}"]


PLANTED = """
GOOD = "SELECT 1"
SOMEBODYS = input

async def good(connection, words, some):
    order = "ASC" if some else "DESC"
    await connection.execute(f"{GOOD} ORDER BY {order} LIMIT {len(some)}", words)
    await connection.execute("IN (" + ", ".join("?" * len(some)) + ")", some)
    await _through(connection, f"{GOOD} WHERE", words)

async def _through(connection, where, note):
    await connection.execute(f"{where} {note}")

async def named_like_a_constant(connection, GOOD):
    await connection.execute(GOOD)

async def read(connection):
    table = SOMEBODYS()
    await connection.execute("SELECT * FROM %s" % table)
    await connection.execute(table.strip())
"""


def test_DB_1_that_test_sees_words_in_a_statement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "planted").mkdir()
    (tmp_path / "planted" / "words.py").write_text(PLANTED)
    monkeypatch.syspath_prepend(tmp_path)
    assert list(Statements("planted", tmp_path / "planted").not_our_own()) == [
        "planted.words: words",
        "planted.words: GOOD",
        "planted.words: SOMEBODYS()",
        "planted.words: table.strip()",
    ]
