"""Discord is told of the commands when they changed, only then, and nobody waits for it."""

import asyncio
from pathlib import Path

import pytest

from bot.discord.catalogue import digest, keep_synced
from storage import facts
from tests.bot.discord.gateway_rig import PING, Rig, open_rig

HI = PING | {"name": "hi"}


def path(application_id: str) -> str:
    return f"/api/v10/applications/{application_id}/commands"


async def until_noted(rig: Rig) -> None:
    async with asyncio.timeout(10):
        while True:
            if await facts.get(rig.services.store, facts.DISCORD_COMMANDS):
                return
            await asyncio.sleep(0.01)


async def test_commands_are_told_once_and_after_a_restart_only_when_they_changed(database: Path) -> None:
    async with open_rig(database) as rig:
        put = "PUT", path(rig.discord.application_id)
        async with rig.running():
            await rig.ready()
            await until_noted(rig)
        async with open_rig(database, rig.discord) as again:
            async with again.running():
                await again.board.until("ready")
                await again.asks(*again.place())
            assert again.count(*put) == 1
            again.commands = [dict(PING), HI]
            async with again.running():
                await again.discord.until(lambda: len(again.discord.commands) == 2)
            assert again.count(*put) == 2


def test_another_application_is_told_of_the_same_commands() -> None:
    assert digest("1", [PING]) != digest("2", [PING])
    assert digest("1", [PING]) == digest("1", [dict(reversed(PING.items()))])


async def test_commands_discord_refuses_stop_nothing_and_are_not_taken_for_known(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.discord.catalogue.FIRST_PAUSE", 0.01)
    async with open_rig(database) as rig:
        await rig.rest_knows_ping()
        fault = rig.discord.faults.add(
            "PUT",
            path(rig.discord.application_id),
            status=400,
            body={"code": 50035, "message": "Invalid Form Body"},
            times=2,
        )
        async with rig.running():
            await rig.board.until("ready")
            await rig.discord.until(lambda: fault.used)
            await rig.asks(*rig.place())
            async with asyncio.timeout(5):
                await keep_synced(rig.services, rig.rest, rig.commands)  # returns, and has asked once more, no oftener
            assert rig.count("PUT", path(rig.discord.application_id)) == 2
            assert await facts.get(rig.services.store, facts.DISCORD_COMMANDS) is None


@pytest.mark.parametrize("status", [429, 503])
async def test_a_sync_that_has_to_wait_keeps_nobody_waiting(
    database: Path, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.discord.catalogue.FIRST_PAUSE", 0.3)
    async with open_rig(database) as rig:
        await rig.rest_knows_ping()
        fault = rig.discord.faults.add(
            "PUT",
            path(rig.discord.application_id),
            status=status,
            body={"retry_after": 0.5, "global": True, "message": "wait", "code": 0},
            headers={"Via": "1.1 google"},
        )
        async with rig.running():
            await rig.board.until("ready")
            await rig.discord.until(lambda: fault.used)
            answered = await rig.asks(*rig.place())
            assert (answered.acked_after or 9) < 0.3
            assert rig.count("PUT", path(rig.discord.application_id)) == 1
            await rig.discord.until(lambda: rig.count("PUT", path(rig.discord.application_id)) == 2)
