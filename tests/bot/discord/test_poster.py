"""The feed: what people mark is posted in Discord, once, and stays true there; over real HTTP."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.discord.post_sender import Sender
from commands.forgetme import forget
from commands.moderation import bar, hide, restore
from moments.live import Author
from moments.people import Role
from moments.sessions import Session
from tests.bot.discord.feed_rig import SITE, STREAM, Evening, open_evening

ANN = Author("twitch", "id of ann", "ann")
MODERATOR = Author("twitch", "9", "mod")


@pytest.fixture
async def evening(database: Path) -> AsyncIterator[Evening]:
    async with open_evening(database) as evening, evening.posting():
        yield evening


@pytest.fixture
async def each(evening: Evening) -> Evening:
    await evening.says("!start Any%")
    assert (await evening.feed("each")).startswith("Now: feed each.")
    evening.passes(60)
    return evening


async def session(evening: Evening) -> Session:
    found = await evening.store.newest_session(*STREAM[:2])
    assert found is not None
    return found


# --- each


async def test_a_mark_is_posted_with_its_place_words_name_and_link(each: Evening) -> None:
    await each.says("!clip that dodge", "ann")
    (post,) = each.shown()
    assert post.embeds[0]["title"] == "#1 · 00:01:00 · segment 1"
    assert "that dodge" in post.embeds[0]["description"]
    assert "ann" in post.embeds[0]["description"]
    assert post.components[0]["components"][0]["url"] == f"{SITE}/s/{(await session(each)).id}"


async def test_with_an_archive_the_link_leads_into_the_vod_the_lead_before(each: Evening) -> None:
    await each.archive(ago=60)
    await each.says("!clip", "ann")
    (button, _) = each.shown()[0].components[0]["components"]
    assert button["url"] == "https://www.twitch.tv/videos/555?t=0h0m40s"


async def test_a_link_into_the_vod_that_comes_later_is_put_into_the_post(each: Evening) -> None:
    await each.says("!clip", "ann")
    await each.archive(ago=60)
    await each.looks()
    assert "videos/555?t=0h0m40s" in each.words()
    assert each.api.calls == ["post", "edit"]
    await each.looks()
    assert each.api.calls == ["post", "edit"]


async def test_every_mark_has_its_post_and_each_tells_how_many_people_are_with_it(each: Evening) -> None:
    for name in ("ann", "ben", "cid"):
        await each.says("!clip", name)
        each.passes(5)
    said = "3 people within 15 s"
    assert each.heads() == [f"#{n} · 00:01:{5 * n - 5:02} · segment 1 · {said}" for n in (1, 2, 3)]


async def test_posts_follow_adjust_renote_and_unclip(each: Evening) -> None:
    await each.says("!clip dodged", "ann")
    await each.says("!clip two", "ben")
    await each.says("!adjust -30", "ann")
    assert each.heads() == ["#1 · 00:00:30 · segment 1", "#2 · 00:01:00 · segment 1"]
    await each.says("!renote better words", "ann")
    assert "better words" in each.words()
    assert "dodged" not in each.words()
    await each.says("!adjust +25", "ann")
    assert each.heads()[0] == "#1 · 00:00:55 · segment 1 · 2 people within 15 s"
    await each.says("!unclip", "ann")
    assert each.heads() == ["#2 · 00:01:00 · segment 1"]
    assert await each.rows("low") == [(2,)]


async def test_a_deleted_mark_takes_its_post_with_it(each: Evening) -> None:
    await each.says("!clip rude", "ann")
    await each.says("!delclip #1", "@mod")
    assert each.shown() == []
    assert await each.rows() == []


async def test_VOTE_5_a_hidden_marks_post_goes_and_a_restored_ones_is_posted_again(each: Evening) -> None:
    await each.says("!clip rude", "ann")
    await each.says("!clip kind", "ben")
    now = await session(each)
    await hide(each.services, now.channel, now, 1, MODERATOR, "rude", each.watch())
    await each.poster.settle()
    assert each.heads() == ["#2 · 00:01:00 · segment 1"]
    await restore(each.services, now.channel, now, 1, MODERATOR, each.watch())
    await each.poster.settle()
    assert each.heads() == [f"#{n} · 00:01:00 · segment 1 · 2 people within 15 s" for n in (2, 1)]


async def test_who_is_blocked_is_posted_no_more(each: Evening) -> None:
    await bar(each.services, (await session(each)).channel, ANN, MODERATOR, each.watch())
    await each.says("!clip", "ann")
    assert each.shown() == []


async def test_names_are_left_out_where_the_channel_shows_none(each: Evening) -> None:
    await each.says("!clip words", "ann")
    await each.says("!setup names off")
    assert "ann" not in each.words()
    await each.says("!clip more", "ben")
    assert "ben" not in each.words()
    assert "words" in each.words()


async def test_a_private_stream_is_not_shown_and_its_posts_go(each: Evening) -> None:
    await each.says("!clip words", "ann")
    await each.says("!setup visibility private")
    assert each.shown() == []
    await each.says("!clip secret", "ann")
    assert each.shown() == []
    refused = await each.feed("crowd 3", role=Role.BROADCASTER)
    assert refused.startswith("That stream is private")
    await each.says("!setup visibility public")
    assert len(each.shown()) == 2


async def test_a_longer_lead_moves_the_links(each: Evening) -> None:
    await each.archive(ago=60)
    await each.says("!clip", "ann")
    await each.says("!setup lead 30")
    assert "t=0h0m30s" in each.words()


async def test_CHAT_2_hostile_words_stay_words(each: Evening) -> None:
    await each.says("!clip @everyone [free](https://evil.example) <@1> https://youtu.be/jNQXAC9IVRw", "ann")
    (post,) = each.shown()
    assert post.embeds[0]["url"].startswith(f"{SITE}/s/")
    assert "](http" not in post.embeds[0]["description"]
    assert "://" not in post.embeds[0]["description"]
    assert all(body["allowed_mentions"] == {"parse": []} for body in post.bodies)


async def test_two_feeds_of_one_stream_show_the_same(each: Evening) -> None:
    other = each.discord.channel(each.discord.people.guilds[each.guild.id], "crowd")
    await each.join(other)
    await each.feed("crowd 2", place=each.place._replace(platform_id=other.id))
    for name in ("ann", "ben"):
        await each.says("!clip", name)
    assert each.heads() == [f"#{n} · 00:01:00 · segment 1 · 2 people within 15 s" for n in (1, 2)]
    assert each.heads(other) == ["2 people within 15 s · 00:01:00 · segment 1"]
    await each.says("!unclip", "ann")
    assert each.heads() == ["#2 · 00:01:00 · segment 1"]
    assert each.heads(other) == []


async def test_off_posts_nothing_new_and_keeps_what_stands_true(each: Evening) -> None:
    await each.says("!clip one", "ann")
    await each.feed("off")
    await each.says("!clip two", "ben")
    assert len(each.shown()) == 1
    await each.says("!delclip #1", "@mod")
    assert each.shown() == []


async def test_a_session_that_was_over_before_is_not_posted(evening: Evening) -> None:
    await evening.says("!start old")
    await evening.says("!clip old", "ann")
    await evening.says("!end")
    evening.passes(60)
    await evening.feed("each")
    await evening.looks()
    assert evening.shown() == []
    await evening.says("!start new")
    await evening.says("!clip new", "ann")
    assert len(evening.shown()) == 1


async def test_a_raid_is_summed_up_and_loses_no_mark(each: Evening) -> None:
    each.poster._pace = each.pace = each.pace._replace(writes=5, within=0.1)
    await each.marks(*(f"raider{n} wow{n}" for n in range(1_000)))
    rows = await each.rows("low, high")
    assert sorted(n for low, high in rows for n in range(low, high + 1)) == list(range(1, 1_001))
    assert len(each.api.calls) <= 20
    assert any("marks by" in head for head in each.heads())
    before = len(each.api.calls)
    await each.says("!delclip #500", "@mod")
    assert each.api.calls[before:] == ["edit"]


async def test_a_post_of_several_marks_follows_their_words(each: Evening) -> None:
    await each.archive(ago=60)
    await each.marks(*(f"p{n} words{n}" for n in range(8)))
    assert len(each.shown()) < 8
    assert '"#8"' in each.words().replace("'", '"')
    await each.says("!renote better", "p3")
    assert "better" in each.words()
    assert "words3" not in each.words()
    await each.says("!unclip", "p4")
    assert "words4" not in each.words()


async def test_VOTE_5_a_mark_that_is_hidden_while_its_post_waits_is_not_posted(
    each: Evening, monkeypatch: pytest.MonkeyPatch
) -> None:
    each.pace = each.pace._replace(writes=1, within=0.3)
    turn, waits = Sender._turn, asyncio.Event()

    async def seen(sender: Sender) -> None:
        waits.set()
        await turn(sender)

    monkeypatch.setattr(Sender, "_turn", seen)
    async with each.posting():
        await each._mark("ann", "first")
        await each.discord.until(each.shown)
        waits.clear()
        await each._mark("ben", "rude")
        now = await session(each)
        await waits.wait()
        await hide(each.services, now.channel, now, 2, MODERATOR, "rude", each.watch())
        await each.poster.settle()
    assert each.api.calls.count("post") == 1
    assert [head[:2] for head in each.heads()] == ["#1"]


async def test_a_channel_is_written_to_at_discords_pace(each: Evening) -> None:
    each.pace = each.pace._replace(writes=2, within=0.2)
    clock = asyncio.get_running_loop().time
    async with each.posting():
        began = clock()
        for name in ("ann", "ben", "cid"):
            await each._mark(name, name)
            each.passes(30)
        await each.discord.until(lambda: len(each.shown()) == 3)
        assert clock() - began >= 0.2


async def test_something_new_does_not_wait_for_all_that_only_counts_one_more(each: Evening) -> None:
    for n in range(10):
        await each.says("!clip", f"p{n}")
    each.pace = each.pace._replace(writes=1, within=0.02)
    async with each.posting():
        each.api.calls.clear()
        await each._mark("ann", "one")
        await each.discord.until(lambda: "edit" in each.api.calls)
        await each._mark("ben", "two")
        await each.poster.settle()
    assert "post" in each.api.calls[1:6]
    assert all("12 people" in head for head in each.heads())


async def test_a_crowd_of_more_people_takes_back_smaller_ones_also_of_sessions_that_are_over(evening: Evening) -> None:
    await evening.says("!start one")
    await evening.feed("crowd 2")
    for name in ("ann", "ben"):
        await evening.says("!clip", name)
    await evening.says("!end")
    await evening.says("!start two")
    assert len(evening.shown()) == 1
    await evening.looks()
    evening.passes(2 * 86_400)
    await evening.feed("crowd 3")
    await evening.looks()
    assert evening.shown() == []


async def test_a_posts_cost_does_not_grow_with_the_session(each: Evening) -> None:
    """Rows read for one more mark, at three sizes of the session."""
    read: list[int] = []
    fetched = each.store.fetch

    async def counted(sql: str, *parameters: object) -> list[object]:
        found = await fetched(sql, *parameters)
        read.append(len(found))
        return found

    each.store.fetch = counted  # type: ignore[method-assign]  # counts what is read
    costs = []
    for size in (100, 400, 1_600):
        while (await session(each)).id and await marks_so_far(each) < size:
            each.passes(20)
            await each.marks("ann", "ben", "cid", "dot", "eve")
        each.passes(20)
        read.clear()
        await each.says("!clip", "ann")
        costs.append(sum(read))
    assert max(costs) <= min(costs) + 5, costs


async def marks_so_far(evening: Evening) -> int:
    return (await evening.store.totals(await session(evening))).marks


# --- crowd and summary


@pytest.fixture
async def crowd(evening: Evening) -> Evening:
    await evening.says("!start Any%")
    await evening.feed("crowd 3")
    evening.passes(60)
    return evening


async def test_a_crowd_moment_is_posted_from_so_many_people_on_and_grows_and_shrinks(crowd: Evening) -> None:
    for name in ("ann", "ben"):
        await crowd.says(f"!clip {name} says so", name)
    assert crowd.shown() == []
    crowd.passes(5)
    await crowd.says("!clip", "cid")
    assert crowd.heads() == ["3 people within 15 s · 00:01:00 · segment 1"]
    assert "ann says so" in crowd.words()
    await crowd.says("!clip", "dot")
    assert crowd.heads() == ["4 people within 15 s · 00:01:00 · segment 1"]
    await crowd.says("!unclip", "ann")
    await crowd.says("!unclip", "ben")
    assert crowd.shown() == []
    await crowd.says("!clip", "eve")
    assert crowd.heads() == ["3 people within 15 s · 00:01:05 · segment 1"]


async def test_an_earlier_mark_moves_a_crowd_moments_post_and_makes_no_other(crowd: Evening) -> None:
    for name in ("ann", "ben", "cid"):
        await crowd.says("!clip", name)
    crowd.passes(2)
    await crowd.says("!clip -8", "dot")
    assert crowd.heads() == ["4 people within 15 s · 00:00:54 · segment 1"]
    assert crowd.api.calls == ["post", "edit"]


async def test_a_crowd_never_reaches_across_segments(crowd: Evening) -> None:
    for name in ("ann", "ben"):
        await crowd.says("!clip", name)
    await crowd.says("!pause")
    await crowd.says("!resume")
    await crowd.says("!clip", "cid")
    assert crowd.shown() == []


async def test_PRIV_4_forgetme_changes_the_post_of_a_crowd(crowd: Evening) -> None:
    for name in ("ann", "ben", "cid", "dot"):
        await crowd.says(f"!clip {name} says so", name)
    await forget(crowd.services, ANN, crowd.watch())
    await crowd.poster.settle()
    assert crowd.heads() == ["3 people within 15 s · 00:01:00 · segment 1"]
    assert "ann" not in crowd.words()


async def test_at_the_end_one_summary_is_posted_and_stays_true(evening: Evening) -> None:
    await evening.says("!start Any%")
    await evening.feed("summary")
    evening.passes(60)
    await evening.archive(ago=60)
    for name in ("ann", "ben", "cid"):
        await evening.says(f"!clip {name} says so", name)
    assert evening.shown() == []
    await evening.says("!end")
    (post,) = evening.shown()
    assert post.embeds[0]["title"] == "Session over · 3 marks by 3 people"
    assert "Any%" in post.embeds[0]["description"]
    assert "ann says so" in post.embeds[0]["description"]
    assert post.button("00:01:00")["url"] == "https://www.twitch.tv/videos/555?t=0h0m40s"
    await evening.says("!unclip", "ann")
    assert evening.heads() == ["Session over · 2 marks by 2 people"]
    assert len(evening.shown()) == 1
    await evening.looks()
    assert evening.api.calls.count("post") == 1


async def test_a_discord_channels_own_session_is_posted_there(database: Path) -> None:
    async with open_evening(database) as evening, evening.posting():
        own = evening.discord.channel(evening.discord.people.guilds[evening.guild.id], "games")
        place = evening.place._replace(platform_id=own.id)
        await evening.feed("each", place=place)
        await evening.types("start", place=place, title="Chess")
        await evening.types("clip", place=place, note="check")
        assert "check" in str(evening.shown(own)[0].embeds)
        refused = await evening.feed("off", place=place, role=Role.VIEWER)
        assert refused.startswith("Only moderators")


async def test_nothing_is_read_of_sessions_nobody_shows(evening: Evening) -> None:
    await evening.says("!start Any%")
    await asyncio.gather(*(evening.says("!clip", f"p{n}") for n in range(20)))
    assert evening.poster._boxes == {}
    assert evening.api.calls == []
