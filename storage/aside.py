"""Long sums off the event loop, on threads of their own.

The loop's own threads look up names: while those hang, nobody's page may wait for them (design.md §7).
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

_THREADS = ThreadPoolExecutor(2, thread_name_prefix="sums")


async def aside(work: Callable[..., T], *values: object) -> T:
    """What `work` makes of the values."""
    return await asyncio.get_running_loop().run_in_executor(_THREADS, work, *values)
