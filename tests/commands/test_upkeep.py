"""The purge goes round by itself, spares the bot, and survives its own failures."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from commands.upkeep import EVERY, clean, keep_clean
from moments.errors import ProviderDown, StoreBusy
from moments.grants import Grant
from moments.live import Place
from storage import Transaction, connections, credentials
from storage.credentials import Vault
from storage.purge import Purged
from storage.retention import GRANT_UNUSED
from tests.chat import EVENING, KEYS, ROOM, Chat


async def connected(chat: Chat, *user_ids: str) -> None:
    async def job(transaction: Transaction) -> None:
        for user_id in user_ids:
            place = Place("twitch", user_id, user_id)
            await transaction.save_settings(place, (await transaction.live(place)).channel)
            await connections.connect(transaction, place, frozenset(), chat.watch.now)
            grant = Grant("twitch", user_id, user_id, "access", "refresh")
            await credentials.save(transaction, Vault(KEYS), grant, chat.watch.now)

    await chat.store.run(job, message=None, now=chat.watch.now)


async def test_PRIV_6_a_channel_long_silent_is_disconnected_and_the_platform_is_told(chat: Chat) -> None:
    await connected(chat, "1001")
    chat.services.changed.clear()
    assert await clean(chat.services) == Purged()
    assert not chat.services.changed.is_set()
    chat.passes((GRANT_UNUSED + timedelta(days=1)).total_seconds())
    assert (await clean(chat.services)).grants == 1
    assert chat.services.changed.is_set()
    assert await credentials.held(chat.store) == []
    found = await connections.of_channel(chat.store, "twitch", "1001")
    assert found is not None
    assert found.state is connections.State.DISCONNECTED


async def test_the_bots_own_grant_outlives_the_longest_silence(chat: Chat) -> None:
    await connected(chat, "1001", "77")

    class OAuth:
        async def revoke(self, _token: str) -> None:
            raise ProviderDown("POST /oauth2/revoke: 503")

    class Twitch:
        bot_id, oauth = "77", OAuth()

    services = replace(chat.services, twitch=Twitch())  # type: ignore[arg-type]
    chat.passes(timedelta(days=400).total_seconds())
    await clean(services)
    assert [held.user_id for held in await credentials.held(chat.store)] == ["77"]


async def test_the_rounds_go_on_whatever_happens(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong: list[Exception] = [StoreBusy("Another program is writing."), LookupError("a bug")]
    run = chat.store.run
    slept: list[float] = []
    enough = asyncio.Event()

    async def failing(*arguments: object, **named: object) -> object:
        if wrong:
            raise wrong.pop(0)
        return await run(*arguments, **named)  # type: ignore[arg-type]

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            enough.set()
            await asyncio.Event().wait()

    monkeypatch.setattr(chat.store, "run", failing)
    with capture_logs() as logged:
        rounds = asyncio.create_task(keep_clean(chat.services, sleep))
        await enough.wait()
    assert [entry["log_level"] for entry in logged] == ["warning", "error"]
    assert slept == [EVERY] * 3
    assert not rounds.done()
    rounds.cancel()
    await asyncio.wait([rounds])


async def test_PRIV_6_a_live_session_goes_on_under_its_own_words_when_twitchs_are_too_old(chat: Chat) -> None:
    await chat.says("<~nightowl> !start | ")

    async def told(transaction: Transaction) -> None:
        at = int(EVENING.timestamp() * 1_000_000)
        await transaction.execute(
            "INSERT INTO api_stream SELECT id, 'twitch', 'From Twitch', 'Game', ?, ? FROM session", at, at + 10**10
        )
        await transaction.let_channel_go(ROOM)

    await chat.store.run(told, message=None, now=EVENING)
    assert "From Twitch" in await chat.says("<rook> !session")
    chat.passes(timedelta(hours=25).total_seconds())
    await clean(chat.services)
    assert "From Twitch" not in await chat.says("<rook> !session")
    assert (await chat.says("<rook> !clip still here")).startswith("Marked #1")
