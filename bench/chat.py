"""A chat that marks: people who type `!clip …` through the whole command layer, each in their own channel's time."""

import random
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from commands.dispatch import Dispatcher
from commands.feed import Feed
from commands.model import Heard, Platform
from commands.services import Services
from moments.live import Author, Place
from moments.people import Role
from moments.sessions import Defaults
from storage import Store, open_store
from storage.keys import SecretKeys

PEOPLE = 1_000
CHANNELS = 20
PLATFORM = Platform("bench", private_replies=False)  # as on Twitch, where floods are
BEGAN = datetime(2026, 1, 31, 20, tzinfo=UTC)
BETWEEN_CALLS = timedelta(milliseconds=25)
"""By the chat's own clock: each of a thousand people comes round every 25 s, well after the cooldown of 15 s."""

_WORDS = (
    *("that", "dodge", "was", "insane", "no", "way", "he", "did", "it", "again", "what", "a", "run", "clutch", "LOL"),
    *("the", "music", "here", "chills", "boss", "first", "try"),
)
_FOREIGN = ("今のすごい", "¡qué jugada!", "🔥🔥🔥", "это было круто", "لعبة رائعة", "the drop 🎵 here")


@dataclass
class Chat:
    """People in their channels, a clock that moves with every message, and the dispatcher that hears them."""

    store: Store
    feed: Feed
    services: Services = field(init=False)
    dispatcher: Dispatcher = field(init=False)
    now: datetime = BEGAN
    commands: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        keys = SecretKeys(("a secret of this bench, and of no use",))
        self.services = Services(self.store, self.feed, lambda: self.now, Defaults(), "http://localhost", keys)
        self.dispatcher = Dispatcher(self.services)
        self.people = crowd(PEOPLE)
        self.places = [Place(PLATFORM.name, f"{at}", f"channel_{at}") for at in range(CHANNELS)]
        self.commands = typed(2_000)
        self._chance = random.Random(2)

    async def start(self) -> None:
        """Start a session in every channel."""
        for place in self.places:
            host = Author(PLATFORM.name, place.platform_id, place.display_name)
            reply = await self.dispatcher.hear(
                Heard(PLATFORM, place, host, Role.BROADCASTER, "!start Any% | Hollow Deep", self.now)
            )
            assert reply is not None, place
            assert reply.text.startswith("Started"), reply

    def mark(self, person: int, number: int) -> Awaitable[None]:
        """One person marks in the channel they watch; refuses any other answer than the mark's."""
        return self.mark_in(self.places[person % CHANNELS], person, number)

    async def mark_in(self, place: Place, person: int, number: int) -> None:
        """One person marks there, as a message of its own with an id nobody can foresee."""
        self.now += BETWEEN_CALLS
        text = self.commands[number % len(self.commands)]
        message = f"{self._chance.getrandbits(128):032x}"
        reply = await self.dispatcher.hear(
            Heard(PLATFORM, place, self.people[person], Role.VIEWER, text, self.now, message)
        )
        if reply is None or not reply.text.startswith("Marked #"):
            raise AssertionError(f"{text!r} was answered {reply}")


def crowd(people: int) -> list[Author]:
    """So many viewers."""
    return [Author(PLATFORM.name, f"{7_000_000 + at}", f"viewer_{at}") for at in range(people)]


def typed(count: int, seed: int = 1) -> list[str]:
    """What people type: a fifth without words, a tenth some seconds late, a tenth in other scripts or emoji."""
    chance = random.Random(seed)
    lines = []
    for _ in range(count):
        kind = chance.random()
        words = chance.choice(_FOREIGN) if kind < 0.1 else " ".join(chance.choices(_WORDS, k=chance.randint(1, 8)))
        back = f"-{chance.randint(1, 60)} " if 0.1 <= kind < 0.2 else ""
        lines.append("!clip" if kind > 0.8 else f"!clip {back}{words}")
    return lines


@asynccontextmanager
async def open_chat(database: Path) -> AsyncIterator[Chat]:
    """A chat on a fresh database, a session running in each channel."""
    feed = Feed()
    async with open_store(database, defaults=Defaults(), on_commit=feed.announce) as store:
        chat = Chat(store, feed)
        await chat.start()
        yield chat
