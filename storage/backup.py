"""Saving the database to one file while it is in use: a whole file or none, and never with the secret key."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from moments.errors import NotFound, UsageError
from storage import _files, _sqlite, checks, guests, migrations
from storage._sqlite import Connection, scalar
from storage.keys import key_file

PAGES_AT_ONCE = 256
"""Pages copied between two calls of `progress`, and between two chances to stop."""

Progress = Callable[[int, int], None]


async def backup(source: Path, target: Path, *, force: bool = False, progress: Progress | None = None) -> None:
    """Save the database at `source`, as it is at this moment, to the single file `target` (FILE-1).

    Works while others write. `target` appears whole or not at all and only its owner can read it; without `force`
    nothing is overwritten, and a symbolic link is replaced, never followed. `progress` hears the pages copied and
    their total. The secret key is not in it.

    Raises NotFound without a source or a folder for the target, UsageError for a target that must not be written,
    and StoreError.
    """
    if not source.is_file():
        raise NotFound(f"There is no database at {source} to save. Check MOMENTS_DATABASE_URL.")
    _refuse_target(source, target, force=force)
    copy = _files.make_temporary(target)
    try:
        await _copy_database(source, copy, progress)
        with _files.sentences(target.parent):
            await asyncio.to_thread(_files.sync, copy)
            _give_name(copy, target, force=force)
            _files.sync(target.parent)
    finally:
        _files.remove(copy)


def _refuse_target(source: Path, target: Path, *, force: bool) -> None:
    own = [source, *_files.companions(source), key_file(source)]
    if target.resolve() in [path.resolve() for path in own]:
        raise UsageError(f"{target} belongs to the database itself. Choose another name for the backup.")
    if target.is_dir():
        raise UsageError(f"{target} is a folder. Name a file in it.")
    if not force and (target.exists() or target.is_symlink()):
        raise UsageError(_EXISTS.format(target))


_EXISTS = "{} exists already. Choose another name, or add --force to replace it."


def _give_name(copy: Path, target: Path, *, force: bool) -> None:
    if not force:
        try:
            os.link(copy, target)  # unlike a rename, it never replaces what has appeared in the meantime
        except FileExistsError as error:
            raise UsageError(_EXISTS.format(target)) from error
        except OSError:
            if target.exists() or target.is_symlink():
                raise UsageError(_EXISTS.format(target)) from None
        else:
            return
    copy.replace(target)


async def _copy_database(source: Path, copy: Path, progress: Progress | None) -> None:
    original = await _sqlite.connect(source)
    try:
        with _sqlite.sentences(source):
            await migrations.pending(original, source)
            await original.execute("BEGIN")
            # One snapshot for all the pages: otherwise every write of others would start the copying anew.
            await scalar(original, "SELECT count(*) FROM sqlite_master")
        copied = await _sqlite.connect(copy)
        try:
            with _sqlite.sentences(source):
                await copied.execute("PRAGMA synchronous = OFF")  # it is synced as a whole, before it gets its name
                await _copy_pages(original, copied, progress)
                await copied.execute_fetchall("PRAGMA journal_mode = DELETE")
            with _sqlite.sentences(source):
                await checks.check_pages(copied, source)
                await copied.execute("PRAGMA secure_delete = ON")
                await guests.send_away(copied)
        finally:
            await copied.close()
    finally:
        await original.close()


async def _copy_pages(original: Connection, copied: Connection, progress: Progress | None) -> None:
    loop = asyncio.get_running_loop()
    stopped = False

    def heard(_status: int, remaining: int, total: int) -> None:
        if stopped:
            raise InterruptedError
        if progress:
            loop.call_soon_threadsafe(progress, total - remaining, total)

    copying = asyncio.ensure_future(original.backup(copied, pages=PAGES_AT_ONCE, progress=heard))
    try:
        await asyncio.shield(copying)
    except asyncio.CancelledError:
        stopped = True  # after the pages at hand; SQLite crashes when a connection is closed under a copy
        await asyncio.gather(copying, return_exceptions=True)
        raise
