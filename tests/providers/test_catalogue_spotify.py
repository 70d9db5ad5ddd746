"""Spotify: off by default, and what it says in quarantine (R6)."""

import dataclasses
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from providers.catalogue import Absent, Catalogues, Keys, Kind, MediaFacts, QuarantinedFacts
from providers.http import Http
from tests.providers.catalogue_server import (
    SPOTIFY_SECRET,
    URLS,
    WITH_SPOTIFY,
    TurnedClock,
    catalogues,
    link,
    recorded,
)
from tests.providers.conftest import NOW
from tests.providers.service import Handler, Service, says

TOKEN = says(200, {"access_token": "canary-bearer", "token_type": "Bearer", "expires_in": 3600})
PATH = "/v1/tracks/02WuyBR56QN3B6ZC0BeC3f"
EPISODE = "3o0RYoo5iOMKSmEbunsbvW"


def spotify(http: Http, service: Service, *answers: Handler, clock: TurnedClock | None = None) -> Catalogues:
    service.plan("POST", "/api/token", TOKEN)
    service.plan("GET", PATH, *answers)
    return catalogues(http, service, clock, keys=WITH_SPOTIFY)


async def quarantined(made: Catalogues, url: str = URLS["spotify"]) -> Any:  # noqa: ANN401 -- either
    return await made.quarantined(link(url), now=NOW)


async def test_R6_spotify_is_off_until_the_operator_brings_an_application(http: Http, service: Service) -> None:
    for keys in (Keys(), Keys(spotify_id="only"), Keys(spotify_secret="only")):
        assert await quarantined(catalogues(http, service, keys=keys)) == Absent(Kind.UNSUPPORTED)
    assert not service.asked


async def test_R6_spotifys_words_are_a_kind_of_their_own(shared_data: Path, http: Http, service: Service) -> None:
    made = spotify(http, service, says(200, recorded(shared_data, "spotify/track_isrc_hebrew")))
    found = await quarantined(made)
    assert isinstance(found, QuarantinedFacts)
    assert (found.quarantined_title, found.quarantined_by) == ("מיליון דולר", "Noa Kirel, שחר סאול")
    assert (found.quarantined_seconds, found.playable) == (173, None)
    assert found.expires_at == NOW + timedelta(hours=23)
    # No title, no by, no duration, no ISRC: what takes any of those by name does not take this.
    ours = {field.name for field in dataclasses.fields(MediaFacts)}
    theirs = {field.name for field in dataclasses.fields(QuarantinedFacts)}
    assert ours & theirs == {"media_id", "fetched_at", "expires_at"}
    assert not issubclass(QuarantinedFacts, MediaFacts)


async def test_R6_a_spotify_link_is_never_looked_up_as_others_are(http: Http, service: Service) -> None:
    made = spotify(http, service, says(200, {}))
    assert await made.look_up(link(URLS["spotify"]), now=NOW) == Absent(Kind.UNSUPPORTED)
    assert await made.quarantined(link(URLS["deezer"]), now=NOW) == Absent(Kind.UNSUPPORTED)
    assert not service.asked


async def test_R6_candidates_never_come_from_spotify(http: Http, service: Service) -> None:
    await spotify(http, service, says(200, {})).candidates(
        "Monday", "Imagine Dragons", 188, now=NOW, isrc="USUM72100871"
    )
    assert sorted(service.paths()) == [
        "GET /search",
        "GET /search",
        "GET /track/isrc:USUM72100871",
        "GET /ws/2/isrc/USUM72100871",
    ]


@pytest.mark.parametrize(
    ("name", "title", "by"),
    [
        ("track_multiartist_beets", "Akiba Nights", "Foo, Bar"),
        ("track_no_market_empty_available_markets", "On & On", "Cartoon, Daniel Levi"),
        ("track_last_christmas", "Last Christmas", "Wham!"),
    ],
)
async def test_recorded_tracks_are_read(
    shared_data: Path, http: Http, service: Service, name: str, title: str, by: str
) -> None:
    body = recorded(shared_data, f"spotify/{name}")
    made = spotify(http, service, says(200))
    service.plan("GET", f"/v1/tracks/{body['id']}", says(200, body))
    found = await quarantined(made, f"https://open.spotify.com/track/{body['id']}")
    assert (found.quarantined_title, found.quarantined_by) == (title, by)


async def test_an_episode_is_asked_with_a_market(shared_data: Path, http: Http, service: Service) -> None:
    made = spotify(http, service, says(200))
    service.plan("GET", f"/v1/episodes/{EPISODE}", says(200, recorded(shared_data, "spotify/episode")))
    found = await quarantined(made, f"https://open.spotify.com/episode/{EPISODE}")
    assert (found.quarantined_by, found.quarantined_seconds, found.playable) == ("Safety Third", 3_690, True)
    assert service.asked[-1].query == [("market", "US")]


async def test_a_token_is_fetched_once_and_again_when_it_is_dead(
    shared_data: Path, http: Http, service: Service
) -> None:
    track = says(200, recorded(shared_data, "spotify/track_isrc_hebrew"))
    made = spotify(http, service, track, track, says(401, {"error": {"status": 401}}), track)
    for _ in range(3):
        assert isinstance(await quarantined(made), QuarantinedFacts)
    assert service.paths().count("POST /api/token") == 2
    assert service.asked[0].form == {"grant_type": "client_credentials"}
    assert SPOTIFY_SECRET not in str(service.asked[0].query)
    later = NOW + timedelta(hours=1)
    assert isinstance(await made.quarantined(link(URLS["spotify"]), now=later), QuarantinedFacts)
    assert service.paths().count("POST /api/token") == 3


@pytest.mark.parametrize(
    ("name", "status", "kind"),
    [
        ("error_404", 404, Kind.GONE),
        ("error_429", 429, Kind.BUSY),
        ("error_429_quota_exceeded", 429, Kind.QUOTA),
        ("error_403_owner_premium", 403, Kind.REFUSED),
        ("track_relink_doc_example", 200, Kind.UNREADABLE),
        ("tracks_notfound_zmb3", 200, Kind.UNREADABLE),
        ("track_info_beets", 200, Kind.UNREADABLE),  # another track
    ],
)
async def test_R12_spotifys_errors_are_told_apart(
    shared_data: Path, http: Http, service: Service, name: str, status: int, kind: Kind
) -> None:
    # Longer than we wait for, so that "too fast" is handed on.
    answer = says(status, recorded(shared_data, f"spotify/{name}"), Retry_After="20")
    absent = await quarantined(spotify(http, service, answer))
    assert absent.kind is kind
    assert service.paths() == ["POST /api/token", f"GET {PATH}"]


async def test_R12_a_used_up_quota_is_left_alone_for_a_day_where_no_time_is_said(
    shared_data: Path, http: Http, service: Service
) -> None:
    body = recorded(shared_data, "spotify/error_429_quota_exceeded")
    clock = TurnedClock()
    made = spotify(http, service, says(429, body), clock=clock)
    for _ in range(3):
        absent = await quarantined(made)
        assert (absent.kind, absent.retry_at) == (Kind.QUOTA, NOW + timedelta(days=1))
    assert service.paths().count(f"GET {PATH}") == 1
    clock.seconds += 86_400
    await quarantined(made)
    assert service.paths().count(f"GET {PATH}") == 2


@pytest.mark.parametrize("body", [{}, {"access_token": ""}, {"access_token": "a\nb"}, {"access_token": 5}, []])
async def test_a_token_that_is_none_is_told(http: Http, service: Service, body: object) -> None:
    made = spotify(http, service, says(200, {}))
    service.plan("POST", "/api/token", says(200, body))
    assert (await quarantined(made)).kind is Kind.UNREADABLE
    service.plan("POST", "/api/token", says(400, {"error": "invalid_client"}))
    assert (await quarantined(made)).kind is Kind.REFUSED
