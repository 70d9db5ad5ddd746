"""What Moments says in Twitch chat, whatever people type: it pings nobody, repeats no link, and is no command.

Every command is walked, under every name it has, in every state of a session.
"""

import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bot.twitch.translate import TWITCH
from commands.dispatch import Dispatcher, _presentable
from commands.model import Heard, Reply
from commands.once import Once
from commands.registry import NAMES
from moments.live import Author, Place
from moments.people import Role
from moments.sessions import ReplyLevel
from tests.chat import Chat, open_chat
from web_export.formats import FORMATS

LOUD = replace(TWITCH, default_level=ReplyLevel.FULL, bare_off=frozenset())
"""Twitch where the channel chose to have everything repeated: the worst case."""
PUBLIC_URL = "http://localhost:8080"
ROOM = Place("twitch", "4242", "Nightowl")

OUR_FIRST_WORD = re.compile(
    r"(?:A|All|Already|Best|Download|Downloads|Ended|Forgotten|Linked|Marked|Marks|Minutes|Moment|Moments|Most|Moved"
    r"|Nobody|Not|Now|Only|Paste|Paused|Put|Removed|Resumed|Running|Saved|Say|Short|Started|That|The|There|This|Times"
    r"|Type|Unlinked|Use|Write|You|Your|YouTube)\b|#[0-9]+ "
    # The contract's own sentence; a quotation mark begins no command.
    r"|\u2068?\".*\"\u2069? (?:started|ended) ",
)
"""Every reply begins with one of these, so nobody puts words of their own into the bot's mouth (CHAT-4)."""

LINKS = (
    "https://evil.example/path?x=1",
    "HTTP://EVIL.EXAMPLE",
    "evil.com",
    "www.evil.co.uk/a",
    "bit.ly/3xYz",
    "discord.gg/abcdef",
    "https://1.2.3.4/x",
    "evil.com:8080",
    "user@evil.com",
    "javascript://evil.com",
    "münchen.de",
    "evil.рф",
    "(evil.com)",
    "evil.com!",
    "evil.com.",
    "look:evil.com,now",
    "clips.twitch.tv/SomeClip",
    "evil.xn--p1ai",
    "evil.com-look",
    "ev\u200bil.c\u2060om",
)
HOSTILE = st.one_of(
    st.text(max_size=300),
    st.sampled_from(LINKS),
    st.sampled_from(
        [
            "@everyone @nightowl @\u200brook",
            "!end",
            "! end",
            "!moments end",
            "/ban rook",
            ".timeout rook 600",
            "`end` `start` `` `x",
            "\u2060!end",
            "\u200b/ban rook",
            "\U000e0000!clip \U000e0000",
            "\x1b[2J\x07\x00",
            "a\r\n!end\r\nPRIVMSG #x :hi",
            "a\u2028!end\u2029\x85x\x0b\x0c",
            "\u202eevil\u2066 \u2069\u2068",
            "\ud800 lone \udfff",
            "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢" * 40,
            "👨‍👩‍👧‍👦" * 200,
            "مرحبا " * 60,
            "x" * 3000,
            "9" * 400,
            "#1",
            "-5 /me waves",
            "+7",
            "Any% | @rook evil.com",
        ]
    ),
)


@pytest.fixture
async def room(database: Path) -> AsyncIterator[Chat]:
    async with open_chat(database) as chat:
        chat.platform = TWITCH
        yield chat


def line(chat: Chat, text: str, role: Role = Role.VIEWER, name: str = "rook") -> Heard:
    author = Author("twitch", name.encode(errors="replace").hex()[:60], name)
    return Heard(chat.platform, ROOM, author, role, text, chat.watch.now)


async def hear(chat: Chat, text: str, role: Role = Role.VIEWER, name: str = "rook") -> Reply | None:
    """The reply; half a minute and a cooldown later than the line before, so that nothing is kept silent."""
    chat.passes(31)
    return await chat.dispatcher.hear(line(chat, text, role, name))


async def everything(chat: Chat, words: str, title: str, name: str) -> AsyncIterator[Reply]:
    """All replies to all commands with these words, in all states of a session."""
    for act in ("", f"!start {title}", "!pause", "!resume", "!end"):
        if act and (reply := await hear(chat, act, Role.BROADCASTER, name)):
            yield reply
        for command in NAMES:
            for role in (Role.VIEWER, Role.BROADCASTER):
                if command == "end" and act != "!end":
                    continue  # the states' own words are said by the loop around
                text = f"!{command} {words}" if role else f"!moments {command} {words}"
                if reply := await hear(chat, text, role, name):
                    yield reply
        for command in NAMES:
            if reply := await hear(chat, f"!{command}", Role.VIEWER, name):
                yield reply


def check(reply: Reply) -> None:
    """All that every message to Twitch must be."""
    text = reply.text
    assert text
    assert text[0] not in "/.!"
    assert OUR_FIRST_WORD.match(text), text
    assert len(text) <= 500
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\U000e0000-\U000e007f]", text.replace(FLAG, "")), text
    assert not any(here == "@" and (after.isalnum() or after == "_") for here, after in pairwise(text)), text
    text.encode()  # a lone surrogate cannot be sent


FLAG = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
"""England's, which is spelt with tag characters and kept."""


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(words=HOSTILE, title=HOSTILE, name=HOSTILE, level=st.sampled_from(list(ReplyLevel)))
@example(words="evil.com", title="evil.com", name="evil.com", level=ReplyLevel.FULL)
@example(words="👨‍👩‍👧‍👦" * 200, title="👨‍👩‍👧‍👦" * 200, name="👨‍👩‍👧‍👦" * 200, level=ReplyLevel.FULL)
@example(words="", title=f"Z{chr(0x0321) * 8}" * 200, name="rook", level=ReplyLevel.FULL)
async def test_CHAT_4_CHAT_5_no_reply_can_be_a_command_a_ping_or_longer_than_twitch_takes(
    words: str, title: str, name: str, level: ReplyLevel, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with open_chat(tmp_path_factory.mktemp("chat") / "moments.db") as chat:
        chat.platform = replace(LOUD, default_level=level)
        async for reply in everything(chat, words, title, name or "rook"):
            check(reply)
            for said in (reply.text, f"@rook {reply.text}", f"\U000e0000{reply.text}"):
                for role in Role:
                    assert await hear(chat, said, role, "moments_bot") is None, said


@pytest.mark.parametrize(
    "text", ["Marked\r\n!end", "Marked \U000e0000", "Marked\x00 \x1b[2J", "/ban rook", ".me", "!end"]
)
def test_CHAT_4_what_slips_through_everything_else_is_caught_at_the_door(text: str) -> None:
    check(_presentable(Reply(text), TWITCH))


async def words_repeated(chat: Chat, words: str) -> list[str]:
    """The replies that repeat somebody's words where the channel wants that."""
    said = [
        await hear(chat, f"!start {words} | {words}", Role.BROADCASTER),
        await hear(chat, f"!start {words}", Role.BROADCASTER),
        await hear(chat, f"!clip {words}"),
        await hear(chat, f"!renote so {words} and more"),
        await hear(chat, "!session"),
        await hear(chat, "!clips"),
        await hear(chat, "!export"),
        await hear(chat, "!export csv"),
        await hear(chat, "!delclip 1", Role.MODERATOR),
    ]
    return [reply.text for reply in said if reply]


@pytest.mark.parametrize("link", LINKS)
async def test_CHAT_3_links_in_peoples_words_are_not_repeated(room: Chat, link: str) -> None:
    room.platform = LOUD
    said = await words_repeated(room, link)
    assert len(said) == 9
    for text in said:
        ours = text.replace(PUBLIC_URL, "")
        assert "[link]" in ours, text
        assert not re.search(r"evil|1\.2\.3\.4|bit\.ly|discord\.gg|münchen|clips\.twitch|://", ours, re.IGNORECASE), (
            text
        )


@pytest.mark.parametrize(
    "link", ["evil.com", "https://evil.example/path?x=1", "ev\u200bil.c\u2060om", "münchen.evil.рф"]
)
async def test_CHAT_3_no_command_at_all_repeats_a_link(room: Chat, link: str) -> None:
    room.platform = LOUD
    said = [reply.text async for reply in everything(room, f"{link} 1 #1 {link}", f"{link} | {link}", link)]
    said += [reply.text async for reply in everything(room, f"1 {link}", f"{link} {link}", link)]
    assert sum("[link]" in text for text in said) > 20
    assert [text for text in said if "evil" in text.replace("\u200b", "").replace("\u2060", "")] == []


@pytest.mark.parametrize("words", ["3.14 seconds", "wow... nice", "e.g.", "v1.2.3", "a.m. vs 9.30", "end."])
async def test_CHAT_3_what_is_no_link_is_repeated_as_it_is(room: Chat, words: str) -> None:
    room.platform = LOUD
    assert all(words in text for text in await words_repeated(room, words))


async def test_CHAT_3_our_own_links_are_given(room: Chat) -> None:
    room.platform = LOUD
    for text in await words_repeated(room, "Any%"):
        assert "[link]" not in text
    reply = await hear(room, "!clips")
    assert reply is not None
    assert f"{PUBLIC_URL}/s/" in reply.text


async def test_CHAT_3_what_only_begins_like_our_address_is_hidden_in_a_refusal_too(room: Chat) -> None:
    await hear(room, f"!start {PUBLIC_URL}.evil.com/a", Role.BROADCASTER)
    assert "evil" not in await says(room, "!start again", Role.BROADCASTER)


async def test_CHAT_3_names_of_our_own_that_look_like_links_are_kept(room: Chat) -> None:
    slugs = tuple(form.slug for form in FORMATS)
    room.dispatcher = Dispatcher(replace(room.services, formats=slugs))
    assert "excel.csv" in slugs
    assert await says(room, "!moments export foo") == f"There is no such download. Take one of: {', '.join(slugs)}."
    said = [reply.text async for reply in everything(room, "foo", "Any%", "rook")]
    assert [text for text in said if "[link]" in text] == []


async def test_CHAT_3_elsewhere_links_stay_words(room: Chat) -> None:
    room.platform = replace(LOUD, hides_links=False)
    assert all("evil.com" in text for text in await words_repeated(room, "evil.com"))


async def test_CHAT_5_a_bot_that_repeats_all_we_say_is_answered_never(room: Chat) -> None:
    await hear(room, "!start !clip", Role.BROADCASTER)
    for command in NAMES:
        reply = await hear(room, f"!moments {command} !moments {command}")
        for _ in range(3):
            if reply is None:
                break
            reply = await hear(room, reply.text, Role.BROADCASTER, "parrot")
        assert reply is None, command


async def test_CHAT_5_two_of_us_in_one_room_do_not_talk_to_each_other(room: Chat, tmp_path: Path) -> None:
    async with open_chat(tmp_path / "other.db") as other:
        other.platform = LOUD
        both = {"one": room, "two": other}
        for text in ("!start !clip | !end", "!clip !clip", "!session", "!moments help", "!renote !moments end", "!end"):
            heard = [("mika", text)]
            for _ in range(2):
                heard = [
                    (bot, reply.text)
                    for name, line in heard
                    for bot, chat in both.items()
                    if bot != name and (reply := await hear(chat, line, Role.BROADCASTER, name))
                ]
            assert heard == [], "they answered an answer"


async def says(chat: Chat, text: str, role: Role = Role.VIEWER, name: str = "rook", place: Place = ROOM) -> str:
    """The reply at this very moment, empty when there is none."""
    reply = await chat.dispatcher.hear(line(chat, text, role, name)._replace(place=place))
    return reply.text if reply else ""


async def test_the_same_refusal_and_the_same_question_are_answered_once_in_half_a_minute(room: Chat) -> None:
    other = Place("twitch", "77", "Mika")
    for text in ("!clip wow", "!session", "!moments help", "!delclip x"):
        role = Role.MODERATOR
        first = await says(room, text, role, "rook")
        assert first
        room.passes(29)
        assert await says(room, text, role, "sable") == ""
        assert await says(room, text, role, "rook", other) != "", "another channel did not hear it"
        room.passes(1)
        assert await says(room, text, role, "sable") == first
        room.passes(60)
    assert await says(room, "!moments help clip") != ""
    assert await says(room, "!moments help end") != "", "another question"


async def test_a_question_is_answered_again_once_the_answer_is_another(room: Chat) -> None:
    assert (await says(room, "!session")).startswith("Not live")
    answers = {}
    for act in ("!start One", "!pause", "!resume", "!end", "!start Two"):
        room.passes(2)
        await says(room, act, Role.MODERATOR)
        answers[act] = await says(room, "!session"), await says(room, "!clips")
        assert answers[act][0].startswith(("Running", "Paused", "Ended")), act
        room.passes(2)
        await says(room, "!clip", name=act)
        assert await says(room, "!session") == "", "a running clock and one mark more are no new answer"
    assert [bool(link) for _, link in answers.values()] == [True, False, False, False, True]


async def test_a_refusal_is_given_again_once_it_is_another(room: Chat) -> None:
    await says(room, "!start", Role.MODERATOR)
    for seconds in (5, 7):
        room.passes(seconds)
        await says(room, "!pause", Role.MODERATOR)
        assert (await says(room, "!clip")).startswith("Paused at ")
        assert await says(room, "!clip", name="mika") == ""
        await says(room, "!resume", Role.MODERATOR)


def test_an_answer_to_a_message_that_was_overtaken_is_the_same_answer(room: Chat) -> None:
    once, late, reply = Once(), line(room, "!clip"), Reply("Not live.", kind="refusal")
    said = [once.said(late, reply, room.watch.now + timedelta(seconds=seconds)) for seconds in (1, 0)]
    assert said == [False, True]


async def test_marks_and_acts_are_answered_every_time(room: Chat) -> None:
    assert await says(room, "!start", Role.BROADCASTER)
    assert (await says(room, "!clip", name="rook")).startswith("Marked #1 ")
    assert (await says(room, "!clip", name="mika")).startswith("Marked #2 ")
    assert (await says(room, "!adjust +1")).startswith("Moved #1 ")
    assert (await says(room, "!adjust +1")).startswith("Moved #1 ")
    for _ in range(2):
        assert (await says(room, "!pause", Role.MODERATOR)).startswith("Paused ")
        assert (await says(room, "!resume", Role.MODERATOR)).startswith("Resumed")


async def test_where_private_answers_exist_every_question_is_answered(room: Chat) -> None:
    room.platform = replace(TWITCH, once_seconds=0)
    assert await says(room, "!session") == await says(room, "!session") != ""


async def test_brief_does_not_repeat_anybodys_words(room: Chat) -> None:
    said = await words_repeated(room, "capybara")
    marks = [text for text in said if re.match("Marked|Now|#|Removed", text)]
    assert len(marks) == 3
    assert not any("capybara" in text for text in marks)
    room.platform = LOUD
    await hear(room, "!end", Role.BROADCASTER)
    assert all("capybara" in text for text in await words_repeated(room, "capybara"))


async def test_none_answers_nothing_but_setup_and_what_must_be_asked_twice(room: Chat) -> None:
    room.platform = replace(TWITCH, default_level=ReplyLevel.NONE)
    await hear(room, "!start", Role.BROADCASTER)
    answered = set()
    for command in NAMES:
        for text in (f"!moments {command}", f"!moments {command} 1", f"!moments {command} nonsense"):
            if await hear(room, text, Role.BROADCASTER):
                answered.add(NAMES[command].name)
    assert answered == {"forgetme", "link", "setup", "unlink"} & {command.name for command in NAMES.values()}


@pytest.mark.parametrize("name", sorted({"help", "link", "profile", "export"} & NAMES.keys()))
async def test_words_other_bots_answer_to_are_left_to_them_until_switched_on(room: Chat, name: str) -> None:
    await hear(room, "!start", Role.BROADCASTER)
    assert await hear(room, f"!{name}", Role.BROADCASTER) is None
    assert await hear(room, f"!{name.upper()} clip", Role.BROADCASTER) is None
    assert await hear(room, f"!moments {name}", Role.BROADCASTER) is not None


async def test_commands_are_named_by_words_that_are_answered_here(room: Chat) -> None:
    listed = (
        "unclip, !adjust, !renote, !session, !clips, !moments export, !moment, !saved, !best, !mymoments,"
        " !moments link, !unlink, !forgetme, !moments help"
    )
    assert await says(room, "!moments help") == (
        f"You can type: !clip, !{listed}. For more about one: !moments help clip"
    )
    unknown = "There is no such command. Type !moments help for the list."
    assert await says(room, "!moments help nonsense") == unknown
    room.platform = replace(TWITCH, answers_unknown=True)
    room.passes(31)
    assert await says(room, "!lcip") == unknown
    assert (await says(room, "!moments help export")).startswith("Type !moments export [format] [session] — ")
    await hear(room, "!setup export on", Role.BROADCASTER)
    assert (await says(room, "!moments help export")).startswith("Type !export [format] [session] — ")
    assert listed.replace("moments export", "export") in await says(room, "!moments help")


async def test_every_command_help_names_is_answered_as_it_is_named(room: Chat) -> None:
    for role in (Role.VIEWER, Role.BROADCASTER):
        for word in ("none", "export", "help"):
            await hear(room, f"!setup {word} on", Role.BROADCASTER)
            said = await hear(room, "!moments help", role)
            assert said is not None
            named = re.findall(r"!(?:moments )?[a-z]+", said.text)
            assert len(named) > 9
            for name in named:
                room.passes(60)
                assert await hear(room, name, role) is not None, name


async def test_a_channel_may_switch_a_bare_word_on(room: Chat, database: Path) -> None:
    await hear(room, "!start", Role.BROADCASTER)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE channel SET bare_commands = 'help'")
    await hear(room, "!pause", Role.BROADCASTER)  # the store notices that somebody else wrote when it writes
    assert await hear(room, "!help") is not None
    assert await hear(room, "!export") is None
