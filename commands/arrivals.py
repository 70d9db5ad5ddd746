"""Who waits for what services tell of a recording: told of each answer as it is kept, so that nobody keeps looking."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

MOST_WAITING = 1_000
"""More are not taken in: what they wait for is shown when somebody asks again."""

Thing = tuple[str, str]
"""(provider, media id)."""


class Arrivals:
    """Events by the thing they are about."""

    def __init__(self) -> None:
        self._waiting: dict[Thing, set[asyncio.Event]] = {}
        self._many = 0

    def __len__(self) -> int:
        return self._many

    def told(self, thing: Thing) -> None:
        """What is shown of a thing may have changed: a title came, or went."""
        for event in self._waiting.get(thing, ()):
            event.set()

    @contextmanager
    def of(self, thing: Thing) -> Iterator[asyncio.Event | None]:
        """An event that is set at each news of a thing, until the end of the block; None when too many wait."""
        if self._many >= MOST_WAITING:
            yield None
            return
        event = asyncio.Event()
        self._waiting.setdefault(thing, set()).add(event)
        self._many += 1
        try:
            yield event
        finally:
            self._many -= 1
            self._waiting[thing].remove(event)
            if not self._waiting[thing]:
                del self._waiting[thing]
