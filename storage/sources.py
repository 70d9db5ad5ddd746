"""What services tell of recordings: guests with an expiry date; nothing of our own depends on them (R1)."""

import json
from collections.abc import Collection, Iterable
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import NamedTuple

from storage import counts
from storage._sqlite import from_microseconds, to_microseconds
from storage.own import Asked
from storage.rows import Row
from storage.tracks import touch
from storage.transaction import Transaction


class State(StrEnum):
    """What became of the question. All but KNOWN come without facts."""

    KNOWN = "known"
    GONE = "gone"
    PRIVATE = "private"
    REGION = "region"
    AGE = "age"


class Live(StrEnum):
    """Whether it is a broadcast."""

    NO = "no"
    LIVE = "live"
    UPCOMING = "upcoming"


class Told(NamedTuple):
    """A service's answer about a recording. Nothing about popularity is ever among it (R4)."""

    provider: str
    media_id: str
    fetched_at: datetime
    expires_at: datetime | None
    """Until when it may be kept; None where the terms set no end."""
    state: State = State.KNOWN
    title: str | None = None
    by_line: str | None = None
    duration_seconds: int | None = None
    isrc: str | None = None
    embeddable: bool | None = None
    age_restricted: bool = False
    regions_allowed: tuple[str, ...] | None = None
    regions_blocked: tuple[str, ...] | None = None
    live: Live = Live.NO
    links: tuple[tuple[str, str], ...] = ()
    """The same recording elsewhere, as (provider, media id), by MusicBrainz."""


_COLUMNS = (
    "provider, media_id, fetched_at, expires_at, state, title, by_line, duration_seconds, isrc, embeddable,"
    " age_restricted, regions_allowed, regions_blocked, live, links"
)
_PUT = (
    f"INSERT INTO api_source ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 -- constants only
    " ON CONFLICT (provider, media_id) DO UPDATE SET fetched_at = excluded.fetched_at,"
    " expires_at = excluded.expires_at, state = excluded.state, title = excluded.title, by_line = excluded.by_line,"
    " duration_seconds = excluded.duration_seconds, isrc = excluded.isrc, embeddable = excluded.embeddable,"
    " age_restricted = excluded.age_restricted, regions_allowed = excluded.regions_allowed,"
    " regions_blocked = excluded.regions_blocked, live = excluded.live, links = excluded.links"
)


async def put(transaction: Transaction, told: Told) -> int:
    """Keep what a service told, in the place of what it told before.

    How many saves are found to end beyond the end, or no longer to: they are kept, marked and not counted.
    """
    await transaction.execute(_PUT, *_values(told))
    changed = 0
    if told.duration_seconds is not None and told.live is Live.NO:
        seconds = told.duration_seconds
        for (source,) in await transaction.fetch(
            "SELECT id FROM track_source WHERE provider = ? AND media_id = ?", told.provider, told.media_id
        ):
            changed += await transaction.together(partial(counts.set_duration, source=source, seconds=seconds))
    await touch(transaction, told.provider, told.media_id)
    return changed


async def wipe(transaction: Transaction, provider: str, media_id: str) -> bool:
    """Keep nothing of what a service told about this; False when there was nothing."""
    gone = await transaction.execute("DELETE FROM api_source WHERE provider = ? AND media_id = ?", provider, media_id)
    await touch(transaction, provider, media_id)
    return bool(gone)


async def expire(transaction: Transaction, now: datetime) -> int:
    """Delete what may not be kept any longer; how many answers went."""
    gone = await transaction.fetch(
        "DELETE FROM api_source WHERE expires_at <= ? RETURNING provider, media_id", to_microseconds(now)
    )
    for provider, media_id in gone:
        await touch(transaction, provider, media_id)
    return len(gone)


async def find(asked: Asked, provider: str, media_id: str, now: datetime) -> Told | None:
    """What a service told, while it may be shown."""
    return (await find_all(asked, [(provider, media_id)], now)).get((provider, media_id))


async def find_all(asked: Asked, things: Iterable[tuple[str, str]], now: datetime) -> dict[tuple[str, str], Told]:
    """The same of several things, (provider, media id) each; those we know nothing of are left out."""
    wanted = list(things)
    if not wanted:
        return {}
    either = " OR ".join(["(provider = ? AND media_id = ?)"] * len(wanted))
    found = await asked.fetch(
        f"SELECT {_COLUMNS} FROM api_source WHERE ({either}) AND (expires_at IS NULL OR expires_at > ?)",  # noqa: S608 -- question marks only
        *(word for thing in wanted for word in thing),
        to_microseconds(now),
    )
    return {(row[0], row[1]): _told(row) for row in found}


async def due(
    asked: Asked, now: datetime, limit: int = 50, providers: Collection[str] | None = None
) -> list[tuple[str, str]]:
    """Things people saved parts of that nothing is known of now, newest first; when given, on these services only."""
    on_these = "" if providers is None else f" AND track_source.provider IN ({', '.join('?' * len(providers))})"
    found = await asked.fetch(
        "SELECT track_source.provider, track_source.media_id FROM track_source LEFT JOIN api_source AS told"  # noqa: S608 -- question marks only
        " ON told.provider = track_source.provider AND told.media_id = track_source.media_id"
        f" WHERE (told.provider IS NULL OR told.expires_at <= ?){on_these}"
        " AND EXISTS (SELECT 1 FROM save WHERE save.track_source_id = track_source.id)"
        " ORDER BY track_source.id DESC LIMIT ?",
        *(to_microseconds(now), *(providers or ()), limit),
    )
    return [(provider, media_id) for provider, media_id in found]


async def pasted(asked: Asked, provider: str, media_id: str) -> tuple[str, str] | None:
    """The kind of a thing, and a link somebody pasted in public to save a part of it; empty when nobody did.

    It may hold the key of what is unlisted, and what that opens is told to everybody.
    """
    found = await asked.fetch(
        "SELECT kind, coalesce((SELECT url FROM save WHERE track_source_id = track_source.id AND private = 0"
        " AND replaced_by IS NULL AND beyond = 0 ORDER BY id LIMIT 1), '') FROM track_source"
        " WHERE provider = ? AND media_id = ?",
        *(provider, media_id),
    )
    return next(((kind, url) for kind, url in found), None)


def _values(told: Told) -> tuple[object, ...]:
    return (
        *(told.provider, told.media_id, to_microseconds(told.fetched_at)),
        None if told.expires_at is None else to_microseconds(told.expires_at),
        *(told.state, told.title, told.by_line, told.duration_seconds, told.isrc),
        None if told.embeddable is None else int(told.embeddable),
        int(told.age_restricted),
        *(None if regions is None else " ".join(regions) for regions in (told.regions_allowed, told.regions_blocked)),
        *(told.live, json.dumps(told.links)),
    )


def _told(row: Row) -> Told:
    embeddable, restricted, allowed, blocked, live, links = row[9:]
    return Told._make(
        (
            *(row[0], row[1], from_microseconds(row[2]), None if row[3] is None else from_microseconds(row[3])),
            *(State(row[4]), *row[5:9], None if embeddable is None else bool(embeddable), bool(restricted)),
            *(None if regions is None else tuple(regions.split()) for regions in (allowed, blocked)),
            *(Live(live), tuple((provider, media_id) for provider, media_id in json.loads(links))),
        )
    )
