"""Being forgotten reaches every table that names somebody, now and in every backup that is restored later (PRIV-4)."""

import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from moments.live import Author
from storage import Store, Transaction, ledger, open_store
from storage._sqlite import to_microseconds
from storage.backup import backup
from storage.ledger import NOBODY, account_key, erasure_digest
from storage.restore import restore
from tests.databases import change, rows, save
from tests.stream import BEGAN, DEFAULTS, KEY, KEYS, Stream

ANN, BEN = Author("console", "ann", "Ann"), Author("console", "ben", "Ben")
AT = to_microseconds(BEGAN)
LATER = to_microseconds(BEGAN + timedelta(days=1))


TRACES = {
    "connection": """
        INSERT INTO connection SELECT id, 'connected', '', :at, :at FROM channel WHERE platform_id = :user
        ON CONFLICT DO UPDATE SET connected_at = :at
    """,
    "credential": """
        INSERT INTO credential VALUES (:platform, :user, :name, 'a', 'r', '', 'ok', NULL, NULL, :at, :at, 0)
    """,
    "web_session": "INSERT INTO web_session VALUES (:user, 'd', :platform, :user, :name, :at, :at, '[]', NULL)",
    "named_moderator": """
        INSERT INTO named_moderator SELECT id, :platform, :user, :name, :at FROM channel WHERE platform_id = 'geralt'
    """,
    "audit of acts": """
        INSERT INTO audit (channel_id, at, actor_platform, actor_user_id, act, target, before, after)
        SELECT id, :at, :platform, :user, 'end', '#1', '', '' FROM channel WHERE platform_id = 'geralt'
    """,
    "audit of targets": """
        INSERT INTO audit (channel_id, at, actor_platform, actor_user_id, act, target, before, after)
        SELECT id, :at, 'console', 'mod', 'bar', :key, '', '' FROM channel WHERE platform_id = 'geralt'
    """,
    "audit of named moderators": """
        INSERT INTO audit (channel_id, at, actor_platform, actor_user_id, act, target, before, after)
        SELECT id, :at, 'console', 'streamer', 'setup', :key, '', 'named' FROM channel WHERE platform_id = 'geralt'
    """,
    "barred": """
        INSERT INTO barred SELECT id, :platform, :user, :name, 'console:mod', :at FROM channel
        WHERE platform_id = 'geralt'
    """,
    "barred by": """
        INSERT INTO barred SELECT id, 'console', 'victim of ' || :user, 'Eve', :key, :at FROM channel
        WHERE platform_id = 'geralt'
    """,
    "promotion": """
        INSERT INTO promotion SELECT id, (SELECT count(*) FROM promotion), 'asked', NULL, NULL, :key, :at FROM session
    """,
}


def leave(path: Path, who: Author, *which: str, at: int = AT) -> None:
    """What somebody leaves besides marks, in a channel of their own and in Geralt's; all of TRACES, or these."""
    values = {
        "platform": who.platform,
        "user": who.user_id,
        "name": who.display_name,
        "key": account_key(who),
        "at": at,
    }
    connection = sqlite3.connect(path)
    connection.execute(
        "INSERT INTO channel (platform, platform_id, display_name) VALUES (:platform, :user, :name)"
        " ON CONFLICT DO NOTHING",
        values,
    )
    for name in which or TRACES:
        connection.execute(TRACES[name], values)
    connection.commit()
    connection.close()


NAMING = ("account", "credential", "web_session", "named_moderator", "audit", "barred", "promotion", "mark", "person")


def named(path: Path, who: Author) -> list[str]:
    """The tables a row of which still names somebody."""
    return [
        table
        for table in NAMING
        if who.user_id in repr([row for row in rows(path, f"SELECT * FROM {table}") if "victim" not in repr(row)])  # noqa: S608
        or account_key(who) in repr(rows(path, f"SELECT * FROM {table}"))  # noqa: S608
    ]


def connected(path: Path) -> dict[str, str]:
    return dict(rows(path, "SELECT platform_id, state FROM connection JOIN channel ON channel.id = channel_id"))


@pytest.fixture
async def saved(path: Path) -> Path:
    """A backup in which Ann and Ben have left marks and traces everywhere; the database itself is in `path`."""
    saved = await save(path)
    leave(path, ANN)
    leave(path, BEN)
    change(path, "UPDATE mark SET hidden_by = 'console:ann' WHERE number = 2")
    await backup(path, saved, force=True)
    return saved


def assert_ann_is_gone_and_ben_is_not(path: Path) -> None:
    assert named(path, ANN) == ["barred"]
    assert rows(path, "SELECT display_name, barred_by FROM barred WHERE user_id = 'ann'") == [("", "console:mod")]
    assert rows(path, "SELECT barred_by FROM barred WHERE user_id = 'victim of ann'") == [(NOBODY,)]
    acts = rows(path, "SELECT actor_platform, actor_user_id, act, target FROM audit ORDER BY id")
    assert acts[:3] == [
        (NOBODY, NOBODY, "end", "#1"),
        ("console", "mod", "bar", NOBODY),
        ("console", "streamer", "setup", NOBODY),
    ]
    assert acts[3:] == [
        ("console", "ben", "end", "#1"),
        ("console", "mod", "bar", "console:ben"),
        ("console", "streamer", "setup", "console:ben"),
    ]
    assert rows(path, "SELECT hidden_by FROM mark WHERE number = 2") == [(NOBODY,)]
    assert connected(path) == {"ann": "disconnected", "ben": "connected"}
    assert set(named(path, BEN)) == set(NAMING) - {"mark", "person"}


async def test_PRIV_4_forgetting_reaches_every_table_and_lifts_no_block(path: Path, saved: Path) -> None:
    assert set(named(path, ANN)) == set(NAMING) - {"person"}
    async with open_store(path, defaults=DEFAULTS) as store:
        await Stream(store).forget("ann", 60)
    assert_ann_is_gone_and_ben_is_not(path)


async def test_PRIV_4_a_restored_backup_forgets_all_of_it_again(path: Path, saved: Path) -> None:
    async with open_store(path, defaults=DEFAULTS) as store:
        await Stream(store).forget("ann", 60)
    assert set(named(saved, ANN)) == set(NAMING) - {"person"}
    report = await restore(saved, path, KEYS)
    assert report.forgotten_again == 1
    leave(path, BEN, "web_session")  # logins are not restored
    assert_ann_is_gone_and_ben_is_not(path)


async def remember(store: Store, who: Author, at: int) -> None:
    """Put somebody into the ledger of the forgotten."""
    digest = erasure_digest(KEY, who.platform, who.user_id)

    async def job(transaction: Transaction) -> None:
        await transaction.execute("INSERT INTO forgotten VALUES (?, ?)", digest, at)

    await store.run(job, message=None, now=BEGAN)


async def test_PRIV_4_who_never_marked_is_forgotten_again_too(path: Path, saved: Path) -> None:
    change(path, "DELETE FROM mark", "DELETE FROM account", "DELETE FROM person")
    await backup(path, saved, force=True)
    async with open_store(path, defaults=DEFAULTS) as store:
        await remember(store, ANN, AT)
    assert (await restore(saved, path, KEYS)).forgotten_again == 1
    assert named(path, ANN) == ["barred"]
    assert connected(path) == {"ann": "disconnected", "ben": "connected"}
    await backup(path, saved, force=True)
    assert (await restore(saved, path, KEYS)).forgotten_again == 0


@pytest.mark.parametrize("which", sorted(TRACES.keys() - {"web_session"}))
async def test_PRIV_4_one_row_anywhere_is_enough_to_be_found(path: Path, which: str) -> None:
    saved = await save(path)
    change(path, "DELETE FROM mark", "DELETE FROM account", "DELETE FROM person")
    leave(path, ANN, which)
    await backup(path, saved, force=True)
    async with open_store(path, defaults=DEFAULTS) as store:
        await remember(store, ANN, AT)
    assert (await restore(saved, path, KEYS)).forgotten_again == 1
    assert named(path, ANN) == (["barred"] if which == "barred" else [])


async def test_PRIV_4_who_came_back_keeps_what_is_newer(path: Path, saved: Path) -> None:
    change(path, *[f"DELETE FROM {table}" for table in ("named_moderator", "barred", "credential", "web_session")])  # noqa: S608
    leave(path, ANN, at=LATER)
    await backup(path, saved, force=True)
    async with open_store(path, defaults=DEFAULTS) as store:
        await remember(store, ANN, (AT + LATER) // 2)
    await restore(saved, path, KEYS)
    assert set(named(path, ANN)) == {"credential", "named_moderator", "audit", "barred", "promotion"}
    for column, count in (("actor_user_id = 'ann'", 1), ("target = 'console:ann'", 2), ("target = 'deleted'", 2)):
        assert rows(path, f"SELECT count(*) FROM audit WHERE {column}") == [(count,)]  # noqa: S608
    assert rows(path, "SELECT count(*) FROM audit WHERE actor_user_id = 'deleted'") == [(1,)]
    assert connected(path)["ann"] == "connected"


async def test_what_an_account_without_a_row_left_can_be_forgotten_by_its_id(path: Path, saved: Path) -> None:
    change(path, "DELETE FROM mark", "DELETE FROM account", "DELETE FROM person")
    async with open_store(path, defaults=DEFAULTS) as store:

        async def job(transaction: Transaction) -> list[int]:
            return [await ledger.forget_traces(transaction._connection, *ANN[:2], now=AT) for _ in range(2)]

        first, second = await store.run(job, message=None, now=BEGAN)
    assert (first > 0, second) == (True, 0)
    assert named(path, ANN) == ["barred"]


async def test_whom_an_act_was_about_is_found_without_reading_every_act(path: Path, saved: Path) -> None:
    for statement in (each for each in ledger._FORGET_TRACES if each.lstrip().startswith("UPDATE audit")):
        values = dict.fromkeys(("nobody", "platform", "user_id", "key", "until"), "")
        connection = sqlite3.connect(path)
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
        connection.close()
        assert all(step.startswith("SEARCH") for step in plan), plan


# --- what else a restore must not bring back


async def test_a_restore_logs_everybody_out_and_revokes_signed_links(path: Path, saved: Path) -> None:
    change(
        saved,
        "INSERT INTO login_attempt VALUES ('s', 'twitch', 'login', 'b', 'n', '/', '{}', 1)",
        "UPDATE channel SET link_epoch = 3",
    )
    change(path, "UPDATE channel SET link_epoch = 7 WHERE platform_id = 'geralt'")
    await restore(saved, path, KEYS)
    assert rows(path, "SELECT (SELECT count(*) FROM web_session) + (SELECT count(*) FROM login_attempt)") == [(0,)]
    assert rows(path, "SELECT min(link_epoch) FROM channel")[0][0] > 7
