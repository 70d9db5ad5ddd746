"""What is kept of joined channels: read in one go, ended with whoever gave leave, and brought back by no backup."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from moments.live import Author
from storage import Store, Transaction, audit, barred, channels, joined, ledger, open_store
from storage.backup import backup
from storage.connections import State, connect, of_channel
from storage.joined import JoinRequest
from storage.ledger import NOBODY, erasure_digest
from storage.purge import purge
from storage.restore import restore
from storage.retention import GRANT_UNUSED, JOIN_CODE
from tests.databases import change, rows
from tests.stream import BEGAN, DEFAULTS, KEY, KEYS, Stream

ASKER, OWL = Author("discord", "500", "Rook"), Author("twitch", "1001", "Owl")
REQUEST = JoinRequest("7001", "9001", "Night Owls", "#clips", "discord:500", "Rook")
OTHER = JoinRequest("7002", "9001", "Night Owls", "#music", "discord:500", "Rook")


@pytest.fixture
async def store(path: Path) -> AsyncIterator[Store]:
    async with open_store(path, defaults=DEFAULTS) as store:
        yield store


async def join(
    store: Store, request: JoinRequest = REQUEST, *, streamer: str = "1001", moderators: bool = False
) -> bool:
    place = Stream(store, streamer, "twitch").place

    async def job(transaction: Transaction) -> bool:
        channel = await channels.stored(transaction, place)
        if await of_channel(transaction, *place[:2]) is None:
            await connect(transaction, place, frozenset(), BEGAN)
        return await joined.join(transaction, request, channel, Author(*place), moderators=moderators, now=BEGAN)

    return await store.run(job, message=None, now=BEGAN)


async def count(store: Store) -> int:
    return len(await store.fetch("SELECT 1 FROM joined"))


async def test_one_discord_channel_joins_one_stream_and_a_stream_may_have_several(store: Store) -> None:
    assert await join(store)
    assert not await join(store, streamer="1002")
    assert await join(store, OTHER, moderators=True)
    channel = await store.channel("twitch", "1001")
    assert channel
    found = await joined.of_twitch(store, channel)
    assert [(each.discord_channel, each.channel_name, each.moderators) for each in found] == [
        ("7001", "#clips", False),
        ("7002", "#music", True),
    ]
    assert (found[0].place, found[0].requested_by, found[0].joined_at) == (
        Stream(store, "1001", "twitch").place,
        "discord:500",
        BEGAN,
    )
    other = await store.channel("twitch", "1002")
    assert other
    assert await joined.of_twitch(store, other) == []


async def test_a_command_learns_all_of_its_channel_in_one_read(store: Store) -> None:
    assert await joined.standing(store, "7001", ASKER) == (None, None, False, False)
    await join(store)

    async def job(transaction: Transaction) -> None:
        await joined.learn_guild(transaction, "7001", "9001", "Night Owls")
        channel = await channels.stored(transaction, (await joined.of_discord(transaction, "7001")).discord_place)  # type: ignore[union-attr]
        await barred.add(transaction, channel, ASKER, OWL, BEGAN)

    await store.run(job, message=None, now=BEGAN)
    found = await joined.standing(store, "7001", ASKER)
    assert found == (await joined.of_discord(store, "7001"), ("9001", "Night Owls"), True, True)
    assert not (await joined.standing(store, "7001", OWL)).is_barred
    assert await joined.standing(store, "7002", ASKER) == (None, None, False, False)


async def test_a_code_runs_out_and_only_the_newest_of_a_channel_is_good(store: Store) -> None:
    async def ask(digest: str) -> None:
        async def job(transaction: Transaction) -> None:
            await joined.ask(transaction, digest, REQUEST, BEGAN + JOIN_CODE)

        await store.run(job, message=None, now=BEGAN)

    await ask("first")
    assert await joined.asked(store, "first", BEGAN) == REQUEST
    await ask("second")
    assert await joined.asked(store, "first", BEGAN) is None
    assert await joined.asked(store, "second", BEGAN + JOIN_CODE - timedelta(seconds=1)) == REQUEST
    assert await joined.asked(store, "second", BEGAN + JOIN_CODE) is None
    gone = await store.run(lambda transaction: purge(transaction, BEGAN + JOIN_CODE), message=None, now=BEGAN)
    assert gone.join_codes == 1
    assert await store.fetch("SELECT 1 FROM join_request") == []


async def test_AZ_4_a_server_the_bot_left_keeps_nothing_and_others_all(store: Store) -> None:
    foxes = JoinRequest("7003", "9002", "Foxes", "#den", "discord:500", "Rook")
    for request in (REQUEST, OTHER, foxes):
        await join(store, request)

    async def job(transaction: Transaction) -> None:
        await joined.ask(transaction, "digest", REQUEST._replace(discord_channel="7009"), BEGAN + JOIN_CODE)
        for channel, guild in (("7001", "9001"), ("7003", "9002")):
            await joined.learn_guild(transaction, channel, guild, "a server")
        await joined.end_of_guild(transaction, "9001", BEGAN)

    assert await joined.guilds(store) == {"9001", "9002"}
    await store.run(job, message=None, now=BEGAN)
    assert await joined.guilds(store) == {"9002"}
    assert (await joined.of_discord(store, "7001"), await joined.guild_of(store, "7001")) == (None, None)
    assert await joined.of_discord(store, "7003")
    assert await joined.asked(store, "digest", BEGAN) is None


async def test_AZ_8_both_channels_are_told_who_joined_them_and_who_ended_it(store: Store) -> None:
    await join(store, moderators=True)

    async def job(transaction: Transaction) -> None:
        present = await joined.of_discord(transaction, "7001")
        assert present
        assert await joined.end(transaction, present, ASKER, BEGAN)
        assert not await joined.end(transaction, present, ASKER, BEGAN)

    await store.run(job, message=None, now=BEGAN)
    for place, other in ((("twitch", "1001"), "discord:7001"), (("discord", "7001"), "twitch:1001")):
        channel = await store.channel(*place)
        assert channel
        told = [(e.act, e.target, e.actor_platform, e.after) for e in await audit.entries(store, channel)]
        assert told == [("unjoin", other, "discord", ""), ("join", other, "twitch", "moderators")]


async def test_PRIV_6_a_channel_disconnected_for_want_of_use_is_joined_no_more(store: Store) -> None:
    await join(store)
    await store.run(
        lambda transaction: transaction.execute(
            "INSERT INTO credential VALUES ('twitch', '1001', 'owl', 'a', 'r', '', 'ok', NULL, NULL, 0, 0, 0)"
        ),
        message=None,
        now=BEGAN,
    )
    later = BEGAN + GRANT_UNUSED
    await store.run(lambda transaction: purge(transaction, later), message=None, now=later)
    connection = await of_channel(store, "twitch", "1001")
    assert connection
    assert connection.state is State.DISCONNECTED
    assert await count(store) == 0


async def forget(store: Store, who: Author) -> None:
    await store.run(
        lambda transaction: transaction.forget(who, lambda *account: erasure_digest(KEY, *account), BEGAN),
        message=None,
        now=BEGAN,
    )


async def test_PRIV_4_who_asked_is_forgotten_and_the_joining_stays(store: Store) -> None:
    await join(store)

    async def ask(transaction: Transaction) -> None:
        await joined.ask(transaction, "digest", OTHER, BEGAN + JOIN_CODE)

    await store.run(ask, message=None, now=BEGAN)
    await forget(store, ASKER)
    present = await joined.of_discord(store, "7001")
    assert present
    assert present.requested_by == NOBODY
    assert await joined.asked(store, "digest", BEGAN) is None


async def test_PRIV_4_the_joinings_of_a_forgotten_streamer_end(store: Store) -> None:
    await join(store)
    await forget(store, OWL)
    assert await count(store) == 0


async def test_PRIV_4_a_backup_brings_back_neither_who_asked_nor_a_forgotten_streamers_joining(path: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        await join(store)
        await join(store, OTHER, streamer="1002")

        async def ask(transaction: Transaction) -> None:
            await joined.ask(transaction, "digest", REQUEST._replace(discord_channel="7009"), BEGAN + JOIN_CODE)

        await store.run(ask, message=None, now=BEGAN)
        await backup(path, path.with_name("copy.db"))
        await forget(store, ASKER)
        await forget(store, OWL)
    await restore(path.with_name("copy.db"), path, KEYS)
    assert rows(path, "SELECT discord_channel, requested_by FROM joined") == [("7002", NOBODY)]
    assert rows(path, "SELECT * FROM join_request") == []


async def test_AZ_4_no_code_of_a_backup_is_good(path: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:

        async def ask(transaction: Transaction) -> None:
            await joined.ask(transaction, "digest", REQUEST, BEGAN + JOIN_CODE)

        await store.run(ask, message=None, now=BEGAN)
        await backup(path, path.with_name("copy.db"))
    await restore(path.with_name("copy.db"), path, KEYS)
    assert rows(path, "SELECT * FROM join_request") == []


async def test_AZ_4_a_backup_joins_nothing_again_that_was_ended_since(path: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        await join(store)
        await join(store, OTHER, moderators=True)
        await join(store, REQUEST._replace(discord_channel="7005"), moderators=True)
        await backup(path, path.with_name("copy.db"))
    change(path, "DELETE FROM joined WHERE discord_channel = '7001'")
    change(path, "UPDATE joined SET moderators = 0 WHERE discord_channel = '7002'")
    await restore(path.with_name("copy.db"), path, KEYS)
    assert sorted(rows(path, "SELECT discord_channel, moderators FROM joined")) == [("7002", 0), ("7005", 1)]


async def test_a_backup_put_where_nothing_was_joins_what_it_has(path: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        await join(store)
        await backup(path, path.with_name("copy.db"))
    elsewhere = path.with_name("elsewhere.db")
    await restore(path.with_name("copy.db"), elsewhere, KEYS)
    assert rows(elsewhere, "SELECT discord_channel FROM joined") == [("7001",)]


def test_whom_a_row_names_is_among_those_the_ledger_looks_for() -> None:
    assert "joined" in ledger._NAMED
    assert "join_request" in ledger._NAMED_BY_KEY
