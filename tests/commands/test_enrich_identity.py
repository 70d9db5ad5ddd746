"""The same song on several services becomes one track, by rule where that is certain, else by a person's word."""

from collections.abc import AsyncIterator
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from commands import identity
from commands import tracks as operator
from commands.told import facts_of, lasting, told_of
from moments.matching import Recording, judge
from providers.catalogue import Availability, Keys, MediaFacts
from storage import questions, tracks
from storage.tracks import Merge
from tests.enriching import (
    APPLE,
    DEEZER,
    ISRC,
    MBID,
    MUSICBRAINZ,
    NOW,
    SECONDS,
    SPOTIFY,
    YOUTUBE,
    World,
    apple_song,
    by,
    deezer_track,
    open_world,
    plan_recording,
    plan_song,
    recording,
    searches,
    youtube_video,
)
from tests.providers.service import says

PEOPLE = ("Ann", "Ben", "Cat")
YOUTUBE_PAGE = "https://www.youtube.com/watch?v=GGhKPm18E48"


@pytest.fixture
async def world(database: Path) -> AsyncIterator[World]:
    async with open_world(database) as world:
        yield world


async def merges(world: World, url: str) -> list[Merge]:
    return [each for each in await tracks.merges(world.store, await world.track(url)) if each.undone_at is None]


async def counted(world: World) -> list[Any]:
    saves = await world.store.fetch("SELECT id, replaced_by, words_id, shown FROM save ORDER BY id")
    return [sorted(await world.rows("cell")), sorted(await world.rows("edge")), saves]


@pytest.mark.parametrize("order", list(permutations((YOUTUBE, DEEZER, APPLE))))
async def test_three_people_on_three_services_are_three_on_each_whatever_came_first(
    world: World, order: tuple[str, ...]
) -> None:
    plan_song(world.service)
    await world.saves(*zip(PEOPLE, order, strict=True))
    assert [await world.people(url) for url in order] == [3, 3, 3]


async def test_two_tracks_of_many_saves_are_joined_by_a_person_not_by_a_rule(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity, "MOST_SAVES", 0)
    plan_song(world.service)
    await world.save("Ann", YOUTUBE)
    await world.save("Ben", DEEZER)
    await world.settle()
    assert [await world.people(url) for url in (YOUTUBE, DEEZER)] == [1, 1]
    (asked,) = await questions.unanswered(world.store, only_saved=True)
    assert asked.evidence[-1] == "both have more than 0 saves; nothing else is saved while they are joined"


async def test_three_at_once_are_three_too(world: World) -> None:
    plan_song(world.service)
    for who, url in zip(PEOPLE, (YOUTUBE, DEEZER, APPLE), strict=True):
        await world.save(who, url)
    await world.settle()
    assert [await world.people(url) for url in (YOUTUBE, DEEZER, APPLE)] == [3, 3, 3]


async def test_an_alias_says_how_it_was_found_how_sure_that_is_and_why(world: World) -> None:
    plan_song(world.service)
    await world.saves(("Ann", YOUTUBE), ("Ben", DEEZER))
    found = {each.method for each in await merges(world, YOUTUBE)}
    assert found == {"score"}
    for each in await merges(world, YOUTUBE):
        assert each.confidence > 90
        assert "lengths within 2 s" in each.evidence
        assert each.asked_by == "matching"


async def test_an_isrc_finds_the_song_where_no_search_does(world: World) -> None:
    whole = recording()
    world.service.plan("GET", f"/ws/2/recording/{MBID}", says(200, whole))
    world.service.plan("GET", f"/track/isrc:{ISRC}", says(200, deezer_track()))
    world.service.plan("GET", "/track/3135556", says(200, deezer_track()))
    world.service.plan("GET", "/search", searches())
    await world.saves(("Ann", MUSICBRAINZ), ("Ben", DEEZER))
    assert await world.people(DEEZER) == 2
    assert [(each.method, "the same ISRC" in each.evidence) for each in await merges(world, DEEZER)] == [("isrc", True)]


async def test_an_isrc_does_not_prove_what_lengths_deny(world: World) -> None:
    world.service.plan("GET", f"/ws/2/recording/{MBID}", says(200, recording(seconds=229)))
    world.service.plan("GET", f"/track/isrc:{ISRC}", says(200, deezer_track()))
    world.service.plan("GET", "/track/3135556", says(200, deezer_track()))
    world.service.plan("GET", "/search", searches())
    await world.saves(("Ann", MUSICBRAINZ), ("Ben", DEEZER))
    assert [await world.people(url) for url in (MUSICBRAINZ, DEEZER)] == [1, 1]


async def test_an_isrc_of_several_recordings_proves_none_of_them(world: World) -> None:
    plan_song(world.service)
    atmos = recording(mbid=MBID.replace("c", "d"))
    world.service.plan("GET", f"/ws/2/isrc/{ISRC}", says(200, {"recordings": [recording(), atmos]}))
    await world.saves(("Ann", DEEZER))
    assert "musicbrainz" not in repr(await world.rows("track_source"))


async def test_musicbrainz_links_join_what_no_title_would(world: World) -> None:
    video = youtube_video(title="untitled upload 7")
    world.service.plan("GET", "/youtube/v3/videos", says(200, {"items": [video]}))
    world.service.plan("GET", "/track/3135556", says(200, deezer_track(isrc="")))
    world.service.plan("GET", "/search", searches())
    plan_recording(world.service, recording(YOUTUBE_PAGE, DEEZER), YOUTUBE_PAGE, DEEZER)
    await world.saves(("Ann", YOUTUBE), ("Ben", DEEZER))
    assert [await world.people(url) for url in (YOUTUBE, DEEZER)] == [2, 2]
    assert {each.method for each in await merges(world, YOUTUBE)} == {"musicbrainz"}


async def test_musicbrainz_links_to_a_video_with_an_intro_join_nothing(world: World) -> None:
    world.service.plan("GET", "/youtube/v3/videos", says(200, {"items": [youtube_video(seconds=250)]}))
    world.service.plan("GET", "/track/3135556", says(200, deezer_track(isrc="")))
    world.service.plan("GET", "/search", searches())
    plan_recording(world.service, recording(YOUTUBE_PAGE, DEEZER), YOUTUBE_PAGE, DEEZER)
    await world.saves(("Ann", YOUTUBE), ("Ben", DEEZER))
    assert [await world.people(url) for url in (YOUTUBE, DEEZER)] == [1, 1]


async def test_what_musicbrainz_links_is_asked_about_where_a_length_is_not_known(database: Path) -> None:
    async with open_world(database, Keys()) as world:  # without a key YouTube tells no length
        html = '<iframe src="https://www.youtube.com/embed/GGhKPm18E48"></iframe>'
        body = {"title": "untitled upload 7", "author_name": "x", "type": "video", "html": html}
        world.service.plan("GET", "/oembed", says(200, body))
        world.service.plan("GET", "/track/3135556", says(200, deezer_track(isrc="")))
        world.service.plan("GET", "/search", searches())
        plan_recording(world.service, recording(YOUTUBE_PAGE, DEEZER), YOUTUBE_PAGE, DEEZER)
        await world.saves(("Ann", DEEZER), ("Ben", YOUTUBE))
        assert [await world.people(url) for url in (YOUTUBE, DEEZER)] == [1, 1]
        (asked,) = await operator.open_questions(world.store, NOW)
        assert "MusicBrainz links both" in asked.why


@pytest.mark.parametrize(("other_seconds", "hubs"), [(SECONDS + 9, 1), (SECONDS, 0)])
async def test_of_several_recordings_behind_a_link_only_one_of_its_length_counts(
    world: World, other_seconds: int, hubs: int
) -> None:
    world.service.plan("GET", "/track/3135556", says(200, deezer_track(isrc="")))
    world.service.plan("GET", "/search", searches())
    plan_recording(world.service, recording(DEEZER), DEEZER)
    other = recording(mbid=MBID.replace("c", "d"), seconds=other_seconds)
    behind = [
        {"type": "free streaming", "target-type": "recording", "ended": False, "recording": each}
        for each in (other, recording())
    ]
    world.service.plan("GET", "/ws/2/url", says(200, {"relations": behind}))
    world.service.plan("GET", f"/ws/2/recording/{other['id']}", says(200, other))
    await world.saves(("Ann", DEEZER))
    assert repr(await world.rows("track_source")).count("musicbrainz") == hubs
    assert len(await merges(world, DEEZER)) == hubs


async def test_R6_a_spotify_song_is_as_long_as_musicbrainz_says(world: World) -> None:
    world.service.plan("GET", "/track/3135556", says(200, deezer_track(isrc="")))
    world.service.plan("GET", "/search", searches())
    plan_recording(world.service, recording(SPOTIFY, DEEZER), DEEZER)  # found from the other side alone
    await world.saves(("Ann", SPOTIFY), ("Ben", DEEZER))
    assert [await world.people(url) for url in (DEEZER, SPOTIFY)] == [2, 2]


async def test_R6_a_spotify_link_is_joined_by_musicbrainz_and_spotify_is_not_asked(world: World) -> None:
    plan_song(world.service)
    plan_recording(world.service, recording(SPOTIFY), SPOTIFY)
    await world.saves(("Ann", DEEZER), ("Ben", SPOTIFY))
    assert [await world.people(url) for url in (DEEZER, SPOTIFY)] == [2, 2]
    assert {each.method for each in await merges(world, SPOTIFY) if "spotify" in each.method} == set()
    assert not [path for path in world.service.paths() if "/v1/" in path or "token" in path]
    assert await world.told(SPOTIFY) is None


async def test_R6_a_spotify_link_musicbrainz_does_not_know_stays_alone(world: World) -> None:
    plan_song(world.service)
    await world.saves(("Ann", DEEZER), ("Ben", SPOTIFY))
    assert [await world.people(url) for url in (DEEZER, SPOTIFY)] == [1, 1]
    assert await operator.open_questions(world.store, NOW) == []


# --- questions


async def test_what_is_not_certain_is_asked_and_a_person_decides_and_may_take_it_back(world: World) -> None:
    plan_song(world.service, apple_seconds=SECONDS_OF_A_VIDEO)
    await world.saves(("Ann", DEEZER), ("Ben", APPLE))
    apart = await counted(world)
    assert [await world.people(url) for url in (DEEZER, APPLE)] == [1, 1]
    (asked,) = await operator.open_questions(world.store, NOW)
    assert "Daft Punk" in asked.sides[0] + asked.sides[1]
    assert DEEZER in "".join(asked.sides)

    assert "the same" in await operator.answer(world.store, asked.number, same=True, now=NOW)
    assert [await world.people(url) for url in (DEEZER, APPLE)] == [2, 2]
    assert await operator.open_questions(world.store, NOW) == []
    (merge,) = await merges(world, DEEZER)
    assert (merge.method, merge.asked_by) == ("person", "operator")

    await operator.unmerge(world.store, merge.id, NOW)
    assert await counted(world) == apart


SECONDS_OF_A_VIDEO = 229


async def test_what_a_person_undid_no_rule_does_again(world: World) -> None:
    plan_song(world.service)
    await world.saves(("Ann", DEEZER), ("Ben", APPLE))
    (merge,) = await merges(world, DEEZER)
    await operator.unmerge(world.store, merge.id, NOW)
    world.enricher._looked_for.clear()  # as after a restart
    await world.saves(("Cat", DEEZER), ("Dan", APPLE))
    assert [await world.people(url) for url in (DEEZER, APPLE)] == [2, 2]
    assert await operator.open_questions(world.store, NOW) == []


async def test_what_a_person_said_is_different_stays_apart_through_third_parties_too(world: World) -> None:
    plan_song(world.service, apple_seconds=SECONDS_OF_A_VIDEO)
    await world.saves(("Ann", DEEZER), ("Ben", APPLE))
    (asked,) = await operator.open_questions(world.store, NOW)
    await operator.answer(world.store, asked.number, same=False, now=NOW)
    # Now the video is as long as both are, to within 2 s of each; and Deezer is as long as Apple.
    plan_song(world.service)
    world.enricher._looked_for.clear()
    await world.saves(("Cat", YOUTUBE))
    assert await world.people(DEEZER) + await world.people(APPLE) == 3
    assert (await world.track(DEEZER)).row_id != (await world.track(APPLE)).row_id


async def test_lengths_that_drift_from_one_to_the_next_are_not_joined_by_rule(world: World) -> None:
    plan_song(world.service, deezer_seconds=222, apple_seconds=226)  # each within 2 s of the video's 224
    await world.saves(("Ann", DEEZER), ("Ben", APPLE), ("Cat", YOUTUBE))
    assert sorted([await world.people(url) for url in (DEEZER, APPLE, YOUTUBE)]) == [1, 2, 2]
    (asked,) = await operator.open_questions(world.store, NOW)
    assert "lengths" in asked.why


async def test_a_song_whose_length_nobody_tells_is_asked_about(world: World) -> None:
    plan_song(world.service)
    url = "https://soundcloud.com/daftpunk/harder-better"
    html = '<iframe src="https://w.soundcloud.com/player/?url=https%3A%2F%2Fapi.soundcloud.com%2Ftracks%2F1"></iframe>'
    body = {"title": "Harder Better Faster Stronger by Daft Punk", "author_name": "Daft Punk", "type": "rich"}
    world.service.plan("GET", "/oembed", by("format", {"json": body | {"html": html}}))
    await world.saves(("Ann", DEEZER), ("Ben", url))
    assert await world.people(url) == 1
    (asked,) = await operator.open_questions(world.store, NOW)
    assert "a length is not known" in asked.why


async def test_nobody_is_asked_about_what_nobody_saved(world: World) -> None:
    plan_song(world.service, apple_seconds=SECONDS_OF_A_VIDEO)
    world.service.plan("GET", "/search", searches([], [apple_song(seconds=SECONDS_OF_A_VIDEO)]))
    world.service.plan("GET", f"/track/isrc:{ISRC}", says(404))
    await world.saves(("Ann", DEEZER))
    assert len(await world.rows("match_question")) == 1
    assert await operator.open_questions(world.store, NOW) == []
    await world.saves(("Ben", APPLE))
    assert len(await operator.open_questions(world.store, NOW)) == 1


async def test_no_search_is_spent_on_what_is_no_song(world: World) -> None:
    long = youtube_video(seconds=4_000)
    live = youtube_video("yyyyyyyyyyy")
    live["snippet"] = {"title": "live", "channelTitle": "x", "liveBroadcastContent": "live"}
    world.service.plan(
        "GET", "/youtube/v3/videos", by("id", {"GGhKPm18E48": {"items": [long]}, "yyyyyyyyyyy": {"items": [live]}})
    )
    await world.saves(("Ann", YOUTUBE), ("Ben", "https://youtu.be/yyyyyyyyyyy"))
    assert set(world.service.paths()) == {"GET /youtube/v3/videos"}
    assert await world.told(YOUTUBE) is not None


async def test_who_could_not_be_asked_is_asked_later(world: World) -> None:
    plan_song(world.service)
    search = searches([deezer_track()], [apple_song()])
    world.service.plan("GET", "/search", says(200, b"not JSON"), says(200, b"not JSON"), search)
    world.service.plan("GET", f"/track/isrc:{ISRC}", says(404))
    world.service.plan("GET", f"/ws/2/isrc/{ISRC}", says(404))
    await world.saves(("Ann", DEEZER))
    assert await merges(world, DEEZER) == []
    await world.held.turn()
    await world.settle()
    assert len(await merges(world, DEEZER)) == 1


# --- what is kept for good


def test_R1_evidence_that_is_kept_for_good_quotes_no_service() -> None:
    one = Recording("Get Lucky", ("Daft Punk", "Pharrell Williams"), 248, "GBDUW0000059", is_listed=True)
    other = Recording("Get Lucky", ("Daft Punk",), 248, "GBDUW0000059", is_listed=True)
    said = judge(one, other).evidence
    assert "GBDUW0000059" in repr(said)
    assert not any(word in repr(lasting(said)) for word in ("GBDUW", "Pharrell"))
    doubts = judge(one, Recording("Get Lucky", ("Daft Punk",), 248, is_listed=True)).evidence
    assert "Pharrell" in repr(doubts)
    assert "only one side says some words" in lasting(doubts)
    assert "Pharrell" not in repr(lasting(doubts))


def test_facts_come_back_from_the_store_as_they_were_told() -> None:
    said = Availability(True, True, ("DE",), ("US",), "upcoming")
    facts = MediaFacts("youtube", "a", "t", "b", 60, "GBDUW0000059", said, NOW, NOW, (("deezer", "1"),))
    assert facts_of(told_of(facts)) == facts
