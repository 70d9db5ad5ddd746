"""What tests of Twitch may ask for."""

import warnings
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

with warnings.catch_warnings():  # aiohttp is unhappy with how twitchio, which we import here first, derives from it
    warnings.filterwarnings("ignore", "Inheritance class AiohttpAdapter", DeprecationWarning)
    from tests.bot.twitch.rig import Rig, open_rig


@pytest.fixture
async def rig(database: Path) -> AsyncIterator[Rig]:
    """A fake Twitch, a database, and a bot that is authorised."""
    async with open_rig(database) as rig:
        yield rig
