"""What the intake does first when there is much to do, and that nothing in it grows without end."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.discord import intake as intake_module
from bot.discord.cards import EPHEMERAL
from bot.discord.intake import CLOSING, CUT, Intake
from bot.discord.rest import Posted
from commands.model import Card, Heard, Reply
from commands.suggest import Suggestion
from storage.answers import Answer
from tests.bot.discord.gateway_rig import eventually
from tests.bot.discord.test_translate import CLIP, ID, IN_A_SERVER, TYPED


class Discord:
    """Takes everything; `held` are the interactions whose acknowledgement waits for the gate."""

    def __init__(self, held: Callable[[str], bool] = lambda _: False) -> None:
        self.gate = asyncio.Event()
        self.acknowledged: list[tuple[str, Mapping[str, Any]]] = []
        self.answered: list[str] = []
        self._held = held

    async def callback(self, interaction_id: str, token: str, body: Mapping[str, Any], *, deadline: float) -> None:
        await asyncio.sleep(0)  # as any request does
        if self._held(interaction_id):
            await self.gate.wait()
        self.acknowledged.append((interaction_id, body))

    async def edit_original(self, token: str, body: Mapping[str, Any]) -> Posted:
        self.answered.append(body["content"])
        return Posted()

    async def delete_original(self, token: str) -> None:
        raise AssertionError("nothing is taken back here")

    async def follow_up(self, token: str, body: Mapping[str, Any], *, again: bool = False) -> None:
        raise AssertionError("nothing is added here")


class Room:
    """An intake, and what it was asked."""

    def __init__(self, discord: Discord, **options: Any) -> None:  # noqa: ANN401 -- the intake's own
        self.discord = discord
        self.heard: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.intake = Intake(
            self, self.suggest, discord, self.now, site="https://x.example", follow=follow, note=note, **options
        )

    @staticmethod
    def now() -> datetime:
        return datetime.now(UTC)

    async def hear(self, heard: Heard) -> Reply:
        self.heard.append(str(heard.message_id))
        await self.gate.wait()
        return Reply("Said.")

    async def suggest(self, _heard: Heard, _option: str, _typed: str) -> Sequence[Suggestion]:
        await self.gate.wait()
        return [Suggestion("x", "x")]

    def take(self, number: int, kind: int = 2, data: Mapping[str, Any] = CLIP) -> str:
        """The id of an interaction that was taken."""
        interaction = str(int(ID) + number)
        self.intake.take({**IN_A_SERVER, "type": kind, "data": data, "id": interaction})
        return interaction


async def note(_answer: Answer) -> None:
    raise AssertionError("nothing here repeats anybody")


async def follow(card: Card, _until: datetime) -> AsyncIterator[Card]:
    yield card


async def test_in_a_burst_acknowledging_comes_before_everything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_module, "BURST_SECONDS", 60.0)
    room = Room(Discord(held=lambda interaction: interaction != ID))
    for number in range(40):
        room.take(number)
    await eventually(lambda: room.discord.acknowledged)
    for _ in range(50):
        await asyncio.sleep(0)
    assert room.heard == []
    room.discord.gate.set()
    await eventually(lambda: len(room.discord.answered) == 40)


async def test_no_command_waits_for_long_because_others_are_not_acknowledged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_module, "BURST_SECONDS", 0.01)
    room = Room(Discord(held=lambda interaction: interaction != ID))
    for number in range(40):
        room.take(number)
    await eventually(lambda: room.discord.answered)
    await room.intake.drain(0)


async def test_a_few_others_keep_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_module, "BURST_SECONDS", 60.0)
    room = Room(Discord(held=lambda interaction: interaction != ID))
    for number in range(10):
        room.take(number)
    await eventually(lambda: room.discord.answered)
    await room.intake.drain(0)


async def test_interactions_are_known_again_and_the_oldest_are_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_module, "REMEMBERED", 3)
    room = Room(Discord())
    for number in (0, 1, 1, 0, 2, 3, 3):
        room.take(number)
    await room.intake.drain(5)
    assert [int(each) - int(ID) for each in room.heard] == [0, 1, 2, 3]
    assert len(room.intake._seen) == 3


async def test_what_is_far_too_much_is_dropped_and_the_rest_answered() -> None:
    room = Room(Discord(), most_waiting=2)
    room.gate.clear()
    for number in range(9):
        room.take(number)
    await eventually(lambda: len(room.discord.acknowledged) == 4)
    assert [body["type"] for _, body in sorted(room.discord.acknowledged)] == [5, 5, 4, 4]
    room.gate.set()
    await room.intake.drain(5)
    assert len(room.heard) == 2


async def test_at_the_end_nothing_more_is_begun_and_who_comes_late_is_told() -> None:
    room = Room(Discord())
    room.take(0)
    await room.intake.drain(5)
    late = room.take(1)
    await eventually(lambda: len(room.discord.acknowledged) == 2)
    assert len(room.heard) == 1
    assert room.discord.answered == ["Said."]
    said = dict(room.discord.acknowledged)[late]["data"]
    assert (said["content"], said["flags"] & EPHEMERAL) == (CLOSING, EPHEMERAL)


async def test_a_command_that_the_end_cuts_short_is_not_left_thinking() -> None:
    room = Room(Discord())
    room.gate.clear()
    room.take(0)
    await eventually(lambda: len(room.heard) == 1)
    await room.intake.drain(0.05)
    assert room.discord.answered == [CUT]


async def test_only_so_many_are_helped_to_type_and_the_others_have_no_suggestions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(intake_module, "MOST_TYPING", 2)
    room = Room(Discord())
    room.gate.clear()
    for number in range(5):
        room.take(number, 4, TYPED)
    await eventually(lambda: len(room.discord.acknowledged) == 3)
    room.gate.set()
    await room.intake.drain(5)
    counts = [len(body["data"]["choices"]) for _, body in room.discord.acknowledged]
    assert counts == [0, 0, 0, 1, 1]


async def test_PLAT_5_what_cannot_be_read_is_dropped_and_costs_nothing() -> None:
    room = Room(Discord())
    unreadable: list[dict[str, Any]] = [{}, {"type": 2}, {**IN_A_SERVER, "type": 2, "data": None}, {"type": []}]
    for payload in unreadable:
        room.intake.take(payload)
    assert not room.intake._tasks
    room.take(1)
    await room.intake.drain(5)
    assert len(room.heard) == 1
