"""Discord in a real process that is killed, stopped, starved and lied to.

Each story ends with marks flowing again, and none lost or doubled that reached us.
"""

import asyncio
import copy
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.canaries import Canaries, files, spoken
from tests.discord_process import Stage, open_stage
from tests.fake_discord.interactions import Interaction
from tests.fake_discord.people import Channel
from tests.process import PATIENCE
from tests.twitch_process import open_stage as open_twitch_stage

PLAIN = (sys.executable, "-m", "bot", "run")
SONG = "https://youtu.be/dQw4w9WgXcQ"


async def all_is_well(stage: Stage, channel: Channel, of: list[Interaction] | None = None) -> None:
    """Marks flow again, and nothing was lost or doubled."""
    assert stage.it.process.poll() is None, stage.log[-3000:]
    await stage.marks(channel, "again")
    stage.assert_nothing_lost_or_doubled(of=[each.id for each in of or []])


async def burst(stage: Stage, channel: Channel, count: int) -> list[Interaction]:
    """So many people mark at once."""
    start = len(stage.asked)
    return [await stage.types(f"burst_{start + n}", channel, "clip", note=f"number {n}") for n in range(count)]


def syncs(stage: Stage) -> int:
    """How often Discord was told of the commands."""
    return sum(each.method == "PUT" and each.path.endswith("/commands") for each in stage.discord.requests)


# --- from nothing


async def test_a_clean_process_logs_in_tells_of_its_commands_once_and_answers(tmp_path: Path) -> None:
    async with open_stage(tmp_path) as stage:
        stage.settings.pop("MOMENTS_COOLDOWN_SECONDS")
        async with stage.running(PLAIN):
            await stage.ready()
            channel = await stage.opens()
            clip = await stage.marks(channel, "what a dodge")
            assert (clip.acked_after or 9) < 1
            saved = await stage.types("sable", channel, "moment", url=SONG, range="0:45-1:00", note="that drop")
            assert "0:45" in await stage.answer(saved)
            status, page = await stage.page("/s/latest")
            assert (status, "what a dodge" in page) == (200, True)
            assert (await stage.stop())[0] == 0
        assert syncs(stage) == 1
        async with stage.running(PLAIN):
            await stage.ready()
            await all_is_well(stage, channel, of=[clip])
            assert (await stage.stop())[0] == 0
        assert syncs(stage) == 1
        assert stage.discord.token not in stage.log
        assert "Traceback" not in stage.log


async def test_what_buttons_fields_and_a_messages_menu_save_is_shown_by_the_site(tmp_path: Path) -> None:
    async with open_stage(tmp_path) as stage, stage.running():
        await stage.ready()
        channel, (rook, finch, wren) = await stage.opens(), map(stage.discord.user, ("rook", "finch", "wren"))
        saved = await stage.types("sable", channel, "moment", url=SONG, range="0:45-1:00", note="that drop")
        card = await stage.discord.shown(saved, timeout=PATIENCE)

        pressed = await stage.discord.press(rook, card, "Save this too")
        await stage.discord.answered(pressed, follow_ups=1, timeout=PATIENCE)
        assert "Saved by 2 people" in pressed.follow_ups[0].content

        typing = await stage.discord.autocomplete(finch, channel, "moment", focused="url", url="youtu")
        await stage.discord.answered(typing, timeout=PATIENCE)
        (offered,) = typing.choices
        chosen = await stage.types(
            finch, channel, "moment", url=offered["value"], range="0:46-1:01", note="goose bumps"
        )
        assert "0:46–1:01" in await stage.answer(chosen)

        boxed = stage.discord.say(rook, channel, "")
        boxed.embeds.append({"type": "rich", "title": "now playing", "url": SONG})
        picked = await stage.discord.menu(wren, boxed, "Save moment")
        await stage.discord.answered(picked, timeout=PATIENCE)
        sent = await stage.discord.submit(wren, picked, range="0:45-1:00", note="from a box")
        await stage.discord.answered(sent, timeout=PATIENCE)
        assert "Saved by 4 people" in sent.text

        said = {moment: note for moment, note in stage.rows("save", "public_id, note") if note}
        assert set(said.values()) == {"that drop", "goose bumps", "from a box"}
        for moment, note in said.items():
            (status, page), (_, told) = await stage.page(f"/m/{moment}"), await stage.page(f"/api/v1/moments/{moment}")
            assert (status, note in page, "4 people" in page) == (200, True, True)
            assert (orjson.loads(told)["id"], orjson.loads(told)["note"]) == (moment, note)
        assert (await stage.stop())[0] == 0
        assert "Traceback" not in stage.log


async def test_without_a_token_nothing_of_discord_is_loaded_and_nothing_said_of_it(tmp_path: Path) -> None:
    async with open_stage(tmp_path) as stage:
        async with stage.running(PLAIN, MOMENTS_DISCORD_TOKEN=""):
            assert await stage.state() == ""
            assert (await stage.stop())[0] == 0
        assert not stage.discord.requests


# --- the end of a process


async def test_sigterm_during_commands_still_answers_every_one_that_was_heard(tmp_path: Path) -> None:
    async with open_stage(tmp_path) as stage:
        async with stage.running():
            await stage.ready()
            channel = await stage.opens()
            stage.discord.faults.add("PATCH", "/api/v10/webhooks/*/messages/@original", delay=0.5, times=20)
            said = await burst(stage, channel, 20)
            await stage.discord.until(lambda: all(each.ack for each in said))
            code, seconds = await stage.stop()
            assert (code, seconds < 8) == (0, True)
            assert all("Marked #" in each.text for each in said)
            assert "Traceback" not in stage.log
        stage.assert_nothing_lost_or_doubled(of=[each.id for each in said])


async def test_kill_9_in_a_burst_loses_no_answered_mark_and_replay_makes_none_twice(tmp_path: Path) -> None:
    async with open_stage(tmp_path) as stage:
        async with stage.running():
            await stage.ready()
            channel = await stage.opens()
            said = await burst(stage, channel, 150)
            await stage.discord.until(lambda: len(stage.marked()) >= 3)
            await stage.kill()
        before = stage.kept()
        stage.assert_nothing_lost_or_doubled()
        async with stage.running():
            await stage.ready()
            for each in said:
                await stage.discord.gateway.replay(each)
            await all_is_well(stage, channel)
            assert before.keys() <= stage.kept().keys()
            assert (await stage.stop())[0] == 0


# --- a burst


async def test_300_commands_at_once_are_each_acknowledged_within_three_seconds_and_handled_once(
    tmp_path: Path,
) -> None:
    async with open_stage(tmp_path) as stage, stage.running():
        await stage.ready()
        channel = await stage.opens()
        said = await burst(stage, channel, 300)
        for each in said:
            assert "Marked #" in await stage.answer(each)
        assert max(each.acked_after or 9 for each in said) < 3
        await all_is_well(stage, channel, of=said)


async def test_lost_answers_cut_wires_and_replays_in_a_burst_are_handled_once(tmp_path: Path) -> None:
    async with open_stage(tmp_path) as stage, stage.running():
        await stage.ready()
        channel = await stage.opens()
        callback = "/api/v10/interactions/*/callback"
        stage.discord.faults.add("POST", callback, abort=True, after=True, times=20)
        stage.discord.faults.add("POST", callback, status=500, times=20)
        first = await burst(stage, channel, 60)
        await stage.discord.gateway.abort()
        second = await burst(stage, channel, 20)
        for each in [*first, *second]:
            await stage.answer(each)
            await stage.discord.gateway.replay(each)
        await all_is_well(stage, channel, of=[*first, *second])


# --- Discord that goes away


async def test_without_discord_at_its_start_the_site_serves_and_says_so_until_discord_is_there(
    tmp_path: Path,
) -> None:
    async with open_stage(tmp_path) as stage:
        stage.discord.faults.add("*", "*", abort=True, times=None)
        async with stage.running():
            await stage.until_it_says("down: Discord cannot be reached")
            status, ready = await stage.page("/readyz")
            assert (status, orjson.loads(ready)["store"]) == (200, "ok")
            stage.discord.faults.clear()
            await stage.ready()
            channel = await stage.opens()
            await all_is_well(stage, channel)


async def test_discord_that_goes_away_later_costs_nothing_that_was_answered(tmp_path: Path) -> None:
    async with open_stage(tmp_path) as stage, stage.running():
        await stage.ready()
        channel = await stage.opens()
        kept = await stage.marks(channel, "before")
        stage.discord.gateway.refuse = True
        await stage.discord.gateway.abort()
        await stage.until_it_says("down: Discord")
        assert "before" in (await stage.page("/s/latest"))[1]
        there = f"/c/discord/{channel.id}"
        assert "The bot is not connected to Discord just now." in (await stage.page(there))[1]
        stage.discord.gateway.refuse = False
        await stage.ready()
        await all_is_well(stage, channel, of=[kept])
        assert "The bot is not connected" not in (await stage.page(there))[1]


async def test_of_two_processes_on_one_database_one_runs_discord_and_the_other_takes_over(tmp_path: Path) -> None:
    async with open_stage(tmp_path) as first, first.running():
        await first.ready()
        channel = await first.opens()
        second = first.beside()
        async with second.running():
            await second.until_it_says("another process runs Discord")
            kept = await first.marks(channel, "from the first")
            await first.kill()
            await second.ready()
            await all_is_well(second, channel, of=[kept])


# --- a gateway that lies


JUNK: list[Any] = [
    None,
    True,
    -1,
    2**63,
    1.5,
    "",
    "x" * 10_000,
    "\u202e\x00",
    [],
    [[]],
    {},
    {"id": {}},
    "../../etc/passwd",
]


def paths(value: object, here: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place in a payload."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in inside:
        yield (*here, key)
        yield from paths(inner, (*here, key))


def lied_about(payload: dict[str, Any], path: tuple[str | int, ...], junk: object, new_id: str) -> dict[str, Any]:
    """A copy of it with something else there; nobody asked for this one."""
    lie: Any = copy.deepcopy(payload) | {"id": new_id, "token": "nobodys"}
    at = lie
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = junk
    return dict(lie)


async def test_PLAT_5_between_a_gateways_lies_every_good_mark_is_kept_and_answered(tmp_path: Path) -> None:
    dice = random.Random(5)
    async with open_stage(tmp_path) as stage, stage.running():
        await stage.ready()
        channel = await stage.opens()
        honest = await stage.marks(channel, "an honest one")
        opened = stage.discord.gateway.opened
        for number, path in enumerate(paths(honest.payload)):
            for junk in dice.sample(JUNK, 4):
                lie = lied_about(honest.payload, path, junk, stage.discord.snowflake())
                await stage.discord.gateway.send_raw({"t": "INTERACTION_CREATE", "d": lie})
            if number % 10 == 0:
                await all_is_well(stage, channel, of=[honest])
        await all_is_well(stage, channel, of=[honest])
        assert stage.discord.gateway.opened == opened, "it was connected anew"
        assert (await stage.stop())[0] == 0
        assert "Traceback" not in stage.log


# --- what it says


@pytest.mark.parametrize("log_format", ["console", "json"])
async def test_LOG_1_a_failing_run_on_discord_shows_no_token_and_none_of_discords_words(
    tmp_path: Path, log_format: str
) -> None:
    canaries = Canaries()
    words = canaries.new("what Discord says of a failure")
    loud = {"message": words, "code": 50035, "errors": {words: {"_errors": [{"code": words, "message": words}]}}}
    async with open_stage(tmp_path) as stage:
        async with stage.running(MOMENTS_LOG_LEVEL="debug", MOMENTS_LOG_FORMAT=log_format):
            await stage.ready()
            channel = await stage.opens()
            for method, path in (("PATCH", "webhooks/*"), ("POST", "interactions/*"), ("POST", "interactions/*")):
                for status in (400, 500):
                    fault = stage.discord.faults.add(method, f"/api/v10/{path}", status=status, body=loud)
                    await stage.types(f"viewer_{status}_{len(stage.asked)}", channel, "clip", note="again")
                    await stage.discord.until(lambda fault=fault: fault.used)  # type: ignore[misc]  # a bound lambda
            for broken in ({"t": "INTERACTION_CREATE", "d": {"token": words, "id": words}}, f"no JSON {words}"):
                await stage.discord.gateway.send_raw(broken)
            stage.discord.faults.add("GET", "/api/v10/users/@me", status=400, body=loud)
            stage.discord.faults.add("GET", "/api/v10/gateway/bot", status=401, body=loud)
            await stage.discord.gateway.close(4004)
            await stage.until(lambda: stage.log.count("Discord is down") >= 3, "it fails to come back")
            await stage.ready()
            await stage.marks(channel, "again")
            assert (await stage.stop())[0] == 0
        for secret in stage.discord.secrets:
            canaries.add("a secret of Discord's", secret)
        canaries.assert_in_none_of(spoken(stage.it), files(stage.folder))


# --- Twitch beside it


async def test_whatever_becomes_of_discord_twitch_goes_on(tmp_path: Path) -> None:
    other = tmp_path / "discord"
    other.mkdir()
    async with open_twitch_stage(tmp_path) as twitch, open_stage(other) as stage:
        async with twitch.running((), **stage.settings):
            await twitch.lets_bot_in()
            (rosa,) = await twitch.opens("rosa")
            await stage.discord.gateway.ready()
            await stage.discord.gateway.close(4004)
            stage.discord.faults.add("*", "*", status=503, times=None)
            await asyncio.gather(*(twitch.marks_again(rosa, f"meanwhile {number}") for number in range(3)))
            assert await twitch.state() == "ready"
            assert (await twitch.stop())[0] == 0
            assert "Traceback" not in twitch.log
        stage.discord.faults.clear()
