"""A process that changes an index is killed at random points: nothing acknowledged is lost."""

import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from recsys.index import Exact, Index, build
from tests.system.change_index import COUNT, DIM, NEW, Made

ROOT = Path(__file__).parent.parent.parent


def killed(index: Path, kept: Path, first: int, acknowledged: int) -> list[int]:
    """The changes that a process told of before it was killed, soon after so many of them."""
    command = [sys.executable, "-m", "tests.system.change_index", str(index), str(kept), str(first)]
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    told = [next(child.stdout) for _ in range(acknowledged)]
    child.kill()
    rest = child.stdout.read().splitlines(keepends=True)
    child.wait()
    child.stdout.close()
    return [int(line) for line in told + rest if line.endswith("\n")]


def expected(values: np.ndarray, made: Made) -> np.ndarray:
    """The value of each item after a change; 0 is one that is gone."""
    after = values.copy()
    after[made.ids] = 0 if made.value is None else made.value
    return after


def kill_often(folder: Path, kills: int, seed: int) -> None:
    """Kills and reads what is there, over and over on the same directory."""
    rng = random.Random(seed)
    index, kept = folder / "index", folder / "kept"
    build(Exact(), np.full((COUNT, DIM), 0.5, np.float32)).save(index)
    values, first = np.array([0.5] * COUNT + [0.0] * NEW), 1
    for _ in range(kills):
        for number in killed(index, kept, first, acknowledged=rng.randint(1, 90)):
            values, first = expected(values, Made.of(number)), number + 1
        found = Index.load(index)
        found.keep(kept)
        there = found.vectors(np.arange(COUNT + NEW))
        np.testing.assert_array_equal(found.has(np.arange(COUNT + NEW)), there[:, 0] != 0)
        found.close()
        # One more change may be on disk, of which nobody was told; then it counts.
        unheard = expected(values, Made.of(first))
        if not np.array_equal(there[:, 0], values):
            np.testing.assert_array_equal(there[:, 0], unheard)
            values, first = unheard, first + 1
        np.testing.assert_array_equal(there, np.repeat(values[:, None], DIM, axis=1))


@pytest.mark.slow
def test_ten_kills_lose_nothing_that_was_acknowledged(tmp_path: Path):
    kill_often(tmp_path, kills=10, seed=0)


@pytest.mark.system
def test_a_hundred_kills_lose_nothing_that_was_acknowledged(tmp_path: Path):
    kill_often(tmp_path, kills=100, seed=1)
