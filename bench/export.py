"""A long session's CSV against the `sqlite3` shell on the same rows: its time, and the memory it takes.

`python -m bench.export DATABASE FILE` is one export in a process of its own, whose memory nothing else has touched.
"""

import asyncio
import csv
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from bench.past import SESSION, make_past
from bench.report import Row, number, show
from moments.sessions import Defaults
from storage import open_store
from web_export.downloads import export
from web_export.formats import by_slug
from web_export.formats.options import ExportOptions

SIZES = (10_000, 100_000, 1_000_000)
REPEATS = 3
MEBIBYTE = 1 << 20
_MARKS = "FROM mark WHERE session_id = 1 AND hidden_by IS NULL ORDER BY segment_index, offset_seconds, number"
_SAME_ROWS = f"""
    SELECT
        segment_index,
        printf('%02d:%02d:%02d', offset_seconds / 3600, offset_seconds / 60 % 60, offset_seconds % 60),
        note,
        submitted_by,
        strftime('%Y-%m-%dT%H:%M:%S', created_at / 1000000, 'unixepoch') || printf('.%06dZ', created_at % 1000000),
        number,
        offset_seconds,
        ''
    {_MARKS}
"""
"""What our file says, cell by cell."""
_BARE_COLUMNS = f"SELECT segment_index, offset_seconds, note, submitted_by, created_at, number {_MARKS}"
"""The columns as they are stored: less than a CSV for people, and told for comparison only."""


class Exported(NamedTuple):
    """One export: its seconds, its bytes, and by how much the process grew, in bytes."""

    seconds: float
    size: int
    growth: int


def main() -> int:
    """Print the table; 0 when every target is met."""
    shell = shutil.which("sqlite3")
    if shell is None:
        print("There is no sqlite3 shell to compare with. On Debian or Ubuntu: apt install sqlite3")
        return 1
    rows = []
    for size in SIZES:
        rows += compare(shell, size, largest=size == SIZES[-1])
    return 0 if show("A session's CSV", rows) else 1


def compare(shell: str, size: int, *, largest: bool) -> list[Row]:
    """All in turns, some times; the middle ones by ratio. Targets hold for the largest session."""
    with tempfile.TemporaryDirectory(prefix="moments-bench-") as name:
        folder = Path(name)
        database = folder / "moments.db"
        asyncio.run(make_past(database, size))
        ours, same, bare = [], [], []
        for _ in range(REPEATS):
            bare.append(run_shell(shell, database, _BARE_COLUMNS, folder / "shell.csv"))
            same.append(run_shell(shell, database, _SAME_ROWS, folder / "shell.csv"))
            ours.append(run_child(database, folder / "ours.csv"))
        check(folder / "ours.csv", folder / "shell.csv", size)
    what = f"{size:,} marks, {ours[0].size / 1e6:.1f} MB"
    seconds, growth = [one.seconds for one in ours], max(one.growth for one in ours) / MEBIBYTE
    rows = [middle(what, seconds, same, "sqlite3 -csv", at_most=2 if largest else None)]
    if largest:
        rows.append(middle(what, seconds, bare, "the same, times as bare numbers"))
    return [*rows, Row(f"{size:,} marks, memory growth", growth, "MiB", at_most=15)]


def middle(what: str, ours: list[float], theirs: list[float], against: str, at_most: float | None = None) -> Row:
    """The run with the middle ratio, and how far the others were from it."""
    pairs = sorted(zip(ours, theirs, strict=True), key=lambda pair: pair[0] / pair[1])
    seconds, baseline = pairs[len(pairs) // 2]
    spread = " to ".join(f"{number(one / other)}" for one, other in (pairs[0], pairs[-1]))
    return Row(f"{what} [{spread} ×]", seconds, "s", baseline, at_most=at_most, against=against)


def run_shell(shell: str, database: Path, query: str, target: Path) -> float:
    """Seconds the shell takes, its start included (a few milliseconds)."""
    with target.open("wb") as file:
        begun = time.perf_counter()
        subprocess.run([shell, "-csv", str(database), query], stdout=file, check=True)
        return time.perf_counter() - begun


def run_child(database: Path, target: Path) -> Exported:
    """One export in a fresh process."""
    command = [sys.executable, "-m", "bench.export", str(database), str(target)]
    child = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return Exported(*json.loads(child.stdout))


async def export_once(database: Path, target: Path) -> Exported:
    """As `moments export` and the site do it, the store open already."""
    async with open_store(database, defaults=Defaults(), create=False) as store:
        session = await store.find_session(SESSION)
        before = memory("VmRSS")
        begun = time.perf_counter()
        with target.open("wb") as file:
            async for piece in export(store, session, by_slug("csv"), ExportOptions(), Defaults()):
                file.write(piece)
        return Exported(time.perf_counter() - begun, target.stat().st_size, memory("VmHWM") - before)


def memory(which: str) -> int:
    """Bytes of memory this process holds (VmRSS) or has held at most (VmHWM), as Linux tells them."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f"{which}:"))


def check(ours: Path, theirs: Path, size: int) -> None:
    """A figure counts only when both files say the same, cell by cell (the shell quotes more, and has no header)."""
    compared = 0
    with ours.open(encoding="utf-8", newline="") as our_file, theirs.open(encoding="utf-8", newline="") as their_file:
        lines = csv.reader(our_file)
        next(lines)
        for our_line, their_line in zip(lines, csv.reader(their_file), strict=True):
            assert our_line == their_line
            compared += 1
    assert compared == size


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(asyncio.run(export_once(Path(sys.argv[1]), Path(sys.argv[2])))))
    else:
        sys.exit(main())
