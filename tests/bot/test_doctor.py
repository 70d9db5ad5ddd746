"""`moments doctor`: each finding says what to do, and nothing is made or changed."""

import io
import socket
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from bot.doctor import examine
from bot.settings import Settings
from commands import connecting
from commands.dispatch import Dispatcher
from commands.feed import Feed
from commands.model import Heard, Platform
from commands.services import Services, utc_now
from moments.grants import Grant
from moments.live import Author, Place
from moments.people import Role
from moments.sessions import Defaults
from storage import open_store
from storage.keys import key_file, secret_keys

EVERYWHERE = "0.0.0.0"  # noqa: S104 - never listened on

TWITCH = {"twitch_client_id": "client", "twitch_client_secret": "s" * 30, "twitch_bot_id": "1"}

pytestmark = pytest.mark.usefixtures("nothing_set")


async def findings(**settings: object) -> tuple[int, str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        settings.setdefault("web_port", free.getsockname()[1])
    out = io.StringIO()
    return await examine(Settings(**settings), out), out.getvalue()  # type: ignore[arg-type]


async def installed() -> Path:
    database = Settings().database
    secret_keys((), database)
    async with open_store(database, defaults=Defaults()):
        pass
    return database


def everything() -> dict[str, tuple[int, int, bytes]]:
    return {file.name: (file.stat().st_mtime_ns, file.stat().st_mode, file.read_bytes()) for file in Path().iterdir()}


async def test_without_a_database_it_says_so_and_stays_out_of_the_folder() -> None:
    code, text = await findings()
    assert (code, text.count("FAIL")) == (1, 1)
    assert "FAIL  database: There is no database at moments.db. Start Moments once" in text
    assert not everything()


async def test_a_sound_installation_is_ok_and_untouched() -> None:
    await installed()
    before = everything()
    code, text = await findings(public_url="https://moments.example.org")
    assert (code, {line.split()[0] for line in text.splitlines()}) == (0, {"ok"})
    assert everything() == before


async def test_a_damaged_database_fails() -> None:
    (await installed()).write_bytes(b"no database " * 1000)
    code, text = await findings()
    assert code == 1
    assert "FAIL  database: moments.db is damaged or not a database." in text


async def test_a_newer_database_fails() -> None:
    with sqlite3.connect(await installed()) as newer:
        newer.execute("PRAGMA user_version = 9999")
    newer.close()
    code, text = await findings()
    assert code == 1
    assert "FAIL  database: moments.db was written by a newer Moments" in text


async def test_a_database_that_waits_for_a_migration_is_told() -> None:
    with sqlite3.connect(await installed()) as older:
        older.execute("PRAGMA user_version = 0")
    older.close()
    code, text = await findings()
    assert code == 0
    assert "warn  database: moments.db is sound, of version 0; the next start makes it" in text


async def test_OPS_5_a_database_others_can_read_is_told() -> None:
    (await installed()).chmod(0o644)
    assert (
        "warn  database: other users of this machine can open moments.db. Type: chmod 600 moments.db"
        in (await findings())[1]
    )


@pytest.mark.parametrize(
    ("days", "sentence"),
    [(0, "ok    session: Celeste of River is active since 20"), (3, "If it is over, a moderator types !end there.")],
)
async def test_a_session_left_open_is_told_with_its_time(days: int, sentence: str) -> None:
    async with open_store(await installed(), defaults=Defaults()) as store:
        then = utc_now() - timedelta(days=days)
        chat = Dispatcher(Services(store, Feed(), lambda: then, Defaults(), "", secret_keys([], store.path)))
        place, author = Place("console", "river", "River"), Author("console", "river", "River")
        await chat.hear(Heard(Platform("console"), place, author, Role.BROADCASTER, "!start Celeste", then))
    assert sentence in (await findings())[1]


async def test_KEY_4_a_key_others_can_read_fails() -> None:
    key_file(await installed()).chmod(0o644)
    code, text = await findings()
    assert code == 1
    assert "FAIL  moments.key can be read by other users of this machine. Type: chmod 600 moments.key" in text


async def test_a_missing_key_is_told_once_there_is_a_database() -> None:
    key_file(await installed()).unlink()
    assert "warn  secret key: moments.key is missing" in (await findings())[1]


def world_readable_env() -> None:
    Path(".env").write_text("MOMENTS_LOG_LEVEL=info\n")
    Path(".env").chmod(0o644)


def misspelt() -> None:
    Path(".env").write_text("MOMENTS_WEB_PROT=1\n")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"public_url": "http://127.0.0.1:9"}, "warn  links: http://127.0.0.1:9 opens on this machine only"),
        ({"public_url": "http://moments.example.org"}, "is not encrypted"),
        (
            {"public_url": "http://moments.example.org:8080", **TWITCH},
            "back to https addresses only. Set MOMENTS_PUBLIC_URL to https://moments.example.org once that works.",
        ),
        ({"public_url": "https://moments.example.org"}, "ok    links: https://moments.example.org"),
        ({"web_host": EVERYWHERE}, "warn  site: listens on 0.0.0.0 without trusted proxies"),
        ({"web_host": "::"}, "warn  site: listens on :: without trusted proxies"),
        ({"web_host": EVERYWHERE, "trusted_proxies": "10.0.0.1"}, "ok    site: listens on 0.0.0.0, behind 10.0.0.1/32"),
        ({"trusted_proxies": "0.0.0.0/0"}, "warn  MOMENTS_TRUSTED_PROXIES takes everybody's word"),
        ({"web_host": "192.0.2.1"}, "FAIL  port: 192.0.2.1,"),
        ({"database_url": "sqlite:///nowhere/moments.db"}, "FAIL  disk: there is no folder"),
        ({"secret_key": "k" * 40}, "ok    secret key: from MOMENTS_SECRET_KEY"),
    ],
)
async def test_OPS_5_the_table(settings: dict[str, object], sentence: str) -> None:
    if "database_url" not in settings:
        await installed()
    code, text = await findings(**settings)
    assert sentence in text
    assert code == sentence.startswith("FAIL")


@pytest.mark.parametrize(
    "settings",
    [
        {"public_url": "http://moments.example.org"},
        {"public_url": "https://moments.example.org", **TWITCH},
        {"public_url": "http://localhost:8080", **TWITCH},
    ],
)
async def test_twitch_asks_for_https_of_who_uses_it_from_elsewhere(settings: dict[str, object]) -> None:
    await installed()
    assert "twitch: nobody can log in" not in (await findings(**settings))[1]


async def test_without_discord_it_says_so_and_with_it_where_servers_let_the_bot_in() -> None:
    await installed()
    token = {"discord_token": "t" * 40}
    login = {"discord_application_id": "42", "discord_client_secret": "s" * 20}
    assert "ok    discord: not set up" in (await findings())[1]
    assert "MOMENTS_DISCORD_APPLICATION_ID" in (await findings(**token))[1]
    _, text = await findings(**token, **login)
    assert "https://discord.com/oauth2/authorize?client_id=42&scope=bot+applications.commands&permissions=19456" in text
    assert "t" * 40 not in text


async def test_without_twitch_it_says_so_in_one_line() -> None:
    await installed()
    assert "ok    twitch: not set up" in (await findings())[1]
    assert "twitch:" not in (await findings(public_url="https://moments.example.org", **TWITCH))[1]


async def test_a_streamer_who_took_their_leave_back_is_named_though_no_token_is_left() -> None:
    keys = secret_keys((), database := await installed())
    async with open_store(database, defaults=Defaults()) as store:
        services = Services(store, Feed(), utc_now, Defaults(), "", keys)
        for user_id, name in (("7", "Nightowl"), ("8", "Sable")):
            grant = Grant("twitch", user_id, name.lower(), "access", "refresh", frozenset({connecting.SEAT}))
            await connecting.connect(services, grant, name, name.lower(), utc_now())
        await connecting.revoked(services, "7", "authorization_revoked", utc_now())
    code, text = await findings(public_url="https://moments.example.org", **TWITCH)
    assert code == 0
    assert "warn  tokens: Nightowl has to connect again: https://moments.example.org/twitch/connect" in text
    assert "Sable" not in text
    assert "work, as far as" not in text


@pytest.mark.parametrize(
    ("prepare", "sentence"),
    [
        (world_readable_env, "warn  .env can be read by every user of this machine. Type: chmod 600 .env"),
        (misspelt, "warn  MOMENTS_WEB_PROT is not a setting of this version; did you mean MOMENTS_WEB_PORT?"),
    ],
)
async def test_OPS_5_the_env_file(prepare: Callable[[], None], sentence: str) -> None:
    prepare()
    assert sentence in (await findings())[1]


async def test_a_port_in_use_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"warn  port: {port} is in use" in (await findings(web_port=port))[1]


async def test_LOG_1_no_secret_is_shown() -> None:
    _, text = await findings(secret_key="canary-1" * 5, metrics_token="canary-1" * 5)
    assert "canary" not in text
