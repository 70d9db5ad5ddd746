"""What marking means to the people in the chat."""

from dataclasses import replace
from pathlib import Path

import pytest

from commands.dispatch import Dispatcher
from moments.errors import StoreDamaged
from tests.chat import EVENING, Chat, open_chat


async def test_a_mark_says_its_number_its_place_and_its_words(live: Chat) -> None:
    live.passes(4354.9)
    assert await live.says("<rook> !clip what a dodge") == 'Marked #1 at 01:12:34 (segment 1): "what a dodge"'


async def test_a_mark_needs_no_words(live: Chat) -> None:
    assert await live.says("<rook> !clip") == "Marked #1 at 00:00:00 (segment 1)"


@pytest.mark.parametrize("space", ["\u3000", "\t", "  ", "\u00a0"])
async def test_any_white_space_parts_the_words(live: Chat, space: str) -> None:
    live.passes(60)
    assert (await live.says(f"<rook> !clip{space}-5{space}すごい")) == 'Marked #1 at 00:00:55 (segment 1): "すごい"'


@pytest.mark.parametrize("word", ["clip", "mark", "ts", "CLIP", "moments clip", "Moments TS"])
async def test_every_name_of_clip_marks(live: Chat, word: str) -> None:
    assert (await live.says(f"<rook> !{word} wow")).startswith('Marked #1 at 00:00:00 (segment 1): "wow"')


@pytest.mark.parametrize(
    ("typed", "offset", "note"),
    [
        ("-30 map joke", 570, "map joke"),
        ("−30 map joke", 570, "map joke"),
        ("-30s map joke", 570, "map joke"),
        ("-600", 0, ""),
        ("+1 great", 600, "+1 great"),
        ("200 iq play", 600, "200 iq play"),
        ("wow -30", 600, "wow -30"),
        ("–30 dash", 600, "–30 dash"),
    ],
)
async def test_a_mark_may_be_some_seconds_back(live: Chat, typed: str, offset: int, note: str) -> None:
    live.passes(600)
    await live.says(f"<rook> !clip {typed}")
    (mark,) = await live.marks()
    assert (mark.offset_seconds, mark.note, mark.adjust_seconds) == (offset, note, offset - 600)


async def test_going_back_stops_at_the_segments_start(live: Chat) -> None:
    live.passes(10.9)
    await live.says("<rook> !clip -30")
    (mark,) = await live.marks()
    assert (mark.offset_seconds, mark.adjust_seconds) == (0, -10)


async def test_going_back_too_far_says_how_far_is_possible(live: Chat) -> None:
    assert await live.says("<rook> !clip -601 x") == "You can go back 600 seconds at most. Try !clip -600."
    assert await live.marks() == []


async def test_an_offset_past_a_day_is_right(live: Chat) -> None:
    live.passes(100 * 3600 + 61)
    assert await live.says("<rook> !clip") == "Marked #1 at 100:01:01 (segment 1)"


async def test_a_long_note_is_cut_with_a_notice(live: Chat) -> None:
    reply = await live.says(f"<rook> !clip {'o' * 115}")
    assert reply == f'Marked #1 at 00:00:00 (segment 1): "{"o" * 100}" (cut to 100 characters)'


async def test_the_crowd_is_counted_in_the_answer(live: Chat) -> None:
    await live.says("<rook> !clip")
    live.passes(15)
    assert (await live.says("<mika> !clip")).endswith(" (segment 1) · 2 people within 15 s")
    live.passes(0.9)
    assert (await live.says("<juno> !clip")).endswith(" · 3 people within 15 s")
    live.passes(0.1)
    assert (await live.says("<late> !clip")).endswith("(segment 1)")


async def test_the_cooldown_is_over_at_exactly_15_seconds(live: Chat) -> None:
    await live.says("<rook> !clip")
    live.passes(14.999)
    reply = await live.hears("<rook> !clip")
    assert reply is not None
    assert (reply.text, reply.private) == ("Too fast: you can mark again in 1 second.", True)
    live.passes(0.001)
    assert (await live.says("<rook> !clip")).startswith("Marked #2")


async def test_a_refused_mark_does_not_renew_the_cooldown(live: Chat) -> None:
    await live.says("<rook> !clip")
    live.passes(10)
    await live.says("<rook> !clip")
    live.passes(5)
    assert (await live.says("<rook> !clip")).startswith("Marked #2")


async def test_moderators_have_no_cooldown_and_nobody_waits_for_others(live: Chat) -> None:
    for name in ("@sable", "@sable", "rook", "mika"):
        assert (await live.says(f"<{name}> !clip")).startswith("Marked")


async def test_a_clock_set_back_by_an_hour_locks_nobody_out(live: Chat) -> None:
    live.passes(7200)
    await live.says("<rook> !clip before")
    live.passes(-3600)
    assert (await live.says("<rook> !clip after")).startswith("Marked #2 at 01:00:00")
    live.passes(-7200)
    assert (await live.says("<mika> !clip before it began")).startswith("Marked #3 at 00:00:00")


async def test_the_cooldown_outlives_a_restart(database: Path) -> None:
    async with open_chat(database) as chat:
        await chat.says("<~nightowl> !start")
        await chat.says("<rook> !clip")
    async with open_chat(database) as chat:
        assert (await chat.says("<rook> !clip")).startswith("Too fast")


@pytest.mark.parametrize(
    ("command", "refusal"),
    [
        ("!pause", "Paused at 00:01:00: marks count again after a moderator types !resume."),
        ("!end", '"Any% attempts" ended just now. A moderator types !start to begin a new one.'),
    ],
)
async def test_no_mark_is_kept_while_paused_or_ended(live: Chat, command: str, refusal: str) -> None:
    live.passes(60)
    await live.says(f"<~nightowl> {command}")
    live.passes(31)
    assert await live.says("<rook> !clip") == refusal
    assert await live.marks() == []


async def test_a_late_mark_belongs_to_the_segment_it_was_typed_in(live: Chat) -> None:
    live.passes(60)
    await live.says("<~nightowl> !pause")
    live.passes(20)
    assert await live.says("<rook> !clip", late=30) == "Marked #1 at 00:00:50 (segment 1)"
    await live.says("<~nightowl> !resume")
    live.passes(5)
    assert await live.says("<mika> !clip", late=10) == (
        "That was typed while the session was not running, so it was not kept. Type !clip again."
    )
    assert await live.says("<mika> !clip", late=30) == "Marked #2 at 00:00:55 (segment 1) · 2 people within 15 s"


async def test_a_mark_later_than_30_seconds_is_refused_after_its_segment_closed(live: Chat) -> None:
    live.passes(60)
    await live.says("<~nightowl> !pause")
    live.passes(25)
    assert (await live.says("<rook> !clip", late=30.1)).startswith("Paused at 00:01:00")


async def test_unclip_adjust_and_renote_reach_ones_own_last_mark_also_after_the_end(live: Chat) -> None:
    live.passes(100)
    await live.says("<rook> !clip first")
    live.passes(20)
    await live.says("<rook> !clip second")
    await live.says("<mika> !clip somebody else")
    await live.says("<~nightowl> !end")
    assert await live.says("<rook> !adjust -7") == "Moved #2 to 00:01:53 (segment 1)"
    assert await live.says("<rook> !renote better words") == 'Now #2 says: "better words"'
    assert await live.says("<rook> !unclip") == "Removed #2 at 00:01:53 (segment 1)."
    assert await live.says("<rook> !unclip") == "Removed #1 at 00:01:40 (segment 1)."
    assert await live.says("<rook> !unclip") == "You have no mark in this session. Type !clip to make one."
    assert [mark.note for mark in await live.marks()] == ["somebody else"]


async def test_numbers_are_never_used_twice(database: Path) -> None:
    async with open_chat(database) as chat:
        await chat.says("<~nightowl> !start")
        await chat.says("<@sable> !clip one")
        await chat.says("<@sable> !clip two")
        await chat.says("<@sable> !unclip")
    async with open_chat(database) as chat:
        assert (await chat.says("<@sable> !clip three")).startswith("Marked #3")


async def test_adjusting_twice_adds_up_and_never_passes_the_start(live: Chat) -> None:
    live.passes(10)
    await live.says("<rook> !clip -4")
    await live.says("<rook> !adjust -100")
    (mark,) = await live.marks()
    assert (mark.offset_seconds, mark.adjust_seconds) == (0, -10)
    await live.says("<rook> !adjust +3")
    (mark,) = await live.marks()
    assert (mark.offset_seconds, mark.adjust_seconds, mark.instant) == (3, -7, live.watch.now)


async def test_delclip_takes_a_mark_out_of_sight_and_is_for_moderators(live: Chat) -> None:
    await live.says("<rook> !clip rude words")
    assert await live.says("<mika> !delclip #1") == "Only moderators can use delclip."
    assert await live.says("<@sable> !delclip #1") == 'Removed #1 at 00:00:00 (segment 1): "rude words"'
    assert await live.says("<@sable> !delclip 1") == (
        "There is no mark #1 in this session. Type !clips for the page that lists them."
    )
    assert await live.says("<@sable> !delclip") == "Say the mark's number: !delclip #N."
    assert await live.marks() == []
    assert await live.says("<rook> !unclip") == "You have no mark in this session. Type !clip to make one."


async def test_a_redelivered_message_is_one_mark_with_the_same_answer(database: Path) -> None:
    async with open_chat(database) as chat:
        await chat.says("<~nightowl> !start")
        first = await chat.says("<rook> !clip wow", message_id="m1")
        assert await chat.says("<rook> !clip wow", message_id="m1") == first
    async with open_chat(database) as chat:
        assert await chat.says("<rook> !clip wow", message_id="m1") == first
        assert len(await chat.marks()) == 1
        await chat.says("<rook> !unclip", message_id="m2")
        assert await chat.says("<rook> !clip wow", message_id="m1") == ""
        assert await chat.marks() == []


async def test_a_redelivered_adjust_or_unclip_does_nothing_more(live: Chat) -> None:
    live.passes(50)
    await live.says("<@sable> !clip one")
    await live.says("<@sable> !clip two")
    await live.says("<@sable> !adjust -5", message_id="a")
    assert await live.says("<@sable> !adjust -5", message_id="a") == ""
    await live.says("<@sable> !unclip", message_id="u")
    assert await live.says("<@sable> !unclip", message_id="u") == ""
    (mark,) = await live.marks()
    assert (mark.note, mark.offset_seconds) == ("one", 50)


async def test_one_person_makes_at_most_500_marks_a_session(live: Chat) -> None:
    for _ in range(500):
        live.passes(15)
        assert (await live.says("<rook> !clip")).startswith("Marked")
    live.passes(15)
    assert await live.says("<rook> !clip") == (
        "You have 500 marks in this session, and that is the most. !unclip removes your last."
    )


async def test_instants_keep_their_microseconds(live: Chat) -> None:
    await live.says("<rook> !clip")
    assert (await live.marks())[0].instant == EVENING


async def test_a_late_message_does_not_shorten_the_cooldown(live: Chat) -> None:
    live.passes(60)
    await live.says("<rook> !clip now")
    live.passes(1)
    assert (await live.says("<rook> !clip overtaken", late=20)).startswith("Marked")
    live.passes(4)
    assert (await live.says("<rook> !clip too soon")).startswith("Too fast")


async def test_removing_a_mark_does_not_end_its_cooldown_and_neither_does_a_new_session(database: Path) -> None:
    async with open_chat(database) as chat:
        await chat.says("<~nightowl> !start")
        await chat.says("<rook> !clip")
        await chat.says("<rook> !unclip")
        await chat.says("<rook> !unclip")
        assert (await chat.says("<rook> !clip")).startswith("Too fast")
        await chat.says("<mika> !clip")
        await chat.says("<juno> !clip")
        await chat.says("<juno> !unclip")
        await chat.says("<~nightowl> !end")
        await chat.says("<~nightowl> !start")
    async with open_chat(database) as chat:
        for name in ("rook", "mika", "juno"):
            assert (await chat.says(f"<{name}> !clip")).startswith("Too fast")


async def test_a_broken_store_is_told_without_its_path_and_logged_with_it(
    live: Chat, capsys: pytest.CaptureFixture[str]
) -> None:
    class Damaged:
        def __getattr__(self, name: str) -> object:
            raise StoreDamaged("/srv/secret/moments.db is damaged.")

    live.dispatcher = Dispatcher(replace(live.services, store=Damaged()))  # type: ignore[arg-type]
    reply = await live.says("<rook> !session")
    assert reply == "Nothing can be kept or read right now. Whoever runs Moments finds the reason in its log."
    captured = capsys.readouterr()
    assert "/srv/secret/moments.db" in captured.out + captured.err
