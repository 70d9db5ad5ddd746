"""Kills the bot under load, fifty times in a row, and looks whether anything it had answered is lost or there twice.

`python -m bench.crash DATABASE RUN` is the one that is killed: the real store and commands on a chat of its own. It
writes a line before it lets the dispatcher hear a message and one with the answer; what a pipe has taken outlives it.
"""

import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count, cycle
from pathlib import Path

from bench.chat import BEGAN, PLATFORM, Chat, typed
from bench.report import Row, show
from commands.feed import Feed
from commands.model import Heard, Reply
from moments.live import Author, Place
from moments.people import Role
from moments.sessions import Defaults
from storage import open_store

KILLS = 50
PEOPLE = 200
CHANNELS = [Place(PLATFORM.name, f"{at}", f"channel_{at}") for at in range(4)]
HOST = Author(PLATFORM.name, "host", "host")
STATES = {"pause": "paused", "resume": "active"}
BETWEEN = timedelta(seconds=16)
MOST_SECONDS = 0.7
"""A kill comes at any moment until then, be it while the database is still being opened."""
REDELIVERED = 200
"""Answered messages that are delivered once more, besides every unanswered one."""

_COMMANDS = typed(500)


@dataclass
class Found:
    """What was seen over all kills; everything in it that should be nought says so in its name."""

    kills: int = 0
    answered: int = 0
    unanswered: int = 0
    kept_unanswered: int = 0
    lost: int = 0
    twice: int = 0
    changed: int = 0
    wrong_states: int = 0
    broken: int = 0


@dataclass
class Told:
    """What one killed run had said: messages heard, marks answered with their numbers, and the pauses of channel 0."""

    heard: list[str] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)
    states: list[str] = field(default_factory=list)
    settled: list[str] = field(default_factory=list)


def main() -> int:
    """Print the table; 0 when nothing was lost, changed or there twice."""
    chance, found = random.Random(), Found()
    with tempfile.TemporaryDirectory(prefix="moments-bench-") as name:
        for run in range(KILLS):
            kill_once(Path(name) / "moments.db", run, chance, found)
    return 0 if show(f"Killed {found.kills} times under load", table(found)) else 1


def table(found: Found) -> list[Row]:
    """The figures as rows."""
    return [
        Row("marks answered before a kill", found.answered),
        Row("messages under way at a kill", found.unanswered),
        Row("  of those, kept all the same", found.kept_unanswered),
        Row("answered marks missing", found.lost, at_most=0),
        Row("messages with two marks, redelivery included", found.twice, at_most=0),
        Row("answers that changed on redelivery", found.changed, at_most=0),
        Row("sessions in a wrong state", found.wrong_states, at_most=0),
        Row("databases that failed their checks", found.broken, at_most=0),
    ]


def kill_once(database: Path, run: int, chance: random.Random, found: Found) -> None:
    """One run, its end, and everything that must hold afterwards."""
    before = states(database)
    told = run_until_killed(database, run, chance.uniform(0, MOST_SECONDS))
    told.settled[:0] = [status for status, _, channel in before if channel == CHANNELS[0].platform_id]
    found.kills += 1
    found.answered += len(told.numbers)
    asyncio.run(examine(database, told, chance, found))


def run_until_killed(database: Path, run: int, seconds: float) -> Told:
    """Start the child, kill it so many seconds after it is ready (or was started, every fifth time)."""
    command = [sys.executable, "-m", "bench.crash", str(database), str(run)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1]) as child:
        assert child.stdout is not None
        if run % 5:
            assert child.stdout.readline() == "ready\n"
        killer = subprocess.Popen([sys.executable, "-c", _KILLER, str(child.pid), str(seconds)])
        told = read(child.stdout)
        killer.wait()
    assert child.returncode == -signal.SIGKILL, f"it ended by itself with {child.returncode}"
    return told


_KILLER = "import os, signal, sys, time; time.sleep(float(sys.argv[2])); os.kill(int(sys.argv[1]), signal.SIGKILL)"


def read(lines: Iterable[str]) -> Told:
    """What the child said; a line cut off by the kill does not count as said."""
    told = Told()
    for line in lines:
        word, _, rest = line.partition(" ")
        if not rest.endswith("\n"):
            continue
        rest = rest.rstrip("\n")
        if word == "hears":
            told.heard.append(rest)
        elif word == "marked":
            message, number = rest.split()
            told.numbers[message] = int(number)
        elif word == "asks":
            told.states.append(rest)
        elif word == "settled":
            told.settled.append(rest)
    return told


async def examine(database: Path, told: Told, chance: random.Random, found: Found) -> None:
    """Open what is left, deliver again what was not answered and some of what was, and compare."""
    async with open_store(database, defaults=Defaults()) as store:
        before = marks(database)
        found.lost += sum(before.get(message) != [number] for message, number in told.numbers.items())
        found.wrong_states += not state_is_right(database, told)
        chat = Chat(store, Feed(), now=BEGAN + timedelta(hours=KILLS))
        unanswered = [message for message in told.heard if message not in told.numbers]
        found.unanswered += len(unanswered)
        found.kept_unanswered += sum(message in before for message in unanswered)
        again = unanswered + chance.sample(list(told.numbers), min(REDELIVERED, len(told.numbers)))
        chance.shuffle(again)
        for message in again:
            number = await mark(chat, message)
            found.changed += message in before and before[message] != [number]
        after = marks(database)
        found.twice += sum(len(numbers) > 1 for numbers in after.values())
        found.lost += sum(message not in after for message in again)
    found.broken += not is_sound(database)


def marks(database: Path) -> dict[str, list[int]]:
    """The numbers of each message's marks."""
    kept: dict[str, list[int]] = {}
    with closing(sqlite3.connect(database)) as connection:
        for message, number in connection.execute("SELECT source_message_id, number FROM mark"):
            kept.setdefault(message, []).append(number)
    return kept


def state_is_right(database: Path, told: Told) -> bool:
    """Channel 0 is as the last answered command left it, or as the one under way would have."""
    possible = {*told.settled[-1:], *told.states[-1:]}
    found = states(database)
    current = {channel: status for status, _, channel in found}
    whole = len(current) == len(found) and all(opened == (status == "active") for status, opened, _ in found)
    return whole and (not possible or current.get(CHANNELS[0].platform_id) in possible)


def states(database: Path) -> list[tuple[str, int, str]]:
    """Each session's state, its number of open segments, and its channel; nothing before the first migration."""
    if not database.exists():
        return []
    with closing(sqlite3.connect(database)) as connection:
        if connection.execute("PRAGMA user_version").fetchone() == (0,):
            return []
        return connection.execute(
            "SELECT status, (SELECT count(*) FROM segment WHERE session_id = session.id AND end_time IS NULL),"
            " channel.platform_id FROM session JOIN channel ON channel.id = session.channel_id"
        ).fetchall()


def is_sound(database: Path) -> bool:
    """SQLite's own checks, and every number given out once and none beyond the last."""
    with closing(sqlite3.connect(database)) as connection:
        checks = connection.execute("PRAGMA integrity_check").fetchall()
        dangling = connection.execute("PRAGMA foreign_key_check").fetchall()
        beyond = connection.execute(
            "SELECT count(*) FROM session"
            " WHERE last_number <> (SELECT count(*) FROM mark WHERE session_id = session.id)"
        ).fetchall()
    return (checks, dangling, beyond) == ([("ok",)], [], [(0,)])


# --- the one that is killed


async def live(database: Path, run: int) -> None:
    """Start or go on, then mark and pause until the end."""
    async with open_store(database, defaults=Defaults()) as store:
        chat = Chat(store, Feed(), now=BEGAN + timedelta(hours=run))
        for place in CHANNELS:
            await chat.dispatcher.hear(Heard(PLATFORM, place, HOST, Role.BROADCASTER, "!start Any%", chat.now))
        say("ready")
        async with asyncio.TaskGroup() as group:
            group.create_task(flip(chat, run))
            for person in range(PEOPLE):
                group.create_task(keep_marking(chat, run, person))


async def flip(chat: Chat, run: int) -> None:
    """Pause and resume channel 0, over and over."""
    for turn, word in zip(count(), cycle(STATES)):
        say(f"asks {STATES[word]}")
        await chat.dispatcher.hear(
            Heard(PLATFORM, CHANNELS[0], HOST, Role.BROADCASTER, f"!{word}", chat.now, f"{run}-{word}-{turn}")
        )
        say(f"settled {STATES[word]}")


async def keep_marking(chat: Chat, run: int, person: int) -> None:
    """Mark again and again."""
    for turn in count():
        message = f"{run}-{person}-{turn}"
        say(f"hears {message}")
        number = await mark(chat, message)
        say(f"marked {message} {number}")


async def mark(chat: Chat, message: str) -> int:
    """Let the message be heard, as it was the first time; the number it was answered with."""
    run, person, turn = map(int, message.split("-"))
    place = CHANNELS[1 + person % (len(CHANNELS) - 1)]
    author = Author(PLATFORM.name, f"{run}-{person}", f"viewer_{person}")
    instant = BEGAN + timedelta(hours=run) + turn * BETWEEN
    text = _COMMANDS[(person + turn) % len(_COMMANDS)]
    reply: Reply | None = await chat.dispatcher.hear(
        Heard(PLATFORM, place, author, Role.VIEWER, text, instant, message)
    )
    assert reply is not None, message
    assert reply.text.startswith("Marked #"), (message, reply)
    return int(reply.text.split()[1].removeprefix("#"))


def say(line: str) -> None:
    """At once, and whole."""
    os.write(1, f"{line}\n".encode())


if __name__ == "__main__":
    if len(sys.argv) == 3:
        asyncio.run(live(Path(sys.argv[1]), int(sys.argv[2])))
    else:
        sys.exit(main())
