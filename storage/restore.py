"""Putting a backup in the database's place, once everything in it has been checked; the secret key stays as it is."""

import asyncio
import os
import shutil
import sqlite3
import stat
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from moments.errors import NotFound, StoreBusy, StoreDamaged, UsageError
from moments.wording import counted
from storage import (
    _files,
    _sqlite,
    answers,
    checks,
    credentials,
    feeds,
    guests,
    joined,
    ledger,
    linking,
    migrations,
    posts,
)
from storage._sqlite import Connection, scalar
from storage.credentials import Vault
from storage.in_use import IN_USE, refuse_in_use
from storage.keys import SecretKeys


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """What a restore did; `str()` says it in sentences."""

    sessions: int
    marks: int
    forgotten_again: int
    """People deleted once more because they asked to be forgotten after the backup was made."""
    old: Path | None
    """Where the database that was replaced is now; None when there was none."""
    old_was_readable: bool
    """Whether the list of the forgotten could be taken from it."""
    tokens_dropped: int = 0
    """Accounts whose tokens another secret key had sealed."""

    def __str__(self) -> str:
        """Two or three sentences for a terminal."""
        said = [f"Restored {counted(self.sessions, 'session')} with {counted(self.marks, 'mark')}."]
        if self.forgotten_again:
            said.append(f"Forgotten again, as asked after this backup: {counted(self.forgotten_again, 'person')}.")
        if self.tokens_dropped:
            said.append(
                f"Its tokens were sealed with another secret key: {counted(self.tokens_dropped, 'account')}"
                " must connect again."
            )
        if not self.old_was_readable:
            said.append("The old database is damaged: whoever asked it to be forgotten after this backup is back.")
        if self.old:
            said.append(f"The old database is now {self.old}.")
        return " ".join(said)


async def restore(backup: Path, live: Path, keys: SecretKeys) -> RestoreReport:
    """Put a backup in the place of the database at `live`, which need not exist (FILE-2, PRIV-4).

    Everything is checked on a private copy first; until that has passed `live` is not touched. The old database is
    kept beside it. Whoever was forgotten since stays forgotten; mark numbers given out since are not used again.

    Raises NotFound, UsageError, StoreBusy while Moments runs, StoreNewer, StoreDamaged for what is not a sound
    backup, and other StoreErrors; each time nothing has changed.
    """
    live = live.resolve()
    _refuse_source(backup, live)
    refuse_in_use(live)
    copy = _files.make_temporary(live)
    try:
        await asyncio.to_thread(_copy_file, backup, copy)
        await _check(copy, backup)
        async with _old_database(live) as given:
            sessions, marks, people, tokens = await _adopt(copy, given, keys)
            with _files.sentences(live.parent):
                await asyncio.to_thread(_files.sync, copy)
                aside = _swap(copy, live)
        return RestoreReport(sessions, marks, people, aside, old_was_readable=given is not None, tokens_dropped=tokens)
    finally:
        _files.remove(copy)


def _refuse_source(backup: Path, live: Path) -> None:
    if live.is_dir():
        raise UsageError(f"{live} is a folder. Set MOMENTS_DATABASE_URL to a file.")
    if backup.resolve() == live:
        raise UsageError(f"{backup} is the database itself. Name a backup of it.")
    for path in _files.companions(backup):
        if path.name.endswith(("-wal", "-journal")) and path.exists() and path.stat().st_size:
            raise UsageError(f"{backup} was copied while in use ({path.name}). Use a file made by `moments backup`.")


def _copy_file(backup: Path, copy: Path) -> None:
    try:
        # Never waiting for the other end of a pipe.
        descriptor = os.open(backup, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise NotFound(f"There is no file {backup} to restore.") from error
    try:
        is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
        if not is_file or os.pread(descriptor, len(checks.MAGIC), 0) != checks.MAGIC:
            raise StoreDamaged(f"{backup} is not a database. Nothing was changed.")
        with _files.sentences(copy.parent), open(descriptor, "rb", closefd=False) as file, copy.open("wb") as private:
            shutil.copyfileobj(file, private, 1024 * 1024)
    finally:
        os.close(descriptor)


async def _check(copy: Path, backup: Path) -> None:
    """Everything that can be said about the file itself; brings the copy up to date."""
    with _said_of(backup):
        connection = await _sqlite.connect(copy)
        try:
            await connection.execute("PRAGMA cell_size_check = ON")
            await checks.check_origin(connection, backup)
            await checks.check_pages(connection, backup)
            await migrations.migrate(connection, copy)
            await checks.check_rows(connection, backup)
        finally:
            await connection.close()


@contextmanager
def _said_of(backup: Path) -> Iterator[None]:
    """Whatever SQLite cannot make of a file from elsewhere is damage."""
    try:
        with _sqlite.sentences(backup):
            yield
    except sqlite3.Error as error:
        raise StoreDamaged(_NOT_SOUND.format(backup)) from error
    except StoreDamaged as error:
        if isinstance(error.__cause__, sqlite3.Error):
            raise StoreDamaged(_NOT_SOUND.format(backup)) from error
        raise


_NOT_SOUND = "{} is damaged or not a database. Nothing was changed."


class _GivenOut(NamedTuple):
    """What the old database promised and a restored one must keep."""

    forgotten: ledger.Ledger
    numbers: list[tuple[int, str]]
    """(highest mark number ever used, session)."""
    revision: int
    link_epoch: int = 0
    """The highest of any channel: links that were revoked stay so."""
    track_version: int = 0
    """The highest of any track."""
    hidden: Sequence[tuple[str, str, str]] = ()
    """Words of saves that were taken out of everyone's sight: (public id, by whom, why)."""
    link_changes: Sequence[linking.Change] = ()
    still_joined: joined.Joinings | None = None
    """What is joined still; None where that is not known."""
    still_posting: feeds.Chosen | None = None
    """Where anything is posted still; likewise."""
    private: Sequence[tuple[str, str]] = ()
    """Channels that are private: (platform, id on it)."""
    posts: Sequence[tuple[object, ...]] | None = None
    """What stands on Discord; None where that is not known."""
    answers: Sequence[tuple[object, ...]] | None = None
    """What was answered there; likewise."""


@asynccontextmanager
async def _old_database(live: Path) -> AsyncIterator[_GivenOut | None]:
    """Lock the database that is to be replaced, its -wal written into it, and read from it; None when it is damaged."""
    if not live.exists():
        yield _GivenOut({}, [], 0)
        return
    refuse_in_use(live)
    old = given = None
    try:
        try:
            old = await _sqlite.connect(live)
            with _sqlite.sentences(live):
                await _lock(old, live)
                given = await _given_out(old)
        except StoreBusy as error:
            raise StoreBusy(IN_USE.format(live)) from error
        except StoreDamaged:
            pass
        yield given
    finally:
        if old:
            await old.close()


async def _lock(old: Connection, live: Path) -> None:
    application = await scalar(old, "PRAGMA application_id")
    if application != _sqlite.APPLICATION_ID and await scalar(old, "SELECT count(*) FROM sqlite_master"):
        raise UsageError(f"{live} is another program's database. Set MOMENTS_DATABASE_URL to a file of its own.")
    # Leaving WAL takes a moment alone with the file, and leaves everything in it.
    await old.execute_fetchall("PRAGMA journal_mode = DELETE")
    await old.execute("BEGIN EXCLUSIVE")


async def _given_out(old: Connection) -> _GivenOut | None:
    if not await scalar(old, "SELECT count(*) FROM sqlite_master"):
        return _GivenOut({}, [], 0)
    forgotten = await ledger.read(old)
    numbers: list[tuple[int, str]] = []
    revision = epoch = track = 0
    hidden: list[tuple[str, str, str]] = []
    links: list[linking.Change] = []
    still: joined.Joinings | None = None
    chosen: feeds.Chosen | None = None
    private: list[tuple[str, str]] = []
    standing: list[tuple[object, ...]] | None = None
    answered: list[tuple[object, ...]] | None = None
    with suppress(sqlite3.DatabaseError):  # damage elsewhere must not cost us the ledger
        numbers = [(row[0], row[1]) for row in await old.execute_fetchall("SELECT last_number, public_id FROM session")]
        revision = await scalar(old, "SELECT coalesce(max(revision), 0) FROM session")
        epoch = await scalar(old, "SELECT coalesce(max(link_epoch), 0) FROM channel")
        track = await scalar(old, "SELECT coalesce(max(version), 0) FROM track")
        hidden = [(row[0], row[1], row[2]) for row in await old.execute_fetchall(_HIDDEN)]
        links = await linking.all_changes(old)
        still = await joined.joinings(old)
        chosen = await feeds.chosen(old)
        private = [(row[0], row[1]) for row in await old.execute_fetchall(_PRIVATE)]
        standing = await posts.everything(old)
        answered = await answers.everything(old)
    promised = (forgotten, numbers, revision, epoch, track, hidden, links)
    return _GivenOut(*promised, still, chosen, private, standing, answered)


async def _adopt(copy: Path, given: _GivenOut | None, keys: SecretKeys) -> tuple[int, int, int, int]:
    """Make the checked copy keep what was promised since.

    Its sessions, its marks, people forgotten again, and accounts whose tokens had to go.
    """
    connection = await _sqlite.connect(copy)
    try:
        with _sqlite.sentences(copy):
            await connection.execute("BEGIN")
            if given:
                await ledger.merge(connection, given.forgotten)
                await connection.executemany(_KEEP_NUMBERS, given.numbers)
                # Pages and downloads are cached by revision: none may come back with other content.
                await connection.execute("UPDATE session SET revision = revision + ?", (given.revision + 1,))
                await connection.execute("UPDATE track SET version = version + ?", (given.track_version + 1,))
                await connection.execute("UPDATE channel SET link_epoch = link_epoch + ?", (given.link_epoch + 1,))
                await connection.executemany(_HIDE, given.hidden)
                await connection.execute(_SHOW_NONE_HIDDEN)
                if given.still_joined is not None:
                    await joined.keep_only(connection, given.still_joined)
                if given.still_posting is not None:
                    await feeds.keep_only(connection, given.still_posting)
                await connection.executemany(_STAY_PRIVATE, given.private)
                if given.posts is not None:
                    await posts.take_over(connection, given.posts)
                if given.answers is not None:
                    await answers.take_over(connection, given.answers)
            # What was gone or private on its service since must not be told again (R3); it is asked for anew.
            await guests.send_away(connection)
            # Who logged out since the backup stays out.
            await connection.execute("DELETE FROM web_session")
            await connection.execute("DELETE FROM login_attempt")
            await connection.execute("DELETE FROM join_request")
            await linking.undo_again(connection, given.link_changes if given else ())
            tokens = await credentials.adopt(connection, Vault(keys))
            people = await ledger.forget_again(connection, keys.derive_all(ledger.PURPOSE))
            sessions = await scalar(connection, "SELECT count(*) FROM session")
            marks = await scalar(connection, "SELECT count(*) FROM mark")
            await connection.execute("COMMIT")
            await connection.execute_fetchall("PRAGMA journal_mode = DELETE")
    finally:
        await connection.close()
    return sessions, marks, people, tokens


_HIDDEN = "SELECT public_id, hidden_by, hidden_reason FROM save WHERE hidden_by IS NOT NULL"
_HIDE = "UPDATE save SET hidden_by = ?2, hidden_reason = ?3 WHERE public_id = ?1 AND hidden_by IS NULL"
_SHOW_NONE_HIDDEN = (
    "UPDATE save SET shown = 0 WHERE shown = 1 AND words_id IN (SELECT id FROM save WHERE hidden_by IS NOT NULL)"
)
_PRIVATE = "SELECT platform, platform_id FROM channel WHERE visibility = 'private'"
_STAY_PRIVATE = "UPDATE channel SET visibility = 'private' WHERE platform = ? AND platform_id = ?"
_KEEP_NUMBERS = "UPDATE session SET last_number = ?1 WHERE public_id = ?2 AND last_number < ?1"


def _swap(copy: Path, live: Path) -> Path | None:
    """Give the copy the live name; where the old database is now. At every instant the name is one whole database."""
    aside = live.with_name(f"{live.name}.before-restore-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}")
    # Left of a damaged or missing database: beside the new one they would be taken for its own.
    for path, kept in zip(_files.companions(live), _files.companions(aside), strict=True):
        if path.exists():
            path.rename(kept)
    existed = live.exists()
    if existed:
        try:
            os.link(live, aside)
        except OSError:
            live.rename(aside)
    copy.replace(live)
    _files.sync(live.parent)
    return aside if existed else None
