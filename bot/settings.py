"""What the operator can set: MOMENTS_… in the environment or in .env, read and checked once at the start."""

import difflib
import ipaddress
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from dotenv.parser import parse_stream
from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from moments.errors import MomentsError
from moments.sessions import Defaults
from storage.keys import SHORTEST_KEY

if TYPE_CHECKING:
    from providers.twitch import Endpoints

PREFIX = "MOMENTS_"
ENV_FILE = Path(".env")
SHORTEST_TOKEN = 16
LONGEST_CONTACT = 200
_TOGETHER = ("twitch_client_id", "twitch_client_secret", "twitch_bot_id")
"""Settings that are of use only together."""

_DISCORD_LOGIN = ("discord_application_id", "discord_client_secret")
_SPOTIFY = ("spotify_client_id", "spotify_client_secret")
PROVIDERS = (
    *("youtube", "spotify", "soundcloud", "vimeo", "dailymotion"),
    *("tiktok", "apple_music", "deezer", "musicbrainz"),
)
"""Services that can be asked on another host, each by MOMENTS_<PROVIDER>_API_URL; Twitch has more than one."""
_ELSEWHERE = (f"{PREFIX}TEST_", f"{PREFIX}SHARED_DATA")
"""Names that belong to the test run, not to us."""
_SQLITE_URL = re.compile(r"sqlite:///(?!:memory:)[^?#]*[^?#/]")
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
# Read with a pattern of our own: urlsplit drops a tab inside a host and keeps a backslash (research/security.md 16).
_PUBLIC_URL = re.compile(rf"(?P<base>https?://(?:{_HOST.pattern}|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{{1,5}}))?)/?")


@dataclass(frozen=True, slots=True)
class TwitchSettings:
    """Whose application we are on Twitch, which account speaks, and where Twitch is."""

    client_id: str
    client_secret: SecretStr
    bot_id: str
    endpoints: "Endpoints"


@dataclass(frozen=True, slots=True)
class DiscordSettings:
    """Whose application we are on Discord, and where Discord is."""

    token: SecretStr
    api_url: str
    """In front of `/v10/…`."""
    gateway_url: str


class SettingsError(MomentsError):
    """Settings that cannot be used: one line for each, naming the variable and what it should look like."""


def _text(value: object) -> str:
    text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
    text = text.strip()
    if not text.isprintable():
        raise ValueError("plain text without control characters")
    return text


def _whole_number(low: int, high: int) -> BeforeValidator:
    def read(value: object) -> int:
        text = _text(value)
        # int() alone would take 1_0 and the digits of every script.
        if not (re.fullmatch(r"[0-9]{1,6}", text) and low <= int(text) <= high):
            raise ValueError(f"a whole number from {low} to {high}")
        return int(text)

    return BeforeValidator(read)


def _one_of(*words: str) -> BeforeValidator:
    def read(value: object) -> str:
        word = _text(value).lower()
        if word not in words:
            raise ValueError(f"{', '.join(words[:-1])} or {words[-1]}")
        return word

    return BeforeValidator(read)


def _database_url(value: object) -> str:
    url = _text(value)
    if url.startswith(("postgresql", "postgres:")):
        raise ValueError("like sqlite:///moments.db; PostgreSQL comes in a later version")
    if not _SQLITE_URL.fullmatch(url):
        raise ValueError("like sqlite:///moments.db or sqlite:////srv/moments/moments.db")
    return url


def _host(value: object) -> str:
    host = _text(value).lower().removeprefix("[").removesuffix("]")
    if not (_HOST.fullmatch(host) or _is_address(host)):
        raise ValueError("an address or host name to listen on, like 127.0.0.1, 0.0.0.0 or ::1")
    return host


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _public_url(value: object) -> str:
    match = _PUBLIC_URL.fullmatch(_text(value).lower())
    if not match or int(match["port"] or 443) not in range(1, 65536):
        raise ValueError("like https://moments.example.org, http or https, without a path")
    return match["base"]


def _secret_key(value: object) -> SecretStr:
    keys = [key.strip() for key in _text(value).split(",")]
    if any(len(key) < SHORTEST_KEY for key in keys):
        raise ValueError(f"one or more keys of at least {SHORTEST_KEY} characters, separated by commas, newest first")
    return SecretStr(",".join(keys))


def _token(value: object) -> SecretStr:
    token = _text(value)
    if not re.fullmatch(rf"[!-~]{{{SHORTEST_TOKEN},}}", token):
        raise ValueError(f"at least {SHORTEST_TOKEN} characters: letters, digits and signs, no spaces")
    return SecretStr(token)


def _networks(value: object) -> tuple[str, ...]:
    text = ",".join(value) if isinstance(value, tuple | list) else _text(value)
    try:
        return tuple(str(ipaddress.ip_network(part.strip())) for part in text.split(",") if part.strip())
    except ValueError:
        raise ValueError("networks separated by commas, like 127.0.0.1, 10.0.0.0/8") from None


def _word(pattern: str, expected: str) -> BeforeValidator:
    def read(value: object) -> str:
        text = _text(value)
        if not re.fullmatch(pattern, text, re.ASCII):
            raise ValueError(expected)
        return text

    return BeforeValidator(read)


def _client_secret(value: object) -> SecretStr:
    secret = _text(value)
    if not re.fullmatch(r"[!-~]{8,128}", secret):
        raise ValueError("the secret as the developer console shows it, no spaces")
    return SecretStr(secret)


def _api_key(value: object) -> SecretStr:
    key = _text(value)
    if not re.fullmatch(r"[!-~]{8,200}", key):
        raise ValueError("the key as the cloud console shows it, no spaces")
    return SecretStr(key)


def _base_url(scheme: str) -> BeforeValidator:
    shape = re.compile(rf"(?ai){scheme}s?://({_HOST.pattern}|\[[0-9a-f:.]+\])(:[0-9]{{1,5}})?(/[\w./-]*)?")

    def read(value: object) -> str:
        url = _text(value)
        if not shape.fullmatch(url):
            raise ValueError(f"an address like {scheme}s://example.org")
        return url.rstrip("/")

    return BeforeValidator(read)


def _contact(value: object) -> str:
    contact = _text(value)
    if len(contact) > LONGEST_CONTACT:
        raise ValueError(f"at most {LONGEST_CONTACT} characters, an e-mail address or a link")
    return contact


_INSTEAD = "Another host instead of {}'s own, a mock server say."
BaseUrl = Annotated[str, _base_url("http")]
Seconds = Annotated[int, _whole_number(0, 3600)]


class Settings(BaseSettings):
    """Every setting that does something in this version, in the order of .env.example.

    A description is the setting's line in that file.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=ENV_FILE,
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        enable_decoding=False,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        validate_default=False,
    )

    database_url: Annotated[str, BeforeValidator(_database_url)] = Field(
        default="sqlite:///moments.db",
        description="Where everything is kept; four slashes for an absolute path: sqlite:////srv/moments/moments.db.",
    )
    web_host: Annotated[str, BeforeValidator(_host)] = Field(
        default="127.0.0.1", description="The address the site listens on; 0.0.0.0 for every network of this machine."
    )
    web_port: Annotated[int, _whole_number(1, 65535)] = Field(default=8080, description="The port the site listens on.")
    public_url: Annotated[str, BeforeValidator(_public_url)] = Field(
        default_factory=lambda known: f"http://localhost:{known['web_port']}",
        description="How people reach the site; links in replies begin with it. Empty: http://localhost:<port>.",
    )
    secret_key: Annotated[SecretStr | None, BeforeValidator(_secret_key)] = Field(
        default=None,
        description="At least 32 random characters; several with commas, newest first. Empty: one is made and kept.",
    )
    twitch_client_id: Annotated[
        str, _word("[0-9a-zA-Z_-]{1,64}", "the application's Client ID, letters and digits")
    ] = Field(
        default="",
        description="Of your application at dev.twitch.tv: docs/twitch.md says how."
        " Twitch starts when these three are set.",
    )
    twitch_client_secret: Annotated[SecretStr | None, BeforeValidator(_client_secret)] = Field(
        default=None, description="The application's secret."
    )
    twitch_bot_id: Annotated[str, _word("[0-9]{1,20}", "the account's user id, digits only; its name will not do")] = (
        Field(default="", description="The user id (a number) of the account that speaks as the bot.")
    )
    twitch_api_url: Annotated[str, _base_url("http")] = Field(
        default="https://api.twitch.tv", description="Another host in front of /helix/…, a mock server say."
    )
    twitch_auth_url: Annotated[str, _base_url("http")] = Field(
        default="https://id.twitch.tv", description="Another host in front of /oauth2/…."
    )
    twitch_eventsub_url: Annotated[str, _base_url("ws")] = Field(
        default="wss://eventsub.wss.twitch.tv/ws", description="Another websocket for events."
    )
    discord_token: Annotated[SecretStr | None, BeforeValidator(_token)] = Field(
        default=None,
        description="Of your application's bot at discord.com/developers: docs/discord.md says how."
        " Discord starts when it is set.",
    )
    discord_application_id: Annotated[
        str, _word("[0-9]{1,20}", "the application's id, digits only; its name will not do")
    ] = Field(default="", description="The application's id (a number), for logging in with Discord.")
    discord_client_secret: Annotated[SecretStr | None, BeforeValidator(_client_secret)] = Field(
        default=None, description="The application's OAuth2 secret, for logging in with Discord."
    )
    discord_api_url: Annotated[str, _base_url("http")] = Field(
        default="https://discord.com/api", description="Another host in front of /v10/…, a mock server say."
    )
    discord_gateway_url: Annotated[str, _base_url("ws")] = Field(
        default="wss://gateway.discord.gg", description="Another websocket for events."
    )
    youtube_api_key: Annotated[SecretStr | None, BeforeValidator(_api_key)] = Field(
        default=None,
        description="Of a project at console.cloud.google.com; without it no song on YouTube is recognised elsewhere.",
    )
    spotify_client_id: Annotated[str, _word("[0-9a-zA-Z]{1,64}", "the application's Client ID, letters and digits")] = (
        Field(
            default="",
            description="Of an application at developer.spotify.com (docs/compliance.md). Empty: Spotify is not asked.",
        )
    )
    spotify_client_secret: Annotated[SecretStr | None, BeforeValidator(_client_secret)] = Field(
        default=None, description="That application's secret."
    )
    youtube_api_url: BaseUrl = Field(default="", description=_INSTEAD.format("YouTube"))
    spotify_api_url: BaseUrl = Field(default="", description=_INSTEAD.format("Spotify"))
    soundcloud_api_url: BaseUrl = Field(default="", description=_INSTEAD.format("SoundCloud"))
    vimeo_api_url: BaseUrl = Field(default="", description=_INSTEAD.format("Vimeo"))
    dailymotion_api_url: BaseUrl = Field(default="", description=_INSTEAD.format("Dailymotion"))
    tiktok_api_url: BaseUrl = Field(default="", description=_INSTEAD.format("TikTok"))
    apple_music_api_url: BaseUrl = Field(default="", description=_INSTEAD.format("Apple Music"))
    deezer_api_url: BaseUrl = Field(default="", description=_INSTEAD.format("Deezer"))
    musicbrainz_api_url: BaseUrl = Field(default="", description=_INSTEAD.format("MusicBrainz"))
    lead_seconds: Seconds = Field(
        default=20, description="How far links and editor markers go back before the mark: people react late."
    )
    cooldown_seconds: Seconds = Field(default=15, description="How long one person waits between two marks.")
    crowd_window_seconds: Seconds = Field(
        default=15, description="Marks of several people within so many seconds are one crowd moment."
    )
    log_format: Annotated[Literal["console", "json"], _one_of("console", "json")] = Field(
        default="console", description="console for people, json for machines."
    )
    log_level: Annotated[Literal["debug", "info", "warning", "error"], _one_of("debug", "info", "warning", "error")] = (
        Field(default="info", description="debug, info, warning or error.")
    )
    trusted_proxies: Annotated[tuple[str, ...], BeforeValidator(_networks)] = Field(
        default=(),
        description="Networks of your reverse proxies, with commas: their word on visitors' addresses is taken.",
    )
    metrics_token: Annotated[SecretStr | None, BeforeValidator(_token)] = Field(
        default=None,
        description="16 characters or more let a scraper read /metrics from elsewhere. Empty: from this machine only.",
    )

    contact: Annotated[str, BeforeValidator(_contact)] = Field(
        default="",
        description="How people reach whoever runs this Moments, an e-mail address say: the privacy page names it.",
    )

    @property
    def twitch(self) -> TwitchSettings | None:
        """How to reach Twitch and as whom; None while its credentials are not set."""
        if not self.twitch_client_id or self.twitch_client_secret is None:
            return None
        from providers.twitch import Endpoints  # noqa: PLC0415 -- an HTTP client is loaded by `run` alone

        return TwitchSettings(
            self.twitch_client_id,
            self.twitch_client_secret,
            self.twitch_bot_id,
            Endpoints(self.twitch_api_url, self.twitch_auth_url, self.twitch_eventsub_url),
        )

    @property
    def discord(self) -> DiscordSettings | None:
        """How to reach Discord and as whom; None while its token is not set."""
        if self.discord_token is None:
            return None
        return DiscordSettings(self.discord_token, self.discord_api_url, self.discord_gateway_url)

    @property
    def provider_urls(self) -> dict[str, str]:
        """The hosts the operator set in the place of services' own, by provider."""
        urls = {provider: getattr(self, f"{provider}_api_url") for provider in PROVIDERS}
        return {provider: url for provider, url in urls.items() if url}

    @property
    def database(self) -> Path:
        """The SQLite file; a relative one is meant from the working directory."""
        return Path(self.database_url.removeprefix("sqlite:///"))

    @property
    def secret_keys(self) -> tuple[str, ...]:
        """The configured secret keys, newest first; none when they are kept beside the database."""
        return tuple(self.secret_key.get_secret_value().split(",")) if self.secret_key else ()

    @property
    def defaults(self) -> Defaults:
        """The seconds for channels that set none of their own."""
        return Defaults(
            cooldown_seconds=self.cooldown_seconds,
            crowd_window_seconds=self.crowd_window_seconds,
            lead_seconds=self.lead_seconds,
        )


def load_settings() -> Settings:
    """Read the environment and .env; SettingsError has a line for each value that cannot be used."""
    names_in_env_file()  # its sentences are better than the library's
    try:
        settings = Settings()
    except ValidationError as error:
        lines = [_line(detail) for detail in error.errors(include_url=False, include_input=False)]
        # Without a cause: it would carry the values along.
        raise SettingsError("\n".join(filter(None, lines))) from None
    missing = [
        *_missing(settings, _TOGETHER, "or Twitch cannot start"),
        *_missing(settings, _DISCORD_LOGIN, "or nobody can log in with Discord"),
        *_missing(settings, _SPOTIFY, "or neither"),
    ]
    if missing:
        raise SettingsError("\n".join(missing))
    return settings


def _missing(settings: Settings, together: tuple[str, ...], otherwise: str) -> list[str]:
    missing = [name for name in together if not getattr(settings, name)]
    return (
        [] if len(missing) == len(together) else [f"{variable(name)} must be set too, {otherwise}." for name in missing]
    )


def _line(detail: ErrorDetails) -> str:
    if detail["type"] == "default_factory_not_called":
        return ""  # only follows from another wrong value
    expected = detail.get("ctx", {}).get("error", detail["msg"])
    return f"{variable(str(detail['loc'][0]))} must be {expected}."


def variable(field: str) -> str:
    """The environment variable of a field of Settings."""
    return f"{PREFIX}{field}".upper()


def unknown_settings() -> tuple[str, ...]:
    """A sentence for each MOMENTS_… name, in the environment or .env, that this version does not know."""
    known = [variable(field) for field in Settings.model_fields]
    found = {name.upper() for name in (*os.environ, *names_in_env_file())}
    return tuple(
        f"{name} is not a setting of this version; {_hint(name, known)}"
        for name in sorted(found)
        if name.startswith(PREFIX) and name not in known and not name.startswith(_ELSEWHERE)
    )


def _hint(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.85)
    return f"did you mean {near[0]}?" if near else "see .env.example."


def names_in_env_file() -> list[str]:
    """The names .env sets; none without the file. SettingsError when it cannot be read."""
    try:
        with ENV_FILE.open(encoding="utf-8") as file:
            lines = list(parse_stream(file))
    except (FileNotFoundError, IsADirectoryError):
        return []
    except OSError as error:
        raise SettingsError(f".env cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise SettingsError(".env cannot be read: it must be saved as UTF-8 text.") from None
    for line in lines:
        if line.error:
            raise SettingsError(f".env, line {line.original.line}: write a setting as {PREFIX}NAME=value.")
    return [line.key for line in lines if line.key]
