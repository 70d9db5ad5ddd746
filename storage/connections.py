"""Which channels have the bot in their chat, by their streamer's leave, and what the platform calls them today."""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from moments.live import Place
from storage._sqlite import from_microseconds, to_microseconds
from storage.own import Asked
from storage.reads import Reads
from storage.transaction import Transaction

_SELECT = (
    "SELECT channel.platform, channel.platform_id, channel.display_name, connection.scopes, connection.state,"
    " connection.connected_at FROM connection JOIN channel ON channel.id = connection.channel_id"
)
_THE_CHANNEL = "(SELECT id FROM channel WHERE platform = ? AND platform_id = ?)"


class State(StrEnum):
    """How far a channel's leave reaches."""

    CONNECTED = "connected"
    NEEDS_AUTHORISATION = "needs_authorisation"
    """The streamer's grant no longer works; only they can mend that."""
    DISCONNECTED = "disconnected"


class Connected(NamedTuple):
    """A channel that was connected, and how it is now."""

    place: Place
    scopes: frozenset[str]
    """What the streamer was asked for and granted."""
    state: State
    connected_at: datetime


async def connect(transaction: Transaction, place: Place, scopes: frozenset[str], now: datetime) -> None:
    """Note that a stored channel's streamer let the bot in."""
    at = to_microseconds(now)
    await transaction.execute(
        "INSERT INTO connection (channel_id, state, scopes, connected_at, changed_at)"  # noqa: S608 -- constants only
        f" VALUES ({_THE_CHANNEL}, ?, ?, ?, ?) ON CONFLICT (channel_id) DO UPDATE SET state = excluded.state,"
        " scopes = excluded.scopes, connected_at = excluded.connected_at, changed_at = excluded.changed_at",
        *(*place[:2], State.CONNECTED, " ".join(sorted(scopes)), at, at),
    )


async def change(
    transaction: Transaction,
    platform: str,
    platform_id: str,
    state: State,
    now: datetime,
    *,
    unless_since: datetime | None = None,
) -> bool:
    """Move a channel to a lesser state; whether it was in a better one. Who disconnected stays disconnected.

    A channel that was connected after `unless_since` is left as it is: what was learnt then is of the leave before.
    """
    changed = await transaction.execute(
        f"UPDATE connection SET state = ?, changed_at = ? WHERE channel_id = {_THE_CHANNEL}"  # noqa: S608 -- constants only
        " AND state <> ? AND state <> 'disconnected' AND (? IS NULL OR connected_at <= ?)",
        *(state, to_microseconds(now), platform, platform_id, state),
        *(2 * (to_microseconds(unless_since) if unless_since else None,)),
    )
    return bool(changed)


async def granted_again(transaction: Transaction, platform: str, platform_id: str, now: datetime) -> bool:
    """The platform serves a channel again whose streamer was to be asked: they need not, if what they granted works.

    Whether that was so. Whose tokens are dead or gone has to come all the same.
    """
    changed = await transaction.execute(
        f"UPDATE connection SET state = 'connected', changed_at = ? WHERE channel_id = {_THE_CHANNEL}"  # noqa: S608 -- constants only
        " AND state = 'needs_authorisation'"
        " AND EXISTS (SELECT 1 FROM credential WHERE platform = ? AND user_id = ? AND state = 'ok')",
        *(to_microseconds(now), platform, platform_id, platform, platform_id),
    )
    return bool(changed)


async def is_over(store: Asked, platform: str, platform_id: str) -> bool:
    """Whether a channel's streamer has taken back their leave: nothing is kept that its platform tells (PRIV-6)."""
    found = await store.fetch(
        f"SELECT 1 FROM connection WHERE channel_id = {_THE_CHANNEL} AND (state = 'disconnected'"  # noqa: S608 -- constants only
        " OR state = 'needs_authorisation'"
        " AND NOT EXISTS (SELECT 1 FROM credential WHERE platform = ? AND user_id = ?))",
        *(platform, platform_id, platform, platform_id),
    )
    return bool(found)


async def of_channel(store: Asked, platform: str, platform_id: str) -> Connected | None:
    """A channel's connection, whatever its state; None for one that never was connected."""
    where = f"{_SELECT} WHERE channel.platform = ? AND channel.platform_id = ?"
    return next((_connected(*row) for row in await store.fetch(where, platform, platform_id)), None)


async def on_platform(store: Reads, platform: str) -> list[Connected]:
    """Every channel of a platform that is not disconnected, the oldest connection first."""
    where = f"{_SELECT} WHERE channel.platform = ? AND connection.state <> 'disconnected'"
    rows = await store.fetch(f"{where} ORDER BY connection.connected_at, channel.id", platform)
    return [_connected(*row) for row in rows]


def _connected(platform: str, platform_id: str, name: str, scopes: str, state: str, at: int) -> Connected:
    return Connected(Place(platform, platform_id, name), frozenset(scopes.split()), State(state), from_microseconds(at))


# --- names: display data that runs out (ID-1)


async def learn_login(
    transaction: Transaction, platform: str, platform_id: str, login: str, *, until: datetime
) -> None:
    """Note what the platform calls a channel, until an instant; nobody else is called that any more."""
    await transaction.execute(
        "UPDATE channel SET login = NULL, login_expires_at = NULL WHERE platform = ? AND login = ?"
        " AND platform_id <> ?",
        *(platform, login, platform_id),
    )
    await transaction.execute(
        "UPDATE channel SET login = ?, login_expires_at = ? WHERE platform = ? AND platform_id = ?",
        *(login, to_microseconds(until), platform, platform_id),
    )


async def called(store: Reads, platform: str, login: str, now: datetime) -> str | None:
    """The id of the channel the platform calls so, as far as we were told lately enough."""
    rows = await store.fetch(
        "SELECT platform_id FROM channel WHERE platform = ? AND login = ? AND login_expires_at > ?",
        *(platform, login, to_microseconds(now)),
    )
    return str(rows[0][0]) if rows else None


async def login_of(store: Reads, platform: str, platform_id: str, now: datetime) -> str | None:
    """What the platform calls a channel; None when we were not told lately enough."""
    rows = await store.fetch(
        "SELECT login FROM channel WHERE platform = ? AND platform_id = ? AND login_expires_at > ?",
        *(platform, platform_id, to_microseconds(now)),
    )
    return str(rows[0][0]) if rows and rows[0][0] else None
