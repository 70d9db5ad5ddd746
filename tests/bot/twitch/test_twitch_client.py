"""The client itself, and what of twitchio it stands on: a new version that changes any of it must fail here first."""

import asyncio
import inspect
import signal
import socket
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import structlog
from twitchio.authentication import ManagedHTTPClient
from twitchio.client import AutoClient, ConduitInfo
from twitchio.eventsub.websockets import Websocket

from bot.twitch.adapter import TwitchClient
from bot.twitch.shards import FRAMES_IN_A_ROW
from commands.services import utc_now
from moments.errors import MomentsError
from tests.bot.twitch.rig import Rig, eventually


@asynccontextmanager
async def connected(rig: Rig, took: list[Mapping[str, Any]], **options: Any) -> AsyncIterator[TwitchClient]:  # noqa: ANN401
    """A client of its own, without a supervisor."""
    conduit = await rig.api.helix.create_conduit(2)

    async def app_token() -> str:
        return (await rig.api.oauth.app_token()).access_token

    async def room() -> None:
        return

    endpoints = rig.settings.endpoints
    client = TwitchClient(
        endpoints,
        rig.settings.client_id,
        rig.bot.id,
        conduit.id,
        app_token,
        took=took.append,
        deaf=lambda: None,
        **{"room": room} | options,
    )
    running = asyncio.create_task(client.run_until_closed())
    waiting = asyncio.create_task(client.wait_until_ready())
    try:
        await asyncio.wait([running, waiting], return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
        yield client
    finally:
        waiting.cancel()
        running.cancel()
        await asyncio.gather(running, waiting, return_exceptions=True)


async def test_KEY_5_a_run_in_an_empty_folder_leaves_no_file(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    async with connected(rig, []) as client:
        assert client.tokens == {}
        await client.load_tokens()
        client.http._has_loaded = True  # as twitchio should have noted; without it, it saves nothing by mistake
        await client.save_tokens()
        await client.close(save_tokens=True)
    async with rig.running():
        streamer = await rig.live()
        await rig.twitch.say(streamer, rig.twitch.user("rook"), "!clip")
        await rig.until_notes(streamer, 1)
    assert list(empty.iterdir()) == []


async def test_trap_16_a_token_file_that_lies_about_is_not_read(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".tio.tokens.json").write_text('{"1": {"token": "planted", "refresh": "planted"}}')
    monkeypatch.chdir(tmp_path)
    async with connected(rig, []) as client:
        await client.load_tokens()
        assert client.tokens == {}
    assert not [request for request in rig.twitch.requests if request.path == "/oauth2/validate"]


async def test_twitchio_is_told_no_secret_and_asks_nothing_that_needs_one(rig: Rig) -> None:
    async with connected(rig, []) as client:
        for thing in (client, client.http):
            assert rig.twitch.client_secret not in repr(vars(thing))
        asked = {(request.method, request.path) for request in rig.twitch.requests if request.token_kind == "app"}
    assert asked >= {("PATCH", "/helix/eventsub/conduits/shards")}
    assert ("GET", "/helix/users") not in asked


async def test_trap_15_a_start_that_failed_says_so_and_never_reports_ready(rig: Rig) -> None:
    rig.twitch.faults.add("GET", "/helix/eventsub/conduits", status=500, times=None)
    with pytest.raises(MomentsError):
        async with connected(rig, []):
            pytest.fail("it is not connected")
    assert rig.twitch.sockets.opened == 0


async def test_a_start_that_failed_halfway_leaves_no_socket(rig: Rig) -> None:
    rig.twitch.faults.add("PATCH", "/helix/eventsub/conduits/shards", status=500, times=None)
    with pytest.raises(MomentsError):
        async with connected(rig, []):
            pytest.fail("it is not connected")
    assert rig.twitch.sockets.opened == 2
    await rig.twitch.until(lambda: not rig.twitch.sockets.live)


async def test_trap_23_24_its_own_web_server_with_the_unchecked_state_is_never_started(rig: Rig) -> None:
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    async with connected(rig, []) as client:
        assert client.adapter._runner_task is None
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", 4343)) != 0
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers


async def test_a_burst_of_frames_leaves_others_their_turn(rig: Rig) -> None:
    took: list[Mapping[str, Any]] = []
    frame = '{"metadata": {"message_type": "notification"}}'
    async with connected(rig, took):
        before: Counter[int] = Counter()
        turn, ended = 0, False

        async def others() -> None:
            nonlocal turn
            while not ended:
                before[turn] = len(took)
                turn += 1
                await asyncio.sleep(0)

        watching = asyncio.create_task(others())
        session = next(iter(rig.twitch.sockets.live.values()))
        for _ in range(5_000):
            await session.send(frame)
        await eventually(lambda: len(took) == 5_000)
        ended = True
        await watching
    in_a_row = max(before[turn + 1] - before[turn] for turn in range(len(before) - 1))
    assert 1 <= in_a_row <= FRAMES_IN_A_ROW


async def test_sockets_that_are_not_read_for_want_of_room_are_not_taken_for_silent(rig: Rig) -> None:
    patience, open_door, waiting = 0.3, asyncio.Event(), 0
    open_door.set()

    async def room() -> None:
        nonlocal waiting
        waiting += not open_door.is_set()
        await open_door.wait()

    def silences() -> list[float]:
        return [asyncio.get_running_loop().time() - socket.heard_at for socket in client.sockets.values()]

    async with connected(rig, [], room=room, patience=patience) as client:
        open_door.clear()
        await eventually(lambda: waiting == 2)
        rig.twitch.sockets.silence(pongs=True)
        await asyncio.sleep(3 * patience)
        assert max(silences()) < patience
        open_door.set()
        await asyncio.sleep(0.05)
        assert max(silences()) < patience, "the time before counts, that of waiting does not"
        assert rig.twitch.sockets.opened == 2
        await eventually(lambda: rig.twitch.sockets.opened == 4)


OF_CLOCKS = "this machine's clock is"


def of_clocks(lines: Iterable[Mapping[str, Any]]) -> list[str]:
    return [line["event"] for line in lines if line["event"].startswith(OF_CLOCKS)]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (45, ["45 s ahead of Twitch's: marks may be refused or misplaced; set it by NTP"]),
        (-45, ["45 s behind Twitch's: marks may be refused or misplaced; set it by NTP"]),
        (25, []),
        (-25, []),
    ],
)
async def test_a_clock_that_is_not_twitchs_is_said_once(rig: Rig, seconds: int, said: list[str]) -> None:
    with structlog.testing.capture_logs() as lines:
        async with connected(rig, [], clock=lambda: utc_now() + timedelta(seconds=seconds)):
            pass
    assert rig.twitch.sockets.opened == 2, "both were welcomed"
    assert of_clocks(lines) == [f"{OF_CLOCKS} {words}" for words in said]


async def test_a_clock_that_goes_wrong_later_is_noticed_while_nothing_happens(rig: Rig) -> None:
    ahead = timedelta()
    with structlog.testing.capture_logs() as lines:
        async with connected(rig, [], clock=lambda: utc_now() + ahead):
            assert of_clocks(lines) == []
            ahead = timedelta(hours=2)
            await eventually(lambda: of_clocks(lines))
            await rig.twitch.junk('{"metadata": {"message_type": "session_keepalive", "message_timestamp": 5}}')
    assert len(of_clocks(lines)) == 1


async def test_each_attempt_to_connect_compares_clocks_by_the_process_own_clock(rig: Rig) -> None:
    rig.services = replace(rig.services, clock=lambda: utc_now() + timedelta(seconds=45))
    with structlog.testing.capture_logs() as lines:
        for _ in range(2):
            async with rig.running():
                await rig.ready(0)
            rig.board.said.clear()
    assert len(of_clocks(lines)) == 2


async def test_LOG_3_what_twitchio_raises_is_logged_without_its_text(rig: Rig) -> None:
    with structlog.testing.capture_logs() as lines:
        async with connected(rig, []) as client:

            async def event_broken() -> None:
                raise ValueError("https://id.twitch.tv/?client_secret=canary-77aa")

            client.add_listener(event_broken, event="event_broken")
            client.dispatch("broken")
            await eventually(lambda: lines)
            await eventually(lambda: any(line["event"] == "twitchio failed in an event" for line in lines))
    assert "canary" not in str(lines)


def test_twitchio_is_the_one_this_was_written_for() -> None:
    assert version("twitchio").startswith("3.3.")


def test_twitchio_still_has_what_we_override() -> None:
    overridden: dict[type, tuple[str, ...]] = {
        AutoClient: ("_associate_shards", "_websocket_closed", "_conduit_check", "_setup", "event_error", "close"),
        Websocket: ("_listen", "_process_keepalive", "close", "connect"),
        ManagedHTTPClient: ("request", "_init_session", "request_json", "close"),
    }
    for owner, names in overridden.items():
        for name in names:
            assert inspect.iscoroutinefunction(getattr(owner, name)), name
    calls = inspect.getsource(AutoClient._setup)
    assert "self._associate_shards(" in calls
    assert "self._websocket_closed" in calls
    assert "_conduit_check" in calls


def test_twitchio_still_keeps_what_we_look_at() -> None:
    source = inspect.getsource(Websocket)
    for name in ("_socket", "_ready", "_session_id", "_keep_alive_task", "_listen_task", "_http"):
        assert f"self.{name}" in source
    assert {"url", "fail_once"} <= inspect.signature(Websocket.connect).parameters.keys()
    assert "self._listen()" in inspect.getsource(Websocket.connect)
    assert "self._ready.wait()" in inspect.getsource(Websocket.connect)
    assert 'dispatch("websocket_closed"' in inspect.getsource(Websocket.close)
    assert "_sockets" in vars(ConduitInfo(None))  # type: ignore[arg-type]
