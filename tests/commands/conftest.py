"""A chat for every test of a command."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.chat import Chat, open_chat


@pytest.fixture
async def chat(database: Path) -> AsyncIterator[Chat]:
    async with open_chat(database) as chat:
        yield chat


@pytest.fixture
async def live(chat: Chat) -> Chat:
    """A chat in which a session has just started."""
    await chat.says("<~nightowl> !start Any% attempts | Hollow Deep")
    return chat
