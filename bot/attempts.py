"""Trying again and again: with pauses that grow while it fails, and what /readyz says meanwhile."""

import asyncio
import random
import traceback
from collections.abc import Awaitable, Callable
from typing import NoReturn, Protocol


class States(Protocol):
    """What /readyz tells of each platform."""

    def set(self, platform: str, state: str) -> None:
        """Note a platform's new state."""


class Pauses(Protocol):
    """Between attempts, in seconds."""

    @property
    def first_pause(self) -> float:
        """After the first failure; after each further one it is twice as long."""

    @property
    def longest_pause(self) -> float:
        """No pause is longer."""

    @property
    def healthy_for(self) -> float:
        """After so long without trouble the pauses begin anew with the shortest."""


class State:
    """One platform's; it is told when it changes, and only then."""

    def __init__(self, states: States, platform: str) -> None:
        self._states, self._platform, self._now = states, platform, ""

    def say(self, state: str) -> None:
        """That is it now."""
        if state != self._now:
            self._now = state
            self._states.set(self._platform, state)


async def again_and_again(
    attempt: Callable[[], Awaitable[None]], failed: Callable[[Exception], bool | None], pauses: Pauses
) -> NoReturn:
    """Attempt until cancelled. `failed` is told of each error, and may ask for the longest pause by True."""
    clock, pause = asyncio.get_running_loop().time, pauses.first_pause
    while True:
        began = clock()
        try:
            await attempt()
        except Exception as error:
            if failed(error):
                pause = pauses.longest_pause
        if clock() - began >= pauses.healthy_for:
            pause = pauses.first_pause
        await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 -- jitter is no secret
        pause = min(2 * pause, pauses.longest_pause)


def named(error: Exception) -> str:
    """An error without its text, which may hold anything: what it is, and where it was raised."""
    raised = traceback.extract_tb(error.__traceback__)[-1:]
    return " ".join([type(error).__name__, *(f"{frame.filename}:{frame.lineno}" for frame in raised)])
