"""`moments export`: one download of a session, to a file or to standard output."""

import os
import secrets
import sys
from collections.abc import Iterator, Mapping
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from bot.progress import progress
from moments.errors import MomentsError, NotFound, UsageError
from storage import open_store
from web_export import downloads
from web_export.formats import by_slug
from web_export.formats.format import Format
from web_export.formats.options import parse_options

if TYPE_CHECKING:
    from bot.settings import Settings


async def export(
    settings: "Settings", word: str, slug: str, options: Mapping[str, str], target: Path | None = None
) -> None:
    """Write one download of the session meant by `word` to `target`, whole or not at all, or to standard output.

    `options` are those of the site's downloads, as typed. Raises UsageError for an unknown format or option.
    """
    form, wishes = _format(slug), parse_options(options)
    async with open_store(settings.database, defaults=settings.defaults, create=False) as store:
        session = await store.find_session(word)
        written = 0
        with _output(target) as file, progress(f"Exporting {session.title or session.id}") as show:
            async with aclosing(downloads.export(store, session, form, wishes, settings.defaults)) as chunks:
                async for chunk in chunks:
                    written += file.write(chunk)
                    show(f"{written / 1e6:.1f} MB")


def _format(slug: str) -> Format:
    try:
        return by_slug(slug)
    except NotFound as error:
        raise UsageError(str(error)) from error


@contextmanager
def _output(target: Path | None) -> Iterator[BinaryIO]:
    try:
        if target is None or str(target) == "-":
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
        else:
            with _replacing(target.resolve()) as file:  # through a link, to replace what it points at
                yield file
    except BrokenPipeError:
        raise
    except OSError as error:
        raise MomentsError(f"{target or 'Standard output'} cannot be written: {error.strerror}.") from error


@contextmanager
def _replacing(target: Path) -> Iterator[BinaryIO]:
    """A new file that takes the target's place once it is whole."""
    if target.exists() and not target.is_file():
        raise UsageError(f"{target} is not a file. Say another name after -o.")
    unfinished = target.with_name(f".moments-{secrets.token_hex(4)}.part")
    try:
        with unfinished.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
