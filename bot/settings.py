"""What the operator can set: MOMENTS_… in the environment or in .env, read and checked once at the start."""

import difflib
import ipaddress
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

from dotenv.parser import parse_stream
from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from moments.errors import MomentsError
from moments.sessions import Defaults
from storage.keys import SHORTEST_KEY

PREFIX = "MOMENTS_"
ENV_FILE = Path(".env")
SHORTEST_TOKEN = 16

_ELSEWHERE = (f"{PREFIX}TEST_", f"{PREFIX}SHARED_DATA")
"""Names that belong to the test run, not to us."""
_SQLITE_URL = re.compile(r"sqlite:///(?!:memory:)[^?#]*[^?#/]")
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
# Read with a pattern of our own: urlsplit drops a tab inside a host and keeps a backslash (research/security.md 16).
_PUBLIC_URL = re.compile(rf"(?P<base>https?://(?:{_HOST.pattern}|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{{1,5}}))?)/?")


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
        return Settings()
    except ValidationError as error:
        lines = [_line(detail) for detail in error.errors(include_url=False, include_input=False)]
        # Without a cause: it would carry the values along.
        raise SettingsError("\n".join(filter(None, lines))) from None


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
