"""What is known of the feed and its posts: feeds as they were chosen, posts by what they show, and for how long."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest

from moments.live import Author, Place
from moments.sessions import Visibility
from storage import Store, Transaction, feeds, open_store, posts
from storage.backup import backup
from storage.feeds import Mode
from storage.posts import Kind, Post, State
from storage.purge import purge
from storage.restore import restore
from tests.chat import KEYS
from tests.stream import BEGAN, DEFAULTS, Stream

T = TypeVar("T")
HERE = "900"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[Store]:
    async with open_store(path, defaults=DEFAULTS) as opened:
        yield opened


async def run(store: Store, job: Callable[[Transaction], Awaitable[T]]) -> T:
    return await store.run(job, message=None, now=BEGAN)


async def choose(store: Store, mode: Mode = Mode.EACH, at: int = 0, people: int = 2) -> None:
    channel = await store.find_session("latest")

    async def job(transaction: Transaction) -> None:
        await feeds.set_feed(
            transaction,
            *(HERE, "g", channel.channel.id, mode, people),
            shows_private=False,
            by="discord:7",
            now=BEGAN + timedelta(seconds=at),
        )

    await run(store, job)


async def intend(store: Store, session_id: str, low: int, high: int) -> Post:
    async def job(transaction: Transaction) -> Post:
        return await posts.intend(transaction, HERE, session_id, Kind.MARKS, low, high, BEGAN)

    return await run(store, job)


@pytest.fixture
async def stream(store: Store) -> Stream:
    stream = Stream(store)
    await stream.start()
    return stream


async def test_a_feed_set_again_goes_on_from_when_it_was_set_first_unless_it_was_off(
    store: Store, stream: Stream
) -> None:
    for mode, at, since in ((Mode.EACH, 0, 0), (Mode.CROWD, 60, 0), (Mode.OFF, 70, 0), (Mode.EACH, 80, 80)):
        await choose(store, mode, at)
        feed = await feeds.of_channel(store, HERE)
        assert feed is not None
        assert (feed.mode, feed.set_at) == (mode, BEGAN + timedelta(seconds=since))


async def test_numbers_are_found_in_the_posts_that_show_them(store: Store, stream: Stream) -> None:
    session = (await store.find_session("latest")).id
    for low, high in ((1, 1), (2, 40), (41, 41), (100, 300)):
        await intend(store, session, low, high)

    async def found(*numbers: int) -> list[int]:
        shown = await posts.showing_numbers(store, HERE, session, numbers)
        return [post.low for post in shown if any(post.low <= number <= post.high for number in numbers)]

    assert await found(1) == [1]
    assert await found(39) == [2]
    assert await found(42, 99, 301) == []
    assert await found(1, 30, 41, 250) == [1, 2, 41, 100]


async def test_a_post_that_is_on_its_way_is_followed_so_that_it_is_found_when_its_channel_is_joined_no_more(
    store: Store, stream: Stream
) -> None:
    session = await store.find_session("latest")
    await intend(store, session.id, 1, 1)
    await intend(store, session.id, 2, 2)
    rows = await store.fetch("SELECT discord_channel, session_id, revision FROM followed")
    assert rows == [(HERE, session.id, -2)]
    await choose(store)
    await run(store, lambda transaction: feeds.followed(transaction, [feeds.Due(HERE, session.id, 5)]))
    await intend(store, session.id, 3, 3)
    assert await store.fetch("SELECT revision FROM followed") == [(5,)]


async def test_every_post_has_a_nonce_of_its_own_that_discord_takes(store: Store, stream: Stream) -> None:
    session = (await store.find_session("latest")).id
    made = [await intend(store, session, 1, 1) for _ in range(50)]
    assert len({post.nonce for post in made}) == 50
    assert all(len(post.nonce) <= 25 for post in made)


async def test_what_changed_is_due_until_it_was_shown(store: Store, stream: Stream) -> None:
    await choose(store)
    (due,) = await feeds.due(store, BEGAN)
    await run(store, lambda transaction: feeds.followed(transaction, [due]))
    assert await feeds.due(store, BEGAN) == []
    await stream.mark("ann", 5)
    (again,) = await feeds.due(store, BEGAN)
    assert again[:2] == due[:2]
    await run(store, lambda transaction: feeds.followed(transaction, [again]))
    assert await feeds.due(store, BEGAN) == []
    await choose(store, Mode.CROWD)
    assert await feeds.due(store, BEGAN) == [again]


async def test_trouble_is_told_once_and_another_anew(store: Store, stream: Stream) -> None:
    await choose(store)
    told = []
    for why in ("no", "no", "other"):
        await run(store, partial(feeds.pause, discord_channel=HERE, why=why, now=BEGAN))
        told.append([said for _, said in await run(store, partial(feeds.tell, guild_id="g", now=BEGAN))])
    assert told == [["no"], [], ["other"]]
    assert await feeds.untold(store, "another") == []


async def test_PRIV_6_what_is_known_of_posts_that_are_no_more_goes_a_month_after_the_session(
    store: Store, stream: Stream
) -> None:
    await choose(store)
    session = await store.find_session("latest")
    (due,) = await feeds.due(store, BEGAN)
    await run(store, lambda transaction: feeds.followed(transaction, [due]))
    for number, state in ((1, State.GONE), (2, State.POSTED)):
        post = await intend(store, session.id, number, number)
        await run(store, partial(posts.keep, post=post._replace(state=state)))
    await run(store, lambda t: t.execute("UPDATE session SET status = 'ended', updated_at = updated_at"))
    for days, left in ((29, [1, 2]), (31, [2])):
        now = session.updated_at + timedelta(days=days)
        await run(store, partial(purge, now=now))
        assert [post.low for post in await posts.all_of(store, HERE, session.id)] == left
    assert len(await store.fetch("SELECT * FROM followed")) == 1


async def test_PRIV_4_who_set_a_feed_and_is_forgotten_is_nobody_there(store: Store, stream: Stream) -> None:
    await choose(store)
    who = Author("discord", "7", "rook")
    await run(store, lambda transaction: transaction.forget(who, lambda *account: ":".join(account), BEGAN))
    assert [row[0] for row in await store.fetch("SELECT set_by FROM feed")] == ["deleted"]


async def test_a_restored_backup_knows_what_stands_on_discord_today(path: Path, tmp_path: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        await Stream(store).start()
        await choose(store)
        session = (await store.find_session("latest")).id
        old = await intend(store, session, 1, 1)
        await backup(path, tmp_path / "saved.db")
        await run(store, partial(posts.drop, post=old))
        await intend(store, session, 2, 2)
        await intend(store, "begun since", 1, 1)
    await restore(tmp_path / "saved.db", path, KEYS)
    async with open_store(path, defaults=DEFAULTS) as store:
        assert [post.low for post in await posts.all_of(store, HERE, session)] == [2]
        assert {one.session_id for one in await feeds.due(store, BEGAN)} == {session, "begun since"}


async def test_a_restored_backup_posts_nothing_that_was_turned_off_or_made_private_since(
    path: Path, tmp_path: Path
) -> None:
    there = ("1", "2", "3", "4")

    async def put(store: Store, mode: Mode, *channels: str, shows_private: bool = True) -> None:
        source = (await store.find_session("latest")).channel

        async def job(transaction: Transaction) -> None:
            for one in channels:
                chosen = (one, "g", source.id, mode, 2)
                await feeds.set_feed(transaction, *chosen, shows_private=shows_private, by="discord:7", now=BEGAN)

        await run(store, job)

    async with open_store(path, defaults=DEFAULTS) as store:
        await Stream(store).start()
        await put(store, Mode.EACH, *there)
        await backup(path, tmp_path / "saved.db")
        await put(store, Mode.OFF, "1")
        await run(store, lambda transaction: transaction.execute("DELETE FROM feed WHERE discord_channel = '2'"))
        await put(store, Mode.CROWD, "3", shows_private=False)
        channel = (await store.find_session("latest")).channel
        place = Place(channel.platform, channel.platform_id, channel.display_name)
        private = replace(channel, visibility=Visibility.PRIVATE)
        await run(store, lambda transaction: transaction.save_settings(place, private))
    await restore(tmp_path / "saved.db", path, KEYS)
    async with open_store(path, defaults=DEFAULTS) as store:
        found = [await feeds.of_channel(store, one) for one in there]
        assert [(feed.mode, feed.shows_private) for feed in found if feed] == [
            (Mode.OFF, False),
            (Mode.OFF, False),
            (Mode.EACH, False),
            (Mode.EACH, True),
        ]
        assert (await store.find_session("latest")).channel.visibility is Visibility.PRIVATE


async def test_a_backup_that_is_put_where_nothing_was_keeps_its_feeds_as_they_are(path: Path, tmp_path: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        await Stream(store).start()
        await choose(store)
        await backup(path, tmp_path / "saved.db")
    await restore(tmp_path / "saved.db", tmp_path / "new.db", KEYS)
    async with open_store(tmp_path / "new.db", defaults=DEFAULTS) as store:
        feed = await feeds.of_channel(store, HERE)
        assert feed
        assert feed.mode is Mode.EACH
