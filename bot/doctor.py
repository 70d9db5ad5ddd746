"""`moments doctor`: looks at what could go wrong and says what to do about it; makes and changes nothing."""

import errno
import ipaddress
import shutil
import socket
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TextIO
from urllib.parse import urlsplit

from bot.logs import plain
from bot.settings import ENV_FILE, unknown_settings
from commands.services import utc_now
from moments.errors import MomentsError, StoreBusy
from moments.sessions import Session
from moments.wording import counted
from storage.inspection import Inspection, inspect
from storage.keys import SecretKeyError, key_file, read_key_file

if TYPE_CHECKING:
    from bot.settings import Settings

LITTLE_SPACE, TOO_LITTLE_SPACE = 1_000_000_000, 50_000_000
"""Free bytes below which to warn, and below which marks will soon be refused."""

LONGEST_STREAM = timedelta(hours=24)
"""A session open for longer was probably forgotten."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's list; `FAIL` is what keeps Moments from working or from being safe."""

    level: Literal["ok", "warn", "FAIL"]
    text: str


def ok(text: str) -> Finding:
    """All is well."""
    return Finding("ok", text)


def warn(text: str) -> Finding:
    """Works, but may not be what was meant; the text says what to do."""
    return Finding("warn", text)


def fail(text: str) -> Finding:
    """Does not work or is not safe; the text says what to do."""
    return Finding("FAIL", text)


async def examine(settings: "Settings", out: TextIO) -> int:
    """Print every finding, one a line; 1 when any of them is a FAIL, else 0."""
    findings = [
        *_settings(),
        *await _database(settings.database),
        *_key(settings),
        *_public_url(settings.public_url),
        *_listening(settings.web_host, settings.trusted_proxies),
        *_port(settings.web_host, settings.web_port),
        *_space(settings.database.absolute().parent),
    ]
    out.writelines(f"{finding.level:<4}  {plain(finding.text)}\n" for finding in findings)
    return int(any(finding.level == "FAIL" for finding in findings))


def _settings() -> Iterator[Finding]:
    unknown = unknown_settings()
    yield from map(warn, unknown)
    if not unknown:
        yield ok("settings: every one is understood")
    if ENV_FILE.is_file():
        yield from _readable_by_others(ENV_FILE)


def _readable_by_others(path: Path) -> Iterator[Finding]:
    if path.stat().st_mode & stat.S_IROTH:
        yield warn(f"{path} can be read by every user of this machine. Type: chmod 600 {path}")


async def _database(path: Path) -> list[Finding]:
    try:
        found = await inspect(path)
    except StoreBusy as error:
        return [warn(f"database: {error}")]
    except MomentsError as error:
        return [fail(f"database: {error}")]
    if found.wrong:
        return [fail(f"database: {found.wrong}")]
    return [*_version(path, found), *_exposed(path), *map(_left_open, found.open_sessions)]


def _version(path: Path, found: Inspection) -> Iterator[Finding]:
    if found.pending:
        yield warn(
            f"database: {path} is sound, of version {found.version}; the next start makes it {found.newest_version}."
            " Save it before: moments backup FILE"
        )
    else:
        holds = f"{counted(found.sessions, 'session')}, {counted(found.marks, 'mark')}"
        yield ok(f"database: {path} is sound and up to date: {holds}, {found.size_bytes / 1e6:.1f} MB")


def _exposed(path: Path) -> Iterator[Finding]:
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield warn(f"database: other users of this machine can open {path}. Type: chmod 600 {path}")


def _left_open(session: Session) -> Finding:
    since = f"session: {session.title or session.id} of {session.channel.display_name} is {session.status}"
    text = f"{since} since {session.created_at:%Y-%m-%d %H:%M} UTC"
    if utc_now() - session.created_at < LONGEST_STREAM:
        return ok(text)
    return warn(f"{text}. If it is over, a moderator types !end there.")


def _key(settings: "Settings") -> Iterator[Finding]:
    path = key_file(settings.database)
    if settings.secret_keys:
        yield ok("secret key: from MOMENTS_SECRET_KEY")
    elif path.exists() or path.is_symlink():
        try:
            read_key_file(path)
        except SecretKeyError as error:
            yield fail(str(error))
        else:
            yield ok(f"secret key: {path}, readable by its owner only")
    elif settings.database.exists():
        yield warn(f"secret key: {path} is missing. Put it back if you have it; else the next start makes a new one.")
    else:
        yield ok(f"secret key: the first start makes {path}")


def _public_url(url: str) -> Iterator[Finding]:
    parts = urlsplit(url)
    if _is_loopback(parts.hostname or ""):
        yield warn(f"links: {url} opens on this machine only. Set MOMENTS_PUBLIC_URL to the address others use.")
    elif parts.scheme == "http":
        yield warn(f"links: {url} is not encrypted. Put a reverse proxy with a certificate in front, then use https.")
    else:
        yield ok(f"links: {url}")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _listening(host: str, proxies: tuple[str, ...]) -> Iterator[Finding]:
    if any(ipaddress.ip_network(proxy).prefixlen == 0 for proxy in proxies):
        yield warn("MOMENTS_TRUSTED_PROXIES takes everybody's word on addresses. Name only your reverse proxies.")
    if _is_loopback(host):
        yield ok(f"site: listens on {host}, reachable from this machine only")
    elif not proxies:
        yield warn(
            f"site: listens on {host} without trusted proxies. Behind a reverse proxy, set MOMENTS_TRUSTED_PROXIES;"
            " without one, everybody on that network reaches it unencrypted."
        )
    else:
        yield ok(f"site: listens on {host}, behind {', '.join(proxies)}")


def _port(host: str, port: int) -> Iterator[Finding]:
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            yield warn(f"port: {port} is in use. By Moments, all is well; else set MOMENTS_WEB_PORT to another.")
        else:
            yield fail(f"port: {host}, {port} cannot be used ({error.strerror}). Change MOMENTS_WEB_HOST or _PORT.")
    else:
        yield ok(f"port: {port} is free")


def _space(folder: Path) -> Iterator[Finding]:
    if not folder.is_dir():
        yield fail(f"disk: there is no folder {folder}. Make it, or set MOMENTS_DATABASE_URL.")
        return
    free = shutil.disk_usage(folder).free
    text = f"disk: {free / 1e9:.1f} GB free in {folder}"
    if free < TOO_LITTLE_SPACE:
        yield fail(f"{text}. Free some space: marks will soon be refused.")
    elif free < LITTLE_SPACE:
        yield warn(f"{text}. Free some space soon.")
    else:
        yield ok(text)
