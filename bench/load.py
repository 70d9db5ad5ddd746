"""Load: so many people in flight (closed), or so many calls a second however slow the answers are (open)."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count

Call = Callable[[int, int], Awaitable[object]]
"""What one person does: called with (person, number of the call), both from 0."""


@dataclass(slots=True)
class Run:
    """How long it all took and how long each answer took, in seconds."""

    seconds: float = 0.0
    answers: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.answers) / self.seconds


async def closed_loop(call: Call, people: int, numbers: Iterable[int]) -> Run:
    """Let each person wait for an answer before calling again: always as many in flight as there are people."""
    run, shared = Run(), iter(numbers)

    async def one_person(person: int) -> None:
        for number in shared:
            begun = time.perf_counter()
            await call(person, number)
            run.answers.append(time.perf_counter() - begun)

    begun = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for person in range(people):
            group.create_task(one_person(person))
    run.seconds = time.perf_counter() - begun
    return run


def for_seconds(seconds: float) -> Iterator[int]:
    """Numbers from 0 until this many seconds after the first: a closed loop at full rate."""
    end = time.perf_counter() + seconds
    for number in count():
        if time.perf_counter() >= end:
            return
        yield number


async def open_loop(call: Call, people: int, calls: int, rate: float, seed: int = 1) -> Run:
    """Random (Poisson) arrivals at this rate, each answer timed from the moment its call was *due*.

    A call which starts late because the loop was busy has waited all the same (coordinated omission).
    """
    run, chance = Run(), random.Random(seed)
    begun = due = time.perf_counter()

    async def one_call(number: int, due: float) -> None:
        await call(number % people, number)
        run.answers.append(time.perf_counter() - due)

    async with asyncio.TaskGroup() as group:
        for number in range(calls):
            due += chance.expovariate(rate)
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            group.create_task(one_call(number, due))
    run.seconds = time.perf_counter() - begun
    return run
