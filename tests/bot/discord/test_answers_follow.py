"""What was answered in a channel goes when what it repeats goes: real commands, a real store, the fake Discord."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bot.discord.noter import Noter
from bot.discord.poster import Poster
from bot.discord.rest import Posted
from bot.discord.translate import Handle
from commands.answered import note_answer
from commands.cards import card_of
from commands.forgetme import forget
from commands.model import Card, Reply
from commands.moderation import hide
from moments.errors import StoreBusy
from moments.live import Author
from storage import Transaction, hiding, saves
from storage.answers import Answer, Trace
from tests.bot.discord.feed_rig import QUICK
from tests.bot.discord.gateway_rig import eventually
from tests.bot.discord.rig import VIDEO, Rig, answer, open_rig
from tests.fake_discord.interactions import Interaction
from tests.fake_discord.messages import Message
from tests.fake_discord.people import VIEW_CHANNEL, Channel, FakeUser, Guild

ONE = "/api/v10/channels/*/messages/*"
MODERATOR = Author("discord", "9", "mod")


@dataclass
class Town:
    """A server with a session that goes on, and two people in it."""

    rig: Rig
    guild: Guild = field(init=False)
    channel: Channel = field(init=False)
    rook: FakeUser = field(init=False)
    sable: FakeUser = field(init=False)

    def __post_init__(self) -> None:
        self.guild, self.channel, self.rook, self.sable = self.rig.town()

    def running(self) -> Any:  # noqa: ANN401 -- a context manager
        """Discord, with the poster."""
        return self.rig.running(poster=Poster(self.rig.services, self.rig.rest, pace=QUICK))

    async def says(self, command: str, by: FakeUser | None = None, **options: object) -> Interaction:
        """A command whose answer repeats somebody, answered and noted."""
        asked = await self.rig.says(by or self.sable, self.channel, command, **options)
        await eventually(lambda: self.noted(asked))
        return asked

    def noted(self, asked: Interaction) -> list[Answer]:
        """What was noted of an answer."""
        return [each for each in self.rig.noted if asked.first and each.message_id == asked.first.id]

    async def mark(self, note: str = "what a dodge") -> Interaction:
        """Somebody's mark, in a session that has begun."""
        await self.rig.says(self.rook, self.channel, "start")
        return await self.says("clip", note=note)

    async def moment(self, note: str = "that drop") -> Interaction:
        """A moment somebody saved."""
        return await self.says("moment", url=VIDEO, range="0:03-0:08", note=note)

    async def gone(self, asked: Interaction) -> None:
        """Return once an answer is deleted, and nothing is known of it."""
        await self.rig.discord.until(lambda: asked.original is None)
        await self.nothing_known("WHERE message_id = ?", asked.first.id if asked.first else "")

    async def nothing_known(self, where: str = "", *values: object) -> None:
        """Return once no row is left of these."""
        async with asyncio.timeout(10):
            while await self.rows(where, *values):
                pass  # each turn waits for the store

    async def known(self, asked: Interaction) -> list[tuple[Any, ...]]:
        """What is known of an answer."""
        assert asked.first is not None
        return await self.rows("WHERE message_id = ?", asked.first.id)

    def moment_of(self, asked: Interaction) -> str:
        """Which moment an answer shows."""
        return self.noted(asked)[0].shows[0].moment_id

    async def rows(self, where: str = "", *values: object) -> list[tuple[Any, ...]]:
        """What is known of answers."""
        return [tuple(row) for row in await self.rig.services.store.fetch(f"SELECT * FROM answer {where}", *values)]  # noqa: S608

    async def settled(self) -> None:
        """Return once all that was written has been looked at: another answer's going is behind it in the queue."""
        last = await self.says("moment", url=VIDEO, range="1:00-1:05", by=self.rook)
        await forget(self.rig.services, self.author(self.rook), self.rig.services.clock())
        await self.gone(last)

    def author(self, user: FakeUser | None = None) -> Author:
        user = user or self.sable
        return Author("discord", user.id, user.username)

    async def forgotten(self) -> None:
        await forget(self.rig.services, self.author(), self.rig.services.clock())

    def shown(self) -> str:
        """All that everybody in the channel reads."""
        return words(self.rig.discord.messages(self.channel))


def words(messages: list[Message]) -> str:
    return str([(each.content, each.embeds, each.components) for each in messages])


@pytest.fixture
async def town(database: Path) -> AsyncIterator[Town]:
    async with open_rig(database) as rig:
        yield Town(rig)


# --- marks


async def unclip(town: Town) -> None:
    await town.rig.says(town.sable, town.channel, "unclip")


async def delclip(town: Town) -> None:
    await town.rig.says(town.rook, town.channel, "delclip", number=1)


async def hidden_on_the_page(town: Town) -> None:
    session = await town.rig.services.store.newest_session("discord", town.channel.id)
    assert session is not None
    await hide(town.rig.services, session.channel, session, 1, MODERATOR, "rude", town.rig.services.clock())


async def forgotten(town: Town) -> None:
    await town.forgotten()


@pytest.mark.parametrize("way", [unclip, delclip, hidden_on_the_page, forgotten])
async def test_PRIV_4_the_answer_to_a_mark_goes_with_the_mark(town: Town, way: Callable[[Town], Any]) -> None:
    async with town.running():
        asked = await town.mark()
        assert "what a dodge" in town.shown()
        assert "dodge" not in str(await town.rows())
        await way(town)
        await town.gone(asked)
        assert "dodge" not in town.shown()
        assert await town.rows() == []


async def test_new_words_take_the_old_answer_away_and_go_with_the_mark_themselves(town: Town) -> None:
    async with town.running():
        first = await town.mark("old words")
        moved = await town.says("adjust", seconds=5)
        second = await town.says("renote", note="new words")
        await town.gone(first)
        assert "new words" in town.shown()
        assert moved.original is not None, "it repeats nothing"
        await town.forgotten()
        await town.gone(second)
        await town.gone(moved)


async def test_where_no_words_are_repeated_new_ones_leave_the_answer_and_forgetting_does_not(town: Town) -> None:
    async with town.running():
        await town.rig.says(town.rook, town.channel, "setup", setting="replies", value="brief")
        asked = await town.mark("old words")
        await town.says("renote", note="new words")
        await town.settled()
        assert asked.original is not None
        await town.forgotten()
        await town.gone(asked)


async def test_what_a_moderator_removed_is_not_said_once_more(town: Town) -> None:
    async with town.running():
        await town.mark("rude words")
        asked = await town.rig.says(town.rook, town.channel, "delclip", number=1)
    assert asked.text == "Removed #1 at 00:00:00 (segment 1)"


async def test_in_a_thread_the_answer_goes_too(town: Town) -> None:
    async with town.running():
        await town.rig.says(town.rook, town.channel, "start")
        thread = town.rig.discord.thread(town.channel, "tonight")
        asked = await town.rig.says(town.sable, thread, "clip", note="dodge")
        await eventually(lambda: town.noted(asked))
        await town.forgotten()
        await town.gone(asked)


# --- moments


async def deleted(town: Town, moment: str) -> None:
    async def job(transaction: Transaction) -> bool:
        return await saves.delete(transaction, town.author(), moment, town.rig.services.clock())

    assert await town.rig.services.store.run(job, message=None, now=town.rig.services.clock())


async def words_hidden(town: Town, moment: str) -> None:
    async def job(transaction: Transaction) -> bool:
        return await hiding.hide_words(transaction, moment, "discord:9", "rude")

    assert await town.rig.services.store.run(job, message=None, now=town.rig.services.clock())


async def forgotten_with_it(town: Town, _moment: str) -> None:
    await town.forgotten()


async def said_otherwise(town: Town, _moment: str) -> None:
    await town.says("moment", url=VIDEO, range="0:03-0:08", note="other words")


@pytest.mark.parametrize("way", [deleted, words_hidden, forgotten_with_it, said_otherwise])
async def test_PRIV_4_a_moments_card_goes_with_its_words(town: Town, way: Callable[[Town, str], Any]) -> None:
    async with town.running():
        asked = await town.moment()
        assert "that drop" in town.shown()
        await way(town, town.moment_of(asked))
        await town.gone(asked)
        assert "that drop" not in town.shown()


async def test_a_later_save_without_words_keeps_the_card_whose_words_it_carries(town: Town) -> None:
    async with town.running():
        first = await town.moment()
        second = await town.says("moment", url=VIDEO, range="0:03-0:09")
        assert "that drop" in second.text
        await town.settled()
        assert first.original is not None
        await town.forgotten()
        await town.gone(first)
        await town.gone(second)


async def test_a_card_without_words_goes_with_its_moment(town: Town) -> None:
    async with town.running():
        asked = await town.moment("")
        await deleted(town, town.moment_of(asked))
        await town.gone(asked)


async def test_a_card_that_repeats_no_words_outlives_them_and_not_its_moment(town: Town) -> None:
    async with town.running():
        await town.rig.says(town.rook, town.channel, "setup", setting="replies", value="brief")
        asked = await town.moment()
        assert "that drop" not in town.shown()
        await words_hidden(town, town.moment_of(asked))
        await town.settled()
        assert asked.original is not None
        await town.forgotten()
        await town.gone(asked)


async def test_what_best_repeats_of_others_goes_with_them(town: Town) -> None:
    async with town.running():
        await town.moment()
        asked = await town.says("best", by=town.rook, url=VIDEO)
        assert "that drop" in asked.text
        await town.forgotten()
        await town.gone(asked)


async def test_what_a_press_put_on_a_card_goes_too(town: Town) -> None:
    async with town.running():
        await town.says("moment", by=town.rook, url=VIDEO, range="0:03-0:08", note="first words")
        asked = await town.says("best", by=town.rook, url=VIDEO)
        await town.moment()
        assert asked.original is not None
        assert "that drop" not in words([asked.original])
        tern = town.rig.discord.user("tern")
        town.rig.discord.member(town.guild, tern)
        await town.rig.discord.press(tern, asked.original, "Save this too")
        await eventually(lambda: len(town.noted(asked)) > 1)
        assert "that drop" in words([asked.original])
        await town.forgotten()
        await town.gone(asked)


async def test_a_press_on_the_card_of_a_moment_that_is_gone_leaves_nothing_of_it(town: Town) -> None:
    async with town.rig.running():  # nothing is taken back meanwhile
        asked = await town.moment()
        await town.forgotten()
        assert asked.original is not None
        pressed = await town.rig.discord.press(town.rook, asked.original, "Save this too")
        await town.rig.discord.answered(pressed, follow_ups=1)
        assert "no such moment any more" in pressed.text
        await town.rig.discord.until(lambda: "gone" in town.shown())
        assert "that drop" not in town.shown()
        assert asked.original.components == []


# --- where


async def test_in_a_direct_message_the_card_goes_too(town: Town) -> None:
    here = town.rig.discord.dm(town.sable)
    async with town.running():
        asked = await town.rig.says(town.sable, here, "moment", url=VIDEO, range="0:03-0:08")
        await eventually(lambda: town.noted(asked))
        assert (await town.known(asked))[0][:2] == ("", here.id)
        await town.forgotten()
        await town.gone(asked)


async def test_what_only_its_caller_sees_is_not_noted(town: Town) -> None:
    elsewhere = town.rig.discord.channel(town.rig.discord.guild("Elsewhere", has_bot=False), "talk")
    loner = town.rig.discord.user("loner", installed=True)
    async with town.running() as intake:
        await town.rig.says(loner, elsewhere, "moment", url=VIDEO, range="0:03-0:08")
        await town.rig.says(town.rook, town.channel, "setup", setting="replies", value="none")
        asked = await town.rig.says(town.sable, town.channel, "moment", url=VIDEO, range="0:03-0:08", note="hush")
        assert asked.ephemeral
        await intake.drain(1)
    assert town.rig.noted == []


async def test_an_answer_that_was_moved_out_of_sight_is_not_kept_true(town: Town) -> None:
    followed: list[Card] = []

    async def follow(card: Card, _until: datetime) -> AsyncIterator[Card]:
        followed.append(card)
        yield card

    town.rig.options["follow"] = follow
    async with town.running():
        shown = await town.moment()
        await eventually(lambda: followed)
        await town.rig.says(town.rook, town.channel, "setup", setting="replies", value="none")
        moved = await town.rig.says(town.sable, town.channel, "moment", url=VIDEO, range="0:30-0:38")
    assert moved.ephemeral
    assert town.rig.asked("PATCH", f"{shown.token}/messages/@original") == 2
    assert town.rig.asked("PATCH", f"{moved.token}/messages/@original") == 0


async def test_words_that_come_with_a_later_title_are_noted_too(town: Town) -> None:
    async def follow(card: Card, _until: datetime) -> AsyncIterator[Card]:
        if card.note == "that drop":
            other = await town.says("moment", by=town.rook, url=VIDEO, range="0:30-0:38", note="of another")
            newest = await card_of(town.rig.services, town.moment_of(other))
            assert newest is not None
            yield newest

    town.rig.options["follow"] = follow
    async with town.running():
        asked = await town.moment()
        await town.rig.discord.until(lambda: "of another" in words([asked.first] if asked.first else []))
        await eventually(lambda: len(town.noted(asked)) > 1)
        await forget(town.rig.services, town.author(town.rook), town.rig.services.clock())
        await town.gone(asked)


# --- Discord is down, or we are


async def test_PRIV_4_forgotten_while_discord_is_down_the_answer_goes_once_it_is_back(town: Town) -> None:
    async with town.running():
        asked = await town.mark()
        town.rig.discord.faults.add("DELETE", ONE, abort=True, times=12)
        await town.forgotten()
        await town.gone(asked)


async def test_PRIV_4_forgotten_while_the_process_is_down_the_answer_goes_after_the_start(
    town: Town, database: Path
) -> None:
    async with town.running():
        asked = await town.mark()
    await town.forgotten()
    assert asked.original is not None
    async with town.running():
        await town.gone(asked)


async def test_killed_after_discord_deleted_it_the_next_start_knows_so(town: Town) -> None:
    async with town.running():
        asked = await town.mark()
        town.rig.discord.faults.add("DELETE", ONE, abort=True, after=True, times=1)
        town.rig.discord.faults.add("DELETE", ONE, status=503, times=11)
        await town.forgotten()
        await town.rig.discord.until(lambda: asked.original is None)
    assert await town.known(asked), "nobody heard that it is gone"
    town.rig.discord.faults.clear()
    async with town.running():
        await town.gone(asked)


async def test_one_that_a_moderator_deleted_is_known_no_more_once_it_should_go(town: Town) -> None:
    async with town.running():
        asked = await town.mark()
        assert asked.original is not None
        await town.rig.discord.delete_message(asked.original)
        await town.forgotten()
        await town.gone(asked)


async def test_where_discord_does_not_let_us_delete_it_is_asked_no_more_for_an_hour(town: Town) -> None:
    async with town.running():
        asked = await town.mark()
        town.rig.discord.deny(town.channel, VIEW_CHANNEL)
        await town.forgotten()
        await town.nothing_known("WHERE refused_at IS NULL")
    deletes = town.rig.asked("DELETE", f"/messages/{asked.first.id}" if asked.first else "")
    async with town.running():
        elsewhere = town.rig.discord.channel(town.guild, "other")
        other = await town.rig.says(town.rook, elsewhere, "moment", url=VIDEO, range="0:03-0:08")
        await eventually(lambda: town.noted(other))
        await forget(town.rig.services, town.author(town.rook), town.rig.services.clock())
        await town.gone(other)
    assert town.rig.asked("DELETE", f"/messages/{asked.first.id}" if asked.first else "") == deletes == 1


async def test_PRIV_6_nothing_is_known_of_answers_in_a_server_that_took_the_bot_out(town: Town) -> None:
    async with town.running():
        await town.moment()
        await town.rig.discord.kick(town.guild)
        await town.nothing_known()


async def test_PRIV_6_a_server_that_took_the_bot_out_unheard_is_noticed_at_the_next_start(town: Town) -> None:
    async with town.running():
        await town.moment()
    await town.rig.discord.kick(town.guild)
    async with town.running():
        await town.nothing_known()


# --- noting


IN_A_SERVER = Handle("1", "t0ken", datetime.now(UTC), guild="5")


@pytest.mark.parametrize(
    ("handle", "posted", "shows", "noted"),
    [
        (IN_A_SERVER, Posted("900", "77"), True, True),
        (IN_A_SERVER, Posted("900", "77", ephemeral=True), True, False),
        (IN_A_SERVER, Posted(), True, False),
        (IN_A_SERVER, Posted("900", "77"), False, False),
        (replace(IN_A_SERVER, guild=""), Posted("900", "77"), True, False),
        (replace(IN_A_SERVER, guild="", alone=True), Posted("900", "77"), True, True),
    ],
)
async def test_only_what_others_read_and_the_bot_reaches_is_noted(
    handle: Handle, posted: Posted, shows: bool, noted: bool
) -> None:
    answers: list[Answer] = []

    async def note(answer: Answer) -> None:
        answers.append(answer)

    traces = (Trace(moment_id="abc"),) if shows else ()
    noter = Noter(note, 0.01)
    noter.keep(handle, posted, traces)
    await noter.drain(1)
    assert answers == ([Answer(handle.guild, "900", "77", traces)] if noted else [])


async def test_what_discord_says_only_its_caller_sees_is_not_noted(town: Town) -> None:
    town.rig.instead = answer(Reply("Said.", shows=(Trace(moment_id="abc"),)))
    async with town.running():
        hidden = await town.rig.says(town.sable, town.channel, "help")
        await town.says("session")
    assert hidden.ephemeral
    assert len(town.rig.noted) == 1


async def test_PRIV_4_what_is_gone_before_it_is_noted_goes_all_the_same(town: Town) -> None:
    gate = asyncio.Event()

    async def late(answer: Answer) -> None:
        await gate.wait()
        await town.rig.note(answer)

    town.rig.options["note"] = late
    async with town.running():
        await town.rig.says(town.rook, town.channel, "start")
        first = await town.rig.says(town.sable, town.channel, "clip", note="old words")
        reworded = await town.rig.says(town.sable, town.channel, "renote", note="new words")
        card = await town.rig.says(town.rook, town.channel, "moment", url=VIDEO, range="0:03-0:08", note="drop")
        again = await town.rig.says(town.rook, town.channel, "moment", url=VIDEO, range="0:03-0:08", note="other")
        gate.set()
        await town.gone(first)
        await town.gone(card)
        assert None not in (reworded.original, again.original)
    gate.clear()
    town.rig.noted.clear()
    async with town.running():
        last = await town.rig.says(town.sable, town.channel, "clip", note="more words")
        saved = await town.rig.says(town.sable, town.channel, "moment", url=VIDEO, range="0:30-0:38")
        await town.forgotten()
        gate.set()
        await town.gone(last)
        await town.gone(saved)


async def test_a_busy_store_is_asked_again_and_the_end_waits_for_it(town: Town) -> None:
    tries: list[Answer] = []

    async def busy(answer: Answer) -> None:
        tries.append(answer)
        if len(tries) < 3:
            raise StoreBusy("The store is busy.")
        await note_answer(town.rig.services, answer)

    town.rig.options["note"] = busy
    async with town.running():
        await town.rig.says(town.rook, town.channel, "start")
        asked = await town.rig.says(town.sable, town.channel, "clip")
    assert len(tries) == 3
    assert len(await town.known(asked)) == 1
