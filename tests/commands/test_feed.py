"""The feed: what it remembers for those who were away, and for how long."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from commands import feed as feeds
from commands.feed import Event, Feed
from moments.sessions import Session
from storage import Change
from tests.chat import ROOM, Chat


def about(session_id: str, number: int = 0) -> Change:
    return Change("removed", session_id, number=number)


async def missed(feed: Feed, session_id: str, after: str) -> list[Event]:
    """What somebody who was away since `after` is told at once."""
    told = []
    async with aclosing(feed.watch(session_id, after)) as events:
        while True:
            try:
                told.append(await asyncio.wait_for(anext(events), 0.01))
            except TimeoutError:
                return told


async def the_session(chat: Chat) -> Session:
    session = await chat.store.newest_session(*ROOM[:2])
    assert session is not None
    return session


async def words(chat: Chat, after: str) -> list[str]:
    told = await missed(chat.services.feed, (await the_session(chat)).id, after)
    return [event.mark.note if event.mark else event.kind for event in told]


def begun(feed: Feed) -> str:
    return f"{feed.position('nobody').partition('-')[0]}-0"


async def watching(feed: Feed, session_id: str) -> tuple[AsyncGenerator[Event, None], asyncio.Task[Event]]:
    watcher = feed.watch(session_id)
    first = asyncio.create_task(anext(watcher))
    await asyncio.sleep(0)
    return watcher, first


# --- which sessions are remembered


@pytest.fixture
def feed(monkeypatch: pytest.MonkeyPatch) -> Feed:
    monkeypatch.setattr(feeds, "REMEMBERED_SESSIONS", 3)
    return Feed()


async def test_a_session_is_told_of_though_all_that_are_remembered_are_watched(feed: Feed) -> None:
    watchers = [await watching(feed, f"watched{n}") for n in range(3)]
    feed.announce([about("new", 7)])
    assert [event.number for event in await missed(feed, "new", begun(feed))] == [7]
    feed.announce([about("watched0", 1)])
    assert (await watchers[0][1]).number == 1
    for watcher, first in watchers:
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await watcher.aclose()


async def test_the_longest_unseen_session_is_forgotten_and_room_is_had_again(feed: Feed) -> None:
    watchers = [await watching(feed, f"watched{n}") for n in range(4)]
    for watcher, first in watchers:
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await watcher.aclose()
    feed.announce([about("new")])
    assert list(feed._channels) == ["watched2", "watched3", "new"]


async def test_an_id_is_given_once_even_to_a_session_that_was_forgotten(feed: Feed) -> None:
    feed.announce([about("ours", 1), about("ours", 2)])
    seen = feed.position("ours")
    feed.announce([about(f"other{n}") for n in range(3)])
    assert "ours" not in feed._channels
    here = feed.position("ours")
    feed.announce([about("ours", 3), about("ours", 4)])
    told = await missed(feed, "ours", here)
    assert [event.number for event in told] in ([3, 4], [None])
    assert seen not in [event.id for event in told]
    assert [event.kind for event in await missed(feed, "ours", seen)] == ["stale"]


async def test_a_page_of_a_quiet_session_misses_nothing_and_its_position_stays(feed: Feed) -> None:
    position = feed.position("quiet")
    feed.announce([about("busy", 1)])
    assert feed.position("quiet") == position
    feed.announce([about("quiet", 2)])
    assert [event.number for event in await missed(feed, "quiet", position)] == [2]


async def test_more_events_than_are_remembered_are_a_reason_to_read_afresh(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "REMEMBERED_EVENTS", 2)
    feed.announce([about("ours", number) for number in (1, 2, 3)])
    run = begun(feed).removesuffix("0")
    assert [event.kind for event in await missed(feed, "ours", f"{run}0")] == ["stale"]
    assert [event.number for event in await missed(feed, "ours", f"{run}1")] == [2, 3]
    assert [event.kind for event in await missed(feed, "ours", f"{run}4")] == ["stale"]
    assert [event.kind for event in await missed(feed, "ours", "0-1-2")] == ["stale"]


# --- words that were taken back


async def test_hidden_and_removed_words_are_told_to_nobody_afterwards(live: Chat) -> None:
    position = live.services.feed.position((await the_session(live)).id)
    await live.says("<ann> !clip mine, soon gone")
    await live.says("<bob> !clip hateful")
    await live.says("<cat> !clip what a jump")
    await live.says("<~nightowl> !delclip 2")
    await live.says("<ann> !unclip")
    assert await words(live, position) == ["what a jump", "removed", "removed"]


async def test_only_the_newest_words_of_a_mark_are_told(live: Chat) -> None:
    position = live.services.feed.position((await the_session(live)).id)
    await live.says("<ann> !clip my telephone number")
    await live.says("<ann> !renote what a jump")
    assert await words(live, position) == ["what a jump"]


async def test_after_forgetme_nothing_that_was_remembered_is_told(live: Chat) -> None:
    position = live.services.feed.position((await the_session(live)).id)
    await live.says("<ann> !clip secret words")
    await live.says("<ann> !forgetme")
    await live.says("<ann> !forgetme")
    assert await words(live, position) == ["stale"]


async def test_a_slow_watcher_reads_no_words_that_were_taken_back_meanwhile(live: Chat) -> None:
    session = await the_session(live)
    feed = live.services.feed
    position = feed.position(session.id)
    await live.says("<ann> !clip first")
    async with aclosing(feed.watch(session.id, position)) as events:
        assert (await anext(events)).mark
        await live.says("<bob> !clip hateful")
        await live.says("<cat> !clip what a jump")
        await live.says("<~nightowl> !delclip 2")
        told = [await anext(events) for _ in range(2)]
        assert [event.mark.note if event.mark else event.kind for event in told] == ["what a jump", "removed"]
        await live.says("<dan> !clip secret words")
        await live.says("<dan> !forgetme")
        await live.says("<dan> !forgetme")
        assert (await anext(events)).kind == "stale"


async def test_who_keeps_copies_is_told_what_was_taken_back(live: Chat) -> None:
    withdrawn: list[str] = []
    live.services.feed.withdrawn.append(withdrawn.append)
    await live.says("<ann> !clip one")
    await live.says("<bob> !clip two")
    assert withdrawn == []
    session = await the_session(live)
    await live.says("<ann> !renote other words")
    await live.says("<~nightowl> !delclip 2")
    assert withdrawn == [session.id] * 2
