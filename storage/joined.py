"""Which Discord channels feed a stream's session, by leave of both sides, and whose a Discord channel is (AZ-4).

One Discord channel joins one Twitch channel at most; a Twitch channel may have several.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from moments.live import Author, Place
from moments.sessions import Channel
from storage import audit, channels
from storage._sqlite import Connection, from_microseconds, to_microseconds
from storage.ledger import account_key
from storage.own import Asked
from storage.transaction import Transaction

DISCORD: Final = "discord"
WITH_MODERATORS = "moderators"
"""What the audit says of a joining whose server's moderators may act for the streamer's."""

_COLUMNS = (
    "joined.discord_channel, joined.guild_id, joined.guild_name, joined.channel_name, joined.channel_id,"
    " channel.platform, channel.platform_id, channel.display_name, joined.requested_by, joined.moderators,"
    " joined.joined_at"
)
_SELECT = f"SELECT {_COLUMNS} FROM joined JOIN channel ON channel.id = joined.channel_id"  # noqa: S608 -- constants only
# Everything a command in a Discord channel needs to know of it, in one look.
_STANDING = (
    f"SELECT {_COLUMNS}, known.guild_id, known.guild_name, EXISTS ("  # noqa: S608 -- constants only
    " SELECT 1 FROM barred JOIN channel AS own ON own.id = barred.channel_id WHERE own.platform = 'discord'"
    " AND own.platform_id = asked.id AND barred.platform = ? AND barred.user_id = ?), EXISTS ("
    " SELECT 1 FROM connection WHERE connection.channel_id = joined.channel_id AND connection.state = 'connected')"
    " FROM (SELECT CAST(? AS TEXT) AS id) AS asked"
    " LEFT JOIN joined ON joined.discord_channel = asked.id LEFT JOIN channel ON channel.id = joined.channel_id"
    " LEFT JOIN discord_channel AS known ON known.discord_channel = asked.id"
)
_REQUEST = (
    "SELECT discord_channel, guild_id, guild_name, channel_name, requested_by, requested_name FROM join_request"
    " WHERE code_digest = ? AND expires_at > ?"
)


class Joined(NamedTuple):
    """A Discord channel whose commands about a stream mean this channel's session."""

    discord_channel: str
    guild_id: str
    guild_name: str
    """As it was called when it was joined, like the channel."""
    channel_name: str
    channel_id: int
    """The store's own number of the Twitch channel."""
    place: Place
    """The Twitch channel."""
    requested_by: str
    """The account that asked, as account_key() writes it."""
    moderators: bool
    """Whether the server's moderators may do what the streamer's do."""
    joined_at: datetime

    @property
    def discord_place(self) -> Place:
        """The Discord channel."""
        return Place(DISCORD, self.discord_channel, f"{self.guild_name} › {self.channel_name}")


class JoinRequest(NamedTuple):
    """Somebody who may manage a server asks that a channel of it be joined to whoever brings the code."""

    discord_channel: str
    guild_id: str
    guild_name: str
    channel_name: str
    requested_by: str
    requested_name: str


class Standing(NamedTuple):
    """A Discord channel as a command finds it."""

    joined: Joined | None
    guild: tuple[str, str] | None
    """The id and name of the server it belongs to, where that was learnt."""
    is_barred: bool
    """Whether the Discord channel itself takes nothing from the caller."""
    is_connected: bool
    """Whether the streamer's leave for the bot holds; what they lent the server's moderators rests on it."""


async def of_discord(store: Asked, discord_channel: str) -> Joined | None:
    """What a Discord channel is joined to."""
    found = await store.fetch(f"{_SELECT} WHERE joined.discord_channel = ?", discord_channel)
    return next(map(_joined, found), None)


async def of_twitch(store: Asked, channel: Channel) -> list[Joined]:
    """The Discord channels joined to a Twitch channel, the first first."""
    where = f"{_SELECT} WHERE joined.channel_id = ? ORDER BY joined.joined_at, joined.discord_channel"
    return [_joined(row) for row in await store.fetch(where, channel.id)]


async def standing(store: Asked, discord_channel: str, caller: Author) -> Standing:
    """All of it, in one read."""
    (row,) = await store.fetch(_STANDING, *caller[:2], discord_channel)
    *joined, guild_id, guild_name, is_barred, is_connected = row
    guild = None if guild_id is None else (guild_id, guild_name)
    return Standing(None if joined[0] is None else _joined(joined), guild, bool(is_barred), bool(is_connected))


async def join(
    transaction: Transaction, request: JoinRequest, channel: Channel, by: Author, *, moderators: bool, now: datetime
) -> bool:
    """Join what was asked for to a stored Twitch channel; False where the Discord channel is joined already."""
    added = await transaction.execute(
        "INSERT INTO joined (discord_channel, guild_id, guild_name, channel_name, channel_id, requested_by,"
        " moderators, joined_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (discord_channel) DO NOTHING",
        *(*request[:4], channel.id, request.requested_by, int(moderators), to_microseconds(now)),
    )
    found = await of_discord(transaction, request.discord_channel) if added else None
    if found is None:
        return False
    await _note(transaction, found, by, "join", WITH_MODERATORS if moderators else "", now)
    return True


async def end(transaction: Transaction, joined: Joined, by: Author, now: datetime) -> bool:
    """End a joining, by either side alone; False when it was over."""
    ended = await transaction.execute("DELETE FROM joined WHERE discord_channel = ?", joined.discord_channel)
    if ended:
        await _note(transaction, joined, by, "unjoin", "", now)
    return bool(ended)


async def end_of_streamer(transaction: Transaction, platform: str, user_id: str, now: datetime) -> None:
    """End every joining of a channel whose streamer has taken back their leave, or is forgotten."""
    where = f"{_SELECT} WHERE channel.platform = ? AND channel.platform_id = ?"
    for row in await transaction.fetch(where, platform, user_id):
        joined = _joined(row)
        await end(transaction, joined, Author(*joined.place), now)


async def end_of_guild(transaction: Transaction, guild_id: str, now: datetime) -> None:
    """The bot is in a server no more: its joinings end, its codes are void, and whose its channels are is unknown."""
    for row in await transaction.fetch(f"{_SELECT} WHERE joined.guild_id = ?", guild_id):
        joined = _joined(row)
        await end(transaction, joined, Author(DISCORD, guild_id, joined.guild_name), now)
    await transaction.execute("DELETE FROM join_request WHERE guild_id = ?", guild_id)
    await transaction.execute("DELETE FROM discord_channel WHERE guild_id = ?", guild_id)


async def _note(transaction: Transaction, joined: Joined, by: Author, act: str, after: str, now: datetime) -> None:
    twitch, discord = joined.place, joined.discord_place
    for channel, other in ((twitch, discord), (discord, twitch)):
        stored = await channels.stored(transaction, channel)
        await audit.record(transaction, stored, None, by, act, account_key(Author(*other)), after=after, now=now)


def _joined(row: Sequence[Any]) -> Joined:
    discord, guild_id, guild_name, name, channel_id, *place, requested_by, moderators, at = row
    there = (discord, guild_id, guild_name, name)
    return Joined(*there, channel_id, Place(*place), requested_by, bool(moderators), from_microseconds(at))


# --- in a backup that is put back (storage.restore)

Joinings = dict[tuple[str, str, str], bool]
"""By Discord channel and the platform and id of what it is joined to: whether the server's moderators may act."""


async def joinings(connection: Connection) -> Joinings:
    """Everything that is joined in a database."""
    found = await connection.execute_fetchall(
        "SELECT discord_channel, platform, platform_id, moderators FROM joined"
        " JOIN channel ON channel.id = joined.channel_id"
    )
    return {(discord, platform, platform_id): bool(moderators) for discord, platform, platform_id, moderators in found}


async def keep_only(connection: Connection, still: Joinings) -> None:
    """What either side has ended since, or taken back, does not come back."""
    for there, moderators in (await joinings(connection)).items():
        if there not in still:
            await connection.execute("DELETE FROM joined WHERE discord_channel = ?", there[:1])
        elif moderators and not still[there]:
            await connection.execute("UPDATE joined SET moderators = 0 WHERE discord_channel = ?", there[:1])


# --- codes: known by digests only, one of each Discord channel


async def ask(transaction: Transaction, code_digest: str, request: JoinRequest, until: datetime) -> None:
    """Keep a request until an instant, in the place of the one the channel had."""
    await transaction.execute(
        "INSERT INTO join_request (discord_channel, guild_id, guild_name, channel_name, requested_by, requested_name,"
        " code_digest, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (discord_channel) DO UPDATE SET"
        " guild_id = excluded.guild_id, guild_name = excluded.guild_name, channel_name = excluded.channel_name,"
        " requested_by = excluded.requested_by, requested_name = excluded.requested_name,"
        " code_digest = excluded.code_digest, expires_at = excluded.expires_at",
        *(*request, code_digest, to_microseconds(until)),
    )


async def asked(store: Asked, code_digest: str, now: datetime) -> JoinRequest | None:
    """What a code asks for; None for one that ran out, was used, or is none."""
    found = await store.fetch(_REQUEST, code_digest, to_microseconds(now))
    return next((JoinRequest(*row) for row in found), None)


async def withdraw(transaction: Transaction, discord_channel: str) -> bool:
    """Let a channel's code be good for nothing; whether it had one."""
    return bool(await transaction.execute("DELETE FROM join_request WHERE discord_channel = ?", discord_channel))


# --- whose a Discord channel is


async def learn_guild(transaction: Transaction, discord_channel: str, guild_id: str, guild_name: str) -> None:
    """Note the server a Discord channel belongs to: its pages are for that server's moderators."""
    await transaction.execute(
        "INSERT INTO discord_channel (discord_channel, guild_id, guild_name) VALUES (?, ?, ?)"
        " ON CONFLICT (discord_channel) DO UPDATE SET guild_id = excluded.guild_id, guild_name = excluded.guild_name",
        *(discord_channel, guild_id, guild_name),
    )


async def guild_of(store: Asked, discord_channel: str) -> str | None:
    """The id of the server a Discord channel belongs to; None where that was not learnt, or the bot left it."""
    found = await store.fetch("SELECT guild_id FROM discord_channel WHERE discord_channel = ?", discord_channel)
    return str(found[0][0]) if found else None


async def guilds(store: Asked) -> set[str]:
    """The ids of all servers anything is known of."""
    found = await store.fetch(
        "SELECT guild_id FROM joined UNION SELECT guild_id FROM discord_channel UNION SELECT guild_id FROM join_request"
        " UNION SELECT guild_id FROM answer WHERE guild_id <> ''"
    )
    return {guild_id for (guild_id,) in found}
