"""Choosing a feed, in words; and what ought to be posted, by itself."""

from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.model import Guild
from commands.post_cards import MOST_LISTED, View, mark_card, marks_card
from commands.post_steps import MOST_IN_A_POST, SINGLY, match, runs
from commands.touched import Shape, Touched
from moments.live import Place
from moments.marks import Timestamp
from moments.people import Role
from moments.sessions import Channel, Session, Status
from moments.vod import NO_VODS
from storage import Change
from storage.posts import Kind, Post, State
from tests.bot.discord.feed_rig import STREAM, open_evening
from tests.chat import EVENING


def mark(number: int, offset: int, note: str = "", person: int = 1, segment: int = 1) -> Timestamp:
    return Timestamp("s", number, segment, offset, 0, note, f"p{person}", person, EVENING, EVENING, "twitch")


def post(identity: int, high: int, at: datetime = EVENING) -> Post:
    return Post(identity, "c", "s", Kind.CROWD, 1, high, "n", "m", "", State.POSTED, at)


SESSION = Session(1, "s", Channel(1, "twitch", "100", "Nightowl"), "", "", Status.ACTIVE, EVENING, EVENING, ())
VIEW = View(SESSION, NO_VODS, 15, "https://moments.example/s/s")


# --- words


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("each", "Now: feed each."),
        ("Crowd  3", "Now: feed crowd 3."),
        ("summary", "Now: feed summary."),
        ("off", "Now: feed off."),
        ("crowd", "Say what shall be posted here"),
        ("crowd 1", "Say what shall be posted here"),
        ("crowd 99999999", "Say what shall be posted here"),
        ("everything", "Say what shall be posted here"),
    ],
)
async def test_a_feed_is_set_in_words(database: Path, value: str, said: str) -> None:
    async with open_evening(database) as evening, evening.posting():
        assert (await evening.feed(value)).startswith(said)
        told = await evening.feed("")
        assert told.startswith(said if said.startswith("Now") else "Now: feed off.")
        assert "Nightowl" in told
        assert "/setup feed crowd 3" in told


async def test_a_feed_is_set_in_discord_alone_and_by_moderators(database: Path) -> None:
    async with open_evening(database) as evening, evening.posting():
        assert (await evening.says("!setup feed each")).startswith("A feed is set in the Discord channel")
        without_bot = Guild("1", "Elsewhere", may_manage=True, has_bot=False)
        assert (await evening.feed("each", guild=without_bot)).startswith("A feed is set in the Discord channel")
        assert (await evening.feed("each", role=Role.VIEWER)).startswith("Only moderators")
        assert await evening.store.fetch("SELECT * FROM feed") == []


async def test_AZ_8_setting_a_feed_is_noted(database: Path) -> None:
    async with open_evening(database) as evening, evening.posting():
        for value in ("each", "each", "crowd 4"):
            await evening.feed(value)
        found = await evening.store.fetch("SELECT actor_user_id, before, after FROM audit WHERE target = 'feed'")
        assert [tuple(row) for row in found] == [("7", "off", "each"), ("7", "each", "crowd 4")]


async def test_a_private_channels_own_feed_is_for_who_manages_the_server(database: Path) -> None:
    async with open_evening(database) as evening, evening.posting():
        own = Place("discord", evening.discord.channel(evening.discord.people.guilds[evening.guild.id], "x").id, "x")
        await evening.types("setup", place=own, role=Role.BROADCASTER, setting="visibility", value="private")
        assert (await evening.feed("each", place=own)).startswith("This channel is private")
        assert (await evening.feed("each", place=own, role=Role.BROADCASTER)).startswith("Now: feed each.")


async def test_a_streams_own_chat_hears_nothing_of_a_servers_feed(database: Path) -> None:
    async with open_evening(database) as evening, evening.posting():
        await evening.feed("each")
        assert await evening.store.channel(*STREAM[:2]) is not None
        assert "feed" not in await evening.says("!setup")


# --- cards


def test_a_mark_tells_of_its_crowd_only_when_there_is_one() -> None:
    assert mark_card(VIEW, mark(12, 4354), 1).head == "#12 · 01:12:34 · segment 1"
    assert mark_card(VIEW, mark(12, 4354), 3).head == "#12 · 01:12:34 · segment 1 · 3 people within 15 s"


def test_CHAT_2_words_in_a_line_of_ours_cannot_leave_their_place() -> None:
    card = marks_card(VIEW, [mark(1, 5, "\u2069https://youtu.be/x\u2068"), mark(2, 6)])
    assert card.lines[0] == "#1 · 00:00:05 · \u2068https://youtu.be/x\u2069 – \u2068p1\u2069"


def test_of_very_many_marks_the_first_are_listed_and_the_rest_counted() -> None:
    card = marks_card(VIEW, [mark(n, n, person=n % 7) for n in range(1, 401)])
    assert card.head == "400 marks by 7 people · 00:00:01–00:06:40 · segment 1"
    assert len(card.lines) == MOST_LISTED + 1
    assert card.lines[-1] == "and 385 more on the session's page"


# --- what ought to stand there


def test_few_marks_stand_alone_and_many_share_posts() -> None:
    assert runs([3, 1, 2]) == [(1, 1), (2, 2), (3, 3)]
    assert runs([1, 2, 3, 5, 6, 9]) == [(1, 3), (5, 6), (9, 9)]


@given(st.sets(st.integers(1, 5_000), max_size=200))
def test_every_mark_is_in_one_post_and_no_post_shows_another(numbers: set[int]) -> None:
    shown = [number for low, high in runs(numbers) for number in range(low, high + 1)]
    assert sorted(shown) == sorted(numbers)
    if len(numbers) <= SINGLY:
        assert len(runs(numbers)) == len(numbers)
    assert all(high - low < MOST_IN_A_POST for low, high in runs(numbers))


def test_a_crowd_moments_post_follows_it_where_its_anchor_moves() -> None:
    assert match([post(1, 100), post(2, 130)], [100, 130], 15) == {1: 100, 2: 130}
    assert match([post(1, 100), post(2, 130)], [95, 125], 15) == {1: 95, 2: 125}
    assert match([post(1, 100)], [116, 84], 15) == {}
    assert match([post(1, 100), post(2, 101)], [100], 15) == {1: 100}


def told(mark: Timestamp) -> Change:
    return Change("timestamp", "s", mark)


def test_a_change_touches_where_a_mark_was_and_where_it_is() -> None:
    shape = Shape()
    assert shape.touched(told(mark(1, 50))).everything  # nothing has been read yet
    shape.is_known = True
    assert shape.touched(told(mark(2, 60))).starts == {1: 60}
    assert shape.touched(told(mark(2, 90))).starts == {1: 60}
    assert shape.touched(Change("removed", "s", number=2)).starts == {1: 90}
    assert shape.touched(Change("removed", "s", number=1)).everything  # nobody knows where it was
    assert shape.touched(Change("session", "s")).everything


def test_what_begins_before_a_change_is_the_same_after_it() -> None:
    shape = Shape()
    shape.learn(1, 0, [[mark(1, 10)], [mark(2, 40)], [mark(3, 70)]])
    assert [shape.start(1, offset) for offset in (5, 10, 11, 40, 55, 99)] == [0, 0, 10, 10, 40, 70]
    shape.learn(1, 40, [[mark(2, 45)]])
    assert shape.start(1, 99) == 45
    assert shape.start(2, 99) == 0


def test_very_much_is_everything() -> None:
    touched = Touched()
    for number in range(3_000):
        more = Touched()
        more.numbers.add(number)
        more.near(1, number)
        touched.add(more)
    assert touched.everything
    assert not touched.numbers
