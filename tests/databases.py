"""Database files, looked at and changed past the store."""

import sqlite3
from pathlib import Path
from typing import Any

from storage import open_store
from storage.backup import backup
from tests.stream import DEFAULTS, Stream


def rows(path: Path, sql: str) -> list[Any]:
    """Asked past the store, and without making anything beside the file."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True)
    try:
        return list(connection.execute(sql))
    finally:
        connection.close()


def change(path: Path, *statements: str) -> None:
    """What another program does to a file."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        for statement in statements:
            connection.execute(statement)
    finally:
        connection.close()


def everything(folder: Path) -> dict[str, bytes]:
    """Every file in a folder and its bytes."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def names(folder: Path) -> list[str]:
    """What is in a folder."""
    return sorted(path.name for path in folder.iterdir())


def overwrite(file: Path, at: int, garbage: bytes) -> None:
    """Damage a file."""
    with file.open("r+b") as opened:
        opened.seek(at)
        opened.write(garbage)


async def save(path: Path) -> Path:
    """Make a session with marks by Ann and Ben in the database at `path`; its backup, in a folder of its own."""
    async with open_store(path, defaults=DEFAULTS) as store:
        channel = Stream(store)
        await channel.start(title="Any%")
        await channel.mark("ann", 10, "mine", "m1")
        await channel.mark("ben", 12, "his", "m2")
    (path.parent / "backups").mkdir()
    target = path.parent / "backups" / "saved.db"
    await backup(path, target)
    return target
