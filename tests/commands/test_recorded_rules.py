"""Saving from a chat keeps the chat's rules: its pace, its moderators' word, once a message, and what is private."""

from collections.abc import Awaitable
from datetime import timedelta
from pathlib import Path

import pytest

from bot.console import author
from commands import moderation
from commands.model import Heard
from commands.recorded import BestParts, best, my_moments, resolve, save_moment, saved
from moments.errors import BadLink, Repeated, TimecodeError
from moments.live import Author, Place
from moments.people import Role
from moments.ranges import Range
from providers.links import Link
from storage import saves, sources
from storage.sources import Told
from tests.chat import EVENING, ROOM, Chat, open_chat

VIDEO = "https://youtu.be/jNQXAC9IVRw"
MOMENT = f"!moment {VIDEO} 0:45-1:00"
ANN = Author("twitch", "1", "Ann")
BEN = Author("twitch", "2", "Ben")
SABLE = Author("console", "sable", "Sable")
TOO_FAST = "Too fast: you can mark again in "


async def people(chat: Chat, start: int = 45, end: int = 60) -> int:
    """How many have saved that part."""
    return (await saved(chat.services, VIDEO, f"{start}-{end}")).people


async def shown(chat: Chat) -> list[str]:
    """What everybody may read of the best part."""
    return [words.note for words in (await best(chat.services, VIDEO)).words]


async def rows(chat: Chat) -> int:
    """How many saves there are, replaced ones too."""
    return len(await chat.store.fetch("SELECT id FROM save"))


# --- the cooldown, shared with clip


async def test_the_cooldown_is_over_at_exactly_15_seconds_and_each_has_their_own(chat: Chat) -> None:
    await chat.says(f"<rook> {MOMENT}")
    assert (await chat.says(f"<ann> {MOMENT}")).startswith("Moment ")
    chat.passes(14.999)
    reply = await chat.hears(f"<rook> {MOMENT}")
    assert reply is not None
    assert (reply.text, reply.private) == (f"{TOO_FAST}1 second.", True)
    chat.passes(0.001)
    assert (await chat.says(f"<rook> {MOMENT}")).startswith("Moment ")


async def test_marks_and_saves_share_it(live: Chat) -> None:
    assert (await live.says("<rook> !clip wow")).startswith("Marked ")
    live.passes(5)
    assert await live.says(f"<rook> {MOMENT}") == f"{TOO_FAST}10 seconds."
    live.passes(10)
    assert (await live.says(f"<rook> {MOMENT}")).startswith("Moment ")
    live.passes(5)
    assert await live.says("<rook> !clip wow") == f"{TOO_FAST}10 seconds."
    live.passes(10)
    assert (await live.says("<rook> !clip wow")).startswith("Marked ")


async def test_a_refused_save_does_not_count(live: Chat) -> None:
    told = Told("youtube", "jNQXAC9IVRw", EVENING, None, duration_seconds=59)
    await live.store.run(lambda transaction: sources.put(transaction, told), message=None, now=EVENING)
    assert (await live.says(f"<rook> {MOMENT}")).startswith("That is beyond the end")
    assert (await live.says(f"<rook> !moment {VIDEO} 1:00-0:45")).startswith("That ends before it starts")
    assert (await live.says("<rook> !clip")).startswith("Marked ")


async def test_it_is_the_channels_own_number_and_moderators_have_none(live: Chat) -> None:
    await live.says("<~nightowl> !setup cooldown 60")
    await live.says(f"<rook> {MOMENT}")
    live.passes(59)
    assert await live.says(f"<rook> {MOMENT}") == f"{TOO_FAST}1 second."
    for line in (f"<@mod> {MOMENT}", f"<@mod> {MOMENT}", "<@mod> !clip", f"<~nightowl> {MOMENT}"):
        assert (await live.says(line)).startswith(("Moment ", "Marked "))


async def test_it_holds_after_a_restart_and_in_the_next_session(database: Path) -> None:
    async with open_chat(database) as chat:
        await chat.says("<~nightowl> !start")
        await chat.says(f"<rook> {MOMENT}")
    async with open_chat(database, now=EVENING + timedelta(seconds=5)) as chat:
        await chat.says("<~nightowl> !end")
        await chat.says("<~nightowl> !start")
        assert await chat.says("<rook> !clip") == f"{TOO_FAST}10 seconds."
        assert await chat.says(f"<rook> {MOMENT}") == f"{TOO_FAST}10 seconds."


async def test_it_is_the_channels_and_no_other_has_it(live: Chat) -> None:
    await live.says(f"<rook> {MOMENT}")
    reply = await live.hears(f"<rook> {MOMENT}", place=Place("console", "elsewhere", "Elsewhere"))
    assert reply is not None
    assert reply.text.startswith("Moment ")


# --- who is heard


async def test_the_barred_and_the_silenced_save_nothing_here(live: Chat) -> None:
    await moderation.bar(
        live.services, (await live.store.find_session("latest")).channel, author("rook"), SABLE, EVENING
    )
    assert await live.says(f"<rook> {MOMENT}") == "The moderators of this channel do not take marks from you."
    await moderation.person_silenced(live.services, ROOM, "mika", live.watch.now)
    assert await live.says(f"<mika> {MOMENT}") == "The moderators of this channel do not take marks from you."
    assert await rows(live) == 0
    live.passes(1)
    assert (await live.says(f"<mika> {MOMENT}")).startswith("Moment ")


async def test_who_may_mark_is_about_marks_alone(live: Chat) -> None:
    await live.says("<~nightowl> !setup who moderators")
    assert await live.says("<rook> !clip") == "Only moderators can mark here."
    assert (await live.says(f"<rook> {MOMENT}")).startswith("Moment ")


# --- once a message


async def test_a_message_delivered_again_is_answered_as_the_first_time_and_saved_once(live: Chat) -> None:
    await live.says(f"<rook> !moment {VIDEO} 0:44-0:59 first", message_id="m0")
    live.passes(20)
    first = await live.says(f"<rook> {MOMENT} that drop!", message_id="m1")
    assert "Moved your earlier save 0:44–0:59" in first
    for wait in (0, 5, 100):
        live.passes(wait)
        assert await live.says(f"<rook> {MOMENT} that drop!", message_id="m1") == first
    assert await rows(live) == 2
    assert (await people(live), await shown(live)) == (1, ["that drop!"])
    assert (await live.says(f"<rook> {MOMENT}", message_id="m2")).startswith("Moment "), "an answer renewed the wait"


async def test_PRIV_4_a_message_of_the_forgotten_does_nothing_when_it_comes_again(live: Chat) -> None:
    await live.says(f"<rook> {MOMENT} my words", message_id="m1")
    await live.says("<rook> !forgetme")
    await live.says("<rook> !forgetme")
    assert await live.says(f"<rook> {MOMENT} my words", message_id="m1") == ""
    assert (await rows(live), await people(live), await shown(live)) == (0, 0, [])
    with pytest.raises(Repeated):
        await save_moment(
            live.services, author("rook"), VIDEO, "45-60", origin="x", now=live.watch.now, message_id="m1"
        )


# --- moderation follows chat


async def test_a_deleted_message_takes_its_words_along_and_the_save_counts(live: Chat) -> None:
    await live.says(f"<rook> {MOMENT} something rude", message_id="m1")
    await live.says(f"<ann> {MOMENT} kind", message_id="m2")
    await moderation.message_deleted(live.services, ROOM, "m1", live.watch.now)
    assert (await people(live), await shown(live)) == (2, ["kind"])


async def test_a_message_deleted_on_its_way_saves_nothing(live: Chat) -> None:
    await moderation.message_deleted(live.services, ROOM, "m1", live.watch.now)
    assert await live.says(f"<rook> {MOMENT} something rude", message_id="m1") == ""
    assert await rows(live) == 0


async def test_what_the_silenced_said_here_lately_is_hidden_also_while_no_session_runs(chat: Chat) -> None:
    await chat.says(f"<rook> {MOMENT} something rude")
    await moderation.person_silenced(chat.services, ROOM, "rook", chat.watch.now)
    assert await shown(chat) == []


async def test_what_the_silenced_said_since_the_session_began_here_is_hidden(chat: Chat) -> None:
    await chat.says(f"<rook> !moment {VIDEO} 3:00-3:10 long ago")
    chat.passes(13 * 3600)
    await chat.says("<~nightowl> !start")
    elsewhere = Place("console", "elsewhere", "Elsewhere")
    await chat.hears(f"<rook> !moment {VIDEO} 4:00-4:10 elsewhere", place=elsewhere)
    await chat.says(f"<rook> {MOMENT} something rude")
    await chat.says(f"<ann> {MOMENT} kind")
    await moderation.person_silenced(chat.services, ROOM, "rook", chat.watch.now)
    assert (await people(chat), await shown(chat)) == (2, ["kind"])
    notes = await chat.store.fetch("SELECT note FROM save WHERE hidden_by IS NOT NULL")
    assert [tuple(row) for row in notes] == [("something rude",)]


# --- private


async def in_private(chat: Chat, words: str) -> str:
    """Say it in a direct message."""
    direct = Place("console", "dm-7", "rook")
    heard = Heard(chat.platform, direct, author("rook"), Role.VIEWER, words, chat.watch.now, None, None, True)
    reply = await chat.dispatcher.hear(heard)
    return reply.text if reply else ""


async def test_words_of_a_private_channel_stay_with_their_author_and_the_save_counts(live: Chat) -> None:
    await live.says("<~nightowl> !setup visibility private")
    assert "Saved by 1 person" in await live.says(f"<rook> {MOMENT} our secret")
    assert (await people(live), await shown(live)) == (1, [])
    assert "secret" not in await live.says(f"!best {VIDEO}")
    own = await my_moments(live.services, author("rook"))
    assert [(moment.note, moment.private) for moment in own.moments] == [("our secret", True)]


async def test_words_of_a_direct_message_stay_with_their_author_and_leave_no_channel_behind(chat: Chat) -> None:
    assert "Saved by 1 person" in await in_private(chat, f"{MOMENT} our secret")
    assert (await people(chat), await shown(chat)) == (1, [])
    assert await in_private(chat, MOMENT) == f"{TOO_FAST}15 seconds."
    assert await chat.store.fetch("SELECT id FROM channel") == []


async def test_a_save_says_where_it_was_typed_and_what_was_pasted(chat: Chat) -> None:
    await chat.says(f"<rook> !moment {VIDEO}?t=3&feature=share 0:45-1:00 hi")
    (found,) = await chat.store.fetch(
        "SELECT origin, url, kind FROM save JOIN track_source ON track_source_id = track_source.id"
    )
    assert tuple(found) == ("console:nightowl", f"{VIDEO}?t=3&feature=share", "video")


# --- for pages and programs


def keep(chat: Chat, who: Author, url: str, part: str, note: str = "", key: str | None = None) -> Awaitable[object]:
    """Save as the site does."""
    return save_moment(chat.services, who, url, part, note, origin="web", now=chat.watch.now, message_id=key)


async def test_a_site_saves_with_its_note_apart_and_no_pace_of_a_chat(chat: Chat) -> None:
    made = await save_moment(chat.services, ANN, VIDEO, "0:45-1:00", "  1:10 is\nbest ", origin="web", now=EVENING)
    assert (made.range, made.people, made.replaced, made.note_cut) == (Range(45, 60), 1, (), False)
    assert made.link == Link("youtube", "jNQXAC9IVRw", "video")
    again = await save_moment(chat.services, ANN, f" {VIDEO} ", "46-61", "x" * 101, origin="web", now=EVENING)
    assert (again.replaced, again.note_cut) == ((Range(45, 60),), True)
    found = await saves.moment(chat.store, made.moment_id)
    assert found is not None
    assert (found.id, found.note) == (again.moment_id, "x" * 100)


async def test_api_6_the_same_key_twice_is_one_save(chat: Chat) -> None:
    assert await keep(chat, ANN, VIDEO, "45-60", "hi", "k") == await keep(chat, ANN, VIDEO, "45-60", "hi", "k")
    assert await rows(chat) == 1


async def test_a_list_of_ones_own_comes_in_pages(chat: Chat) -> None:
    for minute in range(5):
        await keep(chat, ANN, VIDEO, f"{minute}:00-{minute}:10", f"n{minute}")
    await keep(chat, BEN, VIDEO, "45-60")
    first = await my_moments(chat.services, ANN, limit=3)
    second = await my_moments(chat.services, ANN, first.older, limit=3)
    assert [moment.note for moment in (*first.moments, *second.moments)] == ["n4", "n3", "n2", "n1", "n0"]
    assert second.older is None


@pytest.mark.parametrize(
    ("url", "part", "times"),
    [
        (VIDEO, None, (None, None)),
        (VIDEO, "  ", (None, None)),
        (f"{VIDEO}?t=45", None, (45, None)),
        (f"{VIDEO}?start=45&end=60", None, (45, 60)),
        (f"{VIDEO}?start=45&end=60", "1:10-1:20", (70, 80)),
        (f"{VIDEO}?t=45", "+15", (45, 60)),
        (VIDEO, "0:45-1:00 that drop!", (45, 60)),
        (VIDEO, "0-604800", (0, 604_800)),
    ],
)
async def test_resolving_says_what_a_link_and_a_range_mean(
    chat: Chat, url: str, part: str | None, times: tuple[int | None, int | None]
) -> None:
    assert await resolve(chat.services, url, part) == ("youtube", "jNQXAC9IVRw", None, *times)
    await keep(chat, ANN, VIDEO, "45-60")
    found = await resolve(chat.services, url, part)
    assert found == ("youtube", "jNQXAC9IVRw", found.track, *times)
    assert found.track is not None


@pytest.mark.parametrize("part", ["1:00-0:45", "15", "45-60-75", "x", "0-604801", "-1-5", "9" * 5000, "\ud800", "\0"])
async def test_TXT_4_numeric_edges_are_refused_in_words_everywhere(chat: Chat, part: str) -> None:
    for asking in (
        resolve(chat.services, VIDEO, part),
        saved(chat.services, VIDEO, part),
        keep(chat, ANN, VIDEO, part),
    ):
        with pytest.raises(TimecodeError):
            await asking
    assert await rows(chat) == 0


@pytest.mark.parametrize(
    "url", ["", " ", "x", "\ud800", "https://youtu.be/\0", "http://169.254.169.254/", "https://" + "a" * 3000]
)
async def test_OUT_3_what_is_no_link_is_refused_in_words_everywhere(chat: Chat, url: str) -> None:
    for asking in (
        resolve(chat.services, url),
        saved(chat.services, url, "45-60"),
        best(chat.services, url),
        keep(chat, ANN, url, "45-60"),
    ):
        with pytest.raises(BadLink):
            await asking


async def test_saved_needs_a_range_and_what_nobody_saved_has_no_track(chat: Chat) -> None:
    with pytest.raises(TimecodeError):
        await saved(chat.services, VIDEO)
    nobody = await saved(chat.services, VIDEO, "45-60")
    assert (nobody.track, nobody.people, nobody.range) == (None, 0, Range(45, 60))
    assert await best(chat.services, VIDEO) == BestParts(nobody.link, None, None, (), ())
