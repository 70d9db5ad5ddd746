"""`moments doctor`: looks at what could go wrong and says what to do about it; makes and changes nothing.

Only `--rotate` does: it seals every token with the newest secret key.
"""

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
from commands import credentials
from commands.services import utc_now
from moments.errors import MomentsError, StoreBusy
from moments.sessions import Session
from moments.wording import counted
from storage import open_store
from storage.credentials import Vault
from storage.in_use import in_use
from storage.inspection import Inspection, inspect
from storage.keys import SecretKeyError, SecretKeys, key_file, read_key_file

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
    found, database = await _database(settings.database)
    findings = [
        *_settings(),
        *database,
        *_key(settings, found),
        *_grants(settings, found),
        *_discord(settings),
        *_public_url(settings.public_url, twitch=bool(settings.twitch_client_id)),
        *_listening(settings.web_host, settings.trusted_proxies),
        *_port(settings.web_host, settings.web_port),
        *_space(settings.database.absolute().parent),
    ]
    out.writelines(f"{finding.level:<4}  {plain(finding.text)}\n" for finding in findings)
    return int(any(finding.level == "FAIL" for finding in findings))


async def rotate(settings: "Settings", out: TextIO) -> int:
    """Seal every token with the newest secret key, while Moments runs or not, and say of how many accounts (KEY-3).

    Raises SecretKeyError when the keys do not allow it (commands.credentials.rotate), NotFound without a database,
    and StoreError.
    """
    running = in_use(settings.database)
    async with open_store(settings.database, defaults=settings.defaults, create=False) as store:
        path = key_file(settings.database)
        keys = SecretKeys(settings.secret_keys or (read_key_file(path),))
        where = "there now" if settings.secret_keys else f"in {path}"
        sealed = await credentials.rotate(store, keys, utc_now(), running=running, kept_where=where)
    said = [f"Sealed with the newest secret key: the tokens of {counted(sealed.done, 'account')}."]
    if sealed.unusable:
        said.append(f"No key opens those of {counted(sealed.unusable, 'account')}: their owners must connect again.")
    said.append(
        "Keep the older keys listed for as long as you keep backups from before today: they tell who was forgotten."
    )
    out.write(" ".join(said) + "\n")
    return 0


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


async def _database(path: Path) -> tuple[Inspection, list[Finding]]:
    try:
        found = await inspect(path)
    except StoreBusy as error:
        return Inspection(0), [warn(f"database: {error}")]
    except MomentsError as error:
        return Inspection(0), [fail(f"database: {error}")]
    if found.wrong:
        return found, [fail(f"database: {found.wrong}")]
    return found, [*_version(path, found), *_exposed(path), *map(_left_open, found.open_sessions)]


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


def _key(settings: "Settings", found: Inspection) -> Iterator[Finding]:
    path = key_file(settings.database)
    if settings.secret_keys:
        yield from _right_key(SecretKeys(settings.secret_keys), found, "from MOMENTS_SECRET_KEY")
    elif path.exists() or path.is_symlink():
        try:
            keys = SecretKeys((read_key_file(path),))
        except SecretKeyError as error:
            yield fail(str(error))
        else:
            yield from _right_key(keys, found, f"{path}, readable by its owner only")
    elif found.key_id is not None:
        yield fail(f"secret key: {path} is missing, and this database was made with it. Put it back before you start.")
    elif settings.database.exists():
        yield warn(f"secret key: {path} is missing. Put it back if you have it; else the next start makes a new one.")
    else:
        yield ok(f"secret key: the first start makes {path}")


def _right_key(keys: SecretKeys, found: Inspection, where: str) -> Iterator[Finding]:
    key_ids = Vault(keys).key_ids
    if found.key_id is None or found.key_id == key_ids[0]:
        yield ok(f"secret key: {where}")
    elif found.key_id in key_ids:
        yield warn(f"secret key: {where}, but tokens need an older one. Type: moments doctor --rotate")
    else:
        yield fail(f"secret key: {credentials.WRONG_KEY}")


def _grants(settings: "Settings", found: Inspection) -> Iterator[Finding]:
    if not settings.twitch_client_id:
        yield ok("twitch: not set up, so no chat there is heard. docs/twitch.md says how")
    again = {held.user_id: held.login for held in found.grants if held.state == "dead"}
    if bot := again.pop(settings.twitch_bot_id or "", None):
        yield warn(f"tokens: the bot's own account, {bot}, has to be let in again. Starting Moments says how.")
    # Who took their leave back has no token any more, only a channel that waits for one.
    again = {place.platform_id: place.display_name for place in found.disallowed} | again
    for name in again.values():
        yield warn(f"tokens: {name} has to connect again: {settings.public_url}/twitch/connect")
    if found.grants and not bot and not again:
        yield ok(f"tokens: those of {counted(len(found.grants), 'account')} work, as far as was told")


def _discord(settings: "Settings") -> Iterator[Finding]:
    if settings.discord is None:
        yield ok("discord: not set up, so no server there is heard. docs/discord.md says how")
    elif settings.discord_application_id:
        from bot.discord.client import invite_url  # noqa: PLC0415 -- discord.py is loaded by who uses it

        yield ok(f"discord: owners of servers let the bot in here: {invite_url(settings.discord_application_id)}")
    else:
        yield ok("discord: set up; with MOMENTS_DISCORD_APPLICATION_ID this shows where owners of servers let it in")


def _public_url(url: str, *, twitch: bool) -> Iterator[Finding]:
    parts = urlsplit(url)
    if _is_loopback(parts.hostname or ""):
        yield warn(f"links: {url} opens on this machine only. Set MOMENTS_PUBLIC_URL to the address others use.")
    elif parts.scheme == "http":
        yield warn(f"links: {url} is not encrypted. Put a reverse proxy with a certificate in front, then use https.")
        if twitch:
            yield warn(
                "twitch: nobody can log in or connect, since Twitch sends people back to https addresses only. Set"
                f" MOMENTS_PUBLIC_URL to https://{parts.hostname} once that works."
            )
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
