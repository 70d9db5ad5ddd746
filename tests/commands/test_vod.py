"""vodshift in chat, and how the archives of a channel are asked for: seldom, once at a time, and for a day."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import stamina

from commands import archives as asking
from commands import connecting
from commands.vod import vods
from moments.live import Author
from storage.purge import purge
from tests.chat import Chat
from tests.recorded import Recorded, recorded


@pytest.fixture
async def evening(database: Path) -> AsyncIterator[Recorded]:
    with stamina.set_testing(True, attempts=1):
        async with recorded(database) as evening:
            await evening.says("!start Any%")
            yield evening


async def kept(evening: Recorded) -> list[Any]:
    """What the database holds of archives."""
    return [row[0] for row in await evening.services.store.fetch("SELECT video_id FROM api_archive")]


# --- vodshift


@pytest.mark.parametrize(
    ("typed", "said", "shift"),
    [
        ("!vodshift +5", "Marks now fall 5 s later in the VOD.", 5),
        ("!vodshift -5", "Marks now fall 5 s earlier in the VOD.", -5),
        ("!vodshift −90s", "Marks now fall 90 s earlier in the VOD.", -90),
        ("!vodshift +7200", "Marks now fall 7,200 s later in the VOD.", 7200),
        ("!vodshift 0", "Marks fall where the clocks put them in the VOD.", 0),
        ("!vodshift RESET", "Marks fall where the clocks put them in the VOD.", 0),
        ("!vodshift 5", "Say which way: !vodshift +5 or !vodshift -5.", 33),
        ("!vodshift +7201", "Marks move by at most 7200 seconds in the VOD: !vodshift +7200.", 33),
        ("!vodshift +1.5", "Say by how many seconds: !vodshift +5 or !vodshift -5; 0 puts them back.", 33),
        ("!vodshift +५", "Say by how many seconds: !vodshift +5 or !vodshift -5; 0 puts them back.", 33),
        ("!vodshift", "Say seconds later (+) or earlier (-), at most 7200; 0 puts them back: !vodshift ±N.", 33),
    ],
)
async def test_moderators_correct_where_marks_fall(live: Chat, typed: str, said: str, shift: int) -> None:
    await live.says("<@mod> !vodshift +33")
    assert await live.says(f"<@mod> {typed}") == said
    session = await live.store.newest_session("console", "nightowl")
    assert session
    assert session.vod_shift_seconds == shift


async def test_AZ_1_a_viewer_corrects_nothing(live: Chat) -> None:
    assert await live.says("<ann> !vodshift +5") == "Only moderators can use vodshift."


async def test_a_correction_needs_a_session(chat: Chat) -> None:
    assert (await chat.says("<@mod> !vodshift +5")).startswith("Not live")


async def test_AZ_8_a_correction_is_noted_once(live: Chat) -> None:
    for typed in ("+5", "+5", "-3"):
        await live.says(f"<@mod> !vodshift {typed}")
    noted = await live.store.fetch("SELECT act, before, after FROM audit WHERE act = 'vodshift' ORDER BY id")
    assert noted == [("vodshift", "+0", "+5"), ("vodshift", "+5", "-3")]


async def test_a_correction_moves_the_links_and_leaves_the_marks(evening: Recorded) -> None:
    evening.archive(3600, ago=10)
    evening.passes(100)
    await evening.says("!clip", "ann")
    before = (await vods(evening.services, await evening.session())).place(1, 100)
    await evening.says("!vodshift +7")
    session = await evening.session()
    after = (await vods(evening.services, session)).place(1, 100)
    assert before
    assert after
    assert (before.seconds, after.seconds) == (90, 97)
    (mark,) = await evening.services.store.marks(session)
    assert (mark.offset_seconds, mark.adjust_seconds) == (100, 0)


# --- asking for archives


async def test_archives_are_asked_for_once_a_minute_while_a_session_is_live(evening: Recorded) -> None:
    assert await evening.archives() == ()
    video = evening.archive(600, ago=600)
    assert await evening.archives() == ()  # remembered that there was none
    evening.passes(59)
    assert await evening.archives() == ()
    evening.passes(1)
    assert [one.video_id for one in await evening.archives()] == [video]
    await evening.archives()
    assert evening.asked("videos") == 2


async def test_a_late_archive_is_asked_for_until_it_appears(evening: Recorded) -> None:
    evening.passes(600)
    await evening.says("!end")
    evening.passes(6 * 3600)
    assert await evening.archives() == ()
    evening.passes(60)
    video = evening.archive(600, ago=6 * 3600 + 660)
    assert [one.video_id for one in await evening.archives()] == [video]
    evening.passes(3600)
    await evening.archives()
    assert evening.asked("videos") == 2  # it is all there is to come


async def test_what_never_appears_is_not_asked_for_any_more(evening: Recorded) -> None:
    evening.passes(600)
    await evening.says("!end")
    evening.passes(30 * 3600)
    for _ in range(3):
        evening.passes(3600)
        assert await evening.archives() == ()
    assert evening.asked("videos") == 1


async def test_an_archive_settles_after_its_stream_ended(evening: Recorded) -> None:
    video = evening.archive(300, ago=0)
    evening.passes(600)
    await evening.archives()
    await evening.says("!end")
    evening.archive(620, ago=600, muted=[(0, 180)], video_id=video)
    evening.passes(120)
    (settled,) = await evening.archives()
    assert (settled.duration_seconds, settled.muted, settled.growing) == (620, ((0, 180),), False)


async def test_a_running_archive_grows(evening: Recorded) -> None:
    evening.archive(0, ago=0)
    evening.passes(300)
    (running,) = await evening.archives()
    assert running.growing


async def test_PRIV_6_archives_expire_within_their_day_and_are_asked_for_again(evening: Recorded) -> None:
    evening.archive(600)
    evening.passes(600)
    await evening.says("!end")
    evening.passes(3600)
    await evening.archives()
    evening.passes(23 * 3600)
    evening.twitch.faults.add("GET", "/helix/videos", status=503, times=None)
    assert await evening.archives() == ()
    evening.twitch.faults.clear()
    evening.passes(60)
    assert len(await evening.archives()) == 1
    evening.passes(23 * 3600 + 1)
    now = evening.watch()
    await evening.services.store.run(lambda transaction: purge(transaction, now), message=None, now=now)
    assert await kept(evening) == []


async def test_R3_a_deleted_archive_goes_at_once(evening: Recorded) -> None:
    videos = [evening.archive(600, ago=ago) for ago in (90_000, 0)]
    assert [one.video_id for one in await evening.archives()] == videos
    evening.twitch.videos = evening.twitch.videos[1:]
    evening.passes(60)
    assert [one.video_id for one in await evening.archives()] == videos[1:]
    assert await kept(evening) == videos[1:]
    evening.twitch.faults.add("GET", "/helix/videos", status=404)
    evening.passes(60)
    assert await evening.archives() == ()
    assert await kept(evening) == []


async def test_without_twitch_what_it_said_within_the_day_is_used(evening: Recorded) -> None:
    video = evening.archive(600)
    await evening.archives()
    evening.twitch.faults.add("GET", "/helix/videos", status=503, times=None)
    evening.passes(3600)
    assert [one.video_id for one in await evening.archives()] == [video]
    asked = evening.asked("videos")
    for _ in range(5):
        evening.passes(10)
        await evening.archives()
    assert evening.asked("videos") == asked  # not more often for its being down


async def test_many_pages_at_once_ask_once(evening: Recorded) -> None:
    video = evening.archive(600)
    found = await asyncio.gather(*(evening.archives() for _ in range(20)))
    assert {tuple(one.video_id for one in archives) for archives in found} == {(video,)}
    assert evening.asked("videos") == 1


async def test_a_page_does_not_wait_for_a_slow_twitch_and_the_next_has_the_links(
    evening: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert asking.PATIENCE_SECONDS == 2
    video = evening.archive(600)
    held = asyncio.Event()
    helix = evening.services.twitch.helix  # type: ignore[union-attr]  # the fixture has one
    ask = type(helix).videos

    async def slow(_self: object, user_id: str) -> object:
        await held.wait()
        return await ask(helix, user_id)

    monkeypatch.setattr(type(helix), "videos", slow)
    session = await evening.session()
    assert await evening.services.archives.of(evening.services, session, patience=0.01) == ()
    waiting = asyncio.create_task(evening.services.archives.of(evening.services, session, patience=10))
    held.set()
    assert [one.video_id for one in await waiting] == [video]
    assert evening.asked("videos") == 1


async def test_what_is_asked_ends_with_the_process(evening: Recorded) -> None:
    evening.twitch.faults.add("GET", "/helix/videos", delay=60)
    assert await evening.services.archives.of(evening.services, await evening.session(), patience=0.01) == ()
    async with asyncio.timeout(5):
        await evening.services.archives.close()


async def test_a_clock_that_was_set_back_asks_again(evening: Recorded) -> None:
    evening.archive(600)
    await evening.archives()
    evening.passes(-7200)
    await evening.archives()
    assert evening.asked("videos") == 2


async def test_PRIV_6_of_a_channel_that_was_disconnected_nothing_is_asked(evening: Recorded) -> None:
    evening.archive(600)
    await evening.archives()
    await connecting.disconnect(evening.services, evening.owl.id, Author(*evening.place), evening.watch())
    evening.passes(60)
    assert await evening.archives() == ()
    assert await kept(evening) == []
    assert evening.asked("videos") == 1


async def test_PRIV_6_nothing_is_kept_of_a_channel_that_was_disconnected_meanwhile(
    evening: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    evening.archive(600)
    helix = evening.services.twitch.helix  # type: ignore[union-attr]  # the fixture has one
    ask = type(helix).videos

    async def meanwhile(_self: object, user_id: str) -> object:
        found = await ask(helix, user_id)
        await connecting.disconnect(evening.services, user_id, Author(*evening.place), evening.watch())
        return found

    monkeypatch.setattr(type(helix), "videos", meanwhile)
    assert await evening.archives() == ()
    assert await kept(evening) == []


async def test_a_dead_token_stops_no_links_but_a_revoked_one_does(evening: Recorded) -> None:
    evening.archive(600)
    await connecting.needs_authorisation(evening.services, evening.owl.id, evening.watch())
    assert len(await evening.archives()) == 1
    await evening.twitch.revoke(evening.owl)
    await connecting.revoked(evening.services, evening.owl.id, "authorization_revoked", evening.watch())
    evening.passes(60)
    assert await evening.archives() == ()


async def test_a_console_has_no_archives(live: Chat) -> None:
    session = await live.store.newest_session("console", "nightowl")
    assert session
    assert not await vods(live.services, session)


async def test_the_lead_is_the_channels_own_unless_asked_otherwise(evening: Recorded) -> None:
    evening.archive(3600, ago=3000)
    session = await evening.session()
    for lead, seconds in ((None, 2980), (0, 3000), (60, 2940)):
        place = (await vods(evening.services, session, lead)).place(1, 0)
        assert place
        assert place.seconds == seconds
    assert timedelta(seconds=asking.PATIENCE_SECONDS) < asking.ASKED_ONCE_IN
