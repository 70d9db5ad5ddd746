"""The rules of research/providers.md as far as they are about what we ask, what we take and what we show."""

import ast
import dataclasses
import logging
from datetime import timedelta
from pathlib import Path

import pytest

import providers.catalogue
from providers.catalogue import (
    CATALOGUES,
    Absent,
    Availability,
    Catalogues,
    Keys,
    Kind,
    MediaFacts,
    Setup,
    expiry,
    hosts,
    may_embed,
    user_agent,
    why_link_only,
)
from providers.catalogue.facts import KEPT, Live
from providers.http import Http, open_http
from providers.links import SERVICES
from tests.providers.catalogue_server import (
    BODIES,
    PATHS,
    SPOTIFY_SECRET,
    URLS,
    USER_AGENT,
    WITH_SPOTIFY,
    YOUTUBE_KEY,
    catalogues,
    facts_of,
    link,
    recorded,
)
from tests.providers.conftest import NOW
from tests.providers.service import Service, says

ROOT = Path(providers.catalogue.__file__).parents[2]
FOLDER = ROOT / "providers" / "catalogue"
OUR_PACKAGES = ("bot", "commands", "moments", "providers", "storage", "web_export")
DAY = timedelta(days=1)


def facts(**said: object) -> MediaFacts:
    available = Availability(**said)  # type: ignore[arg-type]
    return MediaFacts("youtube", "eiHXASgRTcA", "t", "b", 60, None, available, NOW, None)


@pytest.mark.parametrize("provider", [service.slug for service in SERVICES])
@pytest.mark.parametrize("live", ["no", "live", "upcoming"])
def test_R1_every_providers_words_expire_in_time(provider: str, live: Live) -> None:
    longest = {"youtube": 30 * DAY, "twitch": DAY, "spotify": DAY}.get(provider, 30 * DAY)
    until = expiry(provider, NOW, live)
    if provider == "musicbrainz":
        assert until is None
    else:
        assert until is not None
        assert NOW < until < NOW + longest
    assert set(KEPT) <= {service.slug for service in SERVICES}


@pytest.mark.parametrize("provider", BODIES)
async def test_R1_every_fact_says_whose_it_is_and_until_when(
    shared_data: Path, http: Http, service: Service, provider: str
) -> None:
    found = await facts_of(http, service, URLS[provider], PATHS[provider], recorded(shared_data, BODIES[provider]))
    assert (found.provider, found.fetched_at) == (provider, NOW)
    assert found.expires_at == expiry(provider, NOW)


def test_R4_nothing_of_ours_has_a_place_for_popularity() -> None:
    popular = (
        "view",
        "like",
        "popular",
        "rank",
        "plays",
        "play_count",
        "favorite",
        "subscriber",
        "statistic",
        "follower",
    )
    for kind in (MediaFacts, Availability, providers.catalogue.QuarantinedFacts):
        for field in dataclasses.fields(kind):
            assert not any(word in field.name for word in popular), field.name
    read = {"viewable"}  # whether a VOD is public, not how often it was viewed
    for path in FOLDER.glob("*.py"):
        for text in literals(path):
            assert text in read or not any(word in text.lower() for word in popular), f"{path.name}: {text}"


async def test_R4_youtube_is_not_even_asked_for_statistics(http: Http, service: Service) -> None:
    body = {"items": [{"id": "eiHXASgRTcA", "snippet": {"title": "t"}, "statistics": {"viewCount": "9"}}]}
    found = await facts_of(http, service, URLS["youtube"], "/youtube/v3/videos", body, keys=Keys(youtube=YOUTUBE_KEY))
    asked = dict(service.asked[0].query)
    assert "statistics" not in asked["part"] + asked["fields"]
    assert "9" not in repr(found.title)


async def test_R8_keys_go_in_headers_and_into_no_text(
    http: Http, service: Service, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    keys = dataclasses.replace(WITH_SPOTIFY, youtube=YOUTUBE_KEY)
    service.plan("GET", "/youtube/v3/videos", says(403, {"error": {"message": YOUTUBE_KEY}}))
    service.plan("POST", "/api/token", says(500, SPOTIFY_SECRET.encode()))
    made = catalogues(http, service, keys=keys)
    told = [await made.look_up(link(URLS["youtube"]), now=NOW), await made.quarantined(link(URLS["spotify"]), now=NOW)]
    assert [each.kind for each in told if isinstance(each, Absent)] == [Kind.REFUSED, Kind.DOWN]
    assert service.asked[0].headers["X-Goog-Api-Key"] == YOUTUBE_KEY
    assert "Authorization" in service.asked[1].headers
    for request in service.asked:
        assert "canary" not in f"{request.path}{request.query}"
    seen = (
        caplog.text + repr(told) + repr(keys) + repr(made._sources) + repr(made._spotify) + "".join(capsys.readouterr())
    )
    assert YOUTUBE_KEY not in seen
    assert SPOTIFY_SECRET not in seen


@pytest.mark.parametrize(
    ("said", "region", "why"),
    [
        ({"embeddable": True}, "US", None),
        ({"embeddable": True}, None, None),
        ({"embeddable": False}, "US", "embedding"),
        ({"embeddable": None}, "US", "embedding"),
        ({"embeddable": True, "age_restricted": True}, "US", "age"),
        ({"embeddable": True, "age_restricted": False}, "US", None),
        ({"embeddable": True, "regions_blocked": ("DE",)}, "US", None),
        ({"embeddable": True, "regions_blocked": ("DE",)}, "DE", "region"),
        ({"embeddable": True, "regions_blocked": ("DE",)}, "de", "region"),
        ({"embeddable": True, "regions_blocked": ("DE",)}, None, "region"),
        ({"embeddable": True, "regions_blocked": ()}, None, None),
        ({"embeddable": True, "regions_allowed": ("DE",)}, "DE", None),
        ({"embeddable": True, "regions_allowed": ("DE",)}, "US", "region"),
        ({"embeddable": True, "regions_allowed": ("DE",)}, None, "region"),
        ({"embeddable": True, "regions_allowed": ()}, "DE", "region"),
        ({"embeddable": True, "regions_allowed": ("DE",), "regions_blocked": ("DE",)}, "DE", "region"),
        ({"embeddable": True, "live": "live"}, "US", None),
    ],
)
def test_R9_a_player_only_where_its_provider_lets_it_play(
    said: dict[str, object], region: str | None, why: str | None
) -> None:
    assert why_link_only(facts(**said), region) == why
    assert may_embed(facts(**said), region) == (why is None)


def test_R9_what_nobody_told_us_about_gets_a_link() -> None:
    assert not may_embed(None, "US")


def test_R10_only_official_hosts_are_asked_and_only_by_https() -> None:
    assert hosts({}) == [
        "https://itunes.apple.com",
        "https://www.dailymotion.com",
        "https://api.deezer.com",
        "https://musicbrainz.org",
        "https://soundcloud.com",
        "https://www.tiktok.com",
        "https://vimeo.com",
        "https://www.googleapis.com",
        "https://www.youtube.com",
        "https://api.spotify.com",
        "https://accounts.spotify.com",
    ]


def test_each_provider_can_be_elsewhere() -> None:
    for each in CATALOGUES:
        if each.bases:
            elsewhere = hosts({each.provider: "http://127.0.0.1:9"})
            assert not set(elsewhere) & set(each.bases)
            assert elsewhere.count("http://127.0.0.1:9") == 1
    assert len(set(hosts({"spotify": "http://127.0.0.1:9"})) & {"https://api.spotify.com"}) == 0


async def test_OUT_2_no_other_host_can_be_asked_by_mistake() -> None:
    async with open_http(["https://musicbrainz.org"]) as http:
        made = Catalogues(Setup(http, USER_AGENT, overrides={"deezer": "https://nowhere.invalid"}))
        with pytest.raises(ValueError, match="may not ask"):
            await made.look_up(link(URLS["deezer"]), now=NOW)


PASTED = {
    "apple_music": "https://music.apple.com/de/album/x/1?i=1574210894&evil=1#evil",
    "dailymotion": "https://dai.ly/xy0wd?evil=1#evil",
    "deezer": "http://www.deezer.com/fr/track/3135556?evil=1&url=http://evil.invalid/",
    "soundcloud": "https://m.soundcloud.com/zedsdead/lost-you?evil=1&si=evil#evil",
    "tiktok": "https://www.tiktok.com/@evil/video/6806030056956251397?evil=1",
    "vimeo": "https://player.vimeo.com/video/235352744?evil=1#evil",
    "youtube": "https://m.youtube.com/watch?evil=1&v=eiHXASgRTcA&list=evil&t=90#evil",
    "musicbrainz": "https://musicbrainz.org/recording/cb2cc207-8125-445c-9ef9-6ea44eee959a?evil=1",
}


@pytest.mark.parametrize("provider", PASTED)
async def test_OUT_1_what_is_asked_is_built_by_us_and_nothing_pasted_is_in_it(
    http: Http, service: Service, provider: str
) -> None:
    made = catalogues(http, service)
    await made.look_up(link(PASTED[provider]), now=NOW)
    await made.recordings(link(PASTED[provider]), now=NOW)
    assert len(service.asked) >= 2
    for request in service.asked:
        assert "evil" not in f"{request.path}{request.query}{dict(request.headers)}{request.body!r}"


WAYS_OUT = {ROOT / "providers" / "http.py", ROOT / "providers" / "shortlinks.py"}


def test_OUT_5_there_are_two_ways_out() -> None:
    for package in OUR_PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            outgoing = imports(path) & {"httpx", "requests", "urllib3", "urllib.request", "http.client"}
            assert not outgoing or path in WAYS_OUT, f"{path} imports {outgoing}"


@pytest.mark.parametrize("contact", ["", " ", "a\nb", "rosa@example.org)", "ü@example.org", "(x)"])
def test_R11_a_contact_that_no_header_can_carry_is_refused(contact: str) -> None:
    with pytest.raises(ValueError, match="contact"):
        user_agent("1.0", contact)


def test_adding_one_is_a_file_and_a_line() -> None:
    apart = {"__init__", "budget", "client", "facts", "oembed", "setup", "shapes", "spotify"}
    assert {path.stem for path in FOLDER.glob("*.py")} - apart == {each.provider for each in CATALOGUES}
    assert {each.provider for each in CATALOGUES} <= {service.slug for service in SERVICES}


def literals(path: Path) -> set[str]:
    """The texts in a module's code, without its docstrings."""
    tree = ast.parse(path.read_text())
    apart = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    texts = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in apart)
    return {node.value for node in texts if isinstance(node.value, str)}


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found
