"""RES-7 on Discord: a mark that was taken up is kept, whether or not it can be answered; no queue is without end."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.discord.intake import TOO_MANY
from bot.discord.poster import MOST_CHANGES, MOST_SESSIONS, Poster
from commands.dispatch import Dispatcher
from commands.model import Heard, Reply
from storage import Change
from tests.bot.discord.gateway_rig import eventually
from tests.bot.discord.rig import Rig, open_rig

ORIGINAL = "/api/v10/webhooks/*/messages/@original"


@pytest.fixture
async def rig(database: Path) -> AsyncIterator[Rig]:
    async with open_rig(database) as rig:
        yield rig


@pytest.mark.parametrize(
    "fault", [{"status": 404, "body": {"message": "gone", "code": 10008}}, {"abort": True}], ids=str
)
async def test_RES_7_a_mark_whose_answer_cannot_be_given_is_kept(rig: Rig, fault: dict[str, object]) -> None:
    _, channel, rook, _ = rig.town()
    people = [rig.discord.user(f"viewer_{number}") for number in range(20)]
    async with rig.running(drain=0.5):
        await rig.says(rook, channel, "start")
        failed = rig.discord.faults.add("PATCH", ORIGINAL, times=None, **fault)  # type: ignore[arg-type]  # as above
        typed = [await rig.discord.slash(user, channel, "clip", note=user.username) for user in people]
        await rig.discord.until(lambda: failed.used >= len(typed))
    assert {mark.note for mark in await rig.marks(channel)} == {user.username for user in people}
    assert not any(each.edits for each in typed)
    rig.discord.faults.clear()


async def test_RES_7_past_the_bound_a_command_is_refused_in_words_before_anything_is_kept(rig: Rig) -> None:
    """On Discord what waits is the command, not its answer. Whoever is refused is told so, and has no mark that nobody
    knows of: that is what RES-7 wants of a flood, where a chat's mark would be kept and its reply dropped.
    """
    _, channel, rook, _ = rig.town()
    people = [rig.discord.user(f"viewer_{number}") for number in range(12)]
    rig.options, gate, dispatcher = {"most_waiting": 4}, asyncio.Event(), Dispatcher(rig.services)
    async with rig.running() as intake:
        await rig.says(rook, channel, "start")

        async def slowly(heard: Heard) -> Reply | None:
            await gate.wait()
            return await dispatcher.hear(heard)

        rig.instead = slowly
        taken = [await rig.discord.slash(user, channel, "clip", note=user.username) for user in people[:4]]
        await rig.discord.until(lambda: all(each.ack for each in taken))
        refused = [await rig.says(user, channel, "clip", note=user.username) for user in people[4:]]
        assert {(each.text, each.ephemeral) for each in refused} == {(TOO_MANY, True)}
        await eventually(lambda: len(intake._tasks) == 4)
        gate.set()
        for each in taken:
            assert "Marked #" in (await rig.discord.answered(each)).text
    assert {mark.note for mark in await rig.marks(channel)} == {user.username for user in people[:4]}


async def test_RES_7_what_a_feed_is_told_of_does_not_pile_up(rig: Rig) -> None:
    """What it does not remember it finds again by looking (test_poster_faults.py)."""
    poster = Poster(rig.services, rig.rest)
    for number in range(MOST_SESSIONS + 10):
        poster.announce([Change("timestamp", f"session {number}")])
    poster.announce([Change("timestamp", "session 0")] * (MOST_CHANGES + 10))
    assert len(poster._changes) == MOST_SESSIONS
    assert sum(len(waiting or ()) for waiting in poster._changes.values()) <= MOST_SESSIONS + MOST_CHANGES
