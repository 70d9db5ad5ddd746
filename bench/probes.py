"""What is watched while something else runs: the event loop from inside, a page from outside.

Both measure from the moment a probe was due, so a stall counts for every probe it held up (coordinated omission).
`python -m bench.probes URL RATE COUNT` is the page probe's own process: it must not share the loop it judges.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

CONNECTIONS = 8
"""Kept open by the page probe; they take turns, so that one late answer does not delay the next probe."""


@asynccontextmanager
async def loop_lag(interval: float = 0.005) -> AsyncIterator[list[float]]:
    """Seconds by which this event loop is late, sampled every `interval` seconds while the block runs.

    An idle loop shows up to a millisecond: asyncio's timers wake no finer.
    """
    samples: list[float] = []
    sampler = asyncio.create_task(_sample(samples, interval))
    try:
        yield samples
    finally:
        sampler.cancel()
        await asyncio.gather(sampler, return_exceptions=True)


async def _sample(samples: list[float], interval: float) -> None:
    due = time.perf_counter() + interval
    while True:
        await asyncio.sleep(due - time.perf_counter())
        now = time.perf_counter()
        while due <= now:
            samples.append(now - due)
            due += interval


@dataclass(slots=True)
class Neighbours:
    """How much of the machine other programs take, which no ratio within one run can make good."""

    percent: float = 0.0


@contextmanager
def neighbours() -> Iterator[Neighbours]:
    """Tells afterwards what share of all cores was taken by neither this process nor its finished children."""
    found, began, taken = Neighbours(), time.perf_counter(), _taken_elsewhere()
    yield found
    cores = (os.cpu_count() or 1) * (time.perf_counter() - began)
    found.percent = max(0.0, 100 * (_taken_elsewhere() - taken) / cores)


def _taken_elsewhere() -> float:
    """CPU seconds since the machine started; 0 where there is no /proc."""
    if not (stat := Path("/proc/stat")).exists():
        return 0.0
    user, nice, system, _idle, _waiting, *rest = map(int, stat.read_text().split("\n", 1)[0].split()[1:8])
    return (user + nice + system + sum(rest)) / os.sysconf("SC_CLK_TCK") - sum(os.times()[:4])


async def probe_page(url: str, rate: float, count: int) -> list[float]:
    """Seconds each of `count` GETs took from its due moment, `rate` a second, sent by a process of its own.

    Raises RuntimeError when any answer was not a 200.
    """
    arguments = (sys.executable, "-m", "bench.probes", url, str(rate), str(count))
    child = await asyncio.create_subprocess_exec(*arguments, stdout=asyncio.subprocess.PIPE)
    try:
        answered, _ = await child.communicate()
    finally:
        if child.returncode is None:
            child.kill()
    if child.returncode:
        raise RuntimeError(f"The probe of {url} failed; see above.")
    samples: list[float] = json.loads(answered)
    assert len(samples) == count
    return samples


async def _probe(url: str, rate: float, count: int) -> list[float]:
    samples: list[float] = []
    first = time.perf_counter() + 0.1
    async with asyncio.TaskGroup() as group:
        for turn in range(CONNECTIONS):
            dues = [first + number / rate for number in range(turn, count, CONNECTIONS)]
            group.create_task(_one_connection(url, dues, samples))
    return samples


async def _one_connection(url: str, dues: list[float], samples: list[float]) -> None:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
    request = f"GET {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode()
    try:
        for due in dues:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            writer.write(request)
            await _read_answer(reader, url)
            samples.append(time.perf_counter() - due)
    finally:
        writer.close()


async def _read_answer(reader: asyncio.StreamReader, url: str) -> None:
    status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").splitlines()
    if status.split()[1] != "200":
        raise RuntimeError(f"{url} answered {status!r} instead of 200.")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    await reader.readexactly(int(headers["content-length"]))


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_probe(sys.argv[1], float(sys.argv[2]), int(sys.argv[3])))))
