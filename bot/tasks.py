"""Several things at once, of which the first that ends, ends all; and waiting for at most so long."""

import asyncio
from collections.abc import Coroutine
from typing import Any


async def set_within(event: asyncio.Event, seconds: float) -> bool:
    """Wait for an event at most so long, and clear it; whether it was set."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    event.clear()
    return True


async def together(*work: Coroutine[Any, Any, None]) -> None:
    """Run until the first of them ends, then end the others; raises what that one raised."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
