"""How often the same song is recognised on two services, and how fast: `python -m bench.matching FILE.csv [--show]`.

The file has a pair a row: a YouTube title, channel and duration, a Spotify title, artists (`; ` between them) and
duration, and 1 when they are the same recording. The Spotify columns are a yardstick and nothing else: requirement R6
(research/providers.md §2) keeps every Spotify field out of production matching, which takes its candidates from
Deezer, MusicBrainz and iTunes, whose titles and artists have the same shape.
"""

import csv
import math
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from rapidfuzz import fuzz

if not __package__:  # run by its path: this checkout is meant, not whichever one is installed
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from bench.report import number
from moments.matching import NEAR_SECONDS, Kind, Recording, Verdict, judge

USAGE = "Usage: python -m bench.matching FILE.csv [--show]   (the columns of ../shared/data/matching_pairs.csv)"
COLUMNS = ("yt_title", "yt_channel", "yt_duration_s", "sp_title", "sp_artists", "sp_duration_s", "same")
REPEATS = 2_000
"""A plain ratio is so quick that one pass over the file cannot be timed."""


class Pair(NamedTuple):
    """A row: an upload, what a catalogue lists, and whether they are the same recording."""

    upload: Recording
    listed: Recording
    is_same: bool

    @property
    def is_near(self) -> bool:
        """Whether the lengths are known and agree, so that times would carry over."""
        lengths = self.upload.duration_seconds, self.listed.duration_seconds
        return None not in lengths and abs((lengths[0] or 0) - (lengths[1] or 0)) <= NEAR_SECONDS


class UnreadablePairs(Exception):
    """A file that cannot be measured on; the text is one sentence."""


def main(arguments: list[str]) -> int:
    """0 when the figures are printed, 2 without a usable file."""
    files = [argument for argument in arguments if argument != "--show"]
    if len(files) != 1:
        print(USAGE, file=sys.stderr)
        return 2
    try:
        pairs = read_pairs(Path(files[0]))
    except UnreadablePairs as unreadable:
        print(unreadable, file=sys.stderr)
        return 2
    begun = time.perf_counter()
    verdicts = [judge(pair.upload, pair.listed) for pair in pairs]
    seconds = (time.perf_counter() - begun) / len(pairs)
    for line in figures(pairs, verdicts, seconds, ratio_seconds(pairs)):
        print(line)
    if "--show" in arguments:
        for line in mistakes(pairs, verdicts):
            print(line)
    return 0


def read_pairs(file: Path) -> list[Pair]:
    """Every row, or `UnreadablePairs` naming the first that cannot be read."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            rows = csv.DictReader(lines, strict=True)
            missing = [column for column in COLUMNS if column not in (rows.fieldnames or ())]
            if missing:
                raise UnreadablePairs(f"{file} has no column {missing[0]}; it needs {', '.join(COLUMNS)}.")
            pairs = [read_pair(row, f"{file}, line {rows.line_num}") for row in rows]
    except OSError as error:
        raise UnreadablePairs(f"{file} cannot be read: {error.strerror}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UnreadablePairs(f"{file} is not a CSV file in UTF-8: {error}.") from error
    if not pairs:
        raise UnreadablePairs(f"{file} holds no pairs below its headings.")
    return pairs


def read_pair(row: dict[str, str], place: str) -> Pair:
    """One row, or `UnreadablePairs` saying which cell of it is wrong."""
    short = [column for column in COLUMNS if row.get(column) is None]
    if short:
        raise UnreadablePairs(f"{place} ends before {short[0]}.")
    if row["same"].strip() not in ("0", "1"):
        raise UnreadablePairs(f"{place} has {row['same']!r} for same, which must be 0 or 1.")
    artists = tuple(artist.strip() for artist in row["sp_artists"].split(";") if artist.strip())
    return Pair(
        Recording(row["yt_title"], (row["yt_channel"],), length(row["yt_duration_s"], place)),
        Recording(row["sp_title"], artists, length(row["sp_duration_s"], place), is_listed=True),
        row["same"].strip() == "1",
    )


def length(cell: str, place: str) -> float | None:
    """Seconds; None for an empty cell, since some search results tell none."""
    if not cell.strip():
        return None
    try:
        seconds = float(cell)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise UnreadablePairs(f"{place} has {cell!r} for a duration, which must be a number of seconds.")
    return seconds


def ratio_seconds(pairs: list[Pair]) -> float:
    """Seconds for one plain character ratio of a pair, the least any fuzzy matcher does."""
    texts = [[" ".join((one.title, *one.by)) for one in (pair.upload, pair.listed)] for pair in pairs]
    begun = time.perf_counter()
    for _ in range(REPEATS):
        for one, other in texts:
            fuzz.ratio(one, other)
    return (time.perf_counter() - begun) / (REPEATS * len(pairs))


def figures(pairs: list[Pair], verdicts: list[Verdict], seconds: float, baseline: float) -> Iterator[str]:
    """The figures; recall is over the pairs that are the same and whose lengths agree, as only those may be merged."""
    merged = [pair for pair, verdict in zip(pairs, verdicts, strict=True) if verdict.kind is Kind.SAME]
    right = sum(pair.is_same for pair in merged)
    wanted = sum(pair.is_same and pair.is_near for pair in pairs)
    asked = sum(verdict.kind is Kind.ASK for verdict in verdicts)
    yield f"precision={share(right, len(merged)):.3f} recall={share(right, wanted):.3f}"
    wrong = len(merged) - right
    yield f"{len(pairs)} pairs: {right} of {wanted} merged, {wrong} merged wrongly, {asked} left to a person"
    yield (
        f"{number(1 / seconds)} pairs a second, every title read for the first time: "
        f"{number(seconds / baseline)} × the time of a plain ratio"
    )


def share(part: int, whole: int) -> float:
    """Nothing out of nothing is no mistake."""
    return part / whole if whole else 1.0


def mistakes(pairs: list[Pair], verdicts: list[Verdict]) -> Iterator[str]:
    """The pairs merged wrongly, and those that should have been merged, with what was found."""
    for pair, verdict in zip(pairs, verdicts, strict=True):
        is_merged = verdict.kind is Kind.SAME
        if is_merged != (pair.is_same and pair.is_near):
            said = "merged wrongly" if is_merged else f"not merged ({verdict.kind.value})"
            yield f"{said}: {told(pair.upload)} = {told(pair.listed)}: {'; '.join(verdict.evidence)}"


def told(recording: Recording) -> str:
    """A recording on one line."""
    return f"“{recording.title}” by {', '.join(recording.by)} ({recording.duration_seconds} s)"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
