"""What the tests of the fake Discord may ask for."""

from collections.abc import AsyncIterator

import pytest

from tests.discord.town import Town
from tests.fake_discord.application import Application
from tests.fake_discord.server import FakeDiscord


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    async with FakeDiscord() as discord, Application.at(discord) as app:
        town = Town(discord, app)
        await town.open()
        yield town
