"""Saved moments over the JSON API: what links mean, who saved what, tracks, and what never gets out."""

from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
import orjson
import pytest
from aiohttp import hdrs
from structlog.testing import capture_logs

from commands.forgetme import forget
from commands.recorded import SavedMoment, save_moment
from commands.services import Services
from moments.live import Author
from providers.links import SERVICES
from storage import Transaction, hiding, saves, sources, tracks
from storage.sources import State, Told
from tests.web_export.test_middleware import check_headers

VIDEO = "https://youtu.be/jNQXAC9IVRw"
SONG = "https://www.deezer.com/track/3135556"
APPLE = "https://music.apple.com/us/song/1440841730"
SPOTIFY = "https://open.spotify.com/track/4uLU6hMCjMI75M1A2tKUQC"


async def get(http: aiohttp.ClientSession, path: str, status: int = 200, /, **query: str) -> Any:  # noqa: ANN401 -- whatever the JSON holds
    async with http.get(f"{path}?{urlencode(query)}" if query else path) as answer:
        assert answer.status == status, await answer.text()
        return orjson.loads(await answer.read())


async def keep(
    services: Services, who: str = "ann", url: str = VIDEO, part: str = "0:45-1:00", note: str = "", *, late: int = 0,
    private: bool = False,
) -> SavedMoment:  # fmt: skip
    """Somebody's save, from a chat."""
    now = services.clock() + timedelta(seconds=late)
    return await save_moment(
        services, Author("console", who, f"{who} the viewer"), url, part, note, origin="x", now=now, private=private
    )


async def learn(services: Services, provider: str, media_id: str, days: float = 1, **told: object) -> None:
    """Let a service have told something, for some days."""
    now = services.clock()
    facts = Told(provider, media_id, now, now + timedelta(days=days), **told)  # type: ignore[arg-type]
    await services.store.run(lambda transaction: sources.put(transaction, facts), message=None, now=now)


async def merged(services: Services, one: SavedMoment, other: SavedMoment) -> int:
    """Let two things be the same song; the number of the merge."""
    now = services.clock()

    async def job(transaction: Transaction) -> int:
        pair = [
            await tracks.open_source(transaction, each.link.provider, each.link.media_id, "track", now)
            for each in (one, other)
        ]
        return await tracks.merge(transaction, pair[0], pair[1], "isrc", 100, (), "test", now) or 0

    return await services.store.run(job, message=None, now=now)


# --- resolve and saved


@pytest.mark.parametrize("url", [service.example for service in SERVICES])
async def test_resolve_answers_for_every_service(http: aiohttp.ClientSession, url: str) -> None:
    found = await get(http, "/api/v1/resolve", url=url, range="0:45-1:00")
    assert found["provider"] in {service.slug for service in SERVICES}
    assert found["media_id"]
    assert (found["track"], found["start_seconds"], found["end_seconds"]) == (None, 45, 60)


async def test_resolve_tells_the_times_of_the_link_each_alone_too(http: aiohttp.ClientSession) -> None:
    for times, expected in {"t=45": (45, None), "end=60": (None, 60), "start=45&end=60": (45, 60)}.items():
        found = await get(http, "/api/v1/resolve", url=f"https://www.youtube.com/embed/jNQXAC9IVRw?{times}")
        assert (found["start_seconds"], found["end_seconds"]) == expected


async def test_resolve_without_a_range_or_a_save_answers_nulls(http: aiohttp.ClientSession, services: Services) -> None:
    nothing = {"provider": "youtube", "media_id": "jNQXAC9IVRw", "track": None, "start_seconds": None}
    assert await get(http, "/api/v1/resolve", url=VIDEO) == {**nothing, "end_seconds": None}
    kept = await keep(services)
    found = await get(http, "/api/v1/resolve", url=f"{VIDEO}?t=90")
    assert (found["track"], found["start_seconds"], found["end_seconds"]) == (kept.track.id, 90, None)


@pytest.mark.parametrize("path", ["/api/v1/resolve", "/api/v1/saved"])
@pytest.mark.parametrize(
    ("url", "part", "says"),
    [
        ("", "0:45-1:00", "url="),
        ("https://youtube.com.evil.example/watch?v=jNQXAC9IVRw", "0:45-1:00", "Paste a link"),
        ("http://169.254.169.254/", "0:45-1:00", "Paste a link"),
        (VIDEO, "1:00-0:45", "ends before it starts"),
        (VIDEO, "0:45-0:45", "ends where it starts"),
        (VIDEO, "1:5-1:20", "two digits"),
    ],
)
async def test_what_cannot_be_read_is_one_kind_sentence(
    http: aiohttp.ClientSession, path: str, url: str, part: str, says: str
) -> None:
    problem = await get(http, path, 400, url=url, range=part)
    assert says in problem["detail"]
    assert (problem["status"], problem["type"]) == (400, "about:blank")


@pytest.mark.parametrize(
    "part",
    [
        "-5-10", "1e3-2e3", "NaN-5", "inf", "0.5-1.5", "१२-१३", "²-³", "1_0-2_0", "0-" + "9" * 5000, "-0--0",
        "2147483647-2147483648", "9223372036854775807-9223372036854775808", "0x10-0x20", "\u00a0", "\x00",
        "0:00-\ud7ff", "604800-604801", "99999:99-1",
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/api/v1/resolve", "/api/v1/saved"])
async def test_TXT_4_no_number_is_too_odd_for_a_sentence(http: aiohttp.ClientSession, path: str, part: str) -> None:
    query = f"{path}?url={quote(VIDEO)}&range={quote(part)}"
    async with http.get(query) as answer:
        assert answer.status in {200, 400, 414}
        if answer.status == 200:  # for resolve, white space is no range
            assert orjson.loads(await answer.read())["start_seconds"] is None


@pytest.mark.parametrize("word", ["1e9", "-1", "१२", "9" * 19, "1.0", "NaN", "%00", ""])
async def test_TXT_4_cursors_and_limits_too(http: aiohttp.ClientSession, services: Services, word: str) -> None:
    kept = await keep(services)
    for path in ("/api/v1/moments", f"/api/v1/tracks/{kept.track.id}/moments"):
        for name in ("cursor", "limit"):
            await get(http, f"{path}?{name}={word}", 400)


@pytest.mark.parametrize("word", ["x", "0", "%00", "%ED%A0%80", "..%2f..", "9" * 3000, "%D9%A3", "' OR 1=1 --"])
async def test_a_name_nobody_gave_out_is_not_found(http: aiohttp.ClientSession, word: str) -> None:
    for path in (f"/api/v1/moments/{word}", f"/api/v1/tracks/{word}", f"/api/v1/tracks/{word}/best", f"/m/{word}"):
        async with http.get(path, headers={"Accept": "application/json"}) as answer:
            assert answer.status == 404, path


async def test_saved_has_the_shape_of_the_contract_and_follows_every_save(
    http: aiohttp.ClientSession, services: Services
) -> None:
    query = {"url": VIDEO, "range": "0:45-1:00"}
    nobody = {"track": None, "start_seconds": 45, "end_seconds": 60, "saved_by": 0, "tolerance_seconds": 2}
    assert await get(http, "/api/v1/saved", **query) == nobody
    for number, people in ((1, 1), (2, 2), (1, 2), (3, 3)):
        kept = await keep(services, f"u{number}", part=f"{44 + number % 2}-60")
        assert await get(http, "/api/v1/saved", **query) == {**nobody, "track": kept.track.id, "saved_by": people}
    assert (await get(http, "/api/v1/saved", url=VIDEO, range="0:48-1:00"))["saved_by"] == 0


async def test_saved_by_follows_what_is_deleted_and_who_is_forgotten_at_once(
    http: aiohttp.ClientSession, services: Services
) -> None:
    first, _ = await keep(services), await keep(services, "ben")
    query = {"url": VIDEO, "range": "0:45-1:00"}
    assert (await get(http, "/api/v1/saved", **query))["saved_by"] == 2
    now, ann = services.clock(), Author("console", "ann", "ann")
    await services.store.run(
        lambda transaction: saves.delete(transaction, ann, first.moment_id, now), message=None, now=now
    )
    assert (await get(http, "/api/v1/saved", **query))["saved_by"] == 1
    await forget(services, Author("console", "ben", "ben"), now)
    assert (await get(http, "/api/v1/saved", **query))["saved_by"] == 0


async def test_three_services_read_the_same_count_once_merged_and_apart_when_that_is_undone(
    http: aiohttp.ClientSession, services: Services
) -> None:
    kept = [await keep(services, f"u{number}", url) for number, url in enumerate((VIDEO, SONG, APPLE))]

    async def counts() -> list[int]:
        answers = [await get(http, "/api/v1/saved", url=url, range="0:45-1:00") for url in (VIDEO, SONG, APPLE)]
        return [answer["saved_by"] for answer in answers]

    assert await counts() == [1, 1, 1]
    await merged(services, kept[0], kept[1])
    merge = await merged(services, kept[1], kept[2])
    assert await counts() == [3, 3, 3]
    for each in kept:  # links to any of the three mean the one they count as
        assert (await get(http, f"/api/v1/tracks/{each.track.id}"))["id"] == kept[0].track.id
        assert (await get(http, f"/api/v1/moments/{each.moment_id}"))["saved_by"] == 3
    now = services.clock()
    await services.store.run(lambda transaction: tracks.unmerge(transaction, merge, "x", now), message=None, now=now)
    assert await counts() == [2, 2, 1]


async def test_API_2_the_etag_of_a_count_holds_until_somebody_saves(
    http: aiohttp.ClientSession, services: Services
) -> None:
    await keep(services)
    path = f"/api/v1/saved?url={quote(VIDEO, safe='')}&range=0:45-1:00"
    async with http.get(path) as first:
        etag = first.headers[hdrs.ETAG]
        assert first.headers[hdrs.CACHE_CONTROL] == "public, max-age=30"
        assert first.content_type == "application/json"
    async with http.get(path, headers={hdrs.IF_NONE_MATCH: etag}) as again:
        assert (again.status, again.headers[hdrs.ETAG]) == (304, etag)
    await keep(services, "ben")
    async with http.get(path, headers={hdrs.IF_NONE_MATCH: etag}) as changed:
        assert changed.status == 200


async def test_WEB_3_a_count_has_every_header_and_is_for_every_origin_and_is_not_logged_one_by_one(
    http: aiohttp.ClientSession, services: Services
) -> None:
    await keep(services)
    with capture_logs() as logged:
        for part, status in (("0:45-1:00", 200), ("1:00-0:45", 400)):
            async with http.get(f"/api/v1/saved?url={quote(VIDEO, safe='')}&range={part}") as answer:
                assert answer.status == status
                check_headers(answer)
                assert answer.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] == "*"
        metrics = await (await http.get("/metrics")).text()
    assert 'moments_web_requests_total{route="/api/v1/saved",status="200"} 1.0' in metrics
    told = [line for line in logged if line.get("route") == "/api/v1/saved"]
    assert [line["status"] for line in told] == [400]


async def test_a_save_by_another_process_is_seen_within_a_second(
    http: aiohttp.ClientSession, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = {"url": VIDEO, "range": "0:45-1:00"}
    await keep(services)
    assert (await get(http, "/api/v1/saved", **query))["saved_by"] == 1
    commits = services.store.stats.commits
    await keep(services, "ben")
    services.store.stats.commits = commits  # as it is when somebody else's process has written
    assert (await get(http, "/api/v1/saved", **query))["saved_by"] == 1
    monkeypatch.setattr("web_export.tallies.TRUSTED_SECONDS", 0)
    assert (await get(http, "/api/v1/saved", **query))["saved_by"] == 2


# --- tracks and moments


async def test_a_track_its_heatmap_and_its_best_parts(http: aiohttp.ClientSession, services: Services) -> None:
    for number in range(3):
        kept = await keep(services, f"u{number}", note="that drop!" if number == 1 else "")
    await keep(services, "u9", part="2-4")
    path = f"/api/v1/tracks/{kept.track.id}"
    heat = await get(http, f"{path}/heatmap")
    assert heat == {"duration_seconds": None, "savers": [0, 0, 1, 1, *[0] * 41, *[3] * 15]}
    await learn(services, "youtube", "jNQXAC9IVRw", title="Paper Lanterns", by_line="Ayla", duration_seconds=213)
    assert len((await get(http, f"{path}/heatmap"))["savers"]) == 213
    track = await get(http, path)
    assert (track["title"], track["by"], track["told_by"], track["duration_seconds"]) == (
        *("Paper Lanterns", "Ayla", "youtube", 213),
    )
    assert track["sources"] == [
        {"provider": "youtube", "media_id": "jNQXAC9IVRw", "url": "https://www.youtube.com/watch?v=jNQXAC9IVRw"}
    ]
    parts = (await get(http, f"{path}/best"))["parts"]
    assert [(each["start_seconds"], each["end_seconds"], each["saved_by"]) for each in parts] == [
        (45, 60, 3),
        (2, 4, 1),
    ]
    assert parts[0]["notes"] == ["that drop!"]
    assert parts[0]["plays_at"].endswith("&t=45s")


async def test_what_twitch_says_is_handed_to_no_other_program(http: aiohttp.ClientSession, services: Services) -> None:
    kept = await keep(services, url="https://www.twitch.tv/videos/123456789")
    await learn(services, "twitch", "123456789", title="CANARY", by_line="CANARY", duration_seconds=5_000)
    track = await get(http, f"/api/v1/tracks/{kept.track.id}")
    assert "CANARY" not in repr(track)
    assert track["duration_seconds"] is None
    heat = await get(http, f"/api/v1/tracks/{kept.track.id}/heatmap")
    assert (heat["duration_seconds"], len(heat["savers"])) == (None, 60)


async def test_R1_a_title_is_told_until_it_expires_and_the_rest_goes_on_without(
    http: aiohttp.ClientSession, services: Services
) -> None:
    kept = await keep(services)
    await learn(services, "youtube", "jNQXAC9IVRw", days=-1, title="Old", duration_seconds=213)
    track = await get(http, f"/api/v1/tracks/{kept.track.id}")
    assert (track["title"], track["duration_seconds"]) == (None, None)
    assert (await get(http, f"/api/v1/moments/{kept.moment_id}"))["title"] is None


@pytest.mark.parametrize(("url", "provider", "media_id"), [
    (SPOTIFY, "spotify", "4uLU6hMCjMI75M1A2tKUQC"), ("https://www.twitch.tv/videos/123456789", "twitch", "123456789"),
])  # fmt: skip
async def test_LEG_2_words_of_spotify_and_twitch_are_not_passed_on(
    http: aiohttp.ClientSession, services: Services, url: str, provider: str, media_id: str
) -> None:
    kept = await keep(services, url=url)
    await learn(services, provider, media_id, title="CANARY title", by_line="CANARY by")
    for path in (f"moments/{kept.moment_id}", f"tracks/{kept.track.id}", "moments", f"tracks/{kept.track.id}/best"):
        async with http.get(f"/api/v1/{path}") as answer:
            assert "CANARY" not in await answer.text(), path


async def test_PRIV_2_nobody_is_named_and_private_or_hidden_words_are_nobodys(
    http: aiohttp.ClientSession, services: Services
) -> None:
    public = await keep(services, "ann", note="for everybody")
    private = await keep(services, "ben", note="CANARY private", private=True)
    hidden = await keep(services, "cat", note="CANARY hidden")
    now = services.clock()
    await services.store.run(
        lambda transaction: hiding.hide_words(transaction, hidden.moment_id, "console:mod", "rude"),
        message=None,
        now=now,
    )
    track = public.track.id
    paths = [f"moments/{each.moment_id}" for each in (public, private, hidden)]
    for path in (*paths, "moments", f"tracks/{track}", f"tracks/{track}/moments", f"tracks/{track}/best"):
        async with http.get(f"/api/v1/{path}") as answer:
            text = await answer.text()
            assert answer.status == 200
        for word in ("CANARY", "the viewer", "ann", "ben"):
            assert word not in text, (path, word)
    assert (await get(http, f"/api/v1/{paths[0]}"))["saved_by"] == 3
    listed = (await get(http, "/api/v1/moments"))["moments"]
    assert [each["id"] for each in listed] == [hidden.moment_id, public.moment_id]
    assert [(each["note"], each["submitted_by"]) for each in listed] == [(None, None), ("for everybody", None)]


async def test_lists_page_by_cursor_newest_first_across_services(
    http: aiohttp.ClientSession, services: Services
) -> None:
    kept = [await keep(services, f"u{number}", (VIDEO, SONG)[number % 2]) for number in range(7)]
    await merged(services, kept[0], kept[1])
    for path in ("/api/v1/moments", f"/api/v1/tracks/{kept[0].track.id}/moments"):
        seen, page = [], {"next": ""}
        while page["next"] is not None:
            query = {"limit": "3"} | ({"cursor": page["next"]} if page["next"] else {})
            page = await get(http, path, **query)
            seen += [each["id"] for each in page["moments"]]
        assert seen == [each.moment_id for each in reversed(kept)]


async def test_a_replaced_moment_means_the_newest_and_a_late_length_takes_it_out_of_the_count(
    http: aiohttp.ClientSession, services: Services
) -> None:
    old = await keep(services, part="0:45-1:00")
    new = await keep(services, part="0:46-1:00")
    assert (await get(http, f"/api/v1/moments/{old.moment_id}"))["id"] == new.moment_id
    await learn(services, "youtube", "jNQXAC9IVRw", duration_seconds=50, state=State.KNOWN)
    found = await get(http, f"/api/v1/moments/{new.moment_id}")
    assert (found["beyond_end"], found["saved_by"]) == (True, 0)
    assert (await get(http, "/api/v1/moments"))["moments"] == []
