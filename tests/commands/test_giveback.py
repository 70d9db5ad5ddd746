"""Giving back to Twitch: crowd moments as real clips, marks as stream markers; each only where it is wanted."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import stamina
from structlog.testing import capture_logs

from commands import connecting, giveback, mirror
from storage import Transaction
from tests.chat import Chat
from tests.recorded import SCOPES, Recorded, recorded

URL = "https://clips.twitch.tv/"


@pytest.fixture
async def evening(database: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Recorded]:
    monkeypatch.setattr(giveback, "LOOKS", (0.0, 0.0))
    with stamina.set_testing(True, attempts=1):
        async with recorded(database) as evening:
            await evening.says("!start Any% attempts")
            yield evening


@pytest.fixture
async def crowd(evening: Recorded) -> Recorded:
    """Ten minutes in, three people marked the same part within eight seconds; the archive is 20 minutes long."""
    evening.passes(600)
    for name, words in (("ann", ""), ("ben", "that dodge"), ("cid", "no way")):
        await evening.says(f"!clip {words}", name)
        evening.passes(4)
    evening.passes(300)
    await evening.says("!end")
    evening.archive(1200, ago=912 + 30)  # it began half a minute before the session
    return evening


async def choose(evening: Recorded, **chosen: Any) -> None:  # noqa: ANN401 -- settings of a channel
    async def job(transaction: Transaction) -> None:
        channel = (await transaction.live(evening.place)).channel
        await transaction.save_settings(evening.place, replace(channel, settings=replace(channel.settings, **chosen)))

    await evening.services.store.run(job, message=None, now=evening.watch())


async def rows_of(evening: Recorded, table: str, columns: str) -> list[Any]:
    sql = {"promotion": "SELECT {} FROM promotion", "audit": "SELECT {} FROM audit WHERE act = 'promote'"}[table]
    return [tuple(row) for row in await evening.services.store.fetch(sql.format(columns))]


# --- promote


async def test_a_crowd_moment_becomes_a_clip_from_the_lead_before_it_to_its_end(crowd: Recorded) -> None:
    said = await crowd.says("!promote #2")
    (clip,) = crowd.twitch.clips
    assert said == f"Clip of #2: {URL}{clip.id}"
    # 30 s ahead + 600 s in − 20 s lead; from the last mark, 8 s later, 5 s more
    assert (clip.vod_offset, clip.duration) == (643, 33)
    assert clip.title == "Any% attempts – that dodge"
    assert clip.channel is crowd.owl
    assert await rows_of(crowd, "audit", "target") == [("#2",)]


@pytest.mark.parametrize("again", ["!promote #2", "!promote #1", "!promote #3"])
async def test_a_crowd_moment_is_clipped_once_by_whichever_mark(crowd: Recorded, again: str) -> None:
    first = await crowd.says("!promote #2")
    second = await crowd.says(again)
    assert first.split()[-1] == second.split()[-1]
    assert len(crowd.twitch.clips) == 1


async def test_asked_twice_at_once_it_is_asked_for_once(crowd: Recorded) -> None:
    said = await asyncio.gather(crowd.says("!promote #1"), crowd.says("!promote #2"))
    assert len(crowd.twitch.clips) == 1
    assert sum(one.startswith("Clip of") for one in said) >= 1


async def test_a_message_delivered_again_asks_for_nothing(crowd: Recorded) -> None:
    assert (await crowd.says("!promote #2", message_id="m1")).startswith("Clip of")
    assert await crowd.hears("!promote #2", message_id="m1") is None


async def test_a_mark_alone_is_clipped_too_with_the_words_there_are(evening: Recorded) -> None:
    await choose(evening, promote=True)
    evening.passes(100)
    await evening.says("!clip", "ann")
    evening.archive(3600, ago=100)
    await evening.says("!promote 1")
    (clip,) = evening.twitch.clips
    assert (clip.vod_offset, clip.duration, clip.title) == (105, 25, "Any% attempts")


async def test_a_title_stays_within_140_characters(evening: Recorded) -> None:
    await evening.says("!end")
    await evening.says(f"!start {'long ' * 12}")
    evening.passes(100)
    await evening.says("!clip " + "ж" * 100, "ann")
    evening.archive(3600, ago=100)
    await evening.says("!promote 1")
    (clip,) = evening.twitch.clips
    assert len(clip.title) == 140
    assert clip.title.endswith("ж…")


@pytest.mark.parametrize(
    ("lead", "archived", "ends", "lasts"),
    [
        (0, (3600, 0), 5, 5),
        (0, (3600, 600), 605, 5),
        (20, (3600, 5), 10, 10),
        (20, (602, 600), 602, 22),
        (50, (3600, 600), 605, 55),
        (300, (3600, 600), 360, 60),
    ],
)
async def test_a_clip_keeps_to_twitchs_lengths_and_the_archives_ends(
    evening: Recorded, lead: int, archived: tuple[int, int], ends: int, lasts: int
) -> None:
    await evening.says(f"!setup lead {lead}")
    await evening.says("!clip", "ann")
    await evening.says("!end")
    evening.archive(archived[0], ago=archived[1])
    await evening.says("!promote 1")
    (clip,) = evening.twitch.clips
    assert (clip.vod_offset, clip.duration) == (ends, lasts)


async def test_a_correction_moves_clips_too(crowd: Recorded) -> None:
    await crowd.says("!vodshift +10")
    await crowd.says("!promote #2")
    assert crowd.twitch.clips[0].vod_offset == 653


async def test_AZ_1_a_viewer_promotes_nothing(crowd: Recorded) -> None:
    assert await crowd.says("!promote #2", "ann") == "Only moderators can use promote."
    assert not crowd.twitch.clips


async def test_where_clips_are_off_none_is_made(crowd: Recorded) -> None:
    await choose(crowd, promote=False)
    assert await crowd.says("!promote #2") == giveback.OFF
    assert await crowd.says("!setup clips on") == "Now: clips on."
    assert (await crowd.says("!promote #2")).startswith("Clip of #2")


async def test_elsewhere_than_on_twitch_there_are_no_clips(live: Chat) -> None:
    await live.says("<ann> !clip")
    assert (await live.says("<@mod> !promote #1")).startswith("Only streams on Twitch have clips.")


async def test_a_number_nobody_has_is_said(crowd: Recorded) -> None:
    assert (await crowd.says("!promote #9")).startswith("There is no mark #9 in this session.")


async def test_without_a_vod_it_says_when_to_try_again(evening: Recorded) -> None:
    await evening.says("!clip", "ann")
    assert await evening.says("!promote 1") == "Twitch has no VOD of #1 yet. Try again in a few minutes."
    await evening.says("!end")
    evening.passes(3600)
    assert await evening.says("!promote 1") == "Twitch has no VOD of #1, so there is nothing to clip."
    assert await rows_of(evening, "promotion", "*") == []


async def test_a_running_vod_is_waited_for(evening: Recorded) -> None:
    video = evening.archive(0)
    evening.passes(100)
    await evening.says("!clip", "ann")
    evening.archive(90, ago=100, video_id=video)
    assert await evening.says("!promote 1") == "Twitch's VOD has not reached #1 yet. Try again in a few minutes."
    evening.passes(60)
    evening.archive(150, ago=160, video_id=video)
    assert (await evening.says("!promote 1")).startswith("Clip of #1")
    assert evening.twitch.clips[0].vod_offset == 105


async def test_a_running_vod_is_waited_for_until_it_has_the_whole_crowd(evening: Recorded) -> None:
    video = evening.archive(0)
    evening.passes(100)
    await evening.says("!clip", "ann")
    evening.passes(15)
    await evening.says("!clip", "ben")
    evening.archive(114, ago=115, video_id=video)
    assert (await evening.says("!promote 1")).startswith("Twitch's VOD has not reached #1 yet.")
    evening.passes(60)
    evening.archive(115, ago=175, video_id=video)
    assert (await evening.says("!promote 1")).startswith("Clip of #1")
    assert (evening.twitch.clips[0].vod_offset, evening.twitch.clips[0].duration) == (115, 35)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (403, "Clips are restricted on this channel. The streamer changes that in Twitch's settings."),
        (404, "Twitch no longer has the VOD of that moment, so there is nothing to clip."),
        (400, "Twitch did not take it: this category, or these words as a title, cannot be clipped."),
        (429, "Twitch is busy. Try again in 1 second."),
    ],
)
async def test_what_twitch_refuses_is_said_and_may_be_asked_again(crowd: Recorded, status: int, said: str) -> None:
    crowd.twitch.faults.add("POST", "/helix/videos/clips", status=status)
    assert await crowd.says("!promote #2") == said
    assert await rows_of(crowd, "promotion", "*") == []
    assert (await crowd.says("!promote #2")).startswith("Clip of #2")


async def test_without_the_permission_it_says_where_to_give_it(crowd: Recorded) -> None:
    await crowd.connect(SCOPES - {connecting.CLIPS})
    await choose(crowd, promote=True)
    said = "Moments may not make clips here yet: the streamer allows it at http://localhost:8080/twitch/connect"
    assert await crowd.says("!promote #2") == said
    assert crowd.asked("videos/clips", "POST") == 0
    await connecting.revoked(crowd.services, crowd.owl.id, "authorization_revoked", crowd.watch())
    await crowd.connect()
    await crowd.twitch.revoke(crowd.owl)
    assert await crowd.says("!promote #2") == said


async def test_the_permission_is_looked_at_before_the_vod(evening: Recorded) -> None:
    """Or somebody would wait for a VOD only to be told."""
    await evening.connect(SCOPES - {connecting.CLIPS})
    await choose(evening, promote=True)
    await evening.says("!clip", "ann")
    assert (await evening.says("!promote 1")).startswith("Moments may not make clips here yet")
    assert await rows_of(evening, "promotion", "*") == []


async def test_an_answer_that_was_lost_is_not_asked_for_twice_in_a_row(crowd: Recorded) -> None:
    crowd.twitch.faults.add("POST", "/helix/videos/clips", status=500, after=True)  # made, and nobody was told
    said = await crowd.says("!promote #2")
    assert said == "Twitch did not answer. Try again in a minute; it may have begun, so not sooner."
    assert await crowd.says("!promote #1") == "The clip of #1 is being asked for. Try again in a minute."
    assert crowd.asked("videos/clips", "POST") == 1
    crowd.passes(60)
    assert (await crowd.says("!promote #1")).startswith("Clip of #1")


async def test_a_slow_clip_is_promised_and_found_later(crowd: Recorded) -> None:
    crowd.twitch.videos_room.clip_seconds = 30
    still = "Twitch is still making the clip of #2. Type !promote #2 again in a minute."
    assert await crowd.says("!promote #2") == still
    assert await crowd.says("!promote #2") == still
    crowd.passes(30)
    assert await crowd.says("!promote #2") == f"Clip of #2: {URL}{crowd.twitch.clips[0].id}"
    assert len(crowd.twitch.clips) == 1
    assert await rows_of(crowd, "promotion", "number, state, url") == [(2, "done", URL + crowd.twitch.clips[0].id)]


async def test_a_clip_that_never_came_may_be_asked_for_again(crowd: Recorded) -> None:
    crowd.twitch.videos_room.clip_seconds = float("inf")
    await crowd.says("!promote #2")
    crowd.passes(60)
    assert await crowd.says("!promote #2") == "Twitch did not make the clip of #2. Type !promote #2 to ask again."
    crowd.twitch.videos_room.clip_seconds = 0
    assert (await crowd.says("!promote #2")).startswith("Clip of #2")
    assert len(crowd.twitch.clips) == 2


async def test_not_knowing_whether_a_clip_is_there_is_not_a_failure(crowd: Recorded) -> None:
    crowd.twitch.faults.add("GET", "/helix/clips", status=503, times=None)
    assert (await crowd.says("!promote #2")).startswith("Twitch is still making the clip of #2.")
    crowd.twitch.faults.clear()
    assert (await crowd.says("!promote #2")).startswith("Clip of #2")
    assert len(crowd.twitch.clips) == 1


def test_twitch_is_given_its_quarter_of_a_minute() -> None:
    assert sum(giveback.LOOKS) == 15


# --- markers


@pytest.fixture
async def mirrored(evening: Recorded) -> AsyncIterator[Recorded]:
    """A stream that is on the air, with markers on."""
    await evening.twitch.online(evening.owl)
    task = asyncio.create_task(evening.mirror.run(evening.services))
    yield evening
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()  # nothing that went wrong ended it


async def settled(evening: Recorded) -> None:
    """Return once the mirror has nothing more to do."""
    async with asyncio.timeout(10):
        await evening.mirror.settle()


async def said(evening: Recorded) -> list[str]:
    """The markers' words."""
    await settled(evening)
    return [marker.description for marker in evening.twitch.markers]


async def test_marks_become_markers_one_for_each_crowd_window(mirrored: Recorded) -> None:
    for name, words in (("ann", "that dodge"), ("ben", "same"), ("cid", "")):
        await mirrored.says(f"!clip {words}", name)
        mirrored.passes(5)
    mirrored.passes(10)
    await mirrored.says("!clip", "dan")
    assert await said(mirrored) == ["that dodge", "Moment #4"]


async def test_only_new_marks_become_markers(mirrored: Recorded) -> None:
    await mirrored.says("!clip one", "ann")
    await settled(mirrored)
    mirrored.passes(20)
    await mirrored.says("!clip two", "ben")
    await settled(mirrored)
    for line in ("!renote other words", "!adjust -3", "!unclip"):
        await mirrored.says(line, "ann")
    assert await said(mirrored) == ["one", "two"]


async def test_a_marker_says_how_far_back_and_stays_within_140_characters(mirrored: Recorded) -> None:
    mirrored.passes(120)
    await mirrored.says("!clip -90 " + "👩‍👩‍👧‍👦" * 30, "ann")
    (words,) = await said(mirrored)
    assert len(words) <= 140
    assert words.endswith("… (90 s earlier)")


async def test_where_markers_are_off_none_is_set(mirrored: Recorded) -> None:
    await mirrored.says("!setup markers off")
    for name in ("ann", "ben"):
        await mirrored.says("!clip", name)
        mirrored.passes(20)
        assert await said(mirrored) == []
    assert await mirrored.says("!setup markers on") == "Now: markers on."
    await mirrored.says("!clip now", "cid")
    assert await said(mirrored) == ["now"]
    assert mirrored.asked("streams/markers", "POST") == 1


@pytest.mark.parametrize("status", [403, 404])
async def test_a_refusal_ends_it_for_this_stream_with_one_line_in_the_log(mirrored: Recorded, status: int) -> None:
    mirrored.twitch.faults.add("POST", "/helix/streams/markers", status=status, times=None)
    channel = (await mirrored.session()).channel
    with capture_logs() as logs:
        for name in ("ann", "ben", "cid"):
            assert (await mirrored.says("!clip", name)).startswith("Marked #")
            await settled(mirrored)
            mirrored.passes(20)
    assert mirrored.asked("streams/markers", "POST") == 1
    assert [line["event"] for line in logs if "marker" in line["event"]] == ["no more stream markers in this stream"]
    assert mirrored.services.mirroring_off == {channel.id: mirror.NOT_TAKEN}
    mirrored.twitch.faults.clear()
    await mirrored.says("!end")
    await mirrored.says("!start the next")
    await mirrored.says("!clip fine", "ann")
    assert await said(mirrored) == ["fine"]
    assert mirrored.services.mirroring_off == {}


async def test_without_the_permission_twitch_is_not_asked(mirrored: Recorded) -> None:
    await mirrored.connect(SCOPES - {connecting.MARKERS})
    await choose(mirrored, mirror_markers=True)
    with capture_logs() as logs:
        await mirrored.says("!clip", "ann")
        assert await said(mirrored) == []
    assert mirrored.asked("streams/markers", "POST") == 0
    assert [line["why"] for line in logs if "marker" in line["event"]] == [mirror.NOT_GRANTED]
    mirrored.passes(20)
    await mirrored.connect(SCOPES)  # and the same stream goes on with them
    await mirrored.says("!clip at last", "ben")
    assert await said(mirrored) == ["at last"]


async def test_no_mark_waits_for_its_marker_and_none_is_set_late(
    mirrored: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, held = asyncio.Event(), asyncio.Event()
    helix = type(mirrored.services.twitch.helix)  # type: ignore[union-attr]  # it has one
    set_marker = helix.create_marker

    async def slow(self: Any, *told: Any) -> object:  # noqa: ANN401
        begun.set()
        await held.wait()
        return await set_marker(self, *told)

    monkeypatch.setattr(helix, "create_marker", slow)
    with capture_logs() as logs:
        for number in range(mirror.WAITING + 5):
            assert (await mirrored.says("!clip", f"viewer{number}")).startswith(f"Marked #{number + 1} at ")
            await begun.wait()  # before its time is over
            mirrored.passes(16)
    assert logs == []  # the store had nothing to complain of
    held.set()
    # The first was under way; of those that waited only the newest two are fresh, and they were let go.
    assert await said(mirrored) == ["Moment #1"]


async def test_a_twitch_that_is_down_costs_that_marker_and_no_more(mirrored: Recorded) -> None:
    mirrored.twitch.faults.add("POST", "/helix/streams/markers", status=503)
    await mirrored.says("!clip lost", "ann")
    assert await said(mirrored) == []
    mirrored.passes(20)
    await mirrored.says("!clip kept", "ann")
    assert await said(mirrored) == ["kept"]


async def test_a_bug_ends_no_mirroring(mirrored: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched, capture_logs() as logs:
        patched.setattr(mirror, "_description", lambda _mark: 1 / 0)
        await mirrored.says("!clip lost", "ann")
        await settled(mirrored)
    assert [line["log_level"] for line in logs if "marker" in line["event"]] == ["error"]
    mirrored.passes(20)
    await mirrored.says("!clip kept", "ann")
    assert await said(mirrored) == ["kept"]
