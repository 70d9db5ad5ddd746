"""Tokens, sealed for the row they belong to: a stolen database holds none, and a row that was copied opens nothing."""

import hashlib
import json
import os
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from moments.grants import Grant
from storage._sqlite import Connection, from_microseconds, to_microseconds
from storage.facts import KEY_FINGERPRINT
from storage.keys import SecretKeys
from storage.own import Asked
from storage.reads import Reads
from storage.transaction import Transaction

PURPOSE = "tokens"
"""What their key is derived for (storage.keys)."""
USED_ONCE_IN = timedelta(hours=1)
"""Uses closer together than this are noted once."""

_VERSION = "v1"
_NONCE_BYTES = 12
_KEY_ID_CHARACTERS = 12
_GENERATION_BITS = 56
"""Drawn, not counted: a row that was removed must not be taken for the next one. No longer than a date is (checks)."""

Kind = Literal["access", "refresh"]


class Lost(StrEnum):
    """Why there is a row but no grant in it; only whoever granted it can mend the first two."""

    DEAD = "dead"
    SPOILED = "spoiled"
    """It was sealed for another row, or is damaged."""
    OTHER_KEY = "other key"
    """It was sealed with a key that is not listed."""


class Held(NamedTuple):
    """Whose tokens there are, without the tokens."""

    platform: str
    user_id: str
    login: str
    scopes: frozenset[str]
    state: Literal["ok", "dead"]
    validated_at: datetime | None
    """When the platform last said that they hold."""
    used_at: datetime


class Resealed(NamedTuple):
    """What became of the accounts' tokens when they were sealed anew."""

    done: int
    unusable: int
    """Left as they were: none of the keys opens them."""


class Unopenable(Exception):
    """None of our keys opens it for this row."""


class Vault:
    """Seals with the newest key, opens with any (KEY-2).

    An envelope is `v1.<key id>.<nonce>.<ciphertext>`, AES-256-GCM, and opens only for the account and kind of token it
    was sealed for.
    """

    def __init__(self, keys: SecretKeys) -> None:
        derived = keys.derive_all(PURPOSE)
        self._ciphers = {_key_id(key): AESGCM(key) for key in derived}
        self.key_ids = tuple(self._ciphers)
        """Fingerprints of the keys, newest first."""

    def seal(self, token: str, platform: str, user_id: str, kind: Kind) -> str:
        """The token's envelope; never twice the same."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._ciphers[self.key_ids[0]].encrypt(nonce, token.encode(), _bound_to(platform, user_id, kind))
        return ".".join((_VERSION, self.key_ids[0], _text(nonce), _text(sealed)))

    def open(self, envelope: str, platform: str, user_id: str, kind: Kind) -> str:
        """The token. Raises Unopenable for an envelope of another account, of the other kind, or of another key."""
        try:
            version, key_id, nonce, sealed = envelope.split(".")
            if version != _VERSION:
                raise Unopenable
            cipher = self._ciphers[key_id]
            return cipher.decrypt(_bytes(nonce), _bytes(sealed), _bound_to(platform, user_id, kind)).decode()
        except (KeyError, ValueError, InvalidTag):
            raise Unopenable from None

    def knows_key_of(self, envelope: str) -> bool:
        """Whether the key it names is one of ours. One that names none is damaged, and no key would help."""
        parts = envelope.split(".")
        return len(parts) < 2 or parts[1] in self._ciphers


def _key_id(key: bytes) -> str:
    return hashlib.sha256(key).hexdigest()[:_KEY_ID_CHARACTERS]


def _bound_to(platform: str, user_id: str, kind: Kind) -> bytes:
    return json.dumps(["token", platform, user_id, kind]).encode()


def _text(value: bytes) -> str:
    return urlsafe_b64encode(value).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


# --- what is kept
#
# Each granting is a generation of its own. While Twitch is asked about one, its owner may grant anew: what was learnt
# then is written only while the row is still of the generation it was asked about.

_SAVE = (
    "INSERT INTO credential (platform, user_id, login, access, refresh, scopes, expires_at, validated_at, used_at,"
    " updated_at, generation) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (platform, user_id) DO UPDATE SET"
    " login = excluded.login, access = excluded.access, refresh = excluded.refresh, scopes = excluded.scopes,"
    " state = 'ok', expires_at = excluded.expires_at, validated_at = excluded.validated_at,"
    " used_at = excluded.used_at, updated_at = excluded.updated_at, generation = excluded.generation"
)


async def save(transaction: Transaction, vault: Vault, grant: Grant, now: datetime) -> None:
    """Keep what somebody has just granted, in the place of what they granted before."""
    at = to_microseconds(now)
    await transaction.execute(
        _SAVE,
        *(grant.platform, grant.user_id, grant.login),
        *_sealed(vault, grant),
        *(_words(grant.scopes), _or_none(grant.expires_at), at, at, at),
        secrets.randbits(_GENERATION_BITS),
    )


async def renew(transaction: Transaction, vault: Vault, grant: Grant, now: datetime) -> bool:
    """Keep a refreshed grant; False, and nothing is kept, when it was withdrawn or granted anew meanwhile."""
    changed = await transaction.execute(
        "UPDATE credential SET login = ?, access = ?, refresh = ?, scopes = ?, expires_at = ?, validated_at = ?,"
        " updated_at = ? WHERE platform = ? AND user_id = ? AND state = 'ok' AND generation = ?",
        *(grant.login, *_sealed(vault, grant), _words(grant.scopes), _or_none(grant.expires_at)),
        *(to_microseconds(now), to_microseconds(now), grant.platform, grant.user_id, grant.generation),
    )
    return bool(changed)


async def load(store: Asked, vault: Vault, platform: str, user_id: str) -> Grant | None:
    """The grant, when there is one that can be used."""
    found = await find(store, vault, platform, user_id)
    return found if isinstance(found, Grant) else None


async def find(store: Asked, vault: Vault, platform: str, user_id: str) -> Grant | Lost | None:
    """The grant, or why it cannot be used, or None for somebody who never granted anything."""
    rows = await store.fetch(
        "SELECT access, refresh, login, scopes, state, expires_at, generation FROM credential"
        " WHERE platform = ? AND user_id = ?",
        *(platform, user_id),
    )
    for access, refresh, login, scopes, state, expires_at, generation in rows:
        if state == Lost.DEAD:
            return Lost.DEAD
        try:
            opened = vault.open(access, platform, user_id, "access"), vault.open(refresh, platform, user_id, "refresh")
        except Unopenable:
            ours = vault.knows_key_of(access) and vault.knows_key_of(refresh)
            return Lost.SPOILED if ours else Lost.OTHER_KEY
        return Grant(platform, user_id, login, *opened, frozenset(scopes.split()), _instant(expires_at), generation)
    return None


async def generation(store: Asked, platform: str, user_id: str) -> int | None:
    """Which granting the account's row is from, whatever its state; None when there is no row."""
    rows = await store.fetch("SELECT generation FROM credential WHERE platform = ? AND user_id = ?", platform, user_id)
    return int(rows[0][0]) if rows else None


async def held(store: Reads) -> list[Held]:
    """Everybody whose tokens are kept, those validated longest ago first."""
    rows = await store.fetch(
        "SELECT platform, user_id, login, scopes, state, validated_at, used_at FROM credential"
        " ORDER BY coalesce(validated_at, 0), platform, user_id"
    )
    return [
        Held(platform, user, login, frozenset(scopes.split()), state, _instant(validated), from_microseconds(used))
        for platform, user, login, scopes, state, validated, used in rows
    ]


async def mark_dead(
    transaction: Transaction, platform: str, user_id: str, generation: int | None, now: datetime
) -> bool:
    """Use a grant of this generation no more; whether it was in use until now."""
    changed = await transaction.execute(
        "UPDATE credential SET state = 'dead', updated_at = ?"
        " WHERE platform = ? AND user_id = ? AND state = 'ok' AND generation = ?",
        *(to_microseconds(now), platform, user_id, generation),
    )
    return bool(changed)


async def validated(transaction: Transaction, grant: Grant, now: datetime) -> bool:
    """Note what the platform has just said of a grant: its owner's present login, how far it reaches, when it ends.

    False, and nothing is noted, when it was withdrawn or granted anew meanwhile.
    """
    changed = await transaction.execute(
        "UPDATE credential SET login = ?, scopes = ?, expires_at = ?, validated_at = ?"
        " WHERE platform = ? AND user_id = ? AND generation = ?",
        *(grant.login, _words(grant.scopes), _or_none(grant.expires_at), to_microseconds(now)),
        *(grant.platform, grant.user_id, grant.generation),
    )
    return bool(changed)


async def used(transaction: Transaction, platform: str, user_id: str, now: datetime) -> None:
    """Note that a grant was needed, at most once an hour: what nobody needs is not kept for ever (PRIV-6)."""
    await transaction.execute(
        "UPDATE credential SET used_at = ? WHERE platform = ? AND user_id = ? AND used_at <= ?",
        *(to_microseconds(now), platform, user_id, to_microseconds(now - USED_ONCE_IN)),
    )


async def remove(transaction: Transaction, platform: str, user_id: str) -> bool:
    """Keep somebody's tokens no longer; whether there were any."""
    return bool(
        await transaction.execute("DELETE FROM credential WHERE platform = ? AND user_id = ?", platform, user_id)
    )


# --- another secret key


async def reseal_all(transaction: Transaction, vault: Vault) -> Resealed:
    """Seal everything with the newest key, so that the older ones are needed for it no longer (KEY-3)."""
    rows = await transaction.fetch("SELECT platform, user_id, access, refresh FROM credential")
    done = 0
    for platform, user_id, access, refresh in rows:
        try:
            opened = vault.open(access, platform, user_id, "access"), vault.open(refresh, platform, user_id, "refresh")
        except Unopenable:
            continue
        sealed = vault.seal(opened[0], platform, user_id, "access"), vault.seal(opened[1], platform, user_id, "refresh")
        await transaction.execute(
            "UPDATE credential SET access = ?, refresh = ? WHERE platform = ? AND user_id = ?",
            *(*sealed, platform, user_id),
        )
        done += 1
    return Resealed(done, len(rows) - done)


async def adopt(connection: Connection, vault: Vault) -> int:
    """Make a database from elsewhere one of our key's: what another key sealed goes, its channels wait for their
    streamers (FILE-2). How many accounts' tokens that were.
    """
    rows = await connection.execute_fetchall("SELECT platform, user_id, access, refresh FROM credential")
    unknown = [tuple(row[:2]) for row in rows if not (vault.knows_key_of(row[2]) and vault.knows_key_of(row[3]))]
    await connection.executemany("DELETE FROM credential WHERE platform = ? AND user_id = ?", unknown)
    await connection.executemany(
        "UPDATE connection SET state = 'needs_authorisation' WHERE state = 'connected'"
        " AND channel_id = (SELECT id FROM channel WHERE platform = ? AND platform_id = ?)",
        unknown,
    )
    for (kept,) in await connection.execute_fetchall("SELECT value FROM fact WHERE name = ?", (KEY_FINGERPRINT,)):
        ours = kept if kept in vault.key_ids else vault.key_ids[0]
        await connection.execute("UPDATE fact SET value = ? WHERE name = ?", (ours, KEY_FINGERPRINT))
    return len(unknown)


def _sealed(vault: Vault, grant: Grant) -> tuple[str, str]:
    who = grant.platform, grant.user_id
    return vault.seal(grant.access_token, *who, "access"), vault.seal(grant.refresh_token, *who, "refresh")


def _words(scopes: Iterable[str]) -> str:
    return " ".join(sorted(scopes))


def _or_none(instant: datetime | None) -> int | None:
    return None if instant is None else to_microseconds(instant)


def _instant(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else from_microseconds(microseconds)
