"""The feed through everything that can fail: never twice, never lost, and what cannot be posted is told."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.discord.poster import Poster
from commands import post_steps
from commands.forgetme import forget
from moments.live import Author
from moments.people import Role
from storage import feeds
from tests.bot.discord.feed_rig import Evening, open_evening
from tests.fake_discord.people import EMBED_LINKS, READ_MESSAGE_HISTORY, SEND_MESSAGES, VIEW_CHANNEL

ANN = Author("twitch", "id of ann", "ann")
POSTS = "/api/v10/channels/*/messages"
ONE = "/api/v10/channels/*/messages/*"


@pytest.fixture
async def evening(database: Path) -> AsyncIterator[Evening]:
    """A session runs, and every mark is to be posted; what posts is started by each test."""
    async with open_evening(database) as evening:
        async with evening.posting():
            await evening.says("!start Any%")
            await evening.feed("each")
        evening.passes(60)
        yield evening


async def until(evening: Evening, number: int) -> None:
    """So many posts stand, and nothing is under way."""
    await evening.discord.until(lambda: len(evening.shown()) == number)
    await evening.poster.settle()


async def trouble(evening: Evening) -> str:
    found = await feeds.of_channel(evening.store, evening.channel.id)
    assert found is not None
    return found.trouble


# --- never twice


async def killed_after_the_post(evening: Evening) -> None:
    """Discord has the message; nobody has noted that."""
    async with evening.posting():
        evening.api.hold.clear()
        await evening._mark("ann", "dodged")
        await evening.api.holding.wait()
        await evening.crash()
        evening.told.listener = lambda _changes: None
    evening.api.hold.set()
    evening.api.calls.clear()
    assert await evening.rows("state, message_id") == [("sending", "")]
    assert len(evening.shown()) == 1


async def test_killed_between_the_post_and_the_note_of_it_nothing_is_posted_twice(evening: Evening) -> None:
    await killed_after_the_post(evening)
    async with evening.posting():
        assert len(evening.shown()) == 1
        assert await evening.rows("state") == [("posted",)]
        await evening.says("!renote better", "ann")
        assert "better" in evening.words()
    assert len(evening.shown()) == 1


async def test_killed_before_the_post_it_is_posted_after_the_restart(evening: Evening) -> None:
    evening.discord.faults.add("POST", POSTS, abort=True)
    evening.pace = evening.pace._replace(first_pause=60.0)
    async with evening.posting():
        await evening._mark("ann", "dodged")
        await evening.discord.until(lambda: not evening.discord.faults.unconsumed)
        await evening.crash()
        evening.told.listener = lambda _changes: None
    assert evening.shown() == []
    async with evening.posting():
        assert len(evening.shown()) == 1


async def test_killed_and_the_mark_gone_meanwhile_the_post_goes(evening: Evening) -> None:
    await killed_after_the_post(evening)
    await forget(evening.services, ANN, evening.watch())
    async with evening.posting():
        assert evening.shown() == []
    assert await evening.rows() == []


async def test_killed_long_ago_the_post_is_found_among_the_newest_messages(evening: Evening) -> None:
    await killed_after_the_post(evening)
    evening.passes(600)
    async with evening.posting():
        assert len(evening.shown()) == 1
        assert evening.api.calls[0] == "messages"
        assert await evening.rows("state") == [("posted",)]
        await evening.says("!unclip", "ann")
        assert evening.shown() == []


async def test_killed_long_ago_and_not_there_it_is_posted(evening: Evening) -> None:
    evening.discord.say(evening.discord.user("sable"), evening.channel, "hello")
    await killed_after_the_post(evening)
    await evening.discord.delete_message(evening.shown()[0])
    evening.passes(600)
    async with evening.posting():
        assert len(evening.shown()) == 1


async def test_killed_long_ago_and_nobody_may_look_it_is_left_out_and_told(evening: Evening) -> None:
    evening.discord.deny(evening.channel, READ_MESSAGE_HISTORY)
    await killed_after_the_post(evening)
    evening.passes(600)
    async with evening.posting():
        assert "post" not in evening.api.calls
        _, aside = await evening.types("session")
        assert "Read Message History" in aside
        assert (await evening.types("session"))[1] == ""
        assert "Read Message History" not in await evening.feed("")
        await evening.says("!clip", "ben")
        assert len(evening.shown()) == 2


async def test_PRIV_4_killed_long_ago_and_forgotten_since_the_post_is_found_and_goes(evening: Evening) -> None:
    await killed_after_the_post(evening)
    await forget(evening.services, ANN, evening.watch())
    evening.passes(600)
    async with evening.posting():
        assert evening.shown() == []
    assert await evening.rows() == []


@pytest.mark.parametrize("status", [None, 500])
async def test_an_answer_that_was_lost_posts_once(evening: Evening, status: int | None) -> None:
    evening.discord.faults.add("POST", POSTS, after=True, status=status, abort=status is None)
    async with evening.posting():
        await evening._mark("ann", "dodged")
        await evening.discord.until(lambda: not evening.discord.faults.unconsumed)
        await evening.poster.settle()
        assert len(evening.shown()) == 1
        assert await evening.rows("state") == [("posted",)]


async def test_a_message_somebody_deleted_on_discord_is_not_posted_again(evening: Evening) -> None:
    async with evening.posting():
        await evening.says("!clip one", "ann")
        await evening.discord.delete_message(evening.shown()[0])
        await evening.says("!renote two", "ann")
        await evening.says("!setup lead 30")
        assert evening.shown() == []
        assert await evening.rows("state") == [("gone",)]
    async with evening.posting():
        assert evening.shown() == []
        await evening.says("!unclip", "ann")
        assert await evening.rows() == []
        await evening.says("!clip other", "ben")
        await evening.discord.delete_message(evening.shown()[0])
        await evening.says("!unclip", "ben")
        assert await evening.rows() == []
        assert await trouble(evening) == ""


# --- never lost


async def test_what_was_marked_while_discord_was_down_is_posted_in_order(evening: Evening) -> None:
    async with evening.posting():
        evening.discord.faults.add("POST", POSTS, abort=True, times=3)
        for name in ("ann", "ben", "cid"):
            await evening._mark(name, name)
            evening.passes(20)
        await until(evening, 3)
        assert [head[:2] for head in evening.heads()] == ["#1", "#2", "#3"]


async def test_what_was_marked_while_we_were_down_is_posted_after_the_start(evening: Evening) -> None:
    async with evening.posting():
        await evening.says("!clip zero", "ann")
        evening.told.listener = lambda _changes: None  # this process is about to die
        await evening._mark("ann", "one")
    async with evening.posting():
        assert len(evening.shown()) == 2
    evening.api.calls.clear()
    async with evening.posting():
        assert evening.api.calls == []


async def test_a_limit_of_discords_is_waited_for(evening: Evening) -> None:
    evening.discord.faults.add(
        "POST", POSTS, status=429, body={"message": "", "retry_after": 0.05, "global": False}, headers={"Via": "1.1 x"}
    )
    async with evening.posting():
        await evening.says("!clip", "ann")
        assert len(evening.shown()) == 1


async def test_PRIV_4_forgotten_while_discord_is_down_the_posts_go_once_it_is_back(evening: Evening) -> None:
    async with evening.posting():
        await evening.says("!clip dodged", "ann")
        await evening.says("!clip stays", "ben")
        evening.discord.faults.add("DELETE", ONE, abort=True, times=2)
        await forget(evening.services, ANN, evening.watch())
        assert "dodged" not in str(await evening.store.fetch("SELECT * FROM post"))
        await until(evening, 1)
    assert "dodged" not in evening.words()
    assert await evening.rows("low") == [(2,)]


async def test_PRIV_4_forgotten_while_the_process_is_down_the_posts_go_after_the_start(evening: Evening) -> None:
    async with evening.posting():
        await evening.says("!clip dodged", "ann")
    await forget(evening.services, ANN, evening.watch())
    assert len(evening.shown()) == 1
    async with evening.posting():
        assert evening.shown() == []
    assert await evening.rows() == []


async def test_PRIV_4_forgotten_long_after_the_session_the_posts_go_after_the_start(evening: Evening) -> None:
    async with evening.posting():
        await evening.says("!clip dodged", "ann")
        await evening.says("!end")
        await evening.looks()
    evening.passes(timedelta(days=40).total_seconds())
    await forget(evening.services, ANN, evening.watch())
    async with evening.posting():
        assert evening.shown() == []


async def test_a_link_that_comes_after_a_restart_is_put_into_the_post(evening: Evening) -> None:
    async with evening.posting():
        await evening.says("!clip", "ann")
        await evening.looks()
    async with evening.posting():
        await evening.archive(ago=60)
        await evening.looks()
        assert "videos/555" in evening.words()


async def test_a_failure_of_ours_is_looked_at_again(evening: Evening, monkeypatch: pytest.MonkeyPatch) -> None:
    async with evening.posting():
        with monkeypatch.context() as broken:
            broken.setattr(post_steps, "mark_card", None)
            await evening.says("!clip", "ann")
        assert evening.shown() == []
        await evening.looks()
        assert len(evening.shown()) == 1


async def test_more_changes_than_are_remembered_lose_nothing(evening: Evening, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.discord.poster.MOST_CHANGES", 2)
    monkeypatch.setattr("commands.touched.MOST_PLACES", 3)
    async with evening.posting():
        await evening.marks(*(f"p{n} words{n}" for n in range(30)))
        covered = [n for low, high in await evening.rows("low, high") for n in range(low, high + 1)]
        assert sorted(covered) == list(range(1, 31))
        await evening.says("!unclip", "p2")
        assert "words2\u2069" not in evening.words()


# --- what is not allowed is told


async def test_a_missing_permission_is_told_to_one_moderator_once_and_mended_by_setting_again(evening: Evening) -> None:
    async with evening.posting():
        evening.discord.deny(evening.channel, SEND_MESSAGES)
        await evening.says("!clip one", "ann")
        assert (await evening.types("session", role=Role.VIEWER))[1] == ""
        _, aside = await evening.types("session")
        assert "Send Messages" in aside
        assert (await evening.types("session"))[1] == ""
        assert "Send Messages" in await evening.feed("", guild=evening.guild._replace(lacks=("SEND_MESSAGES",)))
        before = len(evening.api.calls)
        await evening.says("!clip two", "ben")
        await evening.looks()
        assert len(evening.api.calls) == before
        evening.discord.allow(evening.channel, SEND_MESSAGES)
        await evening.feed("each")
        await evening.looks()
        assert [head[:2] for head in evening.heads()] == ["#1", "#2"]
        assert await trouble(evening) == ""


async def test_who_put_a_permission_right_types_setup_feed_and_all_that_was_missed_comes(evening: Evening) -> None:
    async with evening.posting():
        await evening.feed("crowd 2")
        evening.discord.deny(evening.channel, SEND_MESSAGES)
        await evening.marks("ann one", "ben two")
        lacking = evening.guild._replace(lacks=("SEND_MESSAGES",))
        said, aside = await evening.types("setup", setting="feed", guild=lacking)
        assert said.startswith("Now: feed crowd 2.")
        assert said.count("Send Messages") == 1  # what stands in the way, and not once more what went wrong by it
        assert "then type /setup feed again" in aside
        evening.discord.allow(evening.channel, SEND_MESSAGES)
        assert evening.shown() == []
        assert (await evening.feed("")).startswith("Now: feed crowd 2. It is taken up again")
        assert len(evening.shown()) == 1
        assert await trouble(evening) == ""
        assert "taken up" not in await evening.feed("")


async def test_what_went_wrong_once_is_said_once_by_setup_feed(evening: Evening) -> None:
    evening.discord.faults.add("POST", POSTS, status=400, body={"code": 50035, "message": "Invalid Form Body"})
    async with evening.posting():
        await evening.says("!clip one", "ann")
        said, aside = await evening.types("setup", setting="feed")
        assert ("did not take a post" in said, aside) == (True, "")
        assert "did not take a post" not in await evening.feed("")


async def test_a_missing_permission_is_tried_again_every_hour(evening: Evening) -> None:
    async with evening.posting():
        evening.discord.deny(evening.channel, SEND_MESSAGES)
        await evening.says("!clip one", "ann")
        await evening.types("session")
        evening.passes(3_601)
        await evening.looks()
        assert (await evening.types("session"))[1] == ""  # the same trouble is not told twice
        evening.discord.allow(evening.channel, SEND_MESSAGES)
        evening.passes(3_601)
        await evening.looks()
        assert len(evening.shown()) == 1
        assert await trouble(evening) == ""


async def test_a_channel_that_is_gone_pauses_its_feed_and_no_other(evening: Evening) -> None:
    other = evening.discord.channel(evening.discord.people.guilds[evening.guild.id], "other")
    await evening.join(other)
    async with evening.posting():
        await evening.feed("each", place=evening.place._replace(platform_id=other.id))
        await evening.discord.delete_channel(evening.channel)
        await evening.says("!clip", "ann")
        assert "that channel is gone" in await trouble(evening)
        assert len(evening.shown(other)) == 1


async def test_a_post_discord_never_takes_is_left_out_and_told(evening: Evening) -> None:
    evening.discord.faults.add("POST", POSTS, status=400, body={"code": 50035, "message": "Invalid Form Body"})
    async with evening.posting():
        await evening.says("!clip one", "ann")
        await evening.says("!clip two", "ben")
        assert [head[:2] for head in evening.heads()] == ["#2"]
        assert "did not take a post" in (await evening.types("session"))[1]


async def test_what_the_bot_lacks_is_said_when_the_feed_is_set(evening: Evening) -> None:
    async with evening.posting():
        lacking = evening.guild._replace(lacks=("VIEW_CHANNEL", "EMBED_LINKS"))
        said = await evening.feed("summary", guild=lacking)
        assert said.startswith("Now: feed summary.")
        assert "View Channel, Embed Links" in said
    evening.discord.deny(evening.channel, VIEW_CHANNEL | EMBED_LINKS)


async def test_PRIV_6_a_server_that_is_left_leaves_nothing_of_its_feed(evening: Evening) -> None:
    async with evening.posting():
        await evening.says("!clip one", "ann")

        await evening.store.run(
            lambda transaction: feeds.end_of_guild(transaction, evening.guild.id), message=None, now=evening.watch()
        )
        for table in ("SELECT * FROM feed", "SELECT * FROM post", "SELECT * FROM followed"):
            assert await evening.store.fetch(table) == []
        await evening.says("!clip two", "ben")
        assert len(evening.shown()) == 1


async def test_draining_ends_what_waits_for_discord(evening: Evening) -> None:
    evening.discord.faults.add("POST", POSTS, abort=True)
    evening.pace = evening.pace._replace(first_pause=60.0)
    async with asyncio.timeout(5), evening.posting(drain=0.05):
        await evening._mark("ann", "one")
        await evening.discord.until(lambda: not evening.discord.faults.unconsumed)
    assert isinstance(evening.poster, Poster)


async def test_after_a_week_nothing_of_a_session_is_posted_any_more(evening: Evening) -> None:
    await evening.store.run(
        lambda transaction: transaction.execute("DELETE FROM followed"), message=None, now=evening.watch()
    )
    async with evening.posting():
        evening.told.listener = lambda _changes: None
        await evening._mark("ann", "one")
        await evening.says("!end")
    evening.passes(timedelta(days=8).total_seconds())
    async with evening.posting():
        assert evening.shown() == []
