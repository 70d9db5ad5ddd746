"""Which Discord channels are shown a stream's marks, and up to where they are shown as they are."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from moments.sessions import Session, Status
from storage._sqlite import Connection, from_microseconds, to_microseconds
from storage.own import Asked
from storage.transaction import Transaction

POSTED_LATE = timedelta(days=7)
"""After its end nothing of a session is posted any more, for however long Discord was down."""


class Mode(StrEnum):
    """What of a session is posted."""

    EACH = "each"
    CROWD = "crowd"
    SUMMARY = "summary"
    OFF = "off"
    """Nothing new; what stands is kept true."""


class Feed(NamedTuple):
    """What one Discord channel is shown."""

    discord_channel: str
    guild_id: str
    mode: Mode
    min_people: int
    shows_private: bool
    """Whether who may manage the server wants the Discord channel's own private sessions posted there."""
    set_at: datetime
    trouble: str
    """Why nothing can be posted, or what went wrong once; a sentence, empty while all is well."""
    trouble_at: datetime | None
    """Since when nothing can be posted."""
    source: int
    """The store's number of the channel whose sessions are shown: of the joined stream, else the Discord channel."""
    is_joined: bool

    def takes(self, session: Session, now: datetime) -> bool:
        """Whether new posts are made of the session: it has been open since the feed was set."""
        since = max(self.set_at, now - POSTED_LATE)
        is_open = session.status is not Status.ENDED or session.updated_at >= since
        return self.mode is not Mode.OFF and session.channel.id == self.source and is_open


class Due(NamedTuple):
    """A session of which a Discord channel may not be shown all yet."""

    discord_channel: str
    session_id: str
    revision: int


_FEED = (
    "SELECT feed.discord_channel, feed.guild_id, feed.mode, feed.min_people, feed.shows_private, feed.set_at,"
    " feed.trouble, feed.trouble_at, coalesce(joined.channel_id, feed.channel_id), joined.channel_id IS NOT NULL"
    " FROM feed LEFT JOIN joined ON joined.discord_channel = feed.discord_channel"
)
_SHOWING = (
    f"{_FEED} WHERE coalesce(joined.channel_id, feed.channel_id) ="  # noqa: S608 -- constants only
    " (SELECT channel_id FROM session WHERE public_id = ?1)"
    " OR feed.discord_channel IN (SELECT discord_channel FROM followed WHERE session_id = ?1)"
)
_DUE = (
    "SELECT followed.discord_channel, followed.session_id, coalesce(session.revision, -1) FROM followed"
    " LEFT JOIN session ON session.public_id = followed.session_id"
    " WHERE followed.revision <> coalesce(session.revision, -1)"
    " UNION SELECT feed.discord_channel, session.public_id, session.revision FROM feed"
    " LEFT JOIN joined ON joined.discord_channel = feed.discord_channel"
    " JOIN session ON session.channel_id = coalesce(joined.channel_id, feed.channel_id)"
    " WHERE feed.mode <> 'off' AND (session.status <> 'ended' OR session.updated_at >= max(feed.set_at, ?))"
    " AND NOT EXISTS (SELECT 1 FROM followed WHERE followed.discord_channel = feed.discord_channel"
    " AND followed.session_id = session.public_id)"
)
_MAY_CHANGE = (
    "SELECT followed.discord_channel, followed.session_id, session.revision FROM followed"
    " JOIN session ON session.public_id = followed.session_id"
    " WHERE session.status <> 'ended' OR session.updated_at >= ?"
)


async def of_channel(asked: Asked, discord_channel: str) -> Feed | None:
    """A Discord channel's feed; None when nobody ever set one."""
    found = await asked.fetch(f"{_FEED} WHERE feed.discord_channel = ?", discord_channel)
    return next((_feed(row) for row in found), None)


async def showing(asked: Asked, session_id: str) -> list[Feed]:
    """The feeds that show a session, or have shown it."""
    return [_feed(row) for row in await asked.fetch(_SHOWING, session_id)]


async def set_feed(
    transaction: Transaction,
    discord_channel: str,
    guild_id: str,
    channel_id: int,
    mode: Mode,
    min_people: int,
    *,
    shows_private: bool,
    by: str,
    now: datetime,
) -> None:
    """Let a Discord channel, by the store known as `channel_id`, be shown this from now on; trouble is forgotten.

    When it was set before, what was open since then is still posted.
    """
    await transaction.execute(
        "INSERT INTO feed (discord_channel, guild_id, channel_id, mode, min_people, shows_private, set_by, set_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (discord_channel) DO UPDATE SET guild_id = excluded.guild_id,"
        " channel_id = excluded.channel_id, mode = excluded.mode, min_people = excluded.min_people,"
        " shows_private = excluded.shows_private, set_by = excluded.set_by,"
        " set_at = CASE feed.mode WHEN 'off' THEN excluded.set_at ELSE feed.set_at END,"
        " trouble = '', trouble_at = NULL, told_at = NULL",
        *(discord_channel, guild_id, channel_id, mode, min_people, int(shows_private), by, to_microseconds(now)),
    )
    # Whatever was shown before is looked at again, as if it had changed.
    await transaction.execute("UPDATE followed SET revision = -2 WHERE discord_channel = ?", discord_channel)


async def pause(transaction: Transaction, discord_channel: str, why: str, now: datetime) -> None:
    """Note why nothing can be posted; another reason than before is told anew."""
    await transaction.execute(
        "UPDATE feed SET told_at = CASE WHEN trouble = ?1 THEN told_at END, trouble = ?1, trouble_at = ?2"
        " WHERE discord_channel = ?3",
        *(why, to_microseconds(now), discord_channel),
    )


async def warn(transaction: Transaction, discord_channel: str, why: str) -> None:
    """Note something that went wrong once and keeps nothing from being posted; it is told once."""
    await transaction.execute(
        "UPDATE feed SET trouble = ?, told_at = NULL WHERE discord_channel = ? AND trouble_at IS NULL",
        *(why, discord_channel),
    )


async def resume(transaction: Transaction, discord_channel: str) -> None:
    """It can be posted again."""
    await transaction.execute(
        "UPDATE feed SET trouble = '', trouble_at = NULL, told_at = NULL WHERE discord_channel = ?", discord_channel
    )


async def take_up(transaction: Transaction, discord_channel: str) -> None:
    """Somebody put right what was in the way: all that it should show is looked at again, as if it had changed."""
    await resume(transaction, discord_channel)
    await transaction.execute("UPDATE followed SET revision = -2 WHERE discord_channel = ?", discord_channel)


async def untold(asked: Asked, guild_id: str) -> list[tuple[str, str]]:
    """(the Discord channel's name, why) of the feeds of a server whose trouble no moderator has been told of."""
    found = await asked.fetch(
        "SELECT channel.display_name, feed.trouble FROM feed JOIN channel ON channel.id = feed.channel_id"
        " WHERE feed.guild_id = ? AND feed.trouble <> '' AND feed.told_at IS NULL ORDER BY channel.display_name",
        guild_id,
    )
    return [(name, why) for name, why in found]


async def tell(transaction: Transaction, guild_id: str, now: datetime) -> list[tuple[str, str]]:
    """The same, told from now on."""
    found = await untold(transaction, guild_id)
    await transaction.execute(
        "UPDATE feed SET told_at = ? WHERE guild_id = ? AND trouble <> '' AND told_at IS NULL",
        *(to_microseconds(now), guild_id),
    )
    await transaction.execute("UPDATE feed SET trouble = '' WHERE guild_id = ? AND trouble_at IS NULL", guild_id)
    return found


async def end_of_guild(transaction: Transaction, guild_id: str) -> None:
    """The bot is in a server no more: its feeds go, and what is known of posts that nobody can reach now (PRIV-6)."""
    for (discord_channel,) in await transaction.fetch("SELECT discord_channel FROM feed WHERE guild_id = ?", guild_id):
        await transaction.execute("DELETE FROM post WHERE discord_channel = ?", discord_channel)
        await transaction.execute("DELETE FROM followed WHERE discord_channel = ?", discord_channel)
        await transaction.execute("DELETE FROM feed WHERE discord_channel = ?", discord_channel)


# --- in a backup that is put back (storage.restore)

Chosen = dict[str, bool]
"""The Discord channels in which anything is posted: whether private sessions are, too."""


async def chosen(connection: Connection) -> Chosen:
    """Every feed of a database that is on."""
    found = await connection.execute_fetchall("SELECT discord_channel, shows_private FROM feed WHERE mode <> 'off'")
    return {discord_channel: bool(shows_private) for discord_channel, shows_private in found}


async def keep_only(connection: Connection, still: Chosen) -> None:
    """What was turned off since, or restricted, does not come back."""
    for discord_channel, shows_private in (await chosen(connection)).items():
        if discord_channel not in still:
            await connection.execute("UPDATE feed SET mode = 'off' WHERE discord_channel = ?", (discord_channel,))
        if shows_private and not still.get(discord_channel):
            await connection.execute("UPDATE feed SET shows_private = 0 WHERE discord_channel = ?", (discord_channel,))


# --- what is still to be shown


async def due(asked: Asked, now: datetime) -> list[Due]:
    """Every session of which a feed may not show all as it is: after a restart, or whatever else was missed."""
    return [Due(*row) for row in await asked.fetch(_DUE, to_microseconds(now - POSTED_LATE))]


async def may_change(asked: Asked, since: datetime) -> list[Due]:
    """The sessions that are shown somewhere and not over since then: their VOD may yet appear, or change."""
    return [Due(*row) for row in await asked.fetch(_MAY_CHANGE, to_microseconds(since))]


async def followed(transaction: Transaction, done: Sequence[Due]) -> None:
    """Note up to which revision sessions are shown as they are."""
    for one in done:
        await transaction.execute(
            "INSERT INTO followed (discord_channel, session_id, revision) SELECT discord_channel, ?2, ?3 FROM feed"
            " WHERE discord_channel = ?1"
            " ON CONFLICT (discord_channel, session_id) DO UPDATE SET revision = excluded.revision",
            *one,
        )


def _feed(row: Sequence[Any]) -> Feed:
    channel, guild, mode, people, private, set_at, trouble, trouble_at, source, is_joined = row
    at = None if trouble_at is None else from_microseconds(trouble_at)
    since = from_microseconds(set_at)
    return Feed(channel, guild, Mode(mode), people, bool(private), since, trouble, at, source, bool(is_joined))
