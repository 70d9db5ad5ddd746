"""What a database from elsewhere must be before it may take the place of ours (FILE-2)."""

import sqlite3
from pathlib import Path

from moments.errors import StoreDamaged
from storage import migrations
from storage._sqlite import APPLICATION_ID, Connection, scalar

MAGIC = b"SQLite format 3\x00"
ROWS_AT_ONCE = 5000

# Whole microseconds that are a date, in any column: offsets, counts and row numbers stay inside them by far.
_NUMBERS = range(-62_135_596_800 * 10**6, 253_402_300_800 * 10**6)
_SESSION_RULES = """
    SELECT count(*) FROM session
    WHERE (SELECT count(*) FROM segment WHERE session_id = session.id) = 0
       OR (SELECT count(*) FROM segment WHERE session_id = session.id AND end_time IS NULL) <> (status = 'active')
       OR (SELECT coalesce(max(number), 0) FROM mark WHERE session_id = session.id) > last_number
"""


async def check_origin(connection: Connection, file: Path) -> None:
    """Raise StoreDamaged unless its tables are exactly those Moments makes, StoreNewer when a later Moments made them.

    A trigger, view or virtual table of somebody else's would run inside our own statements.
    """
    version = await scalar(connection, "PRAGMA user_version")
    if await scalar(connection, "PRAGMA application_id") != APPLICATION_ID or version < 1:
        raise StoreDamaged(f"{file} is not a database of Moments. Nothing was changed.")
    await migrations.pending(connection, file)  # raises StoreNewer
    if list(await connection.execute_fetchall(_SCHEMA)) != _schema_at(version):
        raise StoreDamaged(f"The tables in {file} are not as Moments makes them. Nothing was changed.")


async def check_pages(connection: Connection, file: Path) -> None:
    """Raise StoreDamaged unless every page, index, constraint and reference is sound."""
    broken = [str(row[0]) for row in await connection.execute_fetchall("PRAGMA integrity_check(1)")]
    if broken != ["ok"]:
        raise StoreDamaged(f"{file} is damaged ({broken[0].splitlines()[0]}). Nothing was changed.")
    if list(await connection.execute_fetchall("PRAGMA foreign_key_check")):
        raise StoreDamaged(f"{file} is damaged (a row refers to one that is missing). Nothing was changed.")


async def check_rows(connection: Connection, file: Path) -> None:
    """Raise StoreDamaged unless every value is of its kind and every session keeps the rules. Newest tables only.

    Text that is not UTF-8 is sqlite3's own OperationalError.
    """
    for (table,) in await connection.execute_fetchall("SELECT name FROM sqlite_master WHERE type = 'table'"):
        if not await _readable(connection, table):
            raise StoreDamaged(f"{file} holds values Moments never writes ({table}). Nothing was changed.")
    if await scalar(connection, _SESSION_RULES):
        raise StoreDamaged(f"{file} holds sessions Moments never writes. Nothing was changed.")


async def _readable(connection: Connection, table: str) -> bool:
    columns = await connection.execute_fetchall(f"PRAGMA table_info({table})")
    kinds = [str if kind == "TEXT" else int for _, _, kind, *_ in columns]
    async with connection.execute(f"SELECT * FROM {table}") as cursor:  # noqa: S608 -- a table of check_origin's
        while rows := await cursor.fetchmany(ROWS_AT_ONCE):
            for row in rows:
                for value, kind in zip(row, kinds, strict=True):
                    if value is not None and (type(value) is not kind or (kind is int and value not in _NUMBERS)):
                        return False
    return True


_SCHEMA = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"


def _schema_at(version: int) -> list[tuple[str, str, str, str | None]]:
    fresh = sqlite3.connect(":memory:")
    try:
        for _, statements in migrations.MIGRATIONS[:version]:
            for statement in statements:
                fresh.execute(statement)
        return list(fresh.execute(_SCHEMA))
    finally:
        fresh.close()
