"""What is known of answers on Discord: by what they show, until that is gone and they are; over every change."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest

from moments.live import Author
from storage import Store, Transaction, answers, hiding, open_store, saves
from storage.answers import TRIED_AGAIN, TRIED_FOR, Answer, Trace
from storage.backup import backup
from storage.ledger import PURPOSE, erasure_digest
from storage.purge import purge
from storage.restore import restore
from storage.saves import SaveRequest
from tests.chat import KEYS
from tests.stream import BEGAN, DEFAULTS, Stream

T = TypeVar("T")
HERE = "900"
ANN = Author("discord", "5", "ann")


@pytest.fixture
async def store(path: Path) -> AsyncIterator[Store]:
    async with open_store(path, defaults=DEFAULTS) as store:
        yield store


async def run(store: Store, job: Callable[[Transaction], Awaitable[T]]) -> T:
    return await store.run(job, message=None, now=BEGAN)


async def save(store: Store, note: str = "drop", start: int = 3, author: Author = ANN) -> str:
    request = SaveRequest(author, "youtube", "jNQXAC9IVRw", "video", start, start + 5, BEGAN, note)
    return (await run(store, partial(saves.save, request=request))).id


async def note(store: Store, message_id: str, *shows: Trace) -> None:
    await run(store, partial(answers.note, answer=Answer("g", HERE, message_id, shows)))


async def states(store: Store) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await store.fetch("SELECT message_id, state FROM answer ORDER BY message_id")]


async def going(store: Store) -> list[str]:
    await run(store, answers.settle)
    return sorted(await answers.going(store, HERE))


def digest(platform: str, user_id: str) -> str:
    return erasure_digest(KEYS.derive(PURPOSE), platform, user_id)


async def forget(store: Store) -> None:
    await run(store, lambda transaction: transaction.forget(ANN, digest, BEGAN + timedelta(seconds=1)))


async def test_a_change_of_other_marks_and_moments_touches_nothing(store: Store) -> None:
    moment, other = await save(store), await save(store, "else", 90, ANN._replace(user_id="6"))
    await note(store, "1", Trace(moment_id=moment, words="drop"))
    await note(store, "2", Trace(moment_id=other, words="else"))
    await forget(store)
    assert await going(store) == ["1"]
    assert await answers.to_clear(store, BEGAN) == [HERE]


async def test_a_message_that_shows_several_goes_with_the_first_of_them(store: Store) -> None:
    moment, other = await save(store), await save(store, "else", 90, ANN._replace(user_id="6"))
    await note(store, "1", Trace(moment_id=other, words="else"), Trace(moment_id=moment, words="drop"))
    await forget(store)
    assert await going(store) == ["1"]
    await run(store, partial(answers.drop, message_id="1"))
    assert await states(store) == []


async def test_words_that_a_later_save_carries_keep_their_message_and_what_goes_does_not_come_back(
    store: Store,
) -> None:
    moment = await save(store)
    await note(store, "1", Trace(moment_id=moment, words="drop"))
    newer = await save(store, "", 4)
    assert await states(store) == [("1", "doubtful")]
    assert await going(store) == []
    await note(store, "2", Trace(moment_id=newer, words="drop"))
    await save(store, "other words", 5)
    assert await going(store) == ["1", "2"]
    await note(store, "1", Trace(moment_id=moment))
    assert await going(store) == ["1", "2"]


async def test_a_mark_that_was_hidden_meanwhile_is_noted_as_going(store: Store) -> None:
    stream = Stream(store)
    await stream.start()
    session = (await store.find_session("latest")).id
    for user in ("mika", "tern"):
        await stream.mark(user, 1, "dodge")
    await stream.hide(1, "sable", 3)
    await note(store, "1", Trace(session, 1, words="dodge"))
    await note(store, "2", Trace(session, 2, words="dodge"))
    assert await going(store) == ["1"]


async def test_words_that_were_hidden_meanwhile_are_noted_as_going(store: Store) -> None:
    moment = await save(store)
    await run(store, partial(hiding.hide_words, public_id=moment, by="discord:9", reason="rude"))
    await note(store, "1", Trace(moment_id=moment, words="drop"))
    await note(store, "2", Trace(moment_id=moment))
    assert await going(store) == ["1"]


async def test_PRIV_6_a_channel_that_refuses_is_tried_by_the_hour_and_let_go_after_a_month(store: Store) -> None:
    await note(store, "1", Trace(moment_id="gone", words="drop"))
    for hours in range(3):
        at = BEGAN + hours * TRIED_AGAIN
        assert await answers.to_clear(store, at) == [HERE]
        await run(store, partial(answers.refused, discord_channel=HERE, now=at))
        assert await answers.to_clear(store, at + TRIED_AGAIN - timedelta(seconds=1)) == []
    moment = await save(store)
    await note(store, "2", Trace(moment_id=moment, words="drop"))
    for days, left in ((TRIED_FOR - timedelta(seconds=1), 2), (TRIED_FOR, 1)):
        await run(store, partial(purge, now=BEGAN + days))
        assert len(await states(store)) == left
    assert await states(store) == [("2", "stands")]


async def test_PRIV_4_a_restored_backup_knows_what_was_answered_since(path: Path, tmp_path: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        stream = Stream(store)
        await stream.start()
        session = (await store.find_session("latest")).id
        await stream.mark("mika", 1, "dodge")
        await note(store, "6", Trace(session, 1, words="dodge"))
        moment = await save(store)
        await note(store, "1", Trace(moment_id=moment, words="drop"))
        await note(store, "2", Trace(moment_id=moment, words="drop"))
        await backup(path, tmp_path / "saved.db")
        await run(store, partial(answers.drop, message_id="2"))
        since = await save(store, "since", 90)
        await note(store, "3", Trace(moment_id=since, words="since"))
        await note(store, "4", Trace(moment_id=moment))
        await note(store, "5", Trace(session, 77))
    await restore(tmp_path / "saved.db", path, KEYS)
    async with open_store(path, defaults=DEFAULTS) as store:
        assert await going(store) == ["3", "5"]
        assert [message for message, state in await states(store) if state == "stands"] == ["1", "4", "6"]


async def test_PRIV_4_who_was_forgotten_since_the_backup_takes_all_answers_along(path: Path, tmp_path: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        await Stream(store).start()
        moment = await save(store)
        await note(store, "1", Trace(moment_id=moment, words="drop"))
        await backup(path, tmp_path / "saved.db")
        await forget(store)
    await restore(tmp_path / "saved.db", path, KEYS)
    async with open_store(path, defaults=DEFAULTS) as store:
        assert await going(store) == ["1"]


async def test_PRIV_4_the_backups_own_answers_follow_where_the_old_database_is_gone(path: Path, tmp_path: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        await Stream(store).start()
        moment = await save(store)
        await note(store, "1", Trace(moment_id=moment, words="drop"))
        await backup(path, tmp_path / "saved.db")
    path.unlink()
    await restore(tmp_path / "saved.db", path, KEYS)
    async with open_store(path, defaults=DEFAULTS) as store:
        await forget(store)
        assert await going(store) == ["1"]
