"""Every interaction in time, once and always answered, whatever Discord does meanwhile."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from bot.discord import intake as intake_module
from bot.discord.answers import Answers
from bot.discord.cards import Body
from commands.model import Card, Heard, Reply
from tests.bot.discord.gateway_rig import eventually
from tests.bot.discord.rig import VIDEO, Rig, answer, open_rig
from tests.fake_discord.interactions import MESSAGE

CALLBACK = "/api/v10/interactions/*/callback"
ORIGINAL = "/api/v10/webhooks/*/messages/@original"
FOLLOW_UP = "/api/v10/webhooks/*"
CARD = Card("0:03–0:08 · Saved by 1 person", title="Me at the zoo", moment="abc")


@pytest.fixture
async def rig(database: Path) -> AsyncIterator[Rig]:
    async with open_rig(database) as rig:
        yield rig


async def test_a_burst_of_300_is_acknowledged_in_time_and_each_is_answered_once(rig: Rig) -> None:
    _, channel, rook, _ = rig.town()
    people = [rig.discord.user(f"viewer{number}") for number in range(300)]
    async with rig.running():
        await rig.says(rook, channel, "start")
        begun = time.perf_counter()
        asked = [await rig.discord.slash(person, channel, "clip", note="now!") for person in people]
        for each in asked:
            await rig.discord.answered(each, timeout=60)
        took = time.perf_counter() - begun
    slowest = max(each.acked_after or 99 for each in asked)
    print(f"300 at once: slowest acknowledgement {slowest:.2f} s, all answered after {took:.2f} s")  # noqa: T201 -- a number to look at
    assert slowest < 3
    assert [len(each.callbacks) for each in asked] == [1] * 300
    assert [each.edits for each in asked] == [1] * 300
    assert all(each.follow_ups == [] and each.text.startswith("Marked #") for each in asked)
    assert len(await rig.marks(channel)) == 300


async def test_in_a_burst_everybody_is_acknowledged_before_slow_work_is_done(rig: Rig) -> None:
    _, channel, _, sable = rig.town()
    gate = asyncio.Event()

    async def slowly(_heard: Heard) -> Reply:
        await gate.wait()
        return Reply("Done.")

    rig.instead, rig.options = slowly, {"at_once": 4}
    async with rig.running():
        asked = [await rig.discord.slash(sable, channel, "session") for _ in range(40)]
        await rig.discord.until(lambda: all(each.ack for each in asked))
        assert await eventually(lambda: len(rig.heard)) == 4
        gate.set()
        for each in asked:
            await rig.discord.shown(each)
    assert len(rig.heard) == 40


async def test_one_too_many_is_told_so_at_once(rig: Rig) -> None:
    _, channel, _, sable = rig.town()
    gate = asyncio.Event()

    async def slowly(_heard: Heard) -> Reply:
        await gate.wait()
        return Reply("Done.")

    rig.instead, rig.options = slowly, {"most_waiting": 3}
    async with rig.running():
        asked = [await rig.discord.slash(sable, channel, "session") for _ in range(4)]
        await rig.discord.until(lambda: all(each.ack for each in asked))
        told = asked[3]
        assert (told.ack_type, told.ephemeral) == (MESSAGE, True)
        assert "Try again" in told.text
        gate.set()
        for each in asked[:3]:
            await rig.discord.shown(each)
    assert len(rig.heard) == 3


async def test_what_is_delivered_twice_is_done_once(rig: Rig) -> None:
    _, channel, rook, sable = rig.town()
    async with rig.running():
        await rig.says(rook, channel, "start")
        asked = await rig.says(sable, channel, "clip")
        await rig.discord.gateway.replay(asked)
        await rig.says(sable, channel, "session")
    assert len(asked.callbacks) == 1
    assert [heard.text for heard in rig.heard] == ["start", "clip", "session"]
    assert len(await rig.marks(channel)) == 1


async def test_what_another_process_took_up_is_not_done_again(rig: Rig) -> None:
    _, channel, rook, sable = rig.town()
    async with rig.running():
        await rig.says(rook, channel, "start")
        asked = await rig.says(sable, channel, "clip")
    async with open_rig(rig.services.store.path, rig.discord) as again, again.running():
        await rig.discord.gateway.replay(asked)
        await rig.discord.until(lambda: len(asked.callbacks) == 2)
        await again.says(sable, channel, "session")
    assert [heard.text for heard in again.heard] == ["session"]
    assert asked.text.startswith("Marked #1")


async def test_what_comes_too_late_is_not_done(rig: Rig) -> None:
    _, channel, _, sable = rig.town()
    rig.discord.interactions.ack_seconds = -1
    async with rig.running():
        asked = await rig.discord.slash(sable, channel, "session")
        await rig.discord.until(lambda: asked.callbacks)
        rig.discord.interactions.ack_seconds = 3
        await rig.says(sable, channel, "session")
    assert (asked.ack, asked.original) == (None, None)
    assert len(rig.heard) == 1


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500},
        {"status": 503, "times": 2},
        {"abort": True},
        {"abort": True, "after": True},
        {"status": 502, "after": True},
        {"status": 429},
    ],
    ids=str,
)
async def test_an_acknowledgement_that_goes_wrong_is_repeated_and_the_command_run_once(
    rig: Rig, fault: dict[str, int]
) -> None:
    _, channel, rook, sable = rig.town()
    async with rig.running():
        await rig.says(rook, channel, "start")
        rig.discord.faults.add("POST", CALLBACK, **fault)  # type: ignore[arg-type]
        asked = await rig.says(sable, channel, "clip")
    assert asked.text.startswith("Marked #1")
    assert (asked.edits, asked.follow_ups) == (1, [])
    assert len(await rig.marks(channel)) == 1


async def test_what_could_not_be_acknowledged_is_not_done(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    _, channel, _, sable = rig.town()
    monkeypatch.setattr(intake_module, "ACK_SECONDS", 0.2)
    monkeypatch.setattr(intake_module, "SHORTEST_ACK_SECONDS", 0.1)
    async with rig.running():
        rig.discord.faults.add("POST", CALLBACK, status=500, times=None)
        asked = await rig.discord.slash(sable, channel, "session")
        await rig.discord.until(lambda: rig.asked("POST", "/callback") > 1)
        rig.discord.faults.clear()
        monkeypatch.undo()
        await rig.says(sable, channel, "session")
    assert asked.ack is None
    assert len(rig.heard) == 1


@pytest.mark.parametrize("fault", [{"status": 502, "times": 7}, {"status": 429}, {"abort": True, "times": 2}], ids=str)
async def test_an_answer_that_goes_wrong_is_repeated(rig: Rig, fault: dict[str, int]) -> None:
    _, channel, _, sable = rig.town()
    rig.discord.faults.add("PATCH", ORIGINAL, **fault)  # type: ignore[arg-type]
    rig.instead = answer(Reply("Said."))
    async with rig.running():
        asked = await rig.discord.slash(sable, channel, "session")
        await rig.discord.shown(asked)
    assert asked.edits == 1
    assert len(rig.heard) == 1


async def test_an_answer_that_was_taken_unheard_is_given_no_second_time(rig: Rig) -> None:
    _, channel, _, sable = rig.town()
    rig.discord.faults.add("PATCH", ORIGINAL, abort=True, after=True)
    rig.discord.faults.add("POST", FOLLOW_UP, abort=True, after=True)
    rig.instead = answer(Reply("Said.", aside="Only to you."))
    async with rig.running():
        asked = await rig.discord.slash(sable, channel, "session")
        await rig.discord.answered(asked, follow_ups=1)
        await rig.discord.until(lambda: asked.edits == 2)
        await rig.says(sable, channel, "session")
    assert [message.content for message in rig.discord.messages(channel)] == ["Said.", "Said."]
    assert len(asked.follow_ups) == 1


async def test_a_card_whose_picture_discord_refuses_is_said_in_words(rig: Rig) -> None:
    _, channel, _, sable = rig.town()
    rig.instead = answer(Reply("All in one line.", card=CARD._replace(picture="http://[localhost/heat.png")))
    rig.discord.faults.add("PATCH", ORIGINAL, status=400, body={"message": "Invalid Form Body", "code": 50035})
    async with rig.running():
        asked = await rig.says(sable, channel, "session")
    assert asked.text == "All in one line."


async def test_when_we_are_broken_the_caller_alone_is_told(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    _, channel, _, sable = rig.town()

    async def broken(_heard: Heard) -> Reply:
        raise RuntimeError("the dispatcher itself")

    rig.instead = broken
    async with rig.running():
        asked = await rig.discord.slash(sable, channel, "session")
        await rig.discord.answered(asked, follow_ups=1)
    assert (asked.text, asked.ephemeral) == ("Something broke on our side.", True)


@pytest.mark.parametrize("what", ["command", "button", "menu"])
async def test_when_an_answer_cannot_even_be_worded_that_is_said(
    rig: Rig, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, channel, rook, sable = rig.town()

    def broken(*_: object) -> None:
        raise RuntimeError("no words")

    async with rig.running():
        card = await rig.says(sable, channel, "moment", url=VIDEO, range="0:03-0:08")
        before = card.text
        worded, times = Answers._bodies, iter([broken])

        def once_broken(self: Answers, reply: Reply) -> Iterator[Body]:
            return next(times, worded)(self, reply)  # type: ignore[return-value]  # the first has no answer

        monkeypatch.setattr(Answers, "_bodies", once_broken)
        monkeypatch.setattr(intake_module, "_form", broken)
        if what == "command":
            asked = await rig.discord.slash(sable, channel, "session")
        elif what == "button":
            assert card.shown is not None
            asked = await rig.discord.press(sable, card.shown, "Save this too")
        else:
            asked = await rig.discord.menu(sable, rig.discord.say(rook, channel, VIDEO), "Save moment")
        await rig.discord.answered(asked, follow_ups=0 if what == "menu" else 1)
    assert (asked.text, asked.ephemeral) == ("Something broke on our side.", True)
    assert card.text == before


async def test_a_card_is_changed_when_more_is_known_of_it(rig: Rig) -> None:
    _, channel, _, sable = rig.town()
    known = asyncio.Event()

    async def follow(card: Card, _until: object) -> AsyncIterator[Card]:
        await known.wait()
        yield card._replace(title="Me at the zoo, really")

    rig.instead, rig.options = answer(Reply("x", card=CARD)), {"follow": follow}
    async with rig.running():
        asked = await rig.says(sable, channel, "session")
        assert "Me at the zoo\\" not in asked.text
        known.set()
        await rig.discord.until(lambda: "really" in asked.text)
    assert asked.edits == 2


# --- the end


async def test_what_was_taken_is_answered_before_the_end(rig: Rig) -> None:
    _, channel, _, sable = rig.town()
    gate = asyncio.Event()

    async def slowly(_heard: Heard) -> Reply:
        await gate.wait()
        return Reply("Done.")

    rig.instead = slowly
    async with rig.running(drain=5) as intake:
        asked = await rig.discord.slash(sable, channel, "session")
        await rig.discord.until(lambda: rig.heard)
        ending = asyncio.create_task(intake.drain(5))
        await asyncio.sleep(0)
        intake.take(asked.payload | {"id": "1"})  # nothing more is taken
        gate.set()
        await ending
    assert asked.text == "Done."
    assert len(rig.heard) == 1


async def test_the_end_waits_no_longer_than_it_was_given(rig: Rig) -> None:
    _, channel, _, sable = rig.town()

    async def never(_heard: Heard) -> Reply:
        await asyncio.Event().wait()
        raise AssertionError

    rig.instead = never
    async with rig.running(drain=0.05):
        await rig.discord.slash(sable, channel, "session")
        await rig.discord.until(lambda: rig.heard)
        begun = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - begun < 3


async def test_no_token_is_ever_logged(rig: Rig, capfd: pytest.CaptureFixture[str]) -> None:
    _, channel, _, sable = rig.town()
    rig.discord.faults.add("PATCH", ORIGINAL, status=404, body={"message": "Unknown Message: s3cret", "code": 10008})
    rig.instead = answer(Reply("Said."))
    async with rig.running():
        rig.discord.faults.add("POST", CALLBACK, status=404, body={"message": "Unknown s3cret", "code": 10062})
        asked = await rig.discord.slash(sable, channel, "session")
        await rig.discord.until(lambda: rig.asked("POST", "/callback") == 1)
        second = await rig.discord.slash(sable, channel, "session")
        await rig.discord.until(lambda: rig.asked("PATCH", "/@original") == 1)
    said = "".join(capfd.readouterr())
    assert "10062" in said
    assert "10008" in said
    for secret in (asked.token, second.token, "s3cret"):
        assert secret not in said
