"""Requirements R1–R12 of research/providers.md on the whole: what services tell goes in time and reaches nothing else.

What each service's own file must hold to is in tests/providers/test_catalogue_*.py; what pages show in
tests/web_export.
"""

import ast
import dataclasses
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.enriching import agent
from bot.settings import Settings
from commands.shown import Place, Shown
from commands.upkeep import clean
from moments.live import Author
from moments.matching import Recording
from providers.catalogue import Keys, MediaFacts, QuarantinedFacts, hosts
from providers.catalogue.facts import KEPT
from storage import Transaction, popularity, saves, sources
from storage.ledger import PURPOSE, erasure_digest
from storage.sources import Told
from storage.tracks import Track
from tests.chat import KEYS
from tests.enriching import (
    APPLE,
    DEEZER,
    ISRC,
    MBID,
    NOW,
    SPOTIFY,
    YOUTUBE,
    World,
    by,
    open_world,
    plan_recording,
    plan_song,
    recording,
    youtube_video,
)
from tests.providers.catalogue_server import YOUTUBE_KEY, link
from tests.providers.service import says
from web_export.credits import credits_of

ROOT = Path(__file__).parents[1]
PACKAGES = ("bot", "commands", "moments", "providers", "storage", "web_export")
SOURCES = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
TESTS = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
SPOTIFY_ID = "5W3cjX2J3tjhG8zb6u0qHn"
VOD = "https://www.twitch.tv/videos/1652727194"
BOTH = Keys(youtube=YOUTUBE_KEY, spotify_id="id", spotify_secret="secret-of-spotify")
TOLD_WORDS = ("Harder Better", "Official Audio", ISRC, "canary")
"""What the services below say and nobody typed. The artist is in no row either: nobody here names them."""


@pytest.fixture
async def world(database: Path) -> AsyncIterator[World]:
    """Everything is known of a song on four services, and a VOD."""
    async with open_world(database, BOTH) as world:
        plan_song(world.service)
        plan_spotify(world)
        await world.saves(("Ann", YOUTUBE), ("Ben", DEEZER), ("Cat", APPLE), ("Dan", SPOTIFY))
        yield world


def plan_spotify(world: World) -> None:
    world.service.plan("POST", "/api/token", says(200, {"access_token": "t", "expires_in": 3600}))
    song = {"id": SPOTIFY_ID, "name": "canary-spotify", "artists": [{"name": "canary-spotify"}], "duration_ms": 224_000}
    world.service.plan("GET", f"/v1/tracks/{SPOTIFY_ID}", says(200, song | {"external_ids": {"isrc": ISRC}}))


@pytest.mark.parametrize("number", range(1, 13))
def test_every_requirement_has_a_test_that_names_it(number: int) -> None:
    assert re.search(rf"def test_R{number}_\w", TESTS), f"nothing proves R{number}"


# --- R1, R2: what services tell is a guest


def test_R1_every_table_of_what_services_tell_says_whose_since_when_and_until_when() -> None:
    migrations = (ROOT / "storage" / "migrations").glob("*.py")
    source = "\n".join(each.read_text(encoding="utf-8") for each in migrations)
    tables = dict(re.findall(r"CREATE TABLE (api_\w+) \(\n(.*?)\n        \)", source, re.DOTALL))
    assert {"api_source", "api_stream", "api_archive"} <= set(tables)
    for columns in tables.values():
        assert all(
            re.search(rf"^\s+{name} ", columns, re.MULTILINE) for name in ("provider", "fetched_at", "expires_at")
        )


async def test_R1_a_month_later_the_purge_leaves_no_row_and_no_word_anywhere(world: World) -> None:
    before = await world.everything()
    assert any(word in before for word in TOLD_WORDS)
    world.watch.now += timedelta(days=31)
    await clean(world.services)
    assert await world.rows("api_source") == []
    everything = await world.everything()
    assert not [word for word in TOLD_WORDS if word in everything]


async def test_R1_a_day_and_an_hour_later_nothing_twitch_or_spotify_told_is_left(world: World) -> None:
    async def job(transaction: Transaction) -> None:
        kept = KEPT["twitch"]
        assert kept is not None
        await sources.put(transaction, Told("twitch", "1652727194", NOW, NOW + kept, title="canary-vod"))

    await world.store.run(job, message=None, now=NOW)
    assert world.enricher.quarantined(SPOTIFY_ID, NOW) is not None
    world.watch.now += timedelta(hours=25)
    await clean(world.services)
    assert await world.store.fetch("SELECT 1 FROM api_source WHERE provider IN ('twitch', 'spotify')") == []
    assert "canary-vod" not in await world.everything()
    assert world.enricher.quarantined(SPOTIFY_ID, world.watch.now) is None
    assert await world.told(YOUTUBE) is not None, "the others' clocks are longer"


async def test_R1_nothing_expired_is_shown_even_before_the_purge(world: World) -> None:
    world.watch.now += timedelta(days=31)
    for url in (YOUTUBE, DEEZER, APPLE):
        assert await world.told(url) is None
    assert len(await world.rows("api_source")) == 3


async def test_R1_what_musicbrainz_tells_is_free_and_may_stay(database: Path) -> None:
    async with open_world(database) as world:
        plan_song(world.service)
        plan_recording(world.service, recording(DEEZER), DEEZER)
        await world.saves(("Ann", DEEZER))
        world.watch.now += timedelta(days=400)
        await clean(world.services)
        assert [row[:2] for row in await world.rows("api_source")] == [("musicbrainz", MBID)]


async def test_R2_peoples_own_words_and_counts_outlive_all_services_told(world: World) -> None:
    before = {url: await world.people(url) for url in (YOUTUBE, DEEZER, APPLE, SPOTIFY)}
    own = await world.rows("save")
    world.watch.now += timedelta(days=31)
    await clean(world.services)
    assert {url: await world.people(url) for url in before} == before
    assert before[YOUTUBE] == 3
    assert await world.rows("save") == own
    assert "Ann was here" in await world.everything()


async def test_R2_saving_counting_and_reading_work_without_a_word_of_theirs(world: World) -> None:
    world.watch.now += timedelta(days=31)
    await clean(world.services)
    assert (await world.save("Eve", DEEZER, 46, 61, want=False)).people == 4
    track = await world.track(DEEZER)
    assert [part.people for part in await popularity.best(world.store, track)] == [4]
    assert max(await popularity.heat(world.store, track, None)) == 4
    moments = await saves.own(world.store, "twitch", "eve")
    assert [moment.note for moment in moments] == ["Eve was here"]
    found = await saves.moment(world.store, moments[0].id)
    assert found is not None
    assert (found.start_seconds, found.end_seconds, found.note) == (46, 61, "Eve was here")


# --- R3: gone, deleted, private


@pytest.mark.parametrize(
    ("url", "path", "answer"),
    [
        (YOUTUBE, "/youtube/v3/videos", {"items": []}),
        (YOUTUBE, "/youtube/v3/videos", {"items": [youtube_video() | {"status": {"privacyStatus": "private"}}]}),
        (DEEZER, "/track/3135556", {"error": {"code": 800}}),
        (APPLE, "/lookup", {"results": []}),
    ],
)
async def test_R3_what_is_gone_or_private_is_wiped_without_waiting_for_the_purge(
    world: World, url: str, path: str, answer: object
) -> None:
    version = (await world.track(url)).version
    world.service.plan("GET", path, says(200, answer))
    world.watch.now += timedelta(days=30)
    world.enricher.wanted(link(url))
    await world.settle()
    columns = "state, title, by_line, duration_seconds, isrc, embeddable, regions_allowed, regions_blocked, links"
    thing = link(url)
    (row,) = await world.store.fetch(f"SELECT {columns} FROM api_source WHERE media_id = ?", thing.media_id)  # noqa: S608
    assert row[0] in ("gone", "private")
    assert row[1:] == (None,) * 7 + ("[]",)
    assert (await world.track(url)).version > version, "no page keeps showing it"
    assert await world.people(url) == 3


# --- R4: nobody's popularity

_POPULAR = re.compile(
    r"(view|like|play|favou?rite|subscriber|follower)_?counts?|popularity_score|\bpopularity\b", re.IGNORECASE
)


async def test_R4_no_column_no_field_and_no_question_is_about_popularity_on_a_service(world: World) -> None:
    columns = await world.store.fetch(
        "SELECT it.name || '.' || its.name FROM sqlite_master AS it, pragma_table_info(it.name) AS its"
    )
    assert len(columns) > 100
    assert not [name for (name,) in columns if _POPULAR.search(name)]
    for path in SOURCES:
        for text in words_of(path) - {"popularity"}:  # our own: storage/popularity.py counts what people saved here
            assert not _POPULAR.search(text), f"{path}: {text}"
    for kind in (MediaFacts, Told, Recording):
        names = [f.name for f in dataclasses.fields(kind)] if dataclasses.is_dataclass(kind) else list(kind._fields)
        assert not [name for name in names if "popular" in name or "view" in name or "rank" in name]


def words_of(path: Path) -> set[str]:
    """Names, attributes and texts in a module's code, without its docstrings: those may say what is not done."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    found = set()
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)) if id(node) not in said:
                found.add(text)
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
                found.add(name)
    return found


# --- R5: whose numbers these are


@pytest.mark.parametrize(
    ("url", "service"), [(YOUTUBE, "YouTube"), ("https://www.twitch.tv/videos/1652727194", "Twitch")]
)
def test_R5_counts_are_said_to_be_our_users_and_not_the_services(url: str, service: str) -> None:
    shown = Shown(Track(1, "t", 1), (Place(link(url), None),))
    assert credits_of(shown).ours == f"From Moments users, not {service} data."


# --- R6: Spotify


async def test_R6_nothing_spotify_says_reaches_the_store_the_matching_or_another_service(world: World) -> None:
    assert world.enricher.quarantined(SPOTIFY_ID, NOW) is not None, "it was asked, and answered"
    assert "canary-spotify" not in await world.everything()
    assert await world.people(SPOTIFY) == 1, "the same name, ISRC and length, and not joined: nobody may compare them"
    asked = [each for each in world.service.asked if not each.path.startswith(("/v1/", "/api/token"))]
    assert not [each for each in asked if "canary-spotify" in f"{each.path}{each.query}"]


async def test_R6_no_row_of_spotifys_is_ever_kept(world: World) -> None:
    assert await world.store.fetch("SELECT 1 FROM api_source WHERE provider = 'spotify'") == []


def test_R6_the_matching_and_the_exports_have_no_way_to_spotifys_words() -> None:
    """Only who keeps them in memory, and the composition of the process, know the kind they are of."""
    knowing = {path.relative_to(ROOT).as_posix() for path in SOURCES if "QuarantinedFacts" in path.read_text()}
    allowed = {"commands/enrich.py", "providers/catalogue/__init__.py", "providers/catalogue/facts.py"}
    assert knowing == allowed | {"providers/catalogue/spotify.py"}
    ours = {each.name for each in dataclasses.fields(Recording)} | set(Told._fields)
    theirs = {each.name for each in dataclasses.fields(QuarantinedFacts)}
    assert ours & theirs <= {"media_id", "fetched_at", "expires_at"}


async def test_R6_spotify_is_off_until_it_is_set_up(database: Path) -> None:
    async with open_world(database, Keys(youtube=YOUTUBE_KEY)) as world:
        plan_spotify(world)
        await world.saves(("Ann", SPOTIFY))
        assert world.enricher.quarantined(SPOTIFY_ID, NOW) is None
        assert not [path for path in world.service.paths() if "/v1/" in path or "token" in path]


# --- R7: delete my data


async def test_R7_who_is_forgotten_is_gone_at_once_with_saves_words_and_counts(world: World) -> None:
    key = KEYS.derive(PURPOSE)

    async def job(transaction: Transaction) -> None:
        await transaction.forget(Author("twitch", "ann", "Ann"), lambda *who: erasure_digest(key, *who), NOW)

    await world.store.run(job, message=None, now=NOW)
    assert await world.people(YOUTUBE) == 2
    everything = await world.everything()
    assert "Ann" not in everything
    assert "'ann'" not in everything
    assert YOUTUBE not in everything, "nor the link as it was pasted"


# --- R10 – R12: how we ask

_UNOFFICIAL = ("youtubei", "innertube", "gql.twitch", "gql/", "api-v2.soundcloud", "api-partner", "spclient", "yt-dlp")


def test_R10_no_unofficial_door_is_named_where_anything_is_asked() -> None:
    links = set((ROOT / "providers").glob("*.py")) - {ROOT / "providers" / "http.py"}  # what people may paste
    for path in set(SOURCES) - links:
        text = path.read_text(encoding="utf-8").lower()
        assert not [door for door in _UNOFFICIAL if door in text], path


def test_R10_nothing_but_json_is_fetched_so_no_sound_and_no_picture() -> None:
    assert '"Accept": "application/json"' in (ROOT / "providers" / "http.py").read_text(encoding="utf-8")
    assert all(base.startswith("https://") for base in hosts({}))


@pytest.mark.parametrize(
    ("contact", "expected"),
    [
        ("rosa@example.org", "rosa@example.org"),
        ("", "https://moments.example.org"),
        ("Rosa (the operator)", "https://moments.example.org"),
        ("Ünal", "https://moments.example.org"),
    ],
)
def test_R11_whoever_is_asked_knows_who_we_are_and_whom_to_write_to(
    contact: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # no .env of the machine's
    settings = Settings(public_url="https://moments.example.org", contact=contact)
    assert re.fullmatch(rf"Moments/[0-9][\w.]* \( {re.escape(expected)} \)", agent(settings))


async def test_R11_however_many_save_musicbrainz_has_one_caller_for_the_whole_process(world: World) -> None:
    """The pace itself is tests/providers/test_catalogue_budget.py; here: nothing goes past it."""
    makers = [path.relative_to(ROOT).as_posix() for path in SOURCES if re.search(r"\bCatalogues\(", path.read_text())]
    assert makers == ["bot/enriching.py"]


async def test_R12_deezers_200_with_an_error_keeps_nothing_and_is_tried_again(database: Path) -> None:
    async with open_world(database) as world:
        world.service.plan("GET", "/track/3135556", says(200, {"error": {"code": 4, "message": "Quota"}}))
        await world.saves(("Ann", DEEZER))
        assert await world.rows("api_source") == []
        assert len(world.held.slept) == 1


async def test_R12_a_used_up_quota_is_left_alone_until_it_is_new(database: Path) -> None:
    async with open_world(database) as world:
        quota = {"error": {"errors": [{"reason": "quotaExceeded"}]}}
        world.service.plan("GET", "/youtube/v3/videos", says(403, quota))
        world.service.plan("GET", "/oembed", by("format", {}))
        await world.saves(("Ann", YOUTUBE), ("Ben", "https://youtu.be/xxxxxxxxxxx"))
        assert world.service.paths().count("GET /youtube/v3/videos") == 1
        assert min(world.held.slept) >= 3_600  # 20:00 UTC is noon in California
