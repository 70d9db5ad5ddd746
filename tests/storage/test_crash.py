"""The short form of bench/crash.py: killed under load a few times, and nothing answered is lost or there twice."""

import random
from pathlib import Path

from bench.crash import Found, kill_once

KILLS = 4


def test_killed_under_load_loses_nothing_answered(path: Path) -> None:
    chance, found = random.Random(), Found()
    for run in range(1, KILLS + 1):
        kill_once(path, run, chance, found)
    assert found.answered
    assert (found.lost, found.twice, found.changed, found.wrong_states, found.broken) == (0, 0, 0, 0, 0)
