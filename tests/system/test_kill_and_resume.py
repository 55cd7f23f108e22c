"""SIGKILL at random moments, twenty times, and the run still ends with the very same bytes."""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from recsys.checkpoint import latest
from recsys.training.log import read
from recsys.training.reopen import reopen
from tests.system.train_toy import EVERY, STEPS
from tests.toy import as_numpy

ROOT = Path(__file__).parent.parent.parent
KILLS = 20
LATEST_S = 0.1  # after a random checkpoint comes the kill: about one more could be saved in it
HOPELESS_S = 300  # without a new checkpoint


@pytest.fixture
def start(tmp_path: Path) -> Callable[[Path, int], subprocess.Popen]:
    """Starts a training run; all share what JAX compiles."""

    def start(directory: Path, async_limit_bytes: int) -> subprocess.Popen:
        module = [sys.executable, "-m", "tests.system.train_toy"]
        arguments = [str(directory), str(tmp_path / "cache"), str(async_limit_bytes)]
        return subprocess.Popen([*module, *arguments], cwd=ROOT, stderr=subprocess.DEVNULL)

    return start


def run_until(process: subprocess.Popen, directory: Path, step: int) -> None:
    """Returns when the run has a checkpoint of the step or a later one."""
    begun = time.monotonic()
    while (latest(directory) or 0) < step:
        assert process.poll() is None, "the run ended before it was killed"
        assert time.monotonic() - begun < HOPELESS_S, "the run makes no progress"
        wait(process, 0.005)


def wait(process: subprocess.Popen, seconds: float) -> None:
    """Until the process ends, but not longer."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return


@pytest.mark.system
def test_a_run_killed_twenty_times_ends_as_if_it_was_not(tmp_path, start):
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    assert start(undisturbed, 2**30).wait() == 0
    chance = random.Random(0)
    inside_saves = 0
    for number in range(KILLS):
        # Every other life saves while it waits, and every other in the background.
        process = start(killed, 2**30 * (number % 2))
        done = latest(killed) or 0
        run_until(process, killed, done + EVERY * chance.randint(number > 0, 2))
        wait(process, chance.uniform(0, LATEST_S))
        assert process.poll() is None, "the run ended before it was killed"
        process.send_signal(signal.SIGKILL)
        process.wait()
        inside_saves += bool(list(killed.glob(".*-step-*")))
    assert inside_saves, "no kill fell inside a save: save more often"
    assert start(killed, 2**30).wait() == 0

    wanted, came = reopen(undisturbed), reopen(killed)
    assert came.step == wanted.step == STEPS
    assert came.notes == wanted.notes
    assert bytes_of(came.state) == bytes_of(wanted.state)
    assert (killed / "metrics.jsonl").read_bytes() == (undisturbed / "metrics.jsonl").read_bytes()
    trained = [line["step"] for line in read(killed / "metrics.jsonl") if "loss" in line]
    assert trained == list(range(1, STEPS + 1))


def bytes_of(state: object) -> dict[str, bytes]:
    return {path: array.tobytes() for path, array in as_numpy(state)}
