"""Who went to a provider to log in, until they come back; and the one-time code that lets in the bot's own account.

Both are known by digests only: whoever reads the database can finish nobody's login (AUTH-1).
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from storage._sqlite import to_microseconds
from storage.reads import Reads
from storage.transaction import Transaction

_BOT_CODE = "bot code"


class Attempt(NamedTuple):
    """One walk to a provider and back."""

    provider: str
    purpose: str
    browser_digest: str
    """Of the cookie that says it is the same browser that comes back."""
    nonce: str
    return_path: str
    details: Mapping[str, str]


async def begin(transaction: Transaction, state_digest: str, attempt: Attempt, until: datetime) -> None:
    """Remember an attempt until an instant."""
    await transaction.execute(
        "INSERT INTO login_attempt (state_digest, provider, purpose, browser_digest, nonce, return_path, details,"
        " expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        *(state_digest, attempt.provider, attempt.purpose, attempt.browser_digest, attempt.nonce),
        *(attempt.return_path, json.dumps(dict(attempt.details)), to_microseconds(until)),
    )


async def take(
    transaction: Transaction,
    state_digest: str,
    *,
    provider: str,
    purposes: Sequence[str],
    browser_digest: str,
    now: datetime,
) -> Attempt | None:
    """The attempt, which is gone from now on; None, and nothing is touched, unless it is this one in every respect."""
    found = await transaction.fetch(
        "DELETE FROM login_attempt WHERE state_digest = ? AND provider = ? AND browser_digest = ? AND expires_at > ?"  # noqa: S608 -- question marks only
        f" AND purpose IN ({', '.join('?' * len(purposes))})"
        " RETURNING provider, purpose, browser_digest, nonce, return_path, details",
        *(state_digest, provider, browser_digest, to_microseconds(now), *purposes),
    )
    return next((Attempt._make((*row[:5], json.loads(row[5]))) for row in found), None)


# --- the code of the bot's account; only the newest is good


async def keep_bot_code(transaction: Transaction, digest: str) -> None:
    """Let in whoever brings the code with this digest, once; no older code is good any more."""
    await transaction.execute(
        "INSERT INTO fact (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        *(_BOT_CODE, digest),
    )


async def is_bot_code(store: Reads, digest: str) -> bool:
    """Whether that is the code's digest."""
    return bool(await store.fetch("SELECT 1 FROM fact WHERE name = ? AND value = ?", _BOT_CODE, digest))


async def spend_bot_code(transaction: Transaction, digest: str) -> bool:
    """Let nobody in with this code again; whether it was good until now."""
    return bool(await transaction.execute("DELETE FROM fact WHERE name = ? AND value = ?", _BOT_CODE, digest))
