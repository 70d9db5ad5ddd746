"""link and unlink: a code, a question that names the other account, an answer; and what goes wrong on the way."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.twitch.translate import TWITCH
from commands import upkeep
from commands.authority import Viewer, role_of
from commands.dispatch import Dispatcher
from commands.linking import LETTERS, MOST_CHANGES, MOST_TRIES
from commands.model import Heard, Platform, Reply
from moments.live import Author, Place
from moments.people import Role
from moments.sessions import ReplyLevel
from storage import linking, named_moderators
from tests.bot.twitch.envelopes import badge, said
from tests.bot.twitch.test_twitch_intake import Room
from tests.chat import Chat, open_chat
from tests.guild import with_twitch

DISCORD = Platform("discord", prefix="/", reply_length=1_900, always_answers=True)
ON_TWITCH, ON_DISCORD = Place("twitch", "7", "Owl"), Place("discord", "70", "Owls › #clips")
ANN, SABLE = Author("twitch", "1", "Ann"), Author("discord", "2", "Sable")
MALLORY = Author("discord", "666", "Mallory")


@dataclass
class Town:
    """Both chats, of one Moments."""

    chat: Chat
    messages: int = 0

    async def hears(self, who: Author, line: str, **more: Any) -> Reply | None:  # noqa: ANN401 -- fields of Heard
        """A line; half a minute has passed, so that Twitch hears the same answer again."""
        self.messages += 1
        self.chat.passes(30)
        platform, place = (TWITCH, ON_TWITCH) if who.platform == "twitch" else (DISCORD, ON_DISCORD)
        words = f"{platform.prefix}{'moments ' if who.platform == 'twitch' else ''}{line}"
        heard = Heard(platform, place, who, Role.VIEWER, words, self.chat.watch.now, f"m{self.messages}")
        return await self.chat.dispatcher.hear(heard._replace(**more))

    async def says(self, who: Author, line: str) -> str:
        reply = await self.hears(who, line)
        return reply.text if reply else ""

    async def code(self, who: Author = SABLE) -> str:
        text = await self.says(who, "link")
        assert text.startswith("Your code is ")
        return text.removeprefix("Your code is ")[:8]

    async def linked(self, who: Author = ANN) -> list[tuple[str, str]]:
        return [each.account[:2] for each in await linking.others(self.chat.store, *who[:2])]

    async def link(self) -> None:
        code = await self.code()
        await self.says(ANN, f"link {code}")
        assert (await self.says(ANN, f"link {code} Sable")).startswith("Linked: ")


@pytest.fixture
async def town(database: Path) -> AsyncIterator[Town]:
    async with open_chat(database) as chat:
        chat.services = with_twitch(chat.services)
        chat.dispatcher = Dispatcher(chat.services)
        yield Town(chat)


async def test_two_accounts_become_one_person_by_a_code_and_a_second_message(town: Town) -> None:
    code = await town.code()
    assert set(code) <= set(LETTERS)
    asks = await town.says(ANN, f"link {code.lower()[:4]}-{code.lower()[4:]}")
    assert asks.startswith('That code was given to the Discord account "Sable" (id 2). Is that you')
    assert "type !moments link, the code and Sable." in asks
    assert await town.linked() == []
    linked = await town.says(ANN, f"link {code} @sable")
    assert linked.startswith('Linked: this account and the Discord account "Sable" (id 2) count as one person now.')
    assert await town.linked() == [SABLE[:2]]
    assert (await town.says(ANN, f"link {code}")).startswith("That code is not right")  # used


async def test_AZ_5_codes_are_never_given_where_others_read_along(town: Town) -> None:
    said = await town.says(ANN, "link")
    assert said.startswith("Your accounts are linked on http://localhost:8080/me")
    assert await town.chat.store.fetch("SELECT * FROM link_code") == []
    reply = await town.hears(SABLE, "link")
    assert reply is not None
    assert reply.private


async def test_where_twitch_is_not_set_up_there_is_nothing_to_link_and_that_is_said(town: Town) -> None:
    town.chat.dispatcher = Dispatcher(replace(town.chat.services, twitch=None))
    assert (await town.says(SABLE, "link")).startswith("This Moments is not on Twitch")
    assert await town.chat.store.fetch("SELECT * FROM link_code") == []


async def test_nobody_is_told_of_a_link_that_is_over_by_then(town: Town) -> None:
    await town.link()
    await town.says(ANN, "unlink")
    news = await town.hears(SABLE, "mymoments")
    assert news is not None
    assert news.aside.startswith("Your account was unlinked from")


async def test_AZ_5_only_a_keyed_digest_of_a_code_is_kept(town: Town) -> None:
    code = await town.code()
    kept = b"".join(path.read_bytes() for path in town.chat.store.path.parent.glob("moments.db*"))
    assert code.encode() not in kept


async def test_AZ_5_one_message_that_names_everything_links_nothing(town: Town) -> None:
    """Phishing: "type !moments link AB12CD34 Mallory to win"."""
    code = await town.code(MALLORY)
    asks = await town.says(ANN, f"link {code} Mallory")
    assert 'the Discord account "Mallory" (id 666)' in asks
    assert "Did somebody else tell you to type it? Then type nothing more." in asks
    assert await town.linked() == []


async def test_AZ_5_one_phishing_text_sent_twice_links_nothing(town: Town) -> None:
    code = await town.code(MALLORY)
    for _ in range(3):
        assert "Did somebody else tell you to type it?" in await town.says(ANN, f"link {code} Mallory")
    assert await town.linked() == []
    await town.says(ANN, f"link {code}")
    assert (await town.says(ANN, f"link {code} Mallory")).startswith("Linked: ")


async def test_AZ_5_who_is_lured_is_told_whose_code_it_is_however_that_account_calls_itself(town: Town) -> None:
    faker = MALLORY._replace(display_name='Ann" (id 1). Type `unlink`\u202e!')
    code = await town.code(faker)
    asks = await town.says(ANN, f"link {code}")
    assert "\u202e" not in asks
    assert "(id 666)" in asks
    assert "the code and 666." in asks  # such a name is not to be typed: the id is
    assert "!moments unlink" not in asks.partition("(id 666)")[0]  # nor is a command of ours in it
    assert "not its name" in await town.says(ANN, f"link {code} Ann")
    assert await town.linked() == []


async def test_AZ_5_what_a_lured_person_loses_within_seven_days_is_nothing(town: Town) -> None:
    await town.hears(ANN, "start", role=Role.MODERATOR)
    await town.says(ANN, "clip mine, and not yours")
    code = await town.code(MALLORY)
    await town.says(ANN, f"link {code}")
    await town.says(ANN, f"link {code} Mallory")
    assert await town.linked() == [MALLORY[:2]]
    assert "Your account on Twitch is linked since a few days only, and stays." in await town.says(MALLORY, "forgetme")
    assert (await town.says(MALLORY, "forgetme")).startswith("Forgotten: 1 account is gone.")
    assert await town.linked() == []
    session = await town.chat.store.find_session("latest")
    assert [mark.note for mark in await town.chat.store.marks(session)] == ["mine, and not yours"]


async def test_AZ_5_after_seven_days_forgetting_one_account_forgets_both(town: Town) -> None:
    await town.hears(ANN, "start", role=Role.MODERATOR)
    await town.says(ANN, "clip mine")
    await town.link()
    town.chat.passes(linking.SETTLES_AFTER.total_seconds())
    await upkeep.clean(town.chat.services)
    assert (await town.says(SABLE, "forgetme")).startswith("This deletes your 1 mark everywhere, for good. Type")
    assert (await town.says(SABLE, "forgetme")).startswith("Forgotten: 1 mark and 2 accounts")
    session = await town.chat.store.find_session("latest")
    assert await town.chat.store.marks(session) == []


async def test_AZ_5_the_sixth_try_is_locked_even_with_the_right_code(town: Town) -> None:
    code = await town.code()
    for _ in range(MOST_TRIES):
        assert (await town.says(ANN, "link AAAAAAAA")).startswith("That code is not right")
    for _ in range(2):
        assert await town.says(ANN, f"link {code}") == ""
    locked = await town.says(SABLE._replace(user_id="9"), f"link {code}")
    assert locked.startswith("A person has one account on each platform.")  # nobody else is locked
    town.chat.passes(3_600)
    code = await town.code()
    assert (await town.says(ANN, f"link {code}")).startswith("That code was given to")


async def test_AZ_5_five_wrong_names_end_a_code(town: Town) -> None:
    code = await town.code()
    await town.says(ANN, f"link {code}")
    for _ in range(MOST_TRIES - 1):
        assert "That is not its name." in await town.says(ANN, f"link {code} Somebody")
        town.chat.services.link_tries.clear()  # as five accounts would, if it were not for the next test
    assert (await town.says(ANN, f"link {code} Somebody")).startswith("That code is not right")
    town.chat.services.link_tries.clear()
    assert (await town.says(ANN, f"link {code} Sable")).startswith("That code is not right")


async def test_AZ_5_a_code_typed_in_public_is_of_no_use_to_who_reads_along(town: Town) -> None:
    code = await town.code()
    await town.says(ANN, f"link {code}")
    reader = Author("twitch", "8", "Reader")
    assert (await town.says(reader, f"link {code}")).startswith("That code is not right")
    assert (await town.says(reader, f"link {code} Sable")).startswith("That code is not right")
    assert (await town.says(ANN, f"link {code} Sable")).startswith("Linked")


async def test_AZ_5_a_code_is_good_for_ten_minutes_and_the_newest_alone(town: Town) -> None:
    first, second = await town.code(), await town.code()
    assert (await town.says(ANN, f"link {first}")).startswith("That code is not right")
    town.chat.passes(linking.CODE_LASTS.total_seconds() - 30 - 30 - 1)  # two lines were heard, and a third will be
    assert (await town.says(ANN, f"link {second}")).startswith("That code was given")
    town.chat.watch.now -= timedelta(seconds=29)
    assert (await town.says(ANN, f"link {second} Sable")).startswith("That code is not right")
    assert await town.linked() == []


async def test_AZ_5_a_message_delivered_twice_is_no_second_message(town: Town) -> None:
    code = await town.code()
    asked = await town.hears(ANN, f"link {code} Sable", message_id="same")
    assert asked is not None
    assert await town.hears(ANN, f"link {code} Sable", message_id="same") is None
    assert await town.linked() == []


async def test_AZ_5_no_code_is_taken_from_a_bot_whoever_it_answers(town: Town) -> None:
    code = await town.code()
    for number, badges in enumerate(([badge("bot-badge")], [badge("moderator"), badge("bot-badge")], [])):
        room, lines = Room(), (f"!moments link {code}", f"!moments link {code} Sable")
        for place, line in enumerate(lines):
            room.intake.take(said(line, message_id=f"{number}-{place}", badges=badges))
        await room.intake.drain(1)
        for heard in room.heard:
            await town.chat.dispatcher.hear(heard._replace(instant=town.chat.watch.now, arrived=None))
        assert bool(await town.linked(SABLE)) is (badges == [])


async def test_VOTE_3_a_person_has_one_account_on_each_platform(town: Town) -> None:
    await town.link()
    refused = "A person has one account on each platform"
    code = await town.code(MALLORY)
    assert (await town.says(ANN, f"link {code}")).startswith(refused)
    code = await town.code()
    assert (await town.says(Author("twitch", "8", "Other"), f"link {code}")).startswith(refused)
    assert (await town.says(MALLORY, f"link {code}")).startswith(refused)
    assert (await town.says(SABLE, f"link {code}")).startswith("That code is this account's own.")
    assert await town.says(ANN, f"link {code}") == "Already linked: the two are one person's."


async def test_VOTE_3_three_changes_in_thirty_days_and_undoing_one_is_always_allowed(town: Town) -> None:
    await town.link()
    await town.says(ANN, "unlink")
    await town.link()
    assert (await town.says(SABLE, "unlink")).startswith("Unlinked from")
    code = await town.code()
    assert (await town.says(ANN, f"link {code}")).startswith("Your accounts were linked and unlinked 3 times")
    assert (await town.says(Author("twitch", "8", "New"), f"link {code}")).startswith("Your accounts were linked")
    town.chat.passes(timedelta(days=30).total_seconds())
    await town.link()


async def test_VOTE_3_the_third_change_in_thirty_days_is_the_last_before_a_wait(town: Town) -> None:
    day = timedelta(days=1).total_seconds()
    await town.link()
    town.chat.passes(day)
    await town.says(ANN, "unlink")
    await town.link()
    await town.says(ANN, "unlink")
    town.chat.passes(29 * day)  # the first is longer ago by now
    assert await linking.changes(town.chat.store, ANN, town.chat.watch.now) == MOST_CHANGES
    assert (await town.says(ANN, f"link {await town.code()}")).startswith(
        "Your accounts were linked and unlinked 3 times"
    )
    town.chat.passes(day)
    await town.link()


async def test_VOTE_3_either_side_undoes_it_and_the_other_is_told_at_its_next_private_answer(town: Town) -> None:
    await town.link()
    news = await town.hears(SABLE, "mymoments")
    assert news is not None
    assert news.aside == (
        'Your account was linked with the Twitch account "Ann" (id 1): both count as one person. Is that not you? '
        "Type /unlink."
    )
    again = await town.hears(SABLE, "mymoments")
    assert again is not None
    assert again.aside == ""
    assert (await town.says(ANN, "unlink")) == (
        'Unlinked from the Discord account "Sable" (id 2): each account has what was marked and saved with it.'
    )
    told = await town.hears(SABLE, "unlink")
    assert told is not None
    assert told.text == "This account is linked to no other."
    assert told.aside.startswith('Your account was unlinked from the Twitch account "Ann" (id 1)')


async def test_AZ_5_the_other_side_is_told_beside_its_next_answer_even_where_all_read_that(town: Town) -> None:
    await town.link()
    await town.hears(MALLORY, "start", role=Role.MODERATOR)
    news = await town.hears(SABLE, "clip")
    assert news is not None
    assert not news.private
    assert news.text.startswith("Marked #1")
    assert news.aside.startswith('Your account was linked with the Twitch account "Ann"')
    again = await town.hears(SABLE, "session")
    assert again is not None
    assert again.aside == ""


async def test_what_is_told_of_links_is_never_said_where_others_read_along(town: Town) -> None:
    await town.link()
    await town.says(SABLE, "unlink")
    reply = await town.hears(ANN, "forgetme")
    assert reply is not None
    assert reply.aside == ""


async def test_link_and_unlink_answer_also_where_the_channel_wants_no_answers(town: Town) -> None:
    quiet = replace(TWITCH, default_level=ReplyLevel.NONE)
    code = await town.code()
    asked = await town.hears(ANN, f"link {code}", platform=quiet)
    assert asked is not None
    assert asked.text.startswith("That code was given")


@pytest.mark.parametrize("word", ["AB12", "AAAAAAAAA", "AAAAAAA0", "********", "ÄÄÄÄÄÄÄÄ"])
async def test_what_is_no_code_is_told_and_costs_no_try(town: Town, word: str) -> None:
    for _ in range(MOST_TRIES + 1):
        assert (await town.says(ANN, f"link {word}")).startswith("A code has 8 letters and digits.")
        town.chat.passes(31)
    assert town.chat.services.link_tries == {}


async def test_fields_of_their_own_do_the_same_as_a_line(town: Town) -> None:
    await town.says(ANN, "link")
    console = Author("console", "ann", "Ann")
    place = Place("console", "owl", "Owl")
    given = await town.hears(console, "link", platform=Platform("console"), place=place, text="!link")
    assert given is not None
    code = given.text.removeprefix("Your code is ")[:8]
    asked = await town.hears(SABLE, "link", text="link", options={"code": code})
    assert asked is not None
    assert "/link, the code and Ann." in asked.text
    done = await town.hears(SABLE, "link", text="link", options={"code": code, "name": "Ann"})
    assert done is not None
    assert done.text.startswith('Linked: this account and the console account "Ann"')


async def test_AZ_5_linking_moves_counts_and_never_powers(town: Town) -> None:
    await town.hears(ANN._replace(user_id="7"), "start", role=Role.BROADCASTER)
    channel = await town.chat.store.channel("twitch", "7")
    assert channel is not None
    place = channel
    services, now = town.chat.services, town.chat.watch.now
    owner, moderator = Author("twitch", "7", "Owl"), Author("twitch", "8", "Mod")

    async def name(transaction: Any) -> None:  # noqa: ANN401 -- a Transaction
        await named_moderators.name(transaction, place, moderator, now)
        await linking.join(transaction, owner, SABLE, now, settled=True)
        await linking.join(transaction, moderator, MALLORY, now, settled=True)

    await services.store.run(name, message=None, now=now)
    for account, role in ((owner, Role.BROADCASTER), (moderator, Role.MODERATOR), (SABLE, Role.VIEWER)):
        assert await role_of(services, Viewer(*account), channel, act=False) is role
    other = Viewer(*MALLORY, frozenset({"7"}), now)
    assert await role_of(services, other, channel, act=False) is Role.VIEWER
