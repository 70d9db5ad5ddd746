"""The stream's life: what going on and off the air does to a session, whatever order it is told in."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from commands import streams
from moments.grants import Grant
from moments.live import Place
from moments.sessions import Session, Status
from providers.twitch.shapes import Stream
from storage import Transaction, channels, connections, credentials
from storage.connections import State
from storage.credentials import Vault
from tests.chat import EVENING, ROOM, Chat, open_chat

OTHER_ROOM = Place("console", "wren", "Wren")


async def online(chat: Chat, stream: str, message: str | None = None, *, place: Place = ROOM) -> None:
    await streams.went_online(chat.services, place, stream, message, chat.watch.now)


async def offline(chat: Chat, message: str | None = None, *, place: Place = ROOM) -> None:
    await streams.went_offline(chat.services, place, message, chat.watch.now)


async def overdue(chat: Chat) -> None:
    await streams.end_overdue(chat.services, chat.watch.now)


def helix(stream: str, began: datetime, title: str = "Any%", game: str = "Hollow Deep", kind: str = "live") -> Stream:
    return Stream(stream, ROOM.platform_id, kind, title, game, began)


async def reconcile(chat: Chat, *live: Stream, places: tuple[Place, ...] = (ROOM,)) -> None:
    await streams.reconcile(chat.services, {stream.user_id: stream for stream in live}, places, chat.watch.now)


async def newest(chat: Chat, place: Place = ROOM) -> Session:
    session = await chat.store.newest_session(*place[:2])
    assert session is not None
    return session


async def sessions(chat: Chat, place: Place = ROOM) -> list[Session]:
    channel = await chat.store.channel(*place[:2])
    return [] if channel is None else await chat.store.channel_sessions(channel)


def rows_now(path: Path, sql: str) -> list[Any]:
    """Asked past the store, while it is open."""
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.execute(sql))


async def shape(chat: Chat) -> tuple[int, str, list[str | None]]:
    """How many sessions, the newest one's status, and the streams of its segments."""
    found = await sessions(chat)
    return len(found), found[0].status, [segment.stream_id for segment in found[0].segments]


# --- one stream


async def test_a_stream_starts_a_session_and_its_end_ends_it_after_the_grace(chat: Chat) -> None:
    await online(chat, "s1")
    chat.passes(100)
    assert (await chat.says("<rook> !clip")).startswith("Marked #1 at 00:01:40 (segment 1)")
    await offline(chat)
    assert (await chat.says("<ann> !clip")).startswith("Paused at 00:01:40")
    chat.passes(300)
    await overdue(chat)
    assert await shape(chat) == (1, "paused", ["s1"])
    chat.passes(1)
    await overdue(chat)
    session = await newest(chat)
    assert session.status is Status.ENDED
    assert session.segments[-1].end_time == EVENING + timedelta(seconds=100)
    assert session.updated_at == chat.watch.now


async def test_a_stream_that_drops_and_returns_goes_on_in_a_new_segment(chat: Chat) -> None:
    await online(chat, "s1")
    chat.passes(60)
    await offline(chat)
    chat.passes(120)
    await online(chat, "s2")
    assert await shape(chat) == (1, "active", ["s1", "s2"])
    chat.passes(1000)
    await overdue(chat)
    assert (await newest(chat)).status is Status.ACTIVE


async def test_the_same_stream_back_from_a_drop_goes_on(chat: Chat) -> None:
    await online(chat, "s1")
    chat.passes(60)
    await offline(chat)
    chat.passes(30)
    await online(chat, "s1")
    assert await shape(chat) == (1, "active", ["s1", "s1"])


async def test_a_stream_after_the_grace_is_a_new_session_though_nobody_ended_the_old_one(chat: Chat) -> None:
    await online(chat, "s1")
    chat.passes(60)
    await offline(chat)
    chat.passes(301)
    await online(chat, "s2")
    assert await shape(chat) == (2, "active", ["s2"])
    _, before = await sessions(chat)
    assert before.status is Status.ENDED
    assert before.segments[-1].end_time == EVENING + timedelta(seconds=60)


async def test_what_is_told_twice_happens_once(chat: Chat) -> None:
    for _ in range(2):
        await online(chat, "s1", "m1")
    chat.passes(60)
    await offline(chat, "m2")
    chat.passes(10)
    await online(chat, "s2", "m3")
    chat.passes(10)
    await offline(chat, "m2")
    await online(chat, "s1", "m1")
    assert await shape(chat) == (1, "active", ["s1", "s2"])


async def test_the_same_stream_told_by_another_message_changes_nothing(chat: Chat) -> None:
    await online(chat, "s1", "m1")
    chat.passes(60)
    await online(chat, "s1", "m2")
    assert await shape(chat) == (1, "active", ["s1"])


async def test_told_at_the_same_time_by_many_it_is_one_session(chat: Chat) -> None:
    await asyncio.gather(*(online(chat, "s1", f"m{n}") for n in range(20)))
    assert await shape(chat) == (1, "active", ["s1"])


async def test_an_end_that_was_overtaken_by_the_next_beginning_pauses_nothing(chat: Chat) -> None:
    await online(chat, "s1")
    chat.passes(60)
    gone = chat.watch.now
    chat.passes(20)
    await online(chat, "s2")
    await streams.went_offline(chat.services, ROOM, None, gone)
    assert await shape(chat) == (1, "active", ["s1", "s2"])


async def test_the_grace_survives_a_restart(chat: Chat, database: Path) -> None:
    await online(chat, "s1")
    chat.passes(60)
    await offline(chat)
    async with open_chat(database, now=chat.watch.now + timedelta(seconds=301)) as again:
        await overdue(again)
        assert await shape(again) == (1, "ended", ["s1"])


async def test_an_end_of_a_channel_we_do_not_know_leaves_no_trace(chat: Chat) -> None:
    await offline(chat)
    assert await chat.store.channel(*ROOM[:2]) is None


@pytest.mark.parametrize("kind", ["rerun", "premiere", "watch_party", "playlist"])
async def test_a_rerun_starts_nothing(chat: Chat, kind: str) -> None:
    await streams.went_online(chat.services, ROOM, "s1", "m1", chat.watch.now, kind=kind)
    await reconcile(chat, helix("s1", chat.watch.now, kind=kind))
    assert await sessions(chat) == []


# --- moderators win


async def test_after_a_moderators_end_the_same_stream_starts_no_other(chat: Chat) -> None:
    await online(chat, "s1")
    chat.passes(60)
    await chat.says("<@sable> !end")
    chat.passes(60)
    await online(chat, "s1", "again")
    await reconcile(chat, helix("s1", EVENING))
    assert await shape(chat) == (1, "ended", ["s1"])
    await offline(chat)
    chat.passes(10)
    await online(chat, "s1", "back")
    assert await shape(chat) == (1, "ended", ["s1"])
    await online(chat, "s2")
    assert await shape(chat) == (2, "active", ["s2"])


async def test_an_end_typed_during_the_grace_holds_for_that_stream(chat: Chat) -> None:
    await online(chat, "s1")
    chat.passes(60)
    await offline(chat)
    chat.passes(30)
    await chat.says("<@sable> !end")
    chat.passes(30)
    await online(chat, "s1", "back")
    assert await shape(chat) == (1, "ended", ["s1"])


async def test_an_end_typed_in_a_pause_holds_for_the_stream_that_came_meanwhile(chat: Chat) -> None:
    await online(chat, "s1")
    await chat.says("<@sable> !pause")
    await offline(chat)
    await online(chat, "s2")
    await chat.says("<@sable> !end")
    chat.passes(600)
    await online(chat, "s2", "again")
    await reconcile(chat, helix("s2", EVENING))
    assert await shape(chat) == (1, "ended", ["s1"])


async def test_after_a_pause_that_ended_with_its_stream_the_same_stream_begins_anew(chat: Chat) -> None:
    await online(chat, "s1")
    await chat.says("<@sable> !pause")
    await offline(chat)
    chat.passes(301)
    await overdue(chat)
    await online(chat, "s1", "back")
    assert await shape(chat) == (2, "active", ["s1"])


async def test_the_same_stream_back_long_after_the_grace_begins_anew(chat: Chat) -> None:
    await online(chat, "s1")
    chat.passes(60)
    await offline(chat)
    chat.passes(301)
    await overdue(chat)
    chat.passes(60)
    await online(chat, "s1", "back")
    assert await shape(chat) == (2, "active", ["s1"])


async def test_a_moderators_pause_outlasts_a_drop(chat: Chat) -> None:
    await online(chat, "s1")
    chat.passes(60)
    await chat.says("<@sable> !pause")
    chat.passes(7200)
    await offline(chat)
    chat.passes(60)
    await online(chat, "s2")
    assert await shape(chat) == (1, "paused", ["s1"])
    await chat.says("<@sable> !resume")
    assert await shape(chat) == (1, "active", ["s1", "s2"])


async def test_a_session_a_moderator_paused_ends_with_its_stream(chat: Chat) -> None:
    await online(chat, "s1")
    chat.passes(60)
    await chat.says("<@sable> !pause")
    await offline(chat)
    chat.passes(301)
    await overdue(chat)
    assert (await newest(chat)).status is Status.ENDED


async def test_a_pause_typed_during_the_grace_is_the_moderators(chat: Chat) -> None:
    await online(chat, "s1")
    chat.passes(60)
    await offline(chat)
    chat.passes(30)
    assert await chat.says("<@sable> !pause") == "Already paused at 00:01:00."
    await online(chat, "s2")
    assert await shape(chat) == (1, "paused", ["s1"])


@pytest.mark.parametrize("then", ["", "!pause"])
async def test_resumed_during_the_grace_a_session_is_the_moderators_until_they_end_it(chat: Chat, then: str) -> None:
    await online(chat, "s1")
    chat.passes(60)
    await offline(chat)
    chat.passes(30)
    assert await chat.says("<@sable> !resume") == "Resumed: segment 2."
    chat.passes(30)
    await chat.says(f"<@sable> {then}")
    chat.passes(3600)
    await overdue(chat)
    await offline(chat, "told again")
    assert (await newest(chat)).status is (Status.PAUSED if then else Status.ACTIVE)


async def test_a_start_typed_while_a_stream_is_on_the_air_belongs_to_it(chat: Chat) -> None:
    await online(chat, "s1")
    await chat.says("<@sable> !end")
    await chat.says("<@sable> !start another part")
    assert await shape(chat) == (2, "active", ["s1"])
    await chat.says("<@sable> !pause")
    await chat.says("<@sable> !resume")
    assert await shape(chat) == (2, "active", ["s1", "s1"])


async def test_a_start_typed_just_before_the_stream_is_its_session(chat: Chat) -> None:
    await chat.says("<@sable> !start Any% | Hollow Deep")
    chat.passes(3600)
    await online(chat, "s1")
    assert await shape(chat) == (1, "active", ["s1"])


async def test_a_session_left_open_is_ended_by_the_next_stream(chat: Chat) -> None:
    await chat.says("<@sable> !start Any%")
    chat.passes(3601)
    await online(chat, "s1")
    assert await shape(chat) == (2, "active", ["s1"])
    assert (await sessions(chat))[1].status is Status.ENDED


async def test_a_pause_left_over_is_ended_by_the_next_stream(chat: Chat) -> None:
    await chat.says("<@sable> !start Any%")
    await chat.says("<@sable> !pause")
    chat.passes(3601)
    await online(chat, "s1")
    assert await shape(chat) == (2, "active", ["s1"])


# --- an end nobody told us


async def test_a_new_stream_soon_after_the_last_mark_goes_on_though_the_end_was_missed(chat: Chat) -> None:
    await online(chat, "s1")
    chat.passes(3600)
    await chat.says("<rook> !clip")
    chat.passes(299)
    await online(chat, "s2")
    assert await shape(chat) == (1, "active", ["s1", "s2"])


async def test_a_new_stream_long_after_any_life_is_a_new_session(chat: Chat) -> None:
    await online(chat, "s1")
    chat.passes(3600)
    await chat.says("<rook> !clip")
    chat.passes(301)
    await online(chat, "s2")
    assert await shape(chat) == (2, "active", ["s2"])


# --- what was missed while deaf


async def test_reconcile_starts_and_ends_what_was_missed(chat: Chat) -> None:
    await reconcile(chat, helix("s1", EVENING - timedelta(hours=1)))
    assert await shape(chat) == (1, "active", ["s1"])
    session = await newest(chat)
    assert (session.title, session.game) == ("Any%", "Hollow Deep")
    assert session.segments[0].start_time == EVENING
    chat.passes(200)
    await reconcile(chat)
    assert (await newest(chat)).status is Status.PAUSED
    chat.passes(301)
    await overdue(chat)
    assert (await newest(chat)).status is Status.ENDED


async def test_reconcile_changes_nothing_that_is_known(chat: Chat, database: Path) -> None:
    await reconcile(chat, helix("s1", EVENING))
    before = rows_now(database, "SELECT revision FROM session"), rows_now(database, "SELECT * FROM api_stream")
    for _ in range(3):
        chat.passes(600)
        await reconcile(chat, helix("s1", EVENING))
    assert (
        rows_now(database, "SELECT revision FROM session"),
        rows_now(database, "SELECT * FROM api_stream"),
    ) == before


async def test_words_are_kept_anew_before_they_run_out(chat: Chat, database: Path) -> None:
    await reconcile(chat, helix("s1", EVENING))
    chat.passes(13 * 3600)
    await reconcile(chat, helix("s1", EVENING))
    ((fetched, expires),) = rows_now(database, "SELECT fetched_at, expires_at FROM api_stream")
    assert fetched == (chat.watch.now - datetime(1970, 1, 1, tzinfo=chat.watch.now.tzinfo)) // timedelta(microseconds=1)
    assert expires - fetched == 23 * 3600 * 1_000_000


async def test_helix_trails_the_events_and_is_not_believed_against_them(chat: Chat) -> None:
    await online(chat, "s1")
    chat.passes(60)
    await reconcile(chat)
    assert (await newest(chat)).status is Status.ACTIVE
    await offline(chat)
    chat.passes(60)
    await reconcile(chat, helix("s1", EVENING))
    assert (await newest(chat)).status is Status.PAUSED
    await online(chat, "s2")
    await reconcile(chat, helix("s1", EVENING))
    assert await shape(chat) == (1, "active", ["s1", "s2"])


async def test_a_stream_that_helix_still_lists_after_a_while_is_back(chat: Chat) -> None:
    await online(chat, "s1")
    chat.passes(60)
    await offline(chat)
    chat.passes(121)
    await reconcile(chat, helix("s1", EVENING))
    assert await shape(chat) == (1, "active", ["s1", "s1"])


# --- what it is called


async def leave(chat: Chat, state: State, *, grant: bool = False) -> None:
    """Connect the room's channel, and take that back."""

    async def job(transaction: Transaction) -> None:
        await channels.stored(transaction, ROOM)
        await connections.connect(transaction, ROOM, frozenset(), chat.watch.now)
        if grant:
            granted = Grant(*ROOM[:2], "nightowl", "access", "refresh")
            await credentials.save(transaction, Vault(chat.services.keys), granted, chat.watch.now)
        await connections.change(transaction, *ROOM[:2], state, chat.watch.now)

    await chat.store.run(job, message=None, now=chat.watch.now)


async def test_who_disconnects_while_helix_is_asked_has_no_session_begun(chat: Chat) -> None:
    await leave(chat, State.DISCONNECTED)
    await reconcile(chat, helix("s1", EVENING))
    assert await sessions(chat) == []


@pytest.mark.parametrize(
    ("state", "grant", "kept"),
    [(State.DISCONNECTED, False, 0), (State.NEEDS_AUTHORISATION, False, 0), (State.NEEDS_AUTHORISATION, True, 1)],
)
async def test_PRIV_6_who_took_their_leave_back_while_helix_was_asked_has_no_words_of_it_kept(
    chat: Chat, database: Path, state: State, grant: bool, kept: int
) -> None:
    await online(chat, "s1")
    await leave(chat, state, grant=grant)
    await reconcile(chat, helix("s1", EVENING))
    await streams.set_stream_info(chat.services, ROOM, "Any%", "Hollow Deep", chat.watch.now)
    assert rows_now(database, "SELECT count(*) FROM api_stream") == [(kept,)]


async def test_a_session_is_called_as_its_stream_and_follows_it(chat: Chat) -> None:
    await online(chat, "s1")
    await streams.set_stream_info(chat.services, ROOM, "Any%", "Hollow Deep", chat.watch.now)
    assert (await newest(chat)).title == "Any%"
    assert (await chat.says("<@sable> !start")).startswith('"Any%" started just now.')
    await chat.says("<rook> !clip")
    await streams.channel_updated(chat.services, ROOM, "100%", "Deeper", "m1", chat.watch.now)
    session = await newest(chat)
    assert (session.title, session.game) == ("100%", "Deeper")
    await streams.channel_updated(chat.services, ROOM, "Any%", "Deeper", "m1", chat.watch.now)
    assert (await newest(chat)).title == "100%"
    assert (await chat.says("<rook> !session")).startswith('Running: "100%" · Deeper · ')
    assert (await chat.says("<ann> !clip")).endswith("· 2 people within 15 s")


async def test_a_moderators_own_title_stays_in_front(chat: Chat) -> None:
    await chat.says("<@sable> !start Charity night")
    await online(chat, "s1")
    await streams.set_stream_info(chat.services, ROOM, "Any%", "Hollow Deep", chat.watch.now)
    session = await newest(chat)
    assert (session.title, session.game) == ("Charity night", "Hollow Deep")


async def test_what_the_next_stream_will_be_called_is_no_name_for_the_last(chat: Chat) -> None:
    await online(chat, "s1")
    await streams.set_stream_info(chat.services, ROOM, "Any%", "", chat.watch.now)
    await offline(chat)
    await streams.channel_updated(chat.services, ROOM, "Tomorrow", "", "m1", chat.watch.now)
    assert (await newest(chat)).title == "Any%"


async def test_TXT_1_titles_from_twitch_are_cleaned_like_ours(chat: Chat) -> None:
    hostile = Place("console", ROOM.platform_id, "Night\u202eowl\x00")
    await online(chat, "s1", place=hostile)
    title = "\u202e <b>Any%</b>\r\n\x1b[2J" + "x" * 200
    await streams.set_stream_info(chat.services, hostile, title, "a\u2066b", chat.watch.now)
    session = await newest(chat)
    assert session.title == "<b>Any%</b> [2J" + "x" * 45
    assert session.game == "ab"
    assert session.channel.display_name == "Nightowl"


# --- more than one channel


async def test_two_channels_at_once_do_not_confuse_each_other(chat: Chat) -> None:
    await asyncio.gather(online(chat, "s1"), online(chat, "t1", place=OTHER_ROOM))
    chat.passes(60)
    await offline(chat)
    assert (await newest(chat)).status is Status.PAUSED
    other = await newest(chat, OTHER_ROOM)
    assert other.status is Status.ACTIVE
    assert other.segments[0].stream_id == "t1"
    chat.passes(301)
    await overdue(chat)
    assert (await newest(chat)).status is Status.ENDED
    assert (await newest(chat, OTHER_ROOM)).status is Status.ACTIVE


async def test_a_raid_moves_people_and_no_session(chat: Chat) -> None:
    await online(chat, "s1")
    await online(chat, "t1", place=OTHER_ROOM)
    chat.passes(60)
    await chat.says("<rook> !clip")
    await offline(chat)
    await chat.hears("<rook> !clip", place=OTHER_ROOM)  # another channel: no cooldown is carried there
    assert len(await chat.store.marks(await newest(chat))) == 1
    assert len(await chat.store.marks(await newest(chat, OTHER_ROOM))) == 1
    assert (await newest(chat, OTHER_ROOM)).segments[0].stream_id == "t1"


# --- anything, in any order

DID = st.one_of(
    st.tuples(st.sampled_from(["online", "offline", "helix"]), st.sampled_from(["s1", "s2", "s3"])),
    st.tuples(st.sampled_from(["say"]), st.sampled_from(["!start", "!pause", "!resume", "!end", "!clip"])),
    st.tuples(st.sampled_from(["pass"]), st.sampled_from(["20", "150", "400", "4000"])),
    st.tuples(st.sampled_from(["overdue", "deaf"]), st.just("")),
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(history=st.lists(DID, max_size=25))
async def test_whatever_happens_a_moderators_word_is_the_last_and_silence_ends_the_rest(
    history: list[tuple[str, str]],
) -> None:
    with TemporaryDirectory() as folder:
        async with open_chat(Path(folder) / "moments.db") as chat:
            for what, word in history:
                before = await chat.store.newest_session(*ROOM[:2])
                await _does(chat, what, word)
                after = await chat.store.newest_session(*ROOM[:2])
                if before and after and before.id != after.id:
                    assert before.status is Status.ENDED or (await sessions(chat))[1].status is Status.ENDED
                if after and word in ("!pause", "!end"):
                    assert after.status is not Status.ACTIVE
                if after and after.status is Status.ACTIVE and before and before.status is Status.PAUSED:
                    assert len(after.segments) > len(before.segments) or after.id != before.id
            await chat.says("<@sable> !resume")
            await chat.says("<@sable> !end")
            await offline(chat)
            chat.passes(301)
            await overdue(chat)
            assert all(session.status is Status.ENDED for session in await sessions(chat))


async def _does(chat: Chat, what: str, word: str) -> None:
    match what:
        case "online":
            await online(chat, word)
        case "offline":
            await offline(chat)
        case "helix":
            await reconcile(chat, helix(word, chat.watch.now - timedelta(seconds=90)))
        case "deaf":
            await reconcile(chat)
        case "overdue":
            await overdue(chat)
        case "pass":
            chat.passes(int(word))
        case "say":
            await chat.says(f"<@sable> {word}")
