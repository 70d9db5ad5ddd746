"""What Twitch answers to what is said, and what comes of it."""

import asyncio
from itertools import pairwise

import pytest
import structlog

from bot.twitch.outbox import Outbox
from commands.model import Reply
from moments.errors import NotAuthorised, ProviderBusy, ProviderDown, ProviderRefused, ProviderUnreadable
from tests.bot.twitch.room import ROOM, ROUNDING, Result, Room, Said, Unanswered
from tests.jumping import play, scene


@scene
async def test_when_twitch_is_busy_it_is_left_alone_and_nothing_young_is_lost() -> None:
    room = Room()
    room.answers = [ProviderBusy("POST /helix/chat/messages: 429", 20)]
    room.hears("Marked #1", to="a")
    await asyncio.sleep(1)
    room.hears("Any% · running", "read", to="b")
    room.hears("Paused.", "changed", to="c")
    await asyncio.sleep(40)
    assert [said.at for said in room.tried] == [0, 20, 21, 22]
    assert room.texts() == ["Paused.", "Marked #1", "Any% · running"]
    assert room.outbox.stats.dropped == 0


@scene
async def test_twitch_may_send_us_away_for_a_minute_at_most() -> None:
    room = Room()
    room.answers = [ProviderBusy("429", 86_400)]
    room.hears("Paused.", "changed")
    await asyncio.sleep(70)
    assert [said.at for said in room.tried] == [0, 60]


@scene
async def test_a_clock_that_says_now_does_not_make_us_ask_without_end() -> None:
    room = Room(apart=0)
    room.outbox.set_standing(ROOM, moderator=True, vip=False)
    room.answers = [ProviderBusy("429", 0.0)] * 5
    room.hears("Paused.", "changed")
    await asyncio.sleep(10)
    assert [said.at for said in room.tried] == [0, 1, 2, 3, 4, 5]


@scene
async def test_an_outage_is_waited_out_ever_more_slowly_and_marks_are_told_of_afterwards() -> None:
    room = Room()
    room.down = ProviderDown("POST /helix/chat/messages: 503")
    for number in range(240):
        room.hears(f"Marked #{number}")
        await asyncio.sleep(1)
    assert [said.at for said in room.tried][:6] == [0, 1, 3, 7, 15, 31]
    assert all(later.at - first.at == 30 for first, later in pairwise(room.tried[5:]))
    room.down = None
    await asyncio.sleep(90)
    room.check_limits()
    assert room.told_of() == 240
    room.hears("Marked #241")
    await asyncio.sleep(1)
    assert room.texts()[-1] == "Marked #241"


@scene
async def test_an_outage_of_half_a_day_is_waited_out_as_one_of_minutes() -> None:
    room = Room()
    room.down = ProviderDown("POST /helix/chat/messages: 503")
    while len(room.tried) < 1_100:
        room.hears("Paused.", "changed")
        await asyncio.sleep(30)
    assert all(later.at - first.at >= 30 - ROUNDING for first, later in pairwise(room.tried[5:]))
    room.down = None
    await asyncio.sleep(60)
    assert room.texts()[-1] == "Paused."


@scene
async def test_a_stumble_of_a_second_is_not_noticed_the_next_one_neither() -> None:
    room = Room()
    for begun in (0.0, 20.0):
        room.answers = [ProviderDown("503")]
        room.hears("Marked #1", to="a")
        await asyncio.sleep(20)
        assert room.said[-1] == Said(begun + 1, ROOM, "Marked #1", "a")


@scene
async def test_a_sentence_for_many_marks_that_fails_is_said_later_with_those_that_came_since() -> None:
    room = Room()
    for number in range(30):
        room.hears(f"Marked #{number}")
    await asyncio.sleep(9.5)
    room.answers = [ProviderBusy("429", 5)]
    await asyncio.sleep(1)
    for number in range(30):
        room.hears(f"Marked #{number}")
    await asyncio.sleep(90)
    first, later = (said.text for said in room.tried if "kept" in said.text)
    assert (first, room.told_of()) == ("19 marks kept.", 60)
    assert int(later.split()[0]) > 19


@scene
async def test_marks_of_a_quarter_of_an_hour_ago_are_not_news_any_more() -> None:
    room = Room()
    room.down = ProviderDown("503")
    for number in range(15):
        room.hears(f"Marked #{number}")
    await asyncio.sleep(900)
    room.down = None
    await asyncio.sleep(60)
    assert room.said == []
    assert len(asyncio.all_tasks()) == 1


@scene
async def test_an_answer_that_waited_half_a_minute_is_not_a_reply_any_more() -> None:
    room = Room()
    room.answers = [ProviderBusy("429", 31)]
    room.hears("Marked #1", to="a")
    room.hears("All marks: …", "read", to="b")
    room.hears("Paused.", "changed", to="c")
    await asyncio.sleep(60)
    assert [(said.text, said.reply_to) for said in room.said] == [("Paused.", "c"), ("1 mark kept.", None)]


@scene
async def test_what_twitch_may_have_said_already_is_said_again_only_for_moderators() -> None:
    room = Room()
    room.answers = [Unanswered("no answer in time")] * 2
    room.hears("Paused.", "changed")
    await asyncio.sleep(0)
    room.hears("Marked #1")
    await asyncio.sleep(120)
    assert [said.text for said in room.tried] == ["Paused.", "Paused.", "Paused.", "Marked #1"]
    room.answers = [Unanswered("no answer in time")]
    room.hears("Marked #2")
    await asyncio.sleep(120)
    assert [said.text for said in room.tried][4:] == ["Marked #2"]


@pytest.mark.parametrize("refusal", [NotAuthorised("401"), ProviderRefused("403", 403), ProviderRefused("401", 401)])
def test_a_channel_that_does_not_let_us_speak_is_told_of_once_an_hour_and_tried_once_a_minute(
    refusal: Exception,
) -> None:
    async def whole() -> None:
        room = Room()
        room.down = refusal
        for number in range(600):
            room.hears(f"Marked #{number}")
            await asyncio.sleep(1)
        assert room.refused == [ROOM]
        assert len(room.tried) == 10
        await asyncio.sleep(3000)
        room.hears("Marked #601")
        await asyncio.sleep(1)
        assert room.refused == [ROOM, ROOM]
        room.down = None
        await asyncio.sleep(120)
        room.hears("Marked #602")
        await asyncio.sleep(1)
        assert room.texts()[-1] == "Marked #602"

    play(whole())


@scene
async def test_what_waited_in_a_channel_that_refuses_us_is_dropped() -> None:
    room = Room()
    room.answers = [ProviderRefused("403", 403)]
    for number in range(15):
        room.hears(f"Marked #{number}")
    await asyncio.sleep(200)
    assert room.said == []
    assert len(room.tried) == 1


@scene
async def test_a_channel_that_refuses_us_is_left_alone_for_a_minute_also_when_it_is_quiet() -> None:
    room = Room()
    room.answers = [ProviderRefused("403", 403)]
    room.hears("Marked #1")
    await asyncio.sleep(40)
    room.hears("Marked #2")
    await asyncio.sleep(60)
    assert [said.at for said in room.tried] == [0, 60]
    assert room.texts() == ["Marked #2"]


@pytest.mark.parametrize("error", [ProviderRefused("422", 422), ProviderRefused("400", 400), ProviderUnreadable("?")])
def test_a_message_twitch_cannot_take_is_dropped_alone(error: Exception) -> None:
    async def whole() -> None:
        room = Room()
        room.answers = [error]
        room.hears("too long")
        room.hears("Marked #2")
        await asyncio.sleep(40)
        assert room.texts() == ["Marked #2"]
        assert room.outbox.stats.refused == 1

    play(whole())


@scene
async def test_LOG_1_a_message_twitch_drops_is_counted_and_logged_once_a_minute_without_its_words() -> None:
    room = Room()
    with structlog.testing.capture_logs() as lines:
        room.answers = [Result(False, "msg_rejected")] * 100
        for _ in range(100):
            room.hears("my secret words")
            await asyncio.sleep(1.7)
    assert room.outbox.stats.refused == 100
    assert room.outbox.stats.sent == 0
    assert [line["code"] for line in lines] == ["msg_rejected"] * 3
    assert "secret" not in str(lines)


@scene
async def test_a_duplicate_is_put_in_other_words_once_and_only_for_moderators() -> None:
    room = Room()
    room.answers = [Result(False, "msg_duplicate")] * 3
    room.hears("Paused at 00:12:05.", "changed", to="a")
    room.hears("x" * 500, "marked")
    await asyncio.sleep(40)
    assert [said.text for said in room.tried] == ["Paused at 00:12:05.", "Paused at 00:12:05. (again)", "x" * 500]
    room.answers = [Result(False, "msg_duplicate")]
    room.hears("y" * 500, "changed", to="a")
    await asyncio.sleep(40)
    again = room.said[-1]
    assert again.text.endswith("y… (again)")
    assert len(again.text) == 500
    assert again.reply_to == "a"


@scene
async def test_a_bug_of_ours_costs_one_message_and_is_in_the_log() -> None:
    room = Room()
    with structlog.testing.capture_logs() as lines:
        room.answers = [KeyError("oops")]
        room.hears("Marked #1")
        room.hears("Marked #2")
        await asyncio.sleep(5)
    assert room.texts() == ["Marked #2"]
    assert [line["log_level"] for line in lines] == ["error"]


@scene
async def test_a_channel_that_hangs_holds_up_no_other() -> None:
    async def send(channel_id: str, text: str, reply_to: str | None) -> Result:
        if channel_id == "slow":
            await asyncio.Event().wait()
        said.append(channel_id)
        return Result()

    said: list[str] = []
    outbox = Outbox(send)
    outbox.put("slow", Reply("Marked #1", kind="marked"), None)
    outbox.put("quick", Reply("Marked #1", kind="marked"), None)
    await asyncio.sleep(0.1)
    assert said == ["quick"]
    await outbox.drain(1)
