"""Twitch's VODs and clips, asked of the Helix client there is."""

from datetime import timedelta
from pathlib import Path

import pytest

from providers.catalogue import Absent, Kind, MediaFacts, may_embed
from providers.http import Http
from providers.twitch.helix import Helix
from tests.providers.catalogue_server import catalogues, link, recorded
from tests.providers.conftest import NOW
from tests.providers.service import Handler, Service, rows, says

VOD = "https://www.twitch.tv/videos/1652727194"
CLIP = "https://clips.twitch.tv/EncouragingPluckySlothSSSsss"
OLD_CLIP = "https://clips.twitch.tv/ObliqueEncouragingHumanHumbleLife"
# Synthetic: an archive as Helix describes one.
GROWING = {"id": "1652727194", "title": "now", "user_name": "Rosa", "created_at": "2026-03-01T10:00:00Z"} | {
    "type": "archive",
    "duration": "1h58m0s",
    "viewable": "public",
}


async def twitch(http: Http, service: Service, helix: Helix, url: str, answer: Handler) -> MediaFacts | Absent:
    path = "/helix/clips" if "clips" in url else "/helix/videos"
    service.plan("GET", path, answer)
    return await catalogues(http, service, helix=helix).look_up(link(url), now=NOW)


async def read(http: Http, service: Service, helix: Helix, url: str, body: object) -> MediaFacts:
    found = await twitch(http, service, helix, url, says(200, body))
    assert isinstance(found, MediaFacts), found
    return found


async def test_a_vod_is_read(shared_data: Path, http: Http, service: Service, helix: Helix) -> None:
    body = recorded(shared_data, "twitch/videos_by_user")
    found = await read(http, service, helix, VOD, {**body, "data": body["data"][:1]})
    assert (found.by, found.duration_seconds) == ("VGBootCamp", 13_554)
    assert (found.title or "").startswith("UFA 2022 | Day 3")
    assert may_embed(found, None)
    assert service.asked[-1].query == [("id", "1652727194")]


async def test_R1_twitchs_words_are_kept_for_less_than_a_day(
    shared_data: Path, http: Http, service: Service, helix: Helix
) -> None:
    body = recorded(shared_data, "twitch/videos_ok_0")
    found = await read(http, service, helix, "https://www.twitch.tv/videos/224404190", body)
    assert (found.title, found.duration_seconds) == ("jhin mains LUL", 50)
    assert found.expires_at == NOW + timedelta(hours=23)


async def test_an_answer_about_many_vods_is_not_guessed_at(
    shared_data: Path, http: Http, service: Service, helix: Helix
) -> None:
    absent = await twitch(http, service, helix, VOD, says(200, recorded(shared_data, "twitch/videos_by_user")))
    assert isinstance(absent, Absent)
    assert absent.kind is Kind.UNREADABLE


@pytest.mark.parametrize(
    ("name", "url", "seconds"),
    [
        ("clips_ok_0", CLIP, 22),
        ("clip_by_id_2021_no_duration", OLD_CLIP, None),
        ("clip_by_id_2021_second_recording", OLD_CLIP, None),
    ],
)
async def test_a_clip_is_read(
    shared_data: Path, http: Http, service: Service, helix: Helix, name: str, url: str, seconds: int | None
) -> None:
    found = await read(http, service, helix, url, recorded(shared_data, f"twitch/{name}"))
    assert found.by in ("summit1g", "Greekgodx")
    assert (found.duration_seconds, found.availability.live) == (seconds, "no")


async def test_R3_a_clip_that_is_gone_is_wiped(shared_data: Path, http: Http, service: Service, helix: Helix) -> None:
    absent = await twitch(http, service, helix, CLIP, says(200, recorded(shared_data, "twitch/clips_empty")))
    assert isinstance(absent, Absent)
    assert (absent.kind, absent.wipes) == (Kind.GONE, True)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (says(404, {"message": "videos not found"}), Kind.GONE),
        (says(403, {"message": "no"}), Kind.REFUSED),
        (says(429), Kind.BUSY),
        (says(500), Kind.DOWN),
        (says(200, b"{"), Kind.UNREADABLE),
        (rows({**GROWING, "viewable": "private"}), Kind.PRIVATE),
        (rows({**GROWING, "duration": "soon"}), Kind.UNREADABLE),
        (rows({**GROWING, "duration": None}), Kind.UNREADABLE),
        (rows({**GROWING, "title": 5}), Kind.UNREADABLE),
        (rows({**GROWING, "user_name": ["x"]}), Kind.UNREADABLE),
        (rows({**GROWING, "created_at": "soon"}), Kind.UNREADABLE),
        (rows({**GROWING, "id": "7"}), Kind.UNREADABLE),
    ],
)
async def test_what_helix_does_wrong_is_told_apart(
    http: Http, service: Service, helix: Helix, answer: Handler, kind: Kind
) -> None:
    absent = await twitch(http, service, helix, VOD, answer)
    assert isinstance(absent, Absent)
    assert absent.kind is kind


@pytest.mark.parametrize(("name", "status"), [("videos_error_400", 400), ("clips_error_401", 401)])
async def test_twitchs_recorded_errors_wipe_nothing(
    shared_data: Path, http: Http, service: Service, helix: Helix, name: str, status: int
) -> None:
    absent = await twitch(http, service, helix, VOD, says(status, recorded(shared_data, f"twitch/{name}")))
    assert isinstance(absent, Absent)
    assert (absent.kind, absent.wipes) == (Kind.REFUSED, False)


async def test_an_archive_that_is_being_made_has_no_length_yet(http: Http, service: Service, helix: Helix) -> None:
    found = await read(http, service, helix, VOD, {"data": [GROWING]})
    assert (found.availability.live, found.duration_seconds) == ("live", None)
    done = await read(http, service, helix, VOD, {"data": [{**GROWING, "duration": "1h30m0s"}]})
    assert (done.availability.live, done.duration_seconds) == ("no", 5_400)


async def test_without_twitchs_credentials_there_is_nobody_to_ask(http: Http, service: Service) -> None:
    assert await catalogues(http, service).look_up(link(VOD), now=NOW) == Absent(Kind.UNSUPPORTED)
    assert not service.asked
