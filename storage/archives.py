"""A channel's archives as its platform listed them last: guests that leave within a day (research/providers.md R1)."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from moments.sessions import Channel
from moments.vod import Archive
from storage._sqlite import from_microseconds, to_microseconds
from storage.reads import Reads
from storage.transaction import Transaction

_OF_CHANNEL = (
    "SELECT fetched_at, video_id, stream_id, title, created_at, duration_seconds, muted FROM api_archive"
    " WHERE channel_id = ? AND expires_at > ? ORDER BY created_at"
)
# A grant that has died stops nothing here; one that was taken back is not kept, nor is anything else asked for.
_CONNECTED = (
    "SELECT 1 FROM connection JOIN channel ON channel.id = connection.channel_id WHERE channel_id = ?"
    " AND (state = 'connected' OR state = 'needs_authorisation' AND EXISTS (SELECT 1 FROM credential"
    " WHERE credential.platform = channel.platform AND credential.user_id = channel.platform_id))"
)
_KEEP = (
    "INSERT INTO api_archive (provider, video_id, channel_id, stream_id, title, created_at, duration_seconds, muted,"
    " fetched_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (provider, video_id) DO UPDATE SET"
    " channel_id = excluded.channel_id, stream_id = excluded.stream_id, title = excluded.title,"
    " created_at = excluded.created_at, duration_seconds = excluded.duration_seconds, muted = excluded.muted,"
    " fetched_at = excluded.fetched_at, expires_at = excluded.expires_at"
)


class Listed(NamedTuple):
    """What may still be used of a platform's list."""

    archives: tuple[Archive, ...] = ()
    """Oldest first."""
    fetched_at: datetime | None = None
    """None when nothing is kept."""


async def listed(store: Reads, channel: Channel, now: datetime) -> Listed:
    """The archives that have not expired."""
    found = await store.fetch(_OF_CHANNEL, channel.id, to_microseconds(now))
    if not found:
        return Listed()
    return Listed(tuple(_archive(*row[1:]) for row in found), from_microseconds(min(row[0] for row in found)))


async def connected(store: Reads, channel: Channel) -> bool:
    """Whether the channel's streamer lets us ask for, and keep, what the platform tells of it."""
    return bool(await store.fetch(_CONNECTED, channel.id))


async def keep(
    transaction: Transaction, channel: Channel, archives: Iterable[Archive], fetched_at: datetime, expires_at: datetime
) -> None:
    """Keep a list instead of the one before: what is not in it any more goes at once (R3).

    Nothing is kept of a channel that was disconnected while we asked (PRIV-6).
    """
    await transaction.execute("DELETE FROM api_archive WHERE channel_id = ?", channel.id)
    if not await transaction.fetch(_CONNECTED, channel.id):
        return
    for archive in archives:
        await transaction.execute(
            _KEEP,
            *(channel.platform, archive.video_id, channel.id, archive.stream_id, archive.title),
            *(to_microseconds(archive.created_at), archive.duration_seconds, json.dumps(archive.muted)),
            *(to_microseconds(fetched_at), to_microseconds(expires_at)),
        )


def _archive(
    video_id: str, stream_id: str | None, title: str, created_at: int, duration_seconds: int, muted: str
) -> Archive:
    stretches: list[Any] = json.loads(muted)
    silent = tuple((start, length) for start, length in stretches)
    return Archive(video_id, stream_id, title, from_microseconds(created_at), duration_seconds, silent)
