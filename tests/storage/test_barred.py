"""Who is barred, who is named, who is known: lists of accounts by id, each of one channel alone."""

from datetime import timedelta
from pathlib import Path

import pytest

from moments.errors import NotAllowed
from moments.live import Author
from moments.sessions import Channel
from storage import Store, Transaction, barred, channels, named_moderators, open_store
from tests.stream import BEGAN, DEFAULTS, Stream

ANN, BEN = Author("console", "ann", "Ann"), Author("console", "ben", "Ben")


async def bar(store: Store, channel: Channel, who: Author, at: float = 0) -> bool:
    """Put somebody on a channel's list, as of so many seconds after BEGAN."""

    async def job(transaction: Transaction) -> bool:
        return await barred.add(transaction, channel, who, BEN, BEGAN + timedelta(seconds=at))

    return await store.run(job, message=None, now=BEGAN)


async def test_a_list_is_its_channels_own_and_newest_first(path: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        here, there = [(await Stream(store, name).start()).channel for name in ("here", "there")]
        assert await bar(store, here, ANN)
        assert await bar(store, here, BEN, 5)
        assert not await bar(store, here, ANN._replace(display_name="Other"))
        assert [row.display_name for row in await barred.listed(store, here)] == ["Ben", "Ann"]
        assert await barred.listed(store, there) == []


async def test_a_block_is_read_with_the_channel_and_not_before(path: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        stream = Stream(store)
        channel = (await stream.start()).channel
        await stream.mark("ann", 1)
        await bar(store, channel, ANN)

        async def let_go(transaction: Transaction) -> None:
            await transaction.let_channel_go(stream.place)

        await store.run(let_go, message=None, now=BEGAN)
        with pytest.raises(NotAllowed):
            await stream.mark("ann", 60)
        assert (await stream.mark("ben", 60)).mark.number == 2


async def test_people_are_known_by_the_name_they_marked_under_in_this_channel(path: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        stream, other = Stream(store), Stream(store, "elsewhere")
        channel = (await stream.start()).channel
        await other.start()
        await stream.mark("ann", 1)
        await other.mark("ben", 1)
        assert await channels.people_called(store, channel, "ANN") == [ANN]
        assert await channels.people_called(store, channel, "ben") == []
        assert await channels.people_called(store, channel, "%") == []


async def test_named_moderators_are_named_and_unnamed_by_account(path: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        channel = (await Stream(store).start()).channel

        async def name(transaction: Transaction) -> list[bool]:
            return [await named_moderators.name(transaction, channel, who, BEGAN) for who in (ANN, ANN, BEN)]

        async def unname(transaction: Transaction) -> list[bool]:
            return [await named_moderators.unname(transaction, channel, ANN) for _ in range(2)]

        assert await store.run(name, message=None, now=BEGAN) == [True, False, True]
        assert await named_moderators.named(store, channel) == [ANN, BEN]
        assert await store.run(unname, message=None, now=BEGAN) == [True, False]
        assert await named_moderators.named(store, channel) == [BEN]


async def test_revoking_links_counts_up_and_is_seen_at_once(path: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        stream = Stream(store)
        channel = (await stream.start()).channel

        async def revoke(transaction: Transaction) -> list[int]:
            return [await channels.revoke_links(transaction, stream.place, channel) for _ in range(2)]

        assert await store.run(revoke, message=None, now=BEGAN) == [1, 2]
        known = await store.known(stream.place)
        assert known is not None
        assert known.link_epoch == 2
