"""What a bench prints: one aligned table, each figure as a ratio against a baseline of the same run."""

import os
import platform
import sqlite3
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from statistics import median

HEADINGS = ("what", "figure", "baseline", "ratio", "target", "verdict")


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. Its targets hold for figure / baseline, or for the figure itself when there is no baseline."""

    what: str
    figure: float
    unit: str = ""
    baseline: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    against: str = ""
    """What the baseline is, in a word or two."""

    @property
    def ratio(self) -> float | None:
        """How many baselines the figure is."""
        return None if self.baseline is None else self.figure / self.baseline

    @property
    def met(self) -> bool:
        """Whether every target is met; a row without one always is."""
        measured = self.figure if self.ratio is None else self.ratio
        return (self.at_least is None or measured >= self.at_least) and (
            self.at_most is None or measured <= self.at_most
        )

    def cells(self) -> tuple[str, ...]:
        """The row as words, in the order of HEADINGS."""
        bounds = (("≥", self.at_least), ("≤", self.at_most))
        target = " ".join(f"{sign} {number(bound)}" for sign, bound in bounds if bound is not None)
        baseline = "" if self.baseline is None else f"{number(self.baseline)} {self.unit} {self.against}".strip()
        ratio = "" if self.ratio is None else f"{number(self.ratio)} ×"
        verdict = ("ok" if self.met else "MISSED") if target else ""
        return self.what, f"{number(self.figure)} {self.unit}".strip(), baseline, ratio, target, verdict


def show(title: str, rows: Sequence[Row]) -> bool:
    """Print the table; whether every target was met."""
    lines = [HEADINGS, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    lines.insert(1, tuple("─" * width for width in widths))
    print(f"{title}\n{machine()}\n")
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    return all(row.met for row in rows)


def number(value: float) -> str:
    """Three significant digits, or whole with thousands separated."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def percentile(samples: Sequence[float], percent: float) -> float:
    """The smallest sample that at least `percent` % of all samples do not exceed (nearest rank, never interpolated)."""
    ordered = sorted(samples)
    return ordered[max(1, ceil(len(ordered) * percent / 100)) - 1]


def machine() -> str:
    """What the figures depend on: versions, cores, and what one durable write costs on this disk."""
    sync = sync_seconds(Path(tempfile.gettempdir())) * 1000
    return (
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {os.cpu_count()} cores, "
        f"load {number(os.getloadavg()[0])}, a durable write takes {number(sync)} ms"
    )


def sync_seconds(folder: Path, writes: int = 50) -> float:
    """The median of one small write with fdatasync in this folder."""
    taken = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(writes):
            begun = time.perf_counter()
            os.write(file.fileno(), bytes(4096))
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - begun)
    return median(taken)
