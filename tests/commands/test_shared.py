"""Work that many ask for at once: done once, whoever leaves."""

import asyncio

import pytest

from commands.shared import Shared


class Work:
    """Counts how often it was begun; ends when told to."""

    def __init__(self) -> None:
        self.begun = 0
        self.end = asyncio.Event()

    async def __call__(self) -> int:
        """The number of this beginning."""
        self.begun += 1
        number = self.begun
        await self.end.wait()
        return number


async def asking(shared: Shared[str, int], work: Work) -> asyncio.Task[int]:
    task = asyncio.create_task(shared.once("key", work))
    await asyncio.sleep(0)
    return task


async def test_those_who_leave_neither_stop_the_work_nor_begin_it_again() -> None:
    shared: Shared[str, int] = Shared()
    work = Work()
    for _ in range(5):
        task = await asking(shared, work)
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    others = [await asking(shared, work) for _ in range(3)]
    work.end.set()
    assert await asyncio.gather(*others) == [1, 1, 1]
    assert await shared.once("key", work) == 2


async def test_what_failed_is_told_to_all_and_kept_for_nobody() -> None:
    shared: Shared[str, int] = Shared()

    async def fail() -> int:
        raise LookupError("no such thing")

    asked = [asyncio.create_task(shared.once("key", fail)) for _ in range(2)]
    assert {type(error) for error in await asyncio.gather(*asked, return_exceptions=True)} == {LookupError}
    assert not shared._under_way


async def test_closing_ends_what_nobody_waits_for_any_more() -> None:
    shared: Shared[str, int] = Shared()
    task = await asking(shared, Work())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await shared.close()
    assert not shared._under_way
