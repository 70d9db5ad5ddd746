"""How long things are kept: one table that names every column about people, and a clock that is turned forward."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from moments.grants import Grant
from storage import Change, Store, Transaction, credentials, open_store
from storage._sqlite import to_microseconds
from storage.credentials import Vault
from storage.purge import Purged, drop_api_data, purge
from storage.retention import API_DATA, GRANT_UNUSED, LOGIN_IDLE, LOGIN_LONGEST, RETENTION
from tests.stream import BEGAN, DEFAULTS, KEYS, Stream

AT = to_microseconds(BEGAN)
DAY = timedelta(days=1)

_IMPERSONAL = {
    "channel": (
        "id platform visibility cooldown_seconds crowd_window_seconds lead_seconds who_may_mark"
        " reply_level names bare_commands mirror_markers promote link_epoch"
    ),
    "account": "id",
    "session": "id public_id channel_id status created_at updated_at last_number revision vod_shift_seconds",
    "segment": "session_id segment_index start_time end_time created_at",
    "mark": "session_id number segment_index offset_seconds adjust_seconds",
    "pace": "channel_id",
    "handled_message": "session_id number handled_at",
    "stream_state": "channel_id paused_by_us",
    "api_stream": "session_id provider fetched_at expires_at",
    "api_archive": "provider channel_id duration_seconds fetched_at expires_at",
    "credential": "state expires_at validated_at used_at updated_at generation",
    "connection": "channel_id",
    "login_attempt": "provider purpose expires_at",
    "audit": "id channel_id session_id",
    "barred": "channel_id",
    "named_moderator": "channel_id",
    "promotion": "session_id number state",
    "joined": "channel_id moderators",
    "feed": "channel_id mode min_people shows_private trouble trouble_at told_at",
    "followed": "revision",
    "post": "id kind low high state",
    "answer": "quotes state tries",
    "fact": "name value",
    "track": "id public_id created_at merged_into version",
    "track_source": "id provider media_id kind track_id",
    "track_merge": "id track_id same_as method confidence evidence",
    "match_question": "id track_id same_as score evidence asked_at answer",
    "api_source": "provider media_id state fetched_at expires_at",
    "save": ("id public_id track_source_id start_seconds end_seconds private beyond replaced_by words_id shown"),
    "cell": "track_id start_seconds end_seconds people",
    "edge": "track_id second change",
}
IMPERSONAL = {f"{table}.{column}" for table, columns in _IMPERSONAL.items() for column in columns.split()}
"""What says nothing of anybody. A new column belongs here or in RETENTION."""


@pytest.fixture
async def told() -> list[Change]:
    return []


@pytest.fixture
async def store(path: Path, told: list[Change]) -> AsyncIterator[Store]:
    async with open_store(path, defaults=DEFAULTS, on_commit=told.extend) as opened:
        yield opened


async def clean(store: Store, now: datetime, *spared: tuple[str, str]) -> Purged:
    async def job(transaction: Transaction) -> Purged:
        return await purge(transaction, now, spared)

    return await store.run(job, message=None, now=now)


async def put(store: Store, *statements: tuple[str, *tuple[object, ...]]) -> None:
    async def job(transaction: Transaction) -> None:
        for sql, *values in statements:
            await transaction.execute(sql, *values)

    await store.run(job, message=None, now=BEGAN)


async def columns(store: Store) -> set[str]:
    tables = [row[0] for row in await store.fetch("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {
        f"{table}.{column[0]}"
        for table in tables
        for column in await store.fetch("SELECT name FROM pragma_table_info(?)", table)
    }


async def test_PRIV_1_every_column_about_people_is_in_the_table_of_what_is_kept(store: Store) -> None:
    named = [column for kept in RETENTION for column in kept.columns]
    assert len(named) == len(set(named))
    assert not set(named) & IMPERSONAL
    assert set(named) | IMPERSONAL == await columns(store)


async def test_PRIV_1_every_row_says_what_why_and_how_long() -> None:
    assert len({kept.name for kept in RETENTION}) == len(RETENTION)
    for kept in RETENTION:
        assert kept.what
        assert kept.why
        assert kept.how_long
        assert (kept.lasts is None) == bool(kept.until)
    words = {kept.name: kept.how_long for kept in RETENTION}
    assert words["What Twitch tells of a stream"] == "24 hours"
    assert "90 days after" in words["Permissions of streamers"]
    assert words["Ways to a login"] == "10 minutes"
    assert words["Messages"] == "7 days"


# --- what Twitch told


async def on_twitch(store: Store, user_id: str = "1001") -> Stream:
    """A channel with an open session, and everything Twitch told of it an instant ago."""
    channel = Stream(store, user_id, "twitch")
    await channel.start()
    await learn(store, user_id, BEGAN)
    return channel


async def learn(
    store: Store, user_id: str, fetched: datetime, lasts: timedelta = API_DATA - timedelta(hours=1)
) -> None:
    at, until = to_microseconds(fetched), to_microseconds(fetched + lasts)
    await put(
        store,
        ("UPDATE channel SET login = 'geralt', login_expires_at = ? WHERE platform_id = ?", until, user_id),
        (_STREAM, at, until, user_id),
        (_ARCHIVE, at, until, user_id),
    )


_STREAM = (
    "INSERT OR REPLACE INTO api_stream SELECT id, 'twitch', 'Any%', 'Hollow Deep', ?, ? FROM session"
    " WHERE channel_id = (SELECT id FROM channel WHERE platform_id = ?)"
)
_ARCHIVE = (
    "INSERT OR REPLACE INTO api_archive SELECT 'twitch', '2' || platform_id, id, 's1', 'Any%', 0, 60, '[]', ?, ?"
    " FROM channel WHERE platform_id = ?"
)


async def api_rows(store: Store) -> list[int]:
    counts = "SELECT (SELECT count(*) FROM api_stream), (SELECT count(*) FROM api_archive), count(login) FROM channel"
    return list((await store.fetch(counts))[0])


async def test_PRIV_6_a_day_later_nothing_twitch_told_is_left(store: Store) -> None:
    await on_twitch(store)
    assert await clean(store, BEGAN + timedelta(hours=22)) == Purged()
    assert await api_rows(store) == [1, 1, 1]
    purged = await clean(store, BEGAN + timedelta(hours=25))
    assert (purged.streams, purged.archives, purged.logins) == (1, 1, 1)
    assert await api_rows(store) == [0, 0, 0]


async def test_PRIV_6_a_day_is_the_longest_whatever_a_row_says_of_itself(store: Store) -> None:
    await on_twitch(store)
    await learn(store, "1001", BEGAN, lasts=timedelta(days=300))
    await clean(store, BEGAN + timedelta(hours=25))
    assert (await api_rows(store))[:2] == [0, 0]


@pytest.mark.parametrize(
    "missing", ["DELETE FROM api_stream", "UPDATE channel SET login = NULL, login_expires_at = NULL"]
)
async def test_PRIV_6_no_page_and_no_memory_keeps_showing_what_went(
    store: Store, told: list[Change], missing: str
) -> None:
    channel = await on_twitch(store)
    await put(store, ("UPDATE session SET title = ''",))
    session = await store.find_session("1001")
    assert session.title == "Any%"
    await put(store, (missing,))  # each of the two alone is reason enough
    await channel.mark("ann", 10, "first")  # now the writer remembers the channel
    revision = await store.revision(session)
    told.clear()
    await clean(store, BEGAN + timedelta(hours=25))
    assert await store.revision(session) > revision
    assert Change("session", session.id) in told

    async def title_and_login(transaction: Transaction) -> tuple[str, str]:
        live = await transaction.live(channel.place)
        assert live.session is not None
        return live.session.title, live.channel.login

    assert await store.run(title_and_login, message=None, now=BEGAN) == ("", "")


async def test_PRIV_6_marks_and_sessions_do_not_depend_on_it(store: Store) -> None:
    channel = await on_twitch(store)
    await channel.mark("ann", 10, "my words")
    await clean(store, BEGAN + timedelta(days=400))
    assert [mark.note for mark in await channel.marks()] == ["my words"]


async def test_PRIV_6_at_revocation_it_goes_at_once_and_that_channels_alone(store: Store) -> None:
    await on_twitch(store)
    await on_twitch(store, "1002")

    async def job(transaction: Transaction) -> None:
        await drop_api_data(transaction, "twitch", "1001")
        await drop_api_data(transaction, "twitch", "unknown")

    await store.run(job, message=None, now=BEGAN)
    assert await api_rows(store) == [1, 1, 1]
    assert [row[0] for row in await store.fetch("SELECT platform_id FROM channel WHERE login IS NOT NULL")] == ["1002"]


# --- logins

_SESSION = "INSERT INTO web_session VALUES (?, 'digest', 'twitch', '1', 'Ann', ?, ?, '[\"7\"]', ?)"


@pytest.mark.parametrize(
    ("after", "seen", "left"),
    [
        (timedelta(0), timedelta(0), 1),
        (LOGIN_IDLE - DAY, timedelta(0), 1),
        (LOGIN_IDLE, timedelta(0), 0),
        (LOGIN_LONGEST - DAY, LOGIN_LONGEST - 2 * DAY, 1),
        (LOGIN_LONGEST, LOGIN_LONGEST - DAY, 0),
    ],
)
async def test_PRIV_6_a_login_ends_when_it_is_idle_or_old(
    store: Store, after: timedelta, seen: timedelta, left: int
) -> None:
    await put(store, (_SESSION, "s", AT, to_microseconds(BEGAN + seen), None))
    assert (await clean(store, BEGAN + after)).web_sessions == 1 - left
    assert (await store.fetch("SELECT count(*) FROM web_session"))[0][0] == left


async def test_PRIV_6_the_list_of_moderated_channels_does_not_outlive_its_day(store: Store) -> None:
    await put(store, (_SESSION, "old", AT, AT, AT), (_SESSION, "new", AT, AT, to_microseconds(BEGAN + DAY)))
    assert (await clean(store, BEGAN + timedelta(hours=25))).moderated == 1
    found = await store.fetch("SELECT id, moderates, moderates_at FROM web_session ORDER BY id")
    assert [row[1] for row in found] == ['["7"]', "[]"]
    assert found[1][2] is None


async def test_PRIV_6_an_attempt_to_log_in_is_over_when_it_says_so(store: Store) -> None:
    attempt = "INSERT INTO login_attempt VALUES (?, 'twitch', 'login', 'b', 'n', '/', '{}', ?)"
    await put(store, (attempt, "a", AT), (attempt, "b", AT + 1))
    assert (await clean(store, BEGAN)).attempts == 1
    assert [row[0] for row in await store.fetch("SELECT state_digest FROM login_attempt")] == ["b"]


# --- tokens


async def granted(store: Store, user_id: str) -> None:
    grant = Grant("twitch", user_id, "login", "access", "refresh")

    async def job(transaction: Transaction) -> None:
        await credentials.save(transaction, Vault(KEYS), grant, BEGAN)

    await store.run(job, message=None, now=BEGAN)
    await put(
        store,
        (
            "INSERT INTO connection SELECT id, 'connected', '', ?, ? FROM channel WHERE platform_id = ?",
            *(AT, AT, user_id),
        ),
    )


async def tokens(store: Store) -> dict[str, str]:
    """Whose are kept, and how their channel is connected."""
    found = await store.fetch(
        "SELECT user_id, coalesce((SELECT state FROM connection JOIN channel ON channel.id = channel_id"
        " WHERE platform_id = user_id), '') FROM credential"
    )
    return dict(found)


async def test_PRIV_6_tokens_nobody_needed_for_90_days_go_and_the_channel_is_disconnected(store: Store) -> None:
    await on_twitch(store)
    await granted(store, "1001")
    assert (await clean(store, BEGAN + GRANT_UNUSED - DAY)).grants == 0
    assert await tokens(store) == {"1001": "connected"}
    assert (await clean(store, BEGAN + GRANT_UNUSED + DAY)).grants == 1
    assert await tokens(store) == {}
    assert await store.fetch("SELECT state, changed_at FROM connection") == [
        ("disconnected", to_microseconds(BEGAN + GRANT_UNUSED + DAY))
    ]


async def test_PRIV_6_with_tokens_nobody_needed_goes_what_twitch_told_of_their_channel(store: Store) -> None:
    await on_twitch(store)
    await granted(store, "1001")
    await learn(store, "1001", BEGAN + GRANT_UNUSED + DAY)  # though it is not a day old
    assert (await clean(store, BEGAN + GRANT_UNUSED + DAY)).grants == 1
    assert await api_rows(store) == [0, 0, 0]


async def test_PRIV_6_a_dead_grant_is_kept_no_longer_than_a_live_one(store: Store) -> None:
    await on_twitch(store)
    await granted(store, "1001")

    async def job(transaction: Transaction) -> None:
        generation = await credentials.generation(transaction, "twitch", "1001")
        assert await credentials.mark_dead(transaction, "twitch", "1001", generation, BEGAN + GRANT_UNUSED)

    await store.run(job, message=None, now=BEGAN)
    assert (await clean(store, BEGAN + GRANT_UNUSED + DAY)).grants == 1


@pytest.mark.parametrize("lives_by", ["its marks", "its streams", "its tokens"])
async def test_a_streamer_who_streams_is_never_disconnected(store: Store, lives_by: str) -> None:
    await on_twitch(store)
    await granted(store, "1001")
    lately = to_microseconds(BEGAN + GRANT_UNUSED)
    match lives_by:
        case "its marks":
            await put(store, ("UPDATE session SET updated_at = ?", lately))
        case "its streams":
            await put(store, ("INSERT INTO stream_state SELECT id, 's', ?, ?, 0 FROM channel", AT, lately))
        case "its tokens":
            await put(store, ("UPDATE credential SET used_at = ?", lately))
    assert (await clean(store, BEGAN + GRANT_UNUSED + DAY)).grants == 0
    assert await tokens(store) == {"1001": "connected"}
    assert (await clean(store, BEGAN + 2 * GRANT_UNUSED)).grants == 1


async def test_the_bots_own_tokens_are_spared(store: Store) -> None:
    await granted(store, "bot")
    await granted(store, "nobody's")
    assert (await clean(store, BEGAN + 4 * GRANT_UNUSED, ("twitch", "bot"))).grants == 1
    assert await tokens(store) == {"bot": ""}


async def test_marks_go_on_while_much_is_purged(store: Store) -> None:
    channel = await on_twitch(store)
    marking = [channel.mark(f"viewer{n}", n) for n in range(50)]
    cleaning = clean(store, BEGAN + timedelta(hours=25))
    await asyncio.gather(*marking, cleaning)
    assert (await api_rows(store))[0] == 0
    assert len(await channel.marks()) == 50
