"""Long sums go on while names are being looked up in vain."""

import asyncio
import threading

from storage.aside import aside


async def test_sums_do_not_wait_for_names_that_are_being_looked_up() -> None:
    hung, loop = threading.Event(), asyncio.get_running_loop()
    lookups = [loop.run_in_executor(None, hung.wait, 20) for _ in range(64)]
    try:
        async with asyncio.timeout(5):
            assert await aside(max, 1, 2) == 2
    finally:
        hung.set()
        await asyncio.gather(*lookups)
