"""Who is given a link into a private channel, and who the way to a login: by platform, in conversation."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.twitch.translate import TWITCH
from commands import private_links
from commands.dispatch import Dispatcher
from commands.private_links import LASTS, LONGEST, Purpose
from commands.stream import PRIVATE
from moments.live import Author, Place
from moments.people import Role
from storage import Transaction, audit, named_moderators
from tests.chat import ROOM, Chat

TWITCH_ROOM = Place("twitch", "4242", "Nightowl")
TOKEN = re.compile(r"http://localhost:8080(/link/(\.?[\w-]+\.[\w-]{43}))$")
QUESTIONS = ("clips", "export", "export csv", "export edl", "moments clips", "moments export csv")


@pytest.fixture
async def private(live: Chat) -> Chat:
    """A private channel with a session, on the console."""
    await live.says("!setup visibility private")
    return live


async def on_twitch(chat: Chat) -> None:
    """Go on in a private channel on Twitch with a session of its own."""
    chat.platform = replace(TWITCH, once_seconds=0, bare_off=frozenset())
    chat.dispatcher = Dispatcher(chat.services)
    for line in ("!start Rehearsal", "!setup visibility private"):
        await chat.hears(line, place=TWITCH_ROOM, role=Role.BROADCASTER)


def link_in(text: str) -> str:
    found = TOKEN.search(text)
    assert found, text
    return found[2]


async def test_LINK_1_the_console_answers_a_moderator_with_a_link(private: Chat) -> None:
    session = await private.store.newest_session(*ROOM[:2])
    assert session
    for line, path in (("!clips", ""), ("!export", ""), ("!export csv", "/export.csv")):
        reply = await private.hears(f"<~nightowl> {line}")
        assert reply is not None
        assert reply.private
        link = await private_links.redeem(private.services, link_in(reply.text))
        assert link.path == f"/s/{session.id}{path}"
        assert link.purpose is (Purpose.EXPORT if path else Purpose.VIEW)
        assert link.ends_at - private.watch.now <= timedelta(hours=24)
        assert "24 hours" in reply.text


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("role", [Role.MODERATOR, Role.BROADCASTER])
async def test_LINK_1_twitch_answers_with_the_way_to_a_login_and_no_link(chat: Chat, question: str, role: Role) -> None:
    await on_twitch(chat)
    session = await chat.store.newest_session(*TWITCH_ROOM[:2])
    assert session
    reply = await chat.hears(f"!{question}", place=TWITCH_ROOM, role=role)
    assert reply is not None
    file = f"/export.{question[-3:]}" if question.endswith(("csv", "edl")) else ""
    assert reply.text.endswith(f"http://localhost:8080/login/twitch?moderator=1&return=/s/{session.id}{file}")
    assert "/link/" not in reply.text
    assert "Rehearsal" not in reply.text
    assert not re.search(r"[\w-]{43}", reply.text)
    assert not [each for each in await audit.entries(chat.store, session.channel) if each.act == "link"]


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("role", [Role.VIEWER, Role.SUBSCRIBER, Role.VIP])
async def test_LINK_1_viewers_are_given_no_link_and_no_name_anywhere(
    chat: Chat, live: Chat, question: str, role: Role
) -> None:
    await live.says("!setup visibility private")
    for place in (ROOM, TWITCH_ROOM):
        if place is TWITCH_ROOM:
            await on_twitch(chat)
        reply = await chat.hears(f"<rook> !{question}", place=place, role=role)
        assert reply is not None
        assert reply.text == PRIVATE
        assert "http" not in reply.text


async def test_LINK_1_a_moderator_whom_only_the_chat_knows_is_sent_to_the_login_in_private_too(chat: Chat) -> None:
    """Whether they still moderate could not be asked again when the link is used."""
    await on_twitch(chat)
    chat.platform = replace(chat.platform, private_replies=True)
    asked = {"place": TWITCH_ROOM, "role": Role.MODERATOR}
    reply = await chat.hears("<rook> !clips", **asked)  # type: ignore[arg-type]
    assert reply is not None
    assert "/login/twitch?moderator=1" in reply.text


async def test_LINK_3_giving_a_link_is_noted_without_the_link(private: Chat) -> None:
    text = await private.says("<@rook> !export csv")
    session = await private.store.newest_session(*ROOM[:2])
    assert session
    entry = (await audit.entries(private.store, session.channel))[0]
    assert (entry.act, entry.target, entry.actor_user_id, entry.session_id) == (
        "link",
        "export csv",
        "rook",
        session.id,
    )
    assert link_in(text) not in str(entry)


async def test_a_public_channel_is_linked_as_it_is(live: Chat) -> None:
    assert "/link/" not in await live.says("!clips")
    assert "/link/" not in await live.says("<~nightowl> !export csv")


async def test_who_may_give_links_where_discord_is_not_asked_is_what_the_store_alone_can_tell(private: Chat) -> None:
    channel = await private.store.channel(*ROOM[:2])
    assert channel
    elsewhere = replace(channel, platform="twitch", platform_id="4242")
    assert await private_links.may_issue(private.services, channel, Author("console", "anybody", ""))
    assert await private_links.may_issue(private.services, elsewhere, Author("twitch", "4242", ""))
    for who in (Author("twitch", "1", ""), Author("console", "4242", ""), Author("discord", "4242", "")):
        assert not await private_links.may_issue(private.services, elsewhere, who)

    async def name(transaction: Transaction) -> None:
        await named_moderators.name(transaction, channel, Author("twitch", "1", "rook"), private.watch.now)

    await private.store.run(name, message=None, now=private.watch.now)
    assert await private_links.may_issue(private.services, elsewhere, Author("twitch", "1", ""))


async def test_LINK_2_no_link_lasts_longer_than_a_week(private: Chat) -> None:
    session = await private.store.newest_session(*ROOM[:2])
    assert session
    for asked, lasts in ((LASTS, LASTS), (LONGEST, LONGEST), (timedelta(days=99), LONGEST)):

        async def job(transaction: Transaction, asked: timedelta = asked) -> str:
            assert session
            by, now = Author(*ROOM), private.watch.now
            return await private_links.issue(transaction, private.services.keys, session, by, now, lasts=asked)

        path = await private.store.run(job, message=None, now=private.watch.now)
        said = private_links.read(private.services.keys, path.removeprefix("/link/"))
        assert said
        assert timedelta(0) <= lasts - (said.ends_at - private.watch.now) < timedelta(seconds=1)


@pytest.mark.parametrize("word", ["", "x", "a.b", ".", "é" * 60, "a" * 40 + "." + "A" * 43, ".eJw" + "." + "A" * 43])
async def test_whatever_is_no_link_is_read_as_none(private: Chat, word: str) -> None:
    assert private_links.read(private.services.keys, word) is None
