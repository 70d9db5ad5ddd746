"""Settings: the defaults, what is taken, and one line for each value that is not."""

from pathlib import Path

import pytest
from dotenv import dotenv_values

from bot.settings import PROVIDERS, Settings, SettingsError, load_settings, unknown_settings, variable
from moments.sessions import Defaults
from providers.catalogue import CATALOGUES

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / ".env.example"

pytestmark = pytest.mark.usefixtures("nothing_set")


def described() -> list[tuple[str, str]]:
    return [(variable(field), info.description or "") for field, info in Settings.model_fields.items()]


def test_the_example_lists_every_setting_in_order_each_with_one_line_of_explanation() -> None:
    blocks = EXAMPLE.read_text().strip().split("\n\n")[1:]
    listed = [
        (setting.partition("=")[0], comment.removeprefix("# ")) for comment, setting in map(str.splitlines, blocks)
    ]
    assert listed == described()


def test_the_example_copied_as_it_is_changes_nothing() -> None:
    untouched = load_settings()
    Path(".env").write_text(EXAMPLE.read_text())
    assert load_settings() == untouched
    assert not unknown_settings()


def test_the_examples_values_are_the_defaults() -> None:
    for name, value in dotenv_values(EXAMPLE).items():
        field = Settings.model_fields[name.removeprefix("MOMENTS_").lower()]
        assert value == str(field.get_default() or "") or field.default_factory or field.default in {None, ()}


def test_the_contracts_defaults() -> None:
    settings = load_settings()
    assert settings.database == Path("moments.db")
    assert (settings.web_host, settings.web_port, settings.public_url) == ("127.0.0.1", 8080, "http://localhost:8080")
    assert settings.defaults == Defaults(cooldown_seconds=15, crowd_window_seconds=15, lead_seconds=20)
    assert (settings.log_format, settings.log_level) == ("console", "info")
    assert (settings.secret_keys, settings.trusted_proxies, settings.metrics_token) == ((), (), None)


def test_the_public_url_follows_the_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOMENTS_WEB_PORT", "9000")
    assert load_settings().public_url == "http://localhost:9000"


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        ("database_url", "sqlite:////srv/moments.db", "sqlite:////srv/moments.db"),
        ("web_host", "[::1]", "::1"),
        ("web_host", "Localhost", "localhost"),
        ("web_port", " 65535 ", 65535),
        ("public_url", "https://Moments.example.org/", "https://moments.example.org"),
        ("public_url", "http://[::1]:8080", "http://[::1]:8080"),
        ("lead_seconds", "0", 0),
        ("cooldown_seconds", "0", 0),
        ("crowd_window_seconds", "", 15),
        ("log_format", "JSON", "json"),
        ("log_level", "Warning", "warning"),
        ("trusted_proxies", "127.0.0.1, 10.0.0.0/8,::1", ("127.0.0.1/32", "10.0.0.0/8", "::1/128")),
    ],
)
def test_what_is_taken(monkeypatch: pytest.MonkeyPatch, field: str, text: str, value: object) -> None:
    monkeypatch.setenv(variable(field), text)
    assert getattr(load_settings(), field) == value


def test_an_absolute_database_has_four_slashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOMENTS_DATABASE_URL", "sqlite:////srv/moments.db")
    assert load_settings().database == Path("/srv/moments.db")


def test_several_secret_keys_are_read_newest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOMENTS_SECRET_KEY", f"{'n' * 32}, {'o' * 40}")
    assert load_settings().secret_keys == ("n" * 32, "o" * 40)


WRONG = [
    ("DATABASE_URL", "moments.db", "like sqlite:///moments.db"),
    ("DATABASE_URL", "sqlite://", "like sqlite:///moments.db"),
    ("DATABASE_URL", "sqlite:///", "like sqlite:///moments.db"),
    ("DATABASE_URL", "sqlite:///:memory:", "like sqlite:///moments.db"),
    ("DATABASE_URL", "sqlite:///a.db?mode=ro", "like sqlite:///moments.db"),
    ("DATABASE_URL", "postgresql://me:canary-1@db/moments", "PostgreSQL comes in a later version"),
    ("DATABASE_URL", "mysql://me:canary-1@db/moments", "like sqlite:///moments.db"),
    ("WEB_HOST", "here or there", "an address or host name"),
    ("WEB_HOST", "http://localhost", "an address or host name"),
    ("WEB_PORT", "0", "a whole number from 1 to 65535"),
    ("WEB_PORT", "65536", "a whole number from 1 to 65535"),
    ("WEB_PORT", "http", "a whole number from 1 to 65535"),
    ("WEB_PORT", "8_080", "a whole number from 1 to 65535"),
    ("WEB_PORT", "８０８０", "a whole number from 1 to 65535"),
    ("WEB_PORT", "9" * 5000, "a whole number from 1 to 65535"),
    ("PUBLIC_URL", "moments.example.org", "http or https, without a path"),
    ("PUBLIC_URL", "ftp://moments.example.org", "http or https, without a path"),
    ("PUBLIC_URL", "https://moments.example.org/../x", "http or https, without a path"),
    ("PUBLIC_URL", "https://moments.example.org/moments", "http or https, without a path"),
    ("PUBLIC_URL", "https://me:canary-1@moments.example.org", "http or https, without a path"),
    ("PUBLIC_URL", "https://moments.example.org?x=1", "http or https, without a path"),
    ("PUBLIC_URL", "https://moments.example.org\\evil.example", "http or https, without a path"),
    ("PUBLIC_URL", "https://moments\texample.org", "without control characters"),
    ("PUBLIC_URL", "https://moments.example.org:0", "http or https, without a path"),
    ("SECRET_KEY", "canary-1", "at least 32 characters"),
    ("SECRET_KEY", f"{'canary-1' * 4},", "at least 32 characters"),
    ("SECRET_KEY", f"{'canary-1' * 4}\udc80", "without control characters"),
    ("LEAD_SECONDS", "-1", "a whole number from 0 to 3600"),
    ("LEAD_SECONDS", "2.5", "a whole number from 0 to 3600"),
    ("COOLDOWN_SECONDS", "-15", "a whole number from 0 to 3600"),
    ("CROWD_WINDOW_SECONDS", "3601", "a whole number from 0 to 3600"),
    ("LOG_FORMAT", "xml", "console or json"),
    ("LOG_LEVEL", "loud", "debug, info, warning or error"),
    ("TRUSTED_PROXIES", "everyone", "networks separated by commas"),
    ("TRUSTED_PROXIES", "10.0.0.1/8", "networks separated by commas"),
    ("YOUTUBE_API_KEY", "canary-1 canary-1", "the key as the cloud console shows it"),
    ("SPOTIFY_CLIENT_SECRET", "canary-1 canary-1", "the secret as the developer console shows it"),
    ("SPOTIFY_CLIENT_ID", "canary-1", "letters and digits"),
    ("DEEZER_API_URL", "canary-1.example.org", "an address like https://example.org"),
    ("APPLE_MUSIC_API_URL", "https://canary-1@example.org", "an address like https://example.org"),
    ("METRICS_TOKEN", "canary-1", "at least 16 characters"),
    ("METRICS_TOKEN", "canary-1 canary-1 canary-1", "at least 16 characters"),
]


@pytest.mark.parametrize(("name", "value", "expected"), WRONG)
def test_LOG_1_a_wrong_value_is_one_line_with_its_name_and_shape_and_never_itself(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: str
) -> None:
    monkeypatch.setenv(f"MOMENTS_{name}", value)
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert str(refused.value).startswith(f"MOMENTS_{name} must be ")
    assert expected in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "canary-1" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_every_wrong_value_has_its_own_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOMENTS_WEB_PORT", "x")
    monkeypatch.setenv("MOMENTS_LEAD_SECONDS", "x")
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert [line.split()[0] for line in str(refused.value).splitlines()] == ["MOMENTS_WEB_PORT", "MOMENTS_LEAD_SECONDS"]


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("MOMENTS_WEB_PORT=9000\nMOMENTS_LEAD_SECONDS=5\n")
    monkeypatch.setenv("MOMENTS_WEB_PORT", "9001")
    assert (load_settings().web_port, load_settings().lead_seconds) == (9001, 5)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"MOMENTS_WEB_PORT=1\nmy 'words\n", ".env, line 2: write a setting"), (b"A=\xff", "saved as UTF-8 text")],
)
def test_a_file_that_cannot_be_read_is_said(content: bytes, sentence: str) -> None:
    Path(".env").write_bytes(content)
    with pytest.raises(SettingsError, match=sentence):
        load_settings()


def test_names_this_version_does_not_know_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("MOMENTS_LLM_MODEL=abc\nOTHER=1\n")
    monkeypatch.setenv("MOMENTS_WEB_PROT", "1")
    monkeypatch.setenv("MOMENTS_TEST_POSTGRESQL", "1")
    monkeypatch.setenv("MOMENTS_SHARED_DATA", "1")
    assert unknown_settings() == (
        "MOMENTS_LLM_MODEL is not a setting of this version; see .env.example.",
        "MOMENTS_WEB_PROT is not a setting of this version; did you mean MOMENTS_WEB_PORT?",
    )


def test_LOG_1_secrets_are_not_in_the_settings_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOMENTS_SECRET_KEY", "canary-1" * 4)
    monkeypatch.setenv("MOMENTS_METRICS_TOKEN", "canary-1" * 4)
    assert "canary-1" not in repr(load_settings()) + str(load_settings())


def test_twitch_starts_only_with_all_of_its_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().twitch is None
    monkeypatch.setenv("MOMENTS_TWITCH_CLIENT_ID", "abcdef0123456789")
    monkeypatch.setenv("MOMENTS_TWITCH_BOT_ID", "4242")
    with pytest.raises(
        SettingsError, match=r"^MOMENTS_TWITCH_CLIENT_SECRET must be set too, or Twitch cannot start\.$"
    ):
        load_settings()
    monkeypatch.setenv("MOMENTS_TWITCH_CLIENT_SECRET", "canary-of-the-application")
    monkeypatch.setenv("MOMENTS_TWITCH_API_URL", "http://127.0.0.1:9100/")
    twitch = load_settings().twitch
    assert twitch is not None
    assert (twitch.endpoints.api, twitch.endpoints.auth) == ("http://127.0.0.1:9100", "https://id.twitch.tv")
    assert "canary" not in repr(twitch)


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("twitch_bot_id", "my_bot"),
        ("twitch_api_url", "api.twitch.tv"),
        ("twitch_api_url", "https://user@evil"),
        ("twitch_eventsub_url", "https://eventsub.wss.twitch.tv/ws"),
        ("twitch_client_secret", "two words here"),
    ],
)
def test_what_cannot_be_twitchs_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, field: str, text: str) -> None:
    monkeypatch.setenv(variable(field), text)
    with pytest.raises(SettingsError, match=f"^{variable(field)} must be "):
        load_settings()


def test_each_service_can_be_asked_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().provider_urls == {}
    for provider in PROVIDERS:
        monkeypatch.setenv(variable(f"{provider}_api_url"), f"http://127.0.0.1:9/{provider}/")
    assert load_settings().provider_urls == {provider: f"http://127.0.0.1:9/{provider}" for provider in PROVIDERS}
    assert set(PROVIDERS) | {"twitch"} == {each.provider for each in CATALOGUES} | {"spotify"}


def test_spotify_is_asked_only_with_both_of_its_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOMENTS_SPOTIFY_CLIENT_ID", "abcdef0123456789")
    with pytest.raises(SettingsError, match=r"^MOMENTS_SPOTIFY_CLIENT_SECRET must be set too, or neither\.$"):
        load_settings()
    monkeypatch.setenv("MOMENTS_SPOTIFY_CLIENT_SECRET", "canary-of-the-application")
    monkeypatch.setenv("MOMENTS_YOUTUBE_API_KEY", "canary-of-the-project")
    assert "canary" not in repr(load_settings()) + str(load_settings())
