"""Moderation follows chat: what is deleted or silenced there is out of sight here, and can be put back."""

import asyncio
import sqlite3
from collections.abc import Awaitable
from contextlib import closing
from pathlib import Path
from time import perf_counter

import pytest

from commands import moderation
from moments.errors import NotFound, Refusal
from moments.live import Author, MarkRequest, Place
from moments.people import Role
from moments.sessions import Session
from tests.chat import ROOM, Chat, open_chat

SABLE = Author("console", "sable", "Sable")
ROOK = Author("console", "rook", "rook")


async def deleted(chat: Chat, message: str, place: Place = ROOM) -> None:
    await moderation.message_deleted(chat.services, place, message, chat.watch.now)


async def silenced(chat: Chat, user: str = "rook", place: Place = ROOM) -> None:
    await moderation.person_silenced(chat.services, place, user, chat.watch.now)


async def numbers(chat: Chat) -> list[int]:
    return [mark.number for mark in await chat.marks()]


async def session(chat: Chat) -> Session:
    return await chat.store.find_session("latest")


async def restored(chat: Chat, number: int) -> None:
    current = await session(chat)
    await moderation.restore(chat.services, current.channel, current, number, SABLE, chat.watch.now)


# --- a message is deleted


async def test_a_deleted_message_takes_its_mark_out_of_sight_and_it_can_be_put_back(live: Chat) -> None:
    await live.says("<rook> !clip something rude", message_id="m1")
    await live.says("<ann> !clip", message_id="m2")
    await deleted(live, "m1")
    assert await numbers(live) == [2]
    current = await session(live)
    (hidden,) = await moderation.hidden(live.store, current)
    assert (hidden.number, hidden.note, hidden.hidden_by, hidden.hidden_reason) == (
        1,
        "something rude",
        "chat",
        "message deleted",
    )
    await restored(live, 1)
    assert await numbers(live) == [1, 2]
    assert await moderation.hidden(live.store, current) == []


async def test_told_again_after_a_moderator_restored_it_it_stays_restored(live: Chat) -> None:
    await live.says("<rook> !clip", message_id="m1")
    await deleted(live, "m1")
    await restored(live, 1)
    await deleted(live, "m1")
    assert await numbers(live) == [1]


async def test_a_deleted_message_that_last_worded_a_mark_hides_it(live: Chat) -> None:
    await live.says("<rook> !clip fine", message_id="m1")
    live.passes(1)
    await live.says("<rook> !renote rude", message_id="m2")
    live.passes(1)
    await live.says("<rook> !adjust -1", message_id="m3")
    await deleted(live, "m3")
    assert await numbers(live) == [1]
    await deleted(live, "m2")
    assert await numbers(live) == []


async def test_words_that_were_replaced_hide_nothing_when_their_message_goes(live: Chat) -> None:
    await live.says("<rook> !clip", message_id="m1")
    for second, message in enumerate(("m2", "m3")):
        live.passes(1)
        await live.says(f"<rook> !renote words {second}", message_id=message)
    await deleted(live, "m2")
    assert await numbers(live) == [1]
    await deleted(live, "m1")
    assert await numbers(live) == []


async def test_a_deletion_that_overtakes_its_message_keeps_it_from_marking(live: Chat) -> None:
    await deleted(live, "m1")
    assert await live.hears("<rook> !clip rude", message_id="m1") is None
    assert await numbers(live) == []
    assert await live.says("<rook> !clip fine", message_id="m2")
    assert await numbers(live) == [1]


async def test_deleted_in_the_very_batch_that_marks_it_is_out_of_sight_either_way(live: Chat) -> None:
    await asyncio.gather(deleted(live, "m1"), live.hears("<rook> !clip", message_id="m1"))
    await asyncio.gather(live.hears("<ann> !clip", message_id="m2"), deleted(live, "m2"))
    assert await numbers(live) == []


async def test_a_deletion_in_another_channel_hides_nothing_here(live: Chat) -> None:
    await live.says("<rook> !clip", message_id="m1")
    await deleted(live, "m1", Place("console", "elsewhere", "Elsewhere"))
    assert await numbers(live) == [1]


async def test_a_deletion_reaches_marks_of_sessions_long_over(live: Chat) -> None:
    await live.says("<rook> !clip", message_id="m1")
    old = await session(live)
    await live.says("<~nightowl> !end")
    await live.says("<~nightowl> !start")
    live.passes(15)
    await live.says("<rook> !clip -15", message_id="m2")
    revision = await live.store.revision(old)
    await deleted(live, "m1")
    assert (await live.says("<ann> !clip -15")).endswith("2 people within 15 s")  # the old #1 is not taken for this one
    assert await live.store.marks(old) == []
    assert await live.store.revision(old) > revision
    await moderation.restore(live.services, old.channel, old, 1, SABLE, live.watch.now)
    assert [mark.number for mark in await live.store.marks(old)] == [1]
    assert await numbers(live) == [1, 2]


async def test_the_crowd_follows(live: Chat) -> None:
    await live.says("<rook> !clip", message_id="m1")
    assert (await live.says("<ann> !clip")).endswith("2 people within 15 s")
    await deleted(live, "m1")
    assert (await live.says("<ben> !clip")).endswith("2 people within 15 s")
    await restored(live, 1)
    assert (await live.says("<cleo> !clip")).endswith("4 people within 15 s")


async def test_watchers_are_told(live: Chat) -> None:
    await live.says("<rook> !clip rude", message_id="m1")
    current = await session(live)
    watcher = live.services.feed.watch(current.id, live.services.feed.position(current.id))
    first = asyncio.create_task(anext(watcher))
    await asyncio.sleep(0)
    await deleted(live, "m1")
    event = await first
    assert (event.kind, event.number, event.mark) == ("removed", 1, None)
    await restored(live, 1)
    event = await anext(watcher)
    assert event.kind == "timestamp"
    assert event.mark is not None
    assert (event.mark.number, event.mark.hidden_by, event.people) == (1, None, 1)
    await watcher.aclose()


# --- a person is silenced


async def test_a_silenced_persons_marks_of_the_session_are_out_of_sight(live: Chat) -> None:
    await live.says("<rook> !clip old")
    await live.says("<~nightowl> !end")
    old = await session(live)
    live.passes(20)
    await live.says("<~nightowl> !start")
    await live.says("<rook> !clip one")
    await live.says("<ann> !clip two")
    live.passes(20)
    await live.says("<rook> !clip three")
    await silenced(live)
    assert await numbers(live) == [2]
    assert len(await live.store.marks(old)) == 1
    assert {mark.hidden_reason for mark in await moderation.hidden(live.store, await session(live))} == {"silenced"}


async def test_silence_told_again_after_a_restore_hides_nothing_and_a_new_one_does(live: Chat) -> None:
    await live.says("<rook> !clip")
    await silenced(live)
    await restored(live, 1)
    await silenced(live)
    assert await numbers(live) == [1]
    live.passes(60)
    await silenced(live)
    assert await numbers(live) == []


async def test_silence_told_again_by_the_same_message_hides_nothing_however_late(live: Chat) -> None:
    await live.says("<rook> !clip")
    await moderation.person_silenced(live.services, ROOM, "rook", live.watch.now, "e1")
    assert await numbers(live) == []
    await restored(live, 1)
    live.passes(60)
    await moderation.person_silenced(live.services, ROOM, "rook", live.watch.now, "e1")
    assert await numbers(live) == [1]
    await moderation.person_silenced(live.services, ROOM, "rook", live.watch.now, "e2")
    assert await numbers(live) == []


async def test_somebody_without_marks_and_a_channel_without_sessions_are_nothing(chat: Chat) -> None:
    await silenced(chat)
    await chat.says("<~nightowl> !start")
    await silenced(chat, "nobody")
    assert await numbers(chat) == []


async def test_five_hundred_marks_go_at_once_and_the_rest_is_counted_right(live: Chat) -> None:
    def request(user: str, second: int) -> MarkRequest:
        live.passes(0)
        now = live.watch.now
        return MarkRequest(ROOM, Author("console", user, user), now, now, f"{user} {second}", role=Role.MODERATOR)

    for second in range(500):
        live.passes(7)
        asked: list[Awaitable[object]] = [live.store.mark(request(user, second)) for user in ("rook", "ann")]
        await asyncio.gather(*asked)
    current = await session(live)
    watcher = live.services.feed.watch(current.id, live.services.feed.position(current.id))
    first = asyncio.create_task(anext(watcher))
    await asyncio.sleep(0)
    commits, began = live.store.stats.commits, perf_counter()
    await silenced(live)
    assert perf_counter() - began < 2
    assert live.store.stats.commits == commits + 1
    assert (await first).kind == "stale"
    await watcher.aclose()
    assert len(await numbers(live)) == 500
    assert (await live.says("<ben> !clip")).endswith("2 people within 15 s")


# --- moderators


async def test_moderators_hide_and_restore_with_their_names_on_it(live: Chat) -> None:
    await live.says("<rook> !clip rude")
    current = await session(live)
    await moderation.hide(live.services, current.channel, current, 1, SABLE, "rude", live.watch.now)
    assert await numbers(live) == []
    (hidden,) = await moderation.hidden(live.store, current)
    assert (hidden.hidden_by, hidden.hidden_reason) == ("console:sable", "rude")
    with pytest.raises(NotFound):
        await moderation.hide(live.services, current.channel, current, 1, SABLE, "again", live.watch.now)
    await restored(live, 1)
    with pytest.raises(NotFound):
        await restored(live, 1)
    await live.says("<@sable> !delclip 1")
    await restored(live, 1)
    assert await numbers(live) == [1]


async def test_AZ_6_a_session_of_another_channel_answers_like_none(live: Chat) -> None:
    await live.says("<rook> !clip")
    current = await session(live)
    await live.hears("<~wren> !start", place=Place("console", "wren", "Wren"))
    other = await live.store.channel("console", "wren")
    assert other is not None
    with pytest.raises(NotFound):
        await moderation.hide(live.services, other, current, 1, SABLE, "", live.watch.now)
    with pytest.raises(NotFound):
        await moderation.restore(live.services, other, current, 1, SABLE, live.watch.now)
    assert await numbers(live) == [1]


async def test_hidden_marks_come_by_pages(live: Chat) -> None:
    for _ in range(5):
        live.passes(15)
        await live.says("<rook> !clip")
    await silenced(live)
    current = await session(live)
    assert [mark.number for mark in await moderation.hidden(live.store, current, limit=2)] == [1, 2]
    assert [mark.number for mark in await moderation.hidden(live.store, current, after=2)] == [3, 4, 5]


# --- the block list


async def test_who_is_barred_marks_and_words_nothing_more(live: Chat, database: Path) -> None:
    await live.says("<rook> !clip fine")
    channel = (await session(live)).channel
    assert await moderation.bar(live.services, channel, ROOK, SABLE, live.watch.now)
    assert not await moderation.bar(live.services, channel, ROOK, SABLE, live.watch.now)
    live.passes(60)
    assert await live.says("<rook> !clip") == "The moderators of this channel do not take marks from you."
    assert await live.says("<rook> !renote rude") == "The moderators of this channel do not take words from you."
    assert [mark.note for mark in await live.marks()] == ["fine"]
    async with open_chat(database, now=live.watch.now) as again:
        assert (await again.says("<rook> !clip")).startswith("The moderators")
        assert (await again.says("<ann> !clip")).startswith("Marked #2")
    assert await moderation.unbar(live.services, channel, ROOK, SABLE, live.watch.now)
    assert not await moderation.unbar(live.services, channel, ROOK, SABLE, live.watch.now)
    assert (await live.says("<rook> !clip")).startswith("Marked #3")


async def test_forgetting_oneself_lifts_no_block(live: Chat) -> None:
    await live.says("<rook> !clip")
    channel = (await session(live)).channel
    await moderation.bar(live.services, channel, ROOK, SABLE, live.watch.now)
    for _ in range(2):
        await live.says("<rook> !forgetme")
    live.passes(60)
    assert (await live.says("<rook> !clip")).startswith("The moderators")


async def test_nobody_bars_the_broadcaster(live: Chat) -> None:
    channel = (await session(live)).channel
    with pytest.raises(Refusal):
        await moderation.bar(live.services, channel, Author(*ROOM), SABLE, live.watch.now)


async def test_what_a_crash_leaves_is_the_whole_or_nothing(live: Chat, database: Path) -> None:
    await live.says("<rook> !clip", message_id="m1")
    await deleted(live, "m1")
    with closing(sqlite3.connect(database)) as connection:
        ((hidden,),) = connection.execute("SELECT count(*) FROM mark WHERE hidden_by = 'chat'")
        ((known,),) = connection.execute("SELECT count(*) FROM handled_message WHERE message_id = 'deleted m1'")
    assert (hidden, known) == (1, 1)


async def test_what_somebody_typed_before_a_timeout_and_arrives_after_it_is_not_kept(live: Chat) -> None:
    live.passes(5)
    await moderation.person_silenced(live.services, ROOM, "rook", live.watch.now)
    live.passes(1)
    await live.hears("<rook> !clip rude", late=2)
    await live.hears("<ann> !clip fine", late=2)
    assert [mark.note for mark in await live.marks()] == ["fine"]
    live.passes(60)
    await live.hears("<rook> !clip back again")
    assert len(await live.marks()) == 2
