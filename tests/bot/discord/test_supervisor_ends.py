"""The end of Discord in a process: who was heard is answered, what is to be posted is posted; and only one runs it."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web

from bot.discord.client import DiscordClient
from commands import joining
from moments.errors import StoreBusy
from moments.live import Author, Place
from storage import Transaction, joined
from storage.joined import JoinRequest
from tests.bot.discord.gateway_rig import Rig, eventually, open_rig, settings_for
from tests.fake_discord.compression import compression
from tests.fake_discord.server import FakeDiscord

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


async def stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_command_heard_before_the_end_is_answered_before_the_connection_goes(database: Path) -> None:
    async with open_rig(database) as rig, rig.running() as running:
        await rig.ready()
        user, channel = rig.place()
        rig.echo.slowly = asyncio.Event()
        asked = await rig.discord.slash(user, channel, "ping")
        await eventually(lambda: rig.echo.taken)
        stopping = asyncio.create_task(stop(running))
        await eventually(lambda: rig.echo.drained)
        rig.echo.slowly.set()
        await stopping
        assert asked.text == "pong"
        assert not rig.echo.failed


async def test_what_is_to_be_posted_is_posted_while_there_is_a_client(database: Path) -> None:
    async with open_rig(database) as rig:
        _, channel = rig.place()

        async def post() -> None:
            await rig.rest.post(channel.id, {"content": "Marked #1", "allowed_mentions": {"parse": []}})

        rig.poster.last = post
        async with rig.running():
            await rig.ready()
        assert [each.content for each in rig.discord.messages(channel)] == ["Marked #1"]
        assert rig.poster.drained == 1


async def test_a_feed_that_stops_by_a_fault_of_ours_begins_anew_and_ends_nothing_else(database: Path) -> None:
    async with open_rig(database) as rig:
        stops = iter([KeyError("a fault"), ExceptionGroup("two", [KeyError("faults")])])
        real = rig.poster.run

        async def run() -> None:
            if fault := next(stops, None):
                raise fault
            await real()

        rig.poster.run = run  # type: ignore[method-assign]  # as a poster with a fault
        async with rig.running() as running:
            await rig.ready()
            await eventually(lambda: rig.poster.runs)
            await rig.asks(*rig.place())
            assert not running.done()
            assert rig.board.said == ["connecting", "ready"]


async def test_an_end_while_discord_is_down_drains_all_the_same(database: Path) -> None:
    async with open_rig(database) as rig:
        rig.discord.faults.add("*", "*", status=503, times=None)
        async with rig.running(rig.pace(first_pause=30, longest_pause=30)):
            await rig.board.until("down")
        assert (rig.echo.drained, rig.poster.drained) == (True, 1)
        rig.discord.faults.clear()


@asynccontextmanager
async def deaf_gateway(hanging: asyncio.Event) -> AsyncIterator[str]:
    """Its address. It wants a new session of whoever comes; then it greets, and says nothing more, not even goodbye."""
    came: list[web.Request] = []

    async def greet(request: web.Request) -> web.WebSocketResponse:
        came.append(request)
        ws, packed = web.WebSocketResponse(compress=False), compression(request.query["compress"])
        await ws.prepare(request)
        for said in (b'{"op": 10, "d": {"heartbeat_interval": 60000}}', b'{"op": 9, "d": false}')[: 3 - len(came)]:
            frame = packed.frame(said)
            await (ws.send_str(frame) if isinstance(frame, str) else ws.send_bytes(frame))
        await ws.receive()
        if len(came) > 1:
            hanging.set()
            await asyncio.Event().wait()
        async for _ in ws:
            pass
        return ws

    app = web.Application()
    app.router.add_get("/", greet)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"ws://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_a_gateway_that_does_not_say_goodbye_is_simply_left() -> None:
    hanging = asyncio.Event()
    async with FakeDiscord() as discord, deaf_gateway(hanging) as url:
        settings = settings_for(discord, gateway_url=url)
        async with DiscordClient(settings, print, print, between_starts=60) as client:
            await client.enter()
            staying = asyncio.create_task(client.stay())
            await asyncio.wait_for(hanging.wait(), 10)
            began = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - began < 4
        await asyncio.gather(staying, return_exceptions=True)


async def test_a_socket_that_was_but_half_open_beats_no_more_after_the_end() -> None:
    async with FakeDiscord() as discord:
        discord.gateway.shards = 2
        async with DiscordClient(settings_for(discord), print, print, between_starts=60) as client:
            await client.enter()
            staying = asyncio.create_task(client.stay())
            await eventually(lambda: len(_beating()) == 2)  # the second has been greeted, and waits for its turn
        await asyncio.gather(staying, return_exceptions=True)
        await eventually(lambda: not _beating())


def _beating() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name.startswith("keep-alive-handler")]


async def test_of_two_processes_on_one_database_one_runs_discord_and_the_other_takes_over(database: Path) -> None:
    async with open_rig(database) as first, open_rig(database, first.discord) as second, first.running() as running:
        await first.ready()
        async with second.running():
            await second.board.until("another process runs Discord")
            await first.asks(*first.place())
            assert first.discord.gateway.opened == 1
            assert (second.poster.runs, second.echo.taken) == (0, []), "the one that waits does something"
            await stop(running)
            await second.board.until("ready")
            await second.asks(*second.place())


# --- servers that let the bot go


async def joins(rig: Rig, guild_id: str, channel_id: str) -> None:
    """A server's channel is joined to a stream."""
    streamer, twitch = Author("twitch", "1", "Rosa"), Place("twitch", "1", "Rosa")

    async def job(transaction: Transaction) -> None:
        await transaction.save_settings(twitch, (await transaction.live(twitch)).channel)
        channel = (await transaction.live(twitch)).channel
        request = JoinRequest(channel_id, guild_id, "Night Owls", "#clips", "discord:7", "sable")
        assert await joined.join(transaction, request, channel, streamer, moderators=False, now=NOON)

    await rig.services.store.run(job, message=None, now=NOON)


async def test_a_server_that_lets_the_bot_go_is_joined_to_nothing_also_when_nobody_listened(database: Path) -> None:
    async with open_rig(database) as rig:
        here, gone, kept = (rig.discord.guild(name) for name in ("Owls", "Larks", "Wrens"))
        for guild in (here, gone, kept):
            await joins(rig, guild.id, rig.discord.channel(guild, "clips").id)
        await rig.discord.kick(gone)
        async with rig.running():
            await rig.board.until("ready")
            assert await joined.guilds(rig.services.store) == {here.id, kept.id}
            await rig.discord.kick(here)
            await until_joined(rig, {kept.id})


async def until_joined(rig: Rig, guilds: set[str]) -> None:
    async with asyncio.timeout(10):
        while True:
            if await joined.guilds(rig.services.store) == guilds:
                return
            await asyncio.sleep(0.01)


async def test_a_departure_the_store_cannot_note_ends_nothing(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_rig(database) as rig, rig.running():
        await rig.ready()
        user, channel = rig.place()
        other = rig.discord.guild("Larks")

        async def busy(*_: object) -> None:
            raise StoreBusy("another process holds it")

        monkeypatch.setattr(joining, "guild_left", busy)
        await rig.discord.kick(other)
        await rig.asks(user, channel)
