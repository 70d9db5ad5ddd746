"""Twenty Twitch channels at once, on the real process: every mark kept, no answer too many, the site still there.

Three processes: Moments as `moments run` starts it, Twitch (bench.twitch_town), and the prober of /healthz. The same
flood in one channel and in a hundred shows that a line costs the same however many channels share them.
"""

import asyncio
import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from bench.probes import neighbours, probe_page
from bench.report import Row, percentile, show
from bench.start import MOMENTS, ROOT, clean_environment, first_answer, free_port
from bench.twitch_town import LINES_A_SECOND, MARK_EVERY, digest
from commands import connecting
from commands.feed import Feed
from commands.services import Services
from moments.grants import Grant
from moments.sessions import Defaults
from storage import Store, Transaction, credentials, open_store
from storage.credentials import Vault
from storage.keys import SecretKeys

FEW, CHANNELS, MANY = 1, 20, 100
LINES = 200_000
"""Said twice: by then every channel's feed holds the thousand events it keeps, and memory should stay as it is."""
SHORT_LINES = 70_000
"""In one channel and in a hundred: a little longer than the 30 s Twitch counts answers in."""
MOST_GROWTH = 15
"""MiB in the second part: the 20,000 more marks of running sessions, known by number, person and message."""
PROBE_RATE, IDLE_PROBES = 200, 2_000
LAST_ANSWERS_SECONDS = 35
"""Marks without an answer of their own are told of together at most so long afterwards."""
PATIENCE_SECONDS = 60
SECRET = "a secret of this bench and of no use to anybody else"  # noqa: S105 -- as it says

Json = dict[str, Any]


class Town:
    """The process that plays Twitch."""

    def __init__(self, child: subprocess.Popen[str]) -> None:
        self._child = child
        self.process = child.pid
        self.told = self._read()
        """Its settings and everybody's grants."""

    def ask(self, words: str) -> Json:
        """Have it done; what it tells of it."""
        assert self._child.stdin is not None
        self._child.stdin.write(f"{words}\n")
        self._child.stdin.flush()
        return self._read()

    def _read(self) -> Json:
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        assert line, "the town's process has ended; see above"
        told: Json = json.loads(line)
        return told


class Running(NamedTuple):
    """A Moments that is connected to every channel."""

    process: int
    url: str
    database: Path

    def memory(self) -> float:
        """Resident, in MiB."""
        status = Path(f"/proc/{self.process}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def count(self, query: str) -> int:
        """What the database holds now."""
        return int(self.rows(query)[0][0])

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What the database answers now."""
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as connection:
            return connection.execute(query).fetchall()

    def until(self, query: str, wanted: int) -> int:
        """The count once it is there, or after a minute."""
        given_up = time.monotonic() + PATIENCE_SECONDS
        while (found := self.count(query)) < wanted and time.monotonic() < given_up:
            time.sleep(0.1)
        return found


class Flood(NamedTuple):
    """What some lines took: seconds, and of them in each process on a CPU."""

    lines: int
    seconds: float
    moments: float
    twitch: float

    @property
    def line_cost(self) -> float:
        """Microseconds of our CPU a line."""
        return 1e6 * self.moments / self.lines


def main() -> int:
    """Print the table; 0 when every target is met."""
    with neighbours() as others:
        (few, alone), (many, _) = short(FEW), short(MANY)
        with connected(CHANNELS) as (moments, twitch):
            opening, later, rows = measured(moments, twitch)
    rows += [
        Row("answers in 30 s of the one channel, moderated", alone["moderated"], at_least=80, at_most=100),
        costs(f"CPU of a line, {CHANNELS} channels", opening, few, f"{FEW} channel"),
        costs(f"CPU of a line, {MANY} channels", many, few, f"{FEW} channel"),
        costs(f"CPU of a line, {CHANNELS} channels, later on", later, opening, "at first"),
        Row("taken by other programs meanwhile", others.percent, "% of the cores"),
    ]
    return 0 if show(f"{CHANNELS} channels, {LINES_A_SECOND:,} lines a second", rows) else 1


def short(channels: int) -> tuple[Flood, Json]:
    """A flood in so many channels; what it cost, and what Twitch tells of it."""
    with connected(channels) as (moments, twitch):
        flood, told = say(moments, twitch, SHORT_LINES), twitch.ask("tell")
        kept_once(moments, told)
        return flood, told


def costs(what: str, flood: Flood, base: Flood, against: str) -> Row:
    """What a line costs, and that it does not depend on how many channels or marks there are."""
    return Row(what, flood.line_cost, "µs", base.line_cost, at_most=1.5, against=against)


def measured(moments: Running, twitch: Town) -> tuple[Flood, Flood, list[Row]]:
    """Idle, the flood in two parts, and idle again; the beginning and the rest of its first part are told besides."""
    idle = probe(moments, IDLE_PROBES)
    opening, later = say(moments, twitch, SHORT_LINES), say(moments, twitch, LINES - SHORT_LINES)
    before, probers = moments.memory(), children_seconds()
    probes = int(PROBE_RATE * LINES / LINES_A_SECOND * 0.95)
    second, busy = asyncio.run(beside(lambda: say(moments, twitch, LINES), moments, probes))
    after, probers = moments.memory(), children_seconds() - probers
    seconds, kept = opening.seconds + later.seconds + second.seconds, kept_once(moments, twitch.ask("tell"))
    time.sleep(LAST_ANSWERS_SECONDS)
    told = twitch.ask("tell")
    idle += probe(moments, IDLE_PROBES)
    rows = [
        Row("lines said", 2 * LINES / seconds, "/s", at_least=0.95 * LINES_A_SECOND),
        Row("marks kept", kept, "", 2 * LINES // MARK_EVERY, at_least=1, at_most=1, against="typed"),
        Row("of them delivered twice", told["again"], at_least=100),
        *answered(told),
        Row(
            f"/healthz in the flood, p99 of {len(busy):,}",
            *(1000 * percentile(busy, 99), "ms", 1000 * percentile(idle, 99)),
            at_most=10,
            against="idle",
        ),
        Row(f"memory after {2 * LINES:,} lines", after, "MiB", before, against=f"after {LINES:,}"),
        Row("grown by", after - before, "MiB", at_most=MOST_GROWTH),
        *(
            Row(f"CPU taken by {name}", 100 * taken / second.seconds, "% of a core")
            for name, taken in (("Moments", second.moments), ("Twitch", second.twitch), ("the prober", probers))
        ),
    ]
    return opening, later, rows


def answered(told: Json) -> list[Row]:
    """What was said in chat, by Twitch's count."""
    untold = told["marks"] - told["alone"] - told["together"]
    return [
        Row("marks answered one by one", told["alone"]),
        Row(f"told of together, in {told['sums']:,} sentences", told["together"]),
        Row("told of by nobody", untold, "", told["marks"], at_least=0, at_most=0.01, against="marks"),
        Row("answers in 30 s of a channel, at most", told["elsewhere"], at_least=10, at_most=20),
        Row("seconds between two there, at least", told["apart"], "s", at_least=1),
        Row("answers in 30 s where the bot moderates", told["moderated"], at_least=10, at_most=100),
        Row("calls of Helix in a minute, at most", told["asked"], at_least=500, at_most=800),
        Row("answers Twitch dropped", told["dropped"], at_most=0),
        Row("events nobody took", told["undelivered"], at_most=0),
    ]


def say(moments: Running, twitch: Town, lines: int) -> Flood:
    """Have so many lines said."""
    ours, theirs = cpu_seconds(moments.process), cpu_seconds(twitch.process)
    seconds = twitch.ask(f"say {lines}")["seconds"]
    return Flood(lines, seconds, cpu_seconds(moments.process) - ours, cpu_seconds(twitch.process) - theirs)


def kept_once(moments: Running, told: Json) -> int:
    """How many marks are on disk; refused (AssertionError) unless they are the typed ones, each once."""
    moments.until("SELECT count(*) FROM mark", told["marks"])
    messages = [message for (message,) in moments.rows("SELECT source_message_id FROM mark")]
    assert digest(messages) == told["digest"], f"{len(messages)} marks are not the {told['marks']} typed"
    return len(messages)


def cpu_seconds(process: int) -> float:
    """What a process has had of a CPU so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def children_seconds() -> float:
    """What finished children have had of a CPU."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def probe(moments: Running, probes: int) -> list[float]:
    """Seconds each probe of /healthz took from the moment it was due."""
    return asyncio.run(probe_page(moments.url, PROBE_RATE, probes))


async def beside(work: Callable[[], Flood], moments: Running, probes: int) -> tuple[Flood, list[float]]:
    """What the work gives, and the probes taken meanwhile."""
    async with asyncio.TaskGroup() as group:
        working = group.create_task(asyncio.to_thread(work))
        probing = group.create_task(probe_page(moments.url, PROBE_RATE, probes))
    return working.result(), probing.result()


@contextmanager
def connected(channels: int) -> Iterator[tuple[Running, Town]]:
    """Moments on a fresh database, and a Twitch on which so many channels are live."""
    with tempfile.TemporaryDirectory(prefix="moments-bench-") as name, town(channels) as twitch:
        database = Path(name) / "moments.db"
        asyncio.run(connect_everybody(database, twitch.told))
        with started(database, twitch.told["settings"]) as moments:
            twitch.ask("go live")
            assert moments.until("SELECT count(*) FROM session WHERE status = 'active'", channels) == channels
            yield moments, twitch


@contextmanager
def town(channels: int) -> Iterator[Town]:
    """Twitch, for as long as the block runs."""
    command = [sys.executable, "-m", "bench.twitch_town", str(channels)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        try:
            yield Town(child)
        finally:
            child.kill()


@contextmanager
def started(database: Path, settings: dict[str, str]) -> Iterator[Running]:
    """`moments run` on this database, ended by SIGTERM; its exit code must be 0."""
    port, log = free_port(), database.with_name("log")
    ours = {
        "MOMENTS_DATABASE_URL": f"sqlite:///{database}",
        "MOMENTS_WEB_PORT": str(port),
        "MOMENTS_SECRET_KEY": SECRET,
        "MOMENTS_LOG_LEVEL": "warning",
    }
    with log.open("wb") as output:
        child = subprocess.Popen(
            [MOMENTS, "run"],
            cwd=database.parent,
            env=clean_environment() | ours | settings,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        first_answer(child, port, log)
        yield Running(child.pid, f"http://127.0.0.1:{port}/healthz", database)
        child.send_signal(signal.SIGTERM)
        assert child.wait(timeout=30) == 0, log.read_text()
    except BaseException:
        sys.stderr.write(log.read_text())
        raise
    finally:
        child.kill()
        child.wait()


async def connect_everybody(database: Path, told: Json) -> None:
    """What the two authorisations in a browser leave behind: the bot's grant, and each streamer's."""
    now, keys = datetime.now(UTC), SecretKeys((SECRET,))
    async with open_store(database, defaults=Defaults(), on_commit=lambda changes: None) as store:
        services = Services(store, Feed(), lambda: now, Defaults(), "http://localhost", keys)
        await keep_grant(store, Vault(keys), grant(told["bot"]), now)
        for streamer in told["streamers"]:
            await connecting.connect(services, grant(streamer), streamer["login"], streamer["login"], now)


async def keep_grant(store: Store, vault: Vault, kept: Grant, now: datetime) -> None:
    """Store the bot's grant."""

    async def job(transaction: Transaction) -> None:
        await credentials.save(transaction, vault, kept, now)

    await store.run(job, message=None, now=now)


def grant(told: Json) -> Grant:
    """A grant as the town minted it."""
    tokens = told["access_token"], told["refresh_token"]
    return Grant("twitch", told["user_id"], told["login"], *tokens, frozenset(told["scopes"]))


if __name__ == "__main__":
    sys.exit(main())
