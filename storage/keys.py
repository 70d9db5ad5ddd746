"""The secret key: where it comes from, and the keys derived from it, one for each purpose (KEY-1, KEY-4)."""

import errno
import hashlib
import os
import secrets
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from moments.errors import MomentsError, StoreFull, StoreReadOnly
from storage import _files

DERIVED_BYTES = 32
SHORTEST_KEY = 32
"""Characters in a secret that is long enough to be one."""


def digest_of(secret: str) -> str:
    """What is kept of a secret of ours that is too long and random to be guessed: it is known again by it."""
    return hashlib.sha256(secret.encode()).hexdigest()


class SecretKeyError(MomentsError):
    """The key file cannot be trusted or used; the text says what to do."""


@dataclass(frozen=True, slots=True)
class SecretKeys:
    """The operator's secrets, newest first: the newest writes, all of them read."""

    _secrets: tuple[str, ...] = field(repr=False)

    def derive(self, purpose: str) -> bytes:
        """The 32-byte key for one purpose, from the newest secret. Two purposes never share a key."""
        return self.derive_all(purpose)[0]

    def derive_all(self, purpose: str) -> tuple[bytes, ...]:
        """The purpose's key from every secret, newest first, to read what an older one wrote."""
        # No salt: each secret is random already, and the same key must come out after every start.
        return tuple(
            HKDF(SHA256(), DERIVED_BYTES, salt=None, info=f"moments/{purpose}".encode()).derive(secret.encode())
            for secret in self._secrets
        )


def secret_keys(configured: Sequence[str], database: Path) -> SecretKeys:
    """The configured secrets or else the one in the key file beside the database, made now if it is not there.

    Raises SecretKeyError when that file cannot be trusted, StoreReadOnly or StoreFull when it cannot be made.
    """
    if configured:
        return SecretKeys(tuple(configured))
    path = key_file(database)
    try:
        return SecretKeys((_create(path),))
    except FileExistsError:
        return SecretKeys((read_key_file(path),))
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise StoreFull(f"The disk is full: {path} cannot be made. Free some space and start again.") from error
        raise StoreReadOnly(
            f"{path} cannot be made ({error.strerror}). Check its folder, or set MOMENTS_DATABASE_URL."
        ) from error


def key_file(database: Path) -> Path:
    """`moments.key` beside `moments.db`."""
    return database.with_suffix(".key") if database.suffix != ".key" else database.with_name(database.name + ".key")


def read_key_file(path: Path) -> str:
    """The secret in a key file that only we can read; SecretKeyError says what is wrong with any other."""
    try:
        # Never through a symlink, and never waiting for the other end of a pipe.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise SecretKeyError(f"{path} is a symbolic link. Put the key file itself there.") from error
        raise SecretKeyError(f"{path} cannot be read ({error.strerror}). Check who owns it.") from error
    try:
        _refuse_exposed(path, os.fstat(descriptor))
        secret = os.read(descriptor, 4096).decode("ascii", errors="replace").strip()
    finally:
        os.close(descriptor)
    if len(secret) < SHORTEST_KEY or not (secret.isascii() and secret.isprintable()):
        raise SecretKeyError(f"{path} holds no key. Put the right one back, or remove it to have a new one made.")
    return secret


def _refuse_exposed(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise SecretKeyError(f"{path} is not a file. Remove it to have a new key made.")
    if status.st_uid != os.geteuid():
        raise SecretKeyError(f"{path} belongs to another user. Run Moments as that user, or: chown $(id -u) {path}")
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SecretKeyError(f"{path} can be read by other users of this machine. Type: chmod 600 {path}")


def _create(path: Path) -> str:
    secret = secrets.token_urlsafe(DERIVED_BYTES)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(f"{secret}\n".encode())
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)  # half a key would be refused for ever
        raise
    _files.sync(path.parent)
    return secret
