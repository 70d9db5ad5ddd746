"""`GET /api/v1/saved` on a track that somebody saves a part of each second, against a bare aiohttp JSON handler.

Both are served by this process, one after the other, the whole site with its gate, its limits and its log. The load is
a child process, `python -m bench.saved_http PORT SECONDS`, which asks for 480 ranges over 32 connections in turns.
"""

import asyncio
import json
import os
import select
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from typing import NamedTuple
from urllib.parse import quote

import orjson
from aiohttp import web

from bench.report import Row, show
from bot.logs import configure_logs
from commands.feed import Feed
from commands.services import Services, utc_now
from moments.live import Author
from moments.sessions import Defaults
from storage import Store, Transaction, open_store, saves
from storage.keys import SecretKeys
from storage.saves import SaveRequest
from web_export.app import Site, make_app
from web_export.keys import SiteConfig

CONNECTIONS = 32
RANGES = 480
ROUNDS, SECONDS, WARM_UP = 5, 4.0, 1.0
STORED = 5_000
MEDIA_ID = "jNQXAC9IVRw"
LINK = f"https://www.youtube.com/watch?v={MEDIA_ID}"
AT_LEAST = 0.4
"""The issue's; it aims for 0.75."""
BARE, OURS = "/bare", "/api/v1/saved"


class Load(NamedTuple):
    """What a child process measured: whole answers, in how many seconds, busy for how much of them."""

    answers: int
    seconds: float
    busy: float

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answers / self.seconds


def main() -> int:
    """Print the table; 0 when every target is met. With a port and seconds: be the load."""
    if len(sys.argv) > 1:
        print(json.dumps(load(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3])))
        return 0
    with tempfile.TemporaryDirectory(prefix="moments-bench-") as name, Path(os.devnull).open("w") as log:
        configure_logs("json", "info", log)
        return asyncio.run(measure(Path(name) / "moments.db"))


def targets(path: str) -> list[str]:
    """Each range once, as a client writes it."""
    ranges = [f"{start // 60}:{start % 60:02d}-{(start + 15) // 60}:{(start + 15) % 60:02d}" for start in range(RANGES)]
    return [f"{path}?url={quote(LINK, safe='')}&range={part}" for part in ranges]


# --- the two servers


async def measure(database: Path) -> int:
    """Bare and ours in turns, some times; the middle ratio counts."""
    bare, ours, quiet, kept = [], [], [], []
    async with served(database) as (store, site):
        for _ in range(ROUNDS):
            bare.append(await under_load(site, BARE))
            quiet.append(await under_load(site, OURS))
            async with saving(store) as saved:
                ours.append(await under_load(site, OURS))
            kept.append(saved())
    ratios = sorted(one.rate / base.rate for one, base in zip(ours, bare, strict=True))
    middle = median(base.rate for base in bare)
    rows = [
        Row("a save a second", median(ratios) * middle, "/s", middle, at_least=AT_LEAST, against="bare"),
        Row("the slowest round", ratios[0] * middle, "/s", middle, against="bare"),
        Row("nobody saves", median(one.rate for one in quiet), "/s", middle, against="bare"),
        Row("saves a round", median(kept)),
        Row("the load's own core, bare", 100 * median(one.busy / one.seconds for one in bare), "%"),
    ]
    return 0 if show(f"GET /api/v1/saved over {CONNECTIONS} connections, {RANGES} ranges", rows) else 1


@asynccontextmanager
async def served(path: Path) -> AsyncIterator[tuple[Store, "Served"]]:
    """A track with saves behind the site, and beside it an application of one handler."""
    async with AsyncExitStack() as opened:
        store = await opened.enter_async_context(open_store(path, defaults=Defaults()))
        async with store.one_transaction():
            for number in range(STORED):
                await keep(store, number, number % RANGES, utc_now())
        services = Services(store, Feed(), utc_now, Defaults(), "http://localhost:1", SecretKeys(("k" * 32,)))
        config = SiteConfig(port=0)
        site = Site(services, config, app=make_app(services, config))
        await site.start()
        opened.push_async_callback(site.close)
        runner = web.AppRunner(bare_app(), access_log=None)
        await runner.setup()
        opened.push_async_callback(runner.cleanup)
        listening = web.TCPSite(runner, "127.0.0.1", 0)
        await listening.start()
        yield store, Served({BARE: runner.addresses[0][1], OURS: site.port})


class Served(NamedTuple):
    """Ports by path."""

    ports: dict[str, int]


def bare_app() -> web.Application:
    """The yardstick: what aiohttp does with an answer of the same size, and nothing else."""

    async def bare(_: web.Request) -> web.Response:
        return web.json_response(
            {
                "track": "jNQXAC9IVRwjNQXAC9IVRw",
                "start_seconds": 45,
                "end_seconds": 60,
                "saved_by": 64,
                "tolerance_seconds": 2,
            }
        )

    app = web.Application()
    app.router.add_get(BARE, bare)
    return app


async def keep(store: Store, number: int, start: int, now: datetime) -> None:
    """One person's save."""
    author = Author("bench", f"u{number}", f"U{number}")
    request = SaveRequest(author, "youtube", MEDIA_ID, "video", start, start + 15, now, "that drop!")

    async def job(transaction: Transaction) -> None:
        await saves.save(transaction, request)

    await store.run(job, message=None, now=now)


@asynccontextmanager
async def saving(store: Store) -> AsyncIterator[Callable[[], int]]:
    """Somebody new saves a part of the track each second; how many have."""
    done = 0

    async def go_on() -> None:
        nonlocal done
        while True:
            await keep(store, STORED + time.time_ns(), done % RANGES, utc_now() + timedelta(seconds=done))
            done += 1
            await asyncio.sleep(1)

    task = asyncio.create_task(go_on())
    try:
        yield lambda: done
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def under_load(site: Served, path: str) -> Load:
    """What a child process gets out of one of them."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.saved_http", str(site.ports[path]), str(SECONDS), path),
        stdout=asyncio.subprocess.PIPE,
    )
    told, _ = await child.communicate()
    assert child.returncode == 0
    return Load(*orjson.loads(told))


# --- the load


def load(port: int, seconds: float, path: str) -> Load:
    """Ask and wait on each connection, warm up first; every answer must be a whole 200."""
    requests = [f"GET {each} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode() for each in targets(path)]
    sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(CONNECTIONS)]
    by_number = {each.fileno(): each for each in sockets}
    waiting = select.epoll()
    for number in by_number:
        waiting.register(number, select.EPOLLIN)
    for at, each in enumerate(sockets):
        each.sendall(requests[at])
    rounds(waiting, by_number, requests, WARM_UP)
    begun, busy = time.perf_counter(), time.process_time()
    answers = rounds(waiting, by_number, requests, seconds)
    return Load(answers, time.perf_counter() - begun, time.process_time() - busy)


def rounds(waiting: select.epoll, sockets: dict[int, socket.socket], requests: list[bytes], seconds: float) -> int:
    """Whole answers in so many seconds."""
    answers, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        for number, _ in waiting.poll():
            answer = sockets[number].recv(65536)
            while not answer.endswith(b"}"):
                more = sockets[number].recv(65536)
                assert more, "the server hung up"
                answer += more
            assert answer.startswith(b"HTTP/1.1 200"), answer[:200]
            answers += 1
            sockets[number].sendall(requests[answers % RANGES])
    return answers


if __name__ == "__main__":
    sys.exit(main())
