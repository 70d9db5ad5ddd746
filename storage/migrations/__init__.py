"""The tables, as an append-only list of migrations.

Order is important: add new migrations at the end, never change one that has been released. Each says in its first
words why it exists. All that are missing are applied at start in one transaction; a newer database is refused.
Instants are whole microseconds since 1970 in UTC; lengths and offsets are whole seconds.
"""

from pathlib import Path

import aiosqlite

from moments.errors import StoreDamaged, StoreNewer
from storage._sqlite import APPLICATION_ID, scalar, sentences
from storage.migrations.discord import DISCORD
from storage.migrations.live_loop import LIVE_LOOP
from storage.migrations.saves import SAVES
from storage.migrations.twitch import TWITCH

MIGRATIONS: tuple[tuple[str, tuple[str, ...]], ...] = (LIVE_LOOP, TWITCH, SAVES, DISCORD)


async def migrate(connection: aiosqlite.Connection, path: Path) -> list[str]:
    """Bring the database up to date, all or nothing; what was applied, in words.

    Raises StoreNewer for a database of a later Moments and StoreDamaged for a file that is not ours.
    """
    with sentences(path):
        if await pending(connection, path) == 0:
            return []
        # FULL already holds; WAL is a property of the file and cannot be set inside a transaction.
        await connection.execute_fetchall("PRAGMA journal_mode = WAL")
        await connection.execute("BEGIN IMMEDIATE")
        try:
            done = []
            missing = await pending(connection, path)  # again: another process may have been faster
            for description, statements in MIGRATIONS[len(MIGRATIONS) - missing :]:
                for statement in statements:
                    await connection.execute(statement)
                done.append(description)
            await connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            await connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
            await connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                await connection.execute("ROLLBACK")
            raise
    return done


async def pending(connection: aiosqlite.Connection, path: Path) -> int:
    """How many migrations are missing; raises when the file is newer than this Moments, or not ours."""
    with sentences(path):
        # In this order: another process may migrate in between, and its tables must not look like a stranger's.
        tables = await scalar(connection, "SELECT count(*) FROM sqlite_master")
        application = await scalar(connection, "PRAGMA application_id")
        version = await scalar(connection, "PRAGMA user_version")
    if application != APPLICATION_ID and (tables or application):
        raise StoreDamaged(f"{path} is another program's database. Set MOMENTS_DATABASE_URL to a file of its own.")
    if version > len(MIGRATIONS):
        raise StoreNewer(
            f"{path} was written by a newer Moments (version {version}). Update Moments, then start again."
        )
    return len(MIGRATIONS) - version
