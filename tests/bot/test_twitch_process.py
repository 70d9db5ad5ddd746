"""Twitch in a real process that is killed, stopped, starved and lied to.

Each story ends with marks flowing again, and none lost or doubled that reached us.
"""

import asyncio
import copy
import json
import re
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio

from tests.disk import small_disk
from tests.fake_twitch.eventsub import Delivery
from tests.fake_twitch.server import FakeUser
from tests.twitch_process import Stage, open_stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

SHARDS = 2
"""A raw frame comes on each socket."""
HIDDEN = re.compile(r"[\x00-\x1f\u202a-\u202e\u2066-\u2069]")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def one_process(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """The same for all tests that take a `town`: it has to live through every one of them."""
    async with open_stage(tmp_path_factory.mktemp("town")) as stage, stage.running(MOMENTS_LOG_LEVEL="debug"):
        await stage.lets_bot_in()
        yield stage
        assert (await stage.stop())[0] == 0
        assert "Traceback" not in stage.log


@pytest.fixture
def town(one_process: Stage) -> Iterator[Stage]:
    yield one_process
    one_process.twitch.faults.clear()
    one_process.twitch.persistent_401(None, on=False)


async def all_is_well(stage: Stage, *channels: FakeUser, of: tuple[str, ...] | list[str] = ()) -> None:
    """Marks flow again in these channels, and nothing was lost or doubled."""
    assert stage.it.process.poll() is None, stage.log[-3000:]
    await stage.until(lambda: not of or all(stage.kept()[message] for message in of), "all that reached us is kept")
    for channel in channels:
        await stage.marks_again(channel, f"again {uuid.uuid4().hex[:6]}")
    stage.assert_nothing_lost_or_doubled(of=of)


async def burst(stage: Stage, channel: FakeUser, said: list[str]) -> None:
    """Somebody else marks every few milliseconds, without end."""
    while True:
        said.append(await stage.says(channel, f"viewer_{uuid.uuid4().hex[:8]}", f"!clip number {len(said)}"))
        await asyncio.sleep(0.003)


@contextmanager
def bursting(stage: Stage, channel: FakeUser) -> Iterator[list[str]]:
    """The ids of what is said meanwhile."""
    said: list[str] = []
    task = asyncio.create_task(burst(stage, channel, said))
    try:
        yield said
    finally:
        task.cancel()


def delivered(stage: Stage, said: list[str]) -> list[Delivery]:
    """What of it reached a socket."""
    ids = set(said)
    payloads = [(each, orjson.loads(each.frame)["payload"]) for each in stage.twitch.deliveries]
    return [each for each, payload in payloads if payload.get("event", {}).get("message_id") in ids]


# --- the process itself


async def test_trap_7_kill_9_in_a_burst_loses_no_answered_mark_and_redelivery_makes_none_twice(tmp_path: Path) -> None:
    async with open_stage(tmp_path) as stage:
        async with stage.running():
            await stage.lets_bot_in()
            (rosa,) = await stage.opens("rosa")
            with bursting(stage, rosa) as said:
                await stage.until(lambda: len(stage.answers()) >= 3, "some are answered")
                await stage.kill()
        before = stage.kept()
        stage.assert_nothing_lost_or_doubled()
        reached = delivered(stage, said)
        async with stage.running():
            await stage.subscribed()
            for delivery in [*reached, *reached]:
                await stage.twitch.redeliver(delivery)
            await all_is_well(stage, rosa, of=said[: len(reached)])
            assert before.keys() <= stage.kept().keys()
            assert (await stage.stop())[0] == 0


async def test_trap_17_sigterm_in_a_burst_finishes_and_tells_of_every_mark_it_took(tmp_path: Path) -> None:
    async with open_stage(tmp_path) as stage:
        async with stage.running():
            await stage.lets_bot_in()
            (rosa,) = await stage.opens("rosa")
            with bursting(stage, rosa) as said:
                await stage.until(lambda: len(stage.kept()) >= 20, "a burst is on")
                code, seconds = await stage.stop()
            assert (code, seconds < 6) == (0, True)
            assert "Traceback" not in stage.log
        taken = stage.kept()
        assert stage.told(rosa) == len(taken) >= 20
        stage.assert_nothing_lost_or_doubled()
        async with stage.running():
            await stage.subscribed()
            for delivery in delivered(stage, said)[:10]:
                await stage.twitch.redeliver(delivery)
            await all_is_well(stage, rosa, of=[*taken])


async def test_without_twitch_at_its_start_the_site_serves_and_says_so_until_twitch_is_there(tmp_path: Path) -> None:
    async with open_stage(tmp_path) as stage:
        async with stage.running():
            await stage.lets_bot_in()
            (rosa,) = await stage.opens("rosa")
            await stage.marks_again(rosa, "a dodge")
            await stage.stop()
        stage.twitch.faults.add("*", "*", abort=True, times=None)
        async with stage.running():
            await stage.until_it_says("down: Twitch cannot be reached")
            assert "a dodge" in (await stage.page("/s/latest")).text
            assert "The bot is not connected to Twitch just now." in (await stage.page("/c/twitch/rosa")).text
            ready = await stage.page("/readyz")
            assert (ready.status, orjson.loads(ready.text)["store"]) == (200, "ok")
            stage.twitch.faults.clear()
            await stage.subscribed()
            await all_is_well(stage, rosa)
            assert "The bot is in this chat." in (await stage.page("/c/twitch/rosa")).text


async def test_of_two_processes_on_one_database_one_runs_twitch_and_the_other_takes_over(tmp_path: Path) -> None:
    async with open_stage(tmp_path) as first, first.running():
        await first.lets_bot_in()
        (rosa,) = await first.opens("rosa")
        second_one = first.beside()
        async with second_one.running():
            await second_one.until_it_says("another process runs Twitch")
            await all_is_well(first, rosa)
            assert first.twitch.sockets.opened == 2, "the second left the first its sockets"
            assert "again" in (await second_one.page("/s/latest")).text
            with bursting(first, rosa) as said:
                await first.until(lambda: len(first.kept()) >= 20, "a burst is on")
                await first.kill()
            second_one.said_before = len(first.twitch.sent)
            await second_one.subscribed()
            for delivery in delivered(first, said):
                await first.twitch.redeliver(delivery)
            await all_is_well(second_one, rosa, of=[*first.kept()])


async def test_a_full_disk_is_one_sentence_in_chat_and_marks_flow_when_there_is_space(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        async with open_stage(tmp_path, disk.path) as stage, stage.running():
            await stage.lets_bot_in()
            (rosa,) = await stage.opens("rosa")
            await stage.marks_again(rosa, "before")
            disk.fill()
            with bursting(stage, rosa) as said:
                await stage.until(lambda: said_of(stage, "disk"), "it says that the disk is full")
                await stage.until(lambda: len(said) > 200, "and many more are refused")
            sentences = said_of(stage, "disk")
            assert set(sentences) <= FULL
            assert len(sentences) == len(set(sentences)), "each is said once, however many are refused"
            assert (await stage.page("/healthz")).status == 200
            disk.free()
            await all_is_well(stage, rosa)
            assert (await stage.stop())[0] == 0
            assert "Traceback" not in stage.log


FULL = {
    "The disk is full. Nothing was saved; free some space and try again.",
    "The disk did not take it: it may be full or failing. Nothing was saved; try again.",
}


def said_of(stage: Stage, word: str) -> list[str]:
    """What was said in chat with this word in it."""
    return [sent.text for sent in stage.twitch.sent if word in sent.text]


# --- one process that lives through everything


async def test_an_outage_of_minutes_costs_no_mark_that_came_meanwhile(town: Stage) -> None:
    (rosa,) = await town.opens("outage")
    helix = town.twitch.faults.add("*", "/helix/*", status=503, times=None)
    town.twitch.faults.add("*", "/oauth2/*", abort=True, times=None)
    said = [await town.says(rosa, f"patient_{number}", "!clip meanwhile") for number in range(30)]
    await town.until(lambda: all(town.kept()[message] for message in said), "they are kept")
    assert (await town.page("/s/latest")).text.count("meanwhile") >= 30
    town.hours.passes(minutes=20)
    await town.until(lambda: helix.used > 12, "it asks again and again")
    assert await town.state() == "ready"
    town.twitch.faults.clear()
    await all_is_well(town, rosa, of=said)
    await town.until(lambda: town.told(rosa) == len(town.kept_of(rosa)), "everybody is told")


async def test_sockets_moved_cut_and_silenced_in_a_burst_lose_nothing_that_reached_us(town: Stage) -> None:
    (rosa,) = await town.opens("sockets")
    twitch = town.twitch
    with bursting(town, rosa) as said:
        old = set(twitch.sockets.live)
        await twitch.sockets.reconnect()
        await town.until(lambda: two_serve(town, old) and len(said) > 10, "it moved over")
    reached = list(said)
    assert len(delivered(town, reached)) == len(reached), "Twitch delivers all the time while it moves a session"
    await all_is_well(town, rosa, of=reached)
    for disturb in (twitch.sockets.abort, twitch.sockets.silence):
        with bursting(town, rosa) as said:
            old = set(twitch.sockets.live)
            disturb()
            await town.until(lambda old=old: two_serve(town, old), "new sockets serve")  # type: ignore[misc]
        await all_is_well(town, rosa)


def two_serve(stage: Stage, old: set[str]) -> bool:
    """Whether both shards have sockets that are not of the old ones."""
    (conduit,) = stage.twitch.conduits.all.values()
    serving = {shard.session_id for shard in conduit.shards.values() if shard.status == "enabled"}
    return len(serving) == 2 and not serving & old


async def test_a_streamer_who_takes_it_back_is_told_on_their_page_and_nobody_else_notices(town: Stage) -> None:
    (rosa,), (sable,) = await town.opens("stays"), await town.connects("leaves")
    await town.goes_live(sable)
    await town.twitch.revoke(sable)
    await town.until(lambda: ("needs_authorisation",) in town.rows("connection", "state"), "it is noted")
    # The refused token is noted first, the revocation a little later; with that the name goes, and its page.
    await town.until(lambda: (sable.id, None) in town.rows("channel", "platform_id, login"), "the name is gone")
    page = await town.page(f"/c/twitch/{sable.id}")
    assert "Twitch no longer lets the bot act for this channel." in page.text
    await all_is_well(town, rosa)
    assert await town.state() == "ready"
    assert (await town.somebody().connect(sable)).status == 303
    await town.subscribed()
    await all_is_well(town, rosa, sable)
    assert "Twitch no longer lets" not in (await town.page("/c/twitch/leaves")).text


async def test_trap_9_a_persistent_401_is_said_and_asked_about_a_bounded_number_of_times(town: Stage) -> None:
    (rosa,) = await town.opens("unauthorised")
    town.twitch.persistent_401(None)
    before = len(town.twitch.requests)
    town.twitch.sockets.abort()
    await town.until_it_says("down: Twitch refuses MOMENTS_TWITCH_CLIENT_ID or MOMENTS_TWITCH_CLIENT_SECRET")
    assert len(town.twitch.requests) - before < 300  # about 95 for a channel alone; each other channel adds some
    town.twitch.persistent_401(None, on=False)
    await town.subscribed()
    await all_is_well(town, rosa)


async def test_trap_12_a_storm_of_429_keeps_every_mark_and_tells_of_all_afterwards(town: Stage) -> None:
    (rosa,) = await town.opens("storm")
    soon = {"Ratelimit-Reset": str(int(town.twitch.now().timestamp()) + 1)}
    chat = town.twitch.faults.add("POST", "/helix/chat/messages", status=429, headers=soon, times=3)
    town.twitch.faults.add("GET", "/helix/*", status=429, headers=soon, times=6)
    said = [await town.says(rosa, f"stormy_{number}", "!clip in a storm") for number in range(40)]
    await town.until(lambda: chat.used == 3, "Twitch has refused")
    assert await town.state() == "ready"
    await all_is_well(town, rosa, of=said)
    await town.until(lambda: town.told(rosa) == len(town.kept_of(rosa)), "everybody is told")
    assert not town.twitch.dropped


# --- people who lie


STRANGE = {
    "ten thousand characters": "!clip " + "a" * 10_000,
    "zalgo": "!clip " + "Z̷̢̛̺a̵̭͐l̶̯̀g̴̬̈́o̷͍͝" * 200,
    "right to left": "!clip \u202e\u2067 هذه \u202d!end \u2069\u200f",
    "null bytes": "!clip \x00\x1b[2J\r\n!end",
    "an injection": "!clip '); DROP TABLE mark;-- <script>alert(1)</script> {{7*7}} %s",
    "a family": "!clip " + "👨‍👩‍👧‍👦" * 300,
}
"""Marks all the same."""


def each(path: str, *values: object) -> list[tuple[str, object]]:
    """A place in a frame, and what it holds instead."""
    return [(path, value) for value in values]


UNREADABLE = [
    *each("payload.event.message", None, "!clip"),
    *each("payload.event.message.text", 7, ["!clip"]),
    *each("payload.event.chatter_user_id", 10**300, "../../etc/passwd", ""),
    *each("payload.event.chatter_user_name", {"name": "rook"}),
    *each("payload.event.broadcaster_user_id", -1),
    *each("payload.event.broadcaster_user_name", None),
    *each("payload.event.badges", "moderator"),
    *each("payload.event.message_id", "x" * 10_000, None),
    *each("payload.event", []),
]
"""Events that are left out, and counted."""

NO_JSON = [
    *each("payload.event.message.text", "!clip \ud83d"),
    *each("payload.event.chatter_user_name", "\udc00"),
    *each("payload.event.cheer", {"bits": 10**400}),
    *each("metadata.message_timestamp", float("nan")),
]
"""Frames that are left out, and counted: half a character, and what is no number."""

TOLERATED = [
    *each("payload.event.message.fragments", None, 7, [[]], [{"type": "emote", "emote": [10**300]}]),
    *each("payload.event.badges", [None, 7, {"set_id": ["moderator"]}], [{}] * 1000),
    *each("payload.event.reply", {"parent_message_id": 5}),
    *each("payload.event.cheer", {"bits": 10**300}),
    *each("payload.subscription", None),
    *each("metadata.message_timestamp", "9999-12-31T23:59:59.999999999Z", "0001-01-01T00:00:00Z", "-1", "", None, {}),
    *each("metadata.message_timestamp", "1970-01-01T00:00:00+99:99", 10**30),
]
"""Marks all the same: what is wrong there is nothing we need, and a time that cannot be is ours."""


def changed(envelope: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """A copy with a new id and another value there."""
    new = copy.deepcopy(envelope)
    new["metadata"]["message_id"] = str(uuid.uuid4())
    new["payload"]["event"]["message_id"] = str(uuid.uuid4())
    *way, last = path.split(".")
    at = new
    for name in way:
        at = at[name]
    at[last] = value
    return new


async def test_PLAT_5_between_lines_of_liars_every_good_mark_is_kept_and_answered(town: Stage) -> None:
    (rosa,) = await town.opens("liars")
    first = await town.marks_again(rosa, "an honest one")
    (delivery,) = delivered(town, [first])
    envelope = orjson.loads(delivery.frame)
    frames, events = left_out(town)
    good: list[str] = []
    for path, value in [*UNREADABLE, *NO_JSON]:
        await town.twitch.sockets.junk(json.dumps(changed(envelope, path, value)))
        good.append(await town.says(rosa, f"honest_{len(good)}", f"!clip honest {len(good)}"))
    for path, value in TOLERATED:
        odd = changed(envelope, path, value)
        odd["payload"]["event"]["chatter_user_id"] = str(7_000_000 + len(good))
        await town.twitch.sockets.junk(json.dumps(odd))
        good.append(odd["payload"]["event"]["message_id"])
    strange = [await town.says(rosa, f"strange_{number}", text) for number, text in enumerate(STRANGE.values())]
    await all_is_well(town, rosa, of=[*good, *strange])
    await town.until(lambda: town.told(rosa) == len(town.kept_of(rosa)), "everybody is told")
    assert left_out(town) == (frames + SHARDS * len(NO_JSON), events + SHARDS * len(UNREADABLE))
    notes = [town.kept_of(rosa)[message] for message in strange]
    assert all(len(note) <= 1_600 and not HIDDEN.search(note) for note in notes)
    assert town.rows("session WHERE status = 'ended'", "id") == []


async def test_a_clock_that_jumps_costs_no_mark(town: Stage) -> None:
    (rosa,) = await town.opens("clock")
    shared, town.twitch.clock = town.twitch.clock, town.hours.as_now()
    try:
        for minutes in (61, -122, 61):
            town.hours.passes(minutes=minutes)
            await all_is_well(town, rosa)
    finally:
        town.twitch.clock = shared


def left_out(stage: Stage) -> tuple[int, int]:
    """How many frames were no frames, and how many events no events."""
    return stage.log.count("a Twitch frame was left out"), stage.log.count("a Twitch event was left out")
