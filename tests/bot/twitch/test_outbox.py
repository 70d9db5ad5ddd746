"""What is said in Twitch chat, and when: limits, floods, the end.

Nobody waits here: in a `scene` a sleep moves the loop's own clock (tests/jumping.py), so half a minute takes none.
"""

import asyncio
from itertools import pairwise
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.twitch.outbox import Outbox
from commands.model import Reply
from moments.errors import ProviderDown, ProviderRefused
from tests.bot.twitch.room import ROOM, ROUNDING, Result, Room, Said
from tests.jumping import now, play, scene


@scene
async def test_a_reply_goes_out_at_once_and_in_thread() -> None:
    room = Room()
    room.hears("Marked #1", to="abc")
    await asyncio.sleep(0.1)
    assert room.said == [Said(0.0, ROOM, "Marked #1", "abc")]
    assert room.outbox.stats.sent == 1


@scene
async def test_where_the_bot_is_nobody_it_speaks_once_a_second_and_20_times_in_30() -> None:
    room = Room()
    for number in range(90):
        room.hears(f"Marked #{number}")
        await asyncio.sleep(1)
    await asyncio.sleep(60)
    room.check_limits()
    assert len([said for said in room.said if said.at < 30]) == 20


@scene
async def test_a_moderator_may_speak_100_times_in_30_seconds_without_a_pause() -> None:
    room = Room(messages=100, apart=0)
    room.outbox.set_standing(ROOM, moderator=True, vip=False)
    for number in range(300):
        room.hears(f"Marked #{number}")
        await asyncio.sleep(0.2)
    await asyncio.sleep(60)
    room.check_limits()
    assert len([said for said in room.said if said.at < 20]) == 100


@scene
async def test_a_vip_is_spared_the_second_between_two_but_not_the_20() -> None:
    room = Room(messages=20, apart=0)
    room.outbox.set_standing(ROOM, moderator=False, vip=True)
    for number in range(60):
        room.hears(f"Marked #{number}")
        await asyncio.sleep(0.1)
    await asyncio.sleep(60)
    room.check_limits()
    assert len([said for said in room.said if said.at < 2.5]) == 20


@scene
async def test_a_bot_that_is_made_moderator_while_its_answers_wait_speaks_at_once() -> None:
    room = Room(messages=100, apart=0)
    for number in range(8):
        room.hears(f"Marked #{number}")
    await asyncio.sleep(1.5)
    assert len(room.said) == 2
    room.outbox.set_standing(ROOM, moderator=True, vip=False)
    await asyncio.sleep(0.1)
    assert len(room.said) == 8


@scene
async def test_a_bot_that_is_no_moderator_any_more_waits_until_its_messages_are_forgotten() -> None:
    room = Room()
    room.outbox.set_standing(ROOM, moderator=True, vip=False)
    for number in range(30):
        room.hears(f"Marked #{number}")
    await asyncio.sleep(4)
    room.outbox.set_standing(ROOM, moderator=False, vip=False)
    room.hears("Paused.", "changed")
    await asyncio.sleep(60)
    at = [said.at for said in room.said]
    assert len(at) == 31
    assert at[30] - at[10] >= 30


@scene
async def test_the_window_rolls_so_a_burst_at_its_edge_is_not_doubled() -> None:
    room = Room(apart=0)
    room.outbox.set_standing(ROOM, moderator=False, vip=True)
    room.hears("Marked #0")
    await asyncio.sleep(29)
    for _ in range(2):
        for number in range(19):
            room.hears(f"Marked #{number}")
        await asyncio.sleep(1.5)
    await asyncio.sleep(60)
    room.check_limits()


@settings(max_examples=60, deadline=None)
@given(
    gaps=st.lists(st.floats(0, 4), min_size=1, max_size=120),
    takes=st.lists(st.floats(0, 3), min_size=1, max_size=7),
    standing=st.sampled_from([(False, False), (False, True), (True, False)]),
    seed=st.integers(0, 1 << 32),
)
def test_however_slow_and_uneven_twitch_is_it_never_counts_too_many(
    gaps: list[float], takes: list[float], standing: tuple[bool, bool], seed: int
) -> None:
    async def whole() -> None:
        counted, chance = list[float](), Random(seed)

        async def send(channel_id: str, text: str, reply_to: str | None) -> Result:
            takes_now = chance.choice(takes)
            arrives = chance.uniform(0, takes_now)
            await asyncio.sleep(arrives)
            counted.append(now())
            await asyncio.sleep(takes_now - arrives)
            return chance.choice([Result(), Result(), Result(False, "odd")])

        outbox = Outbox(send)
        moderator, vip = standing
        outbox.set_standing(ROOM, moderator, vip)
        for gap in gaps:
            outbox.put(ROOM, Reply("Marked #1", kind=chance.choice(["marked", "read", "changed"])), None)
            await asyncio.sleep(gap)
        await asyncio.sleep(120)
        messages = 100 if moderator else 20
        assert all(later - first >= 30 - ROUNDING for first, later in zip(counted, counted[messages:], strict=False))
        if not moderator and not vip:
            assert all(later - first >= 1 - ROUNDING for first, later in pairwise(counted))

    play(whole())


@scene
async def test_a_burst_is_answered_as_far_as_ten_seconds_reach_and_the_rest_in_one_sentence() -> None:
    room = Room()
    for number in range(200):
        room.hears(f"Marked #{number}")
    await asyncio.sleep(40)
    assert len([text for text in room.texts() if "kept" in text]) == 1
    assert room.told_of() == 200
    assert max(said.at for said in room.said) <= 11
    assert room.texts()[0] == "Marked #189", "the oldest were dropped"
    summary = next(said for said in room.said if "kept" in said.text)
    assert (summary.text, summary.reply_to) == ("189 marks kept.", None)
    assert room.outbox.stats.summed_up == 189
    room.check_limits()


@scene
async def test_one_mark_without_an_answer_of_its_own_is_told_of_in_the_singular() -> None:
    room = Room()
    for number in range(12):
        room.hears(f"Marked #{number}")
    await asyncio.sleep(60)
    assert "1 mark kept." in room.texts()
    assert room.told_of() == 12


@scene
async def test_a_flood_of_minutes_is_answered_freshly_and_summed_up_twice_a_minute() -> None:
    room = Room()
    for number in range(1800):
        room.hears(f"Marked #{number}", to=str(now() - room.began))
        await asyncio.sleep(0.1)
    await asyncio.sleep(60)
    room.check_limits()
    assert room.told_of() == 1800
    summaries = [said.at for said in room.said if "kept" in said.text]
    assert len(summaries) >= 5
    assert all(later - first >= 30 for first, later in pairwise(summaries))
    assert all(said.at - float(said.reply_to) <= 11 for said in room.said if said.reply_to)


@scene
async def test_two_sentences_arrive_half_a_minute_apart_however_long_the_first_was_on_its_way() -> None:
    async def send(channel_id: str, text: str, reply_to: str | None) -> Result:
        if "kept" in text:
            await asyncio.sleep(0 if arrived else 5)
            arrived.append(now())
        return Result()

    arrived: list[float] = []
    outbox = Outbox(send)
    for _ in range(2):
        for number in range(40):
            outbox.put(ROOM, Reply(f"Marked #{number}", kind="marked"), None)
        await asyncio.sleep(25)
    await asyncio.sleep(30)
    first, later = arrived
    assert later - first >= 30 - ROUNDING, "the same words sooner are a duplicate, which Twitch drops"


@scene
async def test_in_a_flood_moderators_acts_go_first_and_talk_goes_last_of_all() -> None:
    room = Room()
    for number in range(50):
        room.hears(f"Marked #{number}")
        room.hears(f"Question {number}", "read")
        room.hears(f"Refusal {number}", "refusal")
    room.hears("Paused at 00:12:05.", "changed")
    await asyncio.sleep(90)
    assert room.texts()[0] == "Paused at 00:12:05."
    assert sum("mark" in text or "Marked" in text for text in room.texts()) > 1
    assert room.told_of() - sum("Q" in text or "Re" in text or "Pa" in text for text in room.texts()) == 50
    stats = room.outbox.stats
    assert stats.dropped + sum("Question" in text or "Refusal" in text for text in room.texts()) == 100
    assert stats.waiting == 0


@scene
async def test_acts_take_the_places_of_marks_which_still_are_not_late() -> None:
    room = Room()
    for number in range(8):
        room.hears(f"Moved #{number}", "changed")
    for number in range(10):
        room.hears(f"Marked #{number}")
    await asyncio.sleep(60)
    assert max(said.at for said in room.said if "Marked" in said.text) <= 11
    assert room.told_of() == 18


@scene
async def test_acts_beyond_any_reason_are_dropped_too() -> None:
    room = Room()
    for number in range(100):
        room.hears(f"Paused {number}", "changed")
    await asyncio.sleep(120)
    assert len(room.said) == 20
    assert room.texts()[-1] == "Paused 99"


@scene
async def test_a_year_of_channels_leaves_nothing_behind() -> None:
    room = Room()
    for number in range(2000):
        room.hears("Marked #1", channel=str(number))
        await asyncio.sleep(1)
    await asyncio.sleep(120)
    assert len(room.said) == 2000
    assert len(asyncio.all_tasks()) == 1
    kept = [len(value) for value in vars(room.outbox).values() if isinstance(value, dict)]
    assert kept == [0, 0]


@scene
async def test_channels_that_refuse_us_are_forgotten_in_the_end_too() -> None:
    room = Room()
    room.down = ProviderRefused("403", 403)
    for number in range(9000):
        room.outbox.set_standing(str(number), moderator=number % 2 == 0, vip=False)
        room.hears("Marked #1", channel=str(number))
        await asyncio.sleep(1)
    assert len(room.refused) == 9000
    assert len(room.outbox._refused._until) <= 3601
    assert len(room.outbox._standings) == 4500
    for number in range(20_000):
        room.outbox.set_standing(f"other {number}", moderator=False, vip=True)
    assert len(room.outbox._standings) == 10_000


@scene
async def test_a_quiet_channel_is_remembered_as_long_as_its_last_messages_count() -> None:
    room = Room()
    for _ in range(20):
        room.hears("Marked #1")
        await asyncio.sleep(1)
    await asyncio.sleep(8)
    room.hears("Marked #2")
    await asyncio.sleep(60)
    room.check_limits()


@scene
async def test_all_channels_together_hold_a_bounded_number_of_messages() -> None:
    room = Room()
    room.down = ProviderDown("503")
    for number in range(3000):
        for _ in range(5):
            room.hears("Marked #1", channel=str(number))
    assert room.outbox.stats.waiting == 10_000
    room.hears("Paused.", "changed", channel="0")
    assert room.outbox.stats.waiting == 10_001, "moderators' acts are still taken"
    room.down = None
    await asyncio.sleep(500)
    assert room.told_of() == 15_001
    assert room.outbox.stats.waiting == 0


@scene
async def test_twenty_flooded_channels_share_what_twitch_lets_an_application_ask() -> None:
    room = Room(messages=100, apart=0)
    channels = [f"channel {number}" for number in range(20)]
    for channel in channels[::2]:
        room.outbox.set_standing(channel, moderator=True, vip=False)
    for number in range(1200):
        for channel in channels:
            room.hears(f"Marked #{number}", to=str(now() - room.began), channel=channel)
        await asyncio.sleep(0.1)
    await asyncio.sleep(120)
    at = [said.at for said in room.tried]
    assert all(later - first >= 60 - ROUNDING for first, later in zip(at, at[600:], strict=False))
    assert len([instant for instant in at if instant < 120]) >= 1190, "and all of that is used"
    assert room.told_of() == 24_000
    for channel in channels:
        assert 45 <= len([said for said in room.said if said.channel_id == channel and said.at < 120]) <= 70
    assert max(said.at - float(said.reply_to) for said in room.said if said.reply_to) <= 13


@scene
async def test_after_an_evening_of_answers_a_burst_is_answered_as_at_first() -> None:
    room = Room()
    for _ in range(300):
        room.hears("Marked #1")
        await asyncio.sleep(2)
    await asyncio.sleep(60)
    room.said.clear()
    for number in range(30):
        room.hears(f"Marked #{number}")
    await asyncio.sleep(30)
    assert len([text for text in room.texts() if text.startswith("Marked")]) == 11


@scene
async def test_a_quiet_channel_beside_nineteen_floods_waits_for_its_turn_only() -> None:
    room = Room(messages=100, apart=0)
    for number in range(300):
        for channel in range(19):
            room.outbox.set_standing(str(channel), moderator=True, vip=False)
            room.hears(f"Marked #{number}", channel=str(channel))
        if number == 200:
            room.hears("Paused.", "changed", channel="quiet")
        await asyncio.sleep(0.1)
    (paused,) = (said for said in room.said if said.channel_id == "quiet")
    assert 20 <= paused.at <= 22.5


@scene
async def test_at_the_end_of_many_channels_each_says_a_word() -> None:
    room = Room()
    for number in range(10):
        for channel in range(20):
            room.hears(f"Marked #{number}", channel=str(channel))
    begun = now()
    await room.outbox.drain(5)
    assert now() - begun <= 5
    assert {said.channel_id for said in room.said} == {str(channel) for channel in range(20)}
    assert room.told_of() == 200


@scene
async def test_at_the_end_what_may_be_said_is_said_and_then_nothing_more() -> None:
    room = Room()
    for number in range(15):
        room.hears(f"Marked #{number}")
    await asyncio.sleep(0)
    begun = now()
    await room.outbox.drain(5)
    assert now() - begun <= 5
    room.check_limits()
    assert any("kept" in text for text in room.texts())
    assert room.told_of() == 15
    assert len(asyncio.all_tasks()) == 1
    room.hears("Marked #99")
    await asyncio.sleep(10)
    assert "Marked #99" not in room.texts()
    assert room.outbox.stats.waiting == 0


@scene
async def test_with_nothing_to_say_the_end_comes_at_once() -> None:
    room = Room()
    await room.outbox.drain(5)
    room = Room()
    room.hears("Marked #1")
    await asyncio.sleep(3)
    begun = now()
    await room.outbox.drain(5)
    assert now() == begun
    assert len(asyncio.all_tasks()) == 1


@scene
async def test_an_end_that_is_cut_short_leaves_nothing_running() -> None:
    room = Room(takes=100)
    room.hears("Marked #1")
    room.hears("Marked #2")
    room.hears("Paused.", "changed")
    draining = asyncio.create_task(room.outbox.drain(50))
    await asyncio.sleep(1)
    draining.cancel()
    await asyncio.wait([draining])
    assert draining.cancelled()
    assert room.outbox.stats.waiting == 0
    assert len(asyncio.all_tasks()) == 1
