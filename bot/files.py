"""The verbs of the command line that look after the database file: migrate, backup, restore."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bot.progress import progress
from storage import open_store
from storage.backup import backup as back_up
from storage.keys import key_file, secret_keys
from storage.restore import restore as put_back

if TYPE_CHECKING:
    from bot.settings import Settings


async def migrate(settings: "Settings") -> None:
    """Make the database, or bring it up to date."""
    async with open_store(settings.database, defaults=settings.defaults):
        pass
    _say(f"{settings.database} is up to date.")


async def backup(settings: "Settings", target: Path, *, force: bool) -> None:
    """Save the database to `target`, while it is in use too."""
    with progress(f"Saving {settings.database}") as show:
        await back_up(
            settings.database, target, force=force, progress=lambda done, pages: show(f"{done * 100 // pages} %")
        )
    key = "MOMENTS_SECRET_KEY" if settings.secret_keys else str(key_file(settings.database))
    _say(f"Saved to {target}. The secret key is not in it: keep {key} in another safe place.")


async def restore(settings: "Settings", source: Path) -> None:
    """Put a backup in the database's place and say what became of the old one and of the forgotten."""
    report = await put_back(source, settings.database, secret_keys(settings.secret_keys, settings.database))
    _say(str(report))


def _say(sentence: str) -> None:
    sys.stdout.write(f"{sentence}\n")
