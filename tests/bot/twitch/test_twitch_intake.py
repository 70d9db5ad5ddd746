"""What is taken off the sockets: once, bounded, in order where order matters, and finished before the end."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.twitch import intake as under_test
from bot.twitch.intake import ATTEMPTS, Intake, Use
from bot.twitch.translate import Happening, MessageDeleted
from commands.model import Heard, Reply
from moments.errors import ProviderDown, StoreBusy
from tests.bot.twitch.envelopes import EXAMPLE, badge, notification, said
from tests.bot.twitch.rig import eventually

NOW = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)
BOT, CHANNEL = "2914196", "1971641"


class Room:
    """An intake, and everything around it that notes what it was told."""

    def __init__(self, **limits: Any) -> None:  # noqa: ANN401
        self.heard: list[Heard] = []
        self.put_: list[tuple[str, str, str | None]] = []
        self.standings: list[tuple[str, bool, bool]] = []
        self.happened: list[Happening] = []
        self.revoked: list[tuple[str, str, datetime]] = []
        self.resubscribed = 0
        self.now = NOW
        self.open = asyncio.Event()
        self.open.set()
        self.fails: list[Exception] = []
        self.at_once = self.most_at_once = 0
        self.intake = Intake(
            self,
            self,
            Use(self._happened, self._revoked),
            lambda: self.now,
            BOT,
            resubscribe=self._resubscribe,
            pause=0.001,
            **limits,
        )
        self.intake.channels = frozenset({CHANNEL, "1337"})

    async def hear(self, heard: Heard) -> Reply | None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.open.wait()
        finally:
            self.at_once -= 1
        self.heard.append(heard)
        if "bug" in heard.text:
            raise ZeroDivisionError
        return Reply(f"to {heard.text}")

    def put(self, channel_id: str, reply: Reply, to_message_id: str | None) -> None:
        self.put_.append((channel_id, reply.text, to_message_id))

    def set_standing(self, channel_id: str, moderator: bool, vip: bool) -> None:
        self.standings.append((channel_id, moderator, vip))

    async def _happened(self, happened: Happening, arrived: datetime) -> None:
        await self.open.wait()
        if self.fails:
            raise self.fails.pop()
        self.happened.append(happened)

    async def _revoked(self, user_id: str, status: str, at: datetime) -> None:
        await self.open.wait()
        if self.fails:
            raise self.fails.pop()
        self.revoked.append((user_id, status, at))

    def _resubscribe(self) -> None:
        self.resubscribed += 1

    def texts(self) -> list[str]:
        return [heard.text for heard in self.heard]


def line(number: int, text: str = "!clip") -> dict[str, Any]:
    return said(f"{text} {number}", message_id=f"message-{number}")


def told(kind: str, number: int, **fields: Any) -> dict[str, Any]:  # noqa: ANN401
    return notification(kind, EXAMPLE | fields, message_id=f"envelope-{number}")


async def test_a_command_is_answered_in_thread() -> None:
    room = Room()
    room.intake.take(line(1))
    await eventually(lambda: room.put_)
    assert room.put_ == [(CHANNEL, "to !clip 1", "message-1")]


async def test_only_what_moderators_change_is_said_before_everybody_elses_answers() -> None:
    class Changing(Room):
        async def hear(self, heard: Heard) -> Reply | None:
            return Reply(f"Moved for {heard.role.name}", kind="changed")

        def put(self, channel_id: str, reply: Reply, to_message_id: str | None) -> None:
            self.put_.append((reply.text, reply.kind, to_message_id))

    room = Changing()
    for role in ("subscriber", "vip", "moderator", "broadcaster"):
        room.intake.take(said("!adjust +1", message_id=role, badges=[badge(role)]))
    await room.intake.drain(1)
    kinds = {to: kind for _, kind, to in room.put_}
    assert kinds == {"subscriber": "read", "vip": "read", "moderator": "changed", "broadcaster": "changed"}


async def test_trap_7_the_same_message_again_is_not_heard_again() -> None:
    room = Room()
    for _ in range(3):
        room.intake.take(line(1))
        room.intake.take(told("stream.offline", 1))
    await room.intake.drain(1)
    assert (room.texts(), len(room.happened)) == (["!clip 1"], 1)


async def test_PLAT_3_what_was_seen_is_remembered_for_a_bounded_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_test, "REMEMBERED", 10)
    room = Room()
    for number in range(100):
        room.intake.take(line(number))
    assert len(room.intake._seen) == 10
    room.intake.take(line(95))
    await room.intake.drain(1)
    assert len(room.heard) == 100


async def test_PLAT_3_events_of_channels_that_are_not_connected_are_dropped() -> None:
    room = Room()
    room.intake.channels = frozenset({"7"})
    room.intake.take(line(1))
    room.intake.take(told("stream.online", 1))
    await room.intake.drain(1)
    assert (room.heard, room.happened) == ([], [])


async def test_CHAT_5_trap_22_our_own_lines_are_not_heard_but_tell_what_we_are() -> None:
    room = Room()
    for badges in ([], [badge("moderator")], [badge("vip")]):
        room.intake.take(said("!clip", chatter_user_id=BOT, badges=badges))
    room.intake.take(said("!clip", chatter_user_id=BOT, badges=[badge("moderator")], source_broadcaster_user_id="1"))
    await room.intake.drain(1)
    assert room.heard == []
    assert room.standings == [(CHANNEL, False, False), (CHANNEL, True, False), (CHANNEL, False, True)]


async def test_CHAT_5_what_another_bot_says_is_no_command_whatever_it_is_there() -> None:
    room = Room()
    for number, role in enumerate(["moderator", "broadcaster", "vip", "premium"]):
        room.intake.take(said("!clip", message_id=f"bot-{number}", badges=[badge(role), badge("bot-badge")]))
    room.intake.take(said("!end", message_id="own", chatter_user_id=CHANNEL, badges=[badge("bot-badge")]))
    room.intake.take(said("!clip", message_id="odd", chatter_user_id=CHANNEL, badges=None))
    room.intake.take(said("!clip typed", message_id="typed", badges=[badge("moderator")]))
    await room.intake.drain(1)
    assert room.texts() == ["!clip", "!clip typed"]
    assert room.heard[0].message_id == "odd", "a broadcaster is known by the id"


async def test_CHAT_5_our_own_lines_tell_what_we_are_under_the_badge_of_bots_too() -> None:
    room = Room()
    room.intake.take(said("Marked #1", chatter_user_id=BOT, badges=[badge("moderator"), badge("bot-badge")]))
    assert room.standings == [(CHANNEL, True, False)]


async def test_a_rerun_is_no_stream() -> None:
    room = Room()
    for number, kind in enumerate(["rerun", "premiere", "watch_party", "playlist", "live"]):
        room.intake.take(told("stream.online", number, type=kind))
    await room.intake.drain(1)
    assert [getattr(happened, "type", None) for happened in room.happened] == ["live"]


async def test_no_more_commands_run_at_once_than_allowed_and_the_first_go_first() -> None:
    room = Room(at_once=3)
    room.open.clear()
    for number in range(20):
        room.intake.take(line(number))
    await eventually(lambda: room.at_once == 3)
    room.open.set()
    await eventually(lambda: len(room.heard) == 20)
    assert room.most_at_once == 3
    assert room.texts() == [f"!clip {number}" for number in range(20)]


async def test_with_too_much_waiting_the_sockets_are_not_read() -> None:
    room = Room(at_once=1, most_waiting=5)
    room.open.clear()
    for number in range(5):
        room.intake.take(line(number))
    await asyncio.wait_for(room.intake.room(), 1)
    room.intake.take(line(5))
    waiting = asyncio.create_task(room.intake.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    room.open.set()
    await asyncio.wait_for(waiting, 1)
    await eventually(lambda: len(room.heard) == 6)


async def test_talk_costs_no_task_and_no_memory() -> None:
    room = Room()
    before = len(asyncio.all_tasks())
    for number in range(1_000):
        room.intake.take(line(number, "only talk !clip"))
    assert len(asyncio.all_tasks()) == before
    assert not room.intake._seen


async def test_a_bug_in_one_command_does_not_stop_the_next() -> None:
    room = Room(at_once=1)
    for number, text in enumerate(["!bug", "!clip", "!bug", "!clip"]):
        room.intake.take(line(number, text))
    await eventually(lambda: len(room.put_) == 2)


async def test_one_channels_events_keep_their_order_while_others_go_on() -> None:
    room = Room()
    room.fails = [StoreBusy("another process holds it"), ProviderDown("GET /x: 503")]
    room.intake.take(told("stream.online", 1))
    room.intake.take(told("channel.chat.message_delete", 2))
    room.intake.take(told("stream.offline", 3, broadcaster_user_id=CHANNEL))
    await room.intake.drain(2)
    of_first = [type(happened).__name__ for happened in room.happened if happened.place.platform_id == "1337"]
    assert of_first == ["WentOnline", "MessageDeleted"]
    assert len(room.happened) == 3


async def test_an_event_that_meets_a_bug_is_given_up_and_the_next_is_taken() -> None:
    room = Room()
    room.fails = [ZeroDivisionError()]
    room.intake.take(told("stream.online", 1))
    room.intake.take(told("channel.chat.message_delete", 2))
    await room.intake.drain(1)
    assert [type(happened) for happened in room.happened] == [MessageDeleted]


async def test_a_flood_of_one_channels_events_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_test, "MOST_HAPPENINGS", 5)
    room = Room()
    room.open.clear()
    for number in range(50):
        room.intake.take(told("channel.chat.message_delete", number))
    room.open.set()
    await room.intake.drain(1)
    assert len(room.happened) <= 6


def revocation(status: str = "authorization_revoked", channel_id: str = "1337") -> dict[str, Any]:
    subscription = {
        "type": "channel.chat.message",
        "status": status,
        "condition": {"broadcaster_user_id": channel_id, "user_id": BOT},
    }
    return {"metadata": {"message_type": "revocation"}, "payload": {"subscription": subscription}}


async def test_several_revocations_of_one_channel_are_looked_into_once_and_then_subscribed_anew() -> None:
    room = Room()
    for _ in range(3):
        room.intake.take(revocation())
    await room.intake.drain(1)
    assert (room.revoked, room.resubscribed) == ([("1337", "authorization_revoked", NOW)], 1)


async def test_each_reason_of_a_revocation_is_told_on() -> None:
    room = Room()
    for status in ("chat_user_banned", "authorization_revoked", "chat_user_banned"):
        room.intake.take(revocation(status))
    await room.intake.drain(1)
    assert {status for _, status, _ in room.revoked} == {"chat_user_banned", "authorization_revoked"}
    assert len(room.revoked) == 2


async def test_a_revocation_the_store_could_not_take_at_once_is_noted_with_when_it_came() -> None:
    room = Room()
    room.fails = [StoreBusy("another process holds it"), ProviderDown("GET /x: 503")]
    room.intake.take(revocation())
    room.now += timedelta(minutes=5)
    await room.intake.drain(1)
    assert (room.revoked, room.resubscribed) == ([("1337", "authorization_revoked", NOW)], 1)


@pytest.mark.parametrize("fails", [[StoreBusy("another process holds it")] * ATTEMPTS, [ZeroDivisionError()]])
async def test_a_revocation_that_cannot_be_noted_still_leads_to_a_look_at_the_subscriptions(
    fails: list[Exception],
) -> None:
    room = Room()
    room.fails = list(fails)
    room.intake.take(revocation())
    await room.intake.drain(1)
    assert (room.fails, room.revoked, room.resubscribed) == ([], [], 1)


async def test_trap_17_at_the_end_what_was_taken_is_finished_and_nothing_more_is_taken() -> None:
    room = Room(at_once=2)
    room.open.clear()
    for number in range(6):
        room.intake.take(line(number))
    draining = asyncio.create_task(room.intake.drain(5))
    await asyncio.sleep(0)
    room.intake.take(line(99))
    room.open.set()
    await draining
    assert len(room.put_) == 6


async def test_the_end_does_not_wait_for_ever() -> None:
    room = Room(at_once=2)
    room.open.clear()
    for number in range(6):
        room.intake.take(line(number))
    async with asyncio.timeout(2):
        await room.intake.drain(0.05)
    assert room.put_ == []
    assert room.at_once == 0


@pytest.mark.parametrize(
    "break_it", [lambda envelope: envelope["metadata"].pop("message_id"), lambda envelope: envelope.clear()]
)
async def test_PLAT_5_what_cannot_be_read_is_dropped(break_it: Callable[[dict[str, Any]], object]) -> None:
    room = Room()
    envelope = told("stream.online", 1)
    break_it(envelope)
    room.intake.take(envelope)
    await room.intake.drain(1)
    assert room.happened == []
