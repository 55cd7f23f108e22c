"""Runs that are killed or asked to stop, through the whole command line."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from recsys.checkpoint import latest
from recsys.cli import main
from recsys.training.reopen import reopen
from tests.events import write_events
from tests.toy import as_numpy

ROOT = Path(__file__).parent.parent.parent
EVERY = 3  # steps between checkpoints
SMALL = f"--epochs 12 --patience 99 --batch 64 --model-options hidden=8 --every {EVERY}".split()
ENDS = (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL)  # of the lives before the last
LATEST_S = 0.2  # after some checkpoints comes the signal: a few more could be saved in it
HOPELESS_S = 300  # without a new checkpoint


class Trainer:
    """Starts `recsys train` on one store, in processes that share what JAX compiles."""

    def __init__(self, folder: Path) -> None:
        self.cache = folder / "cache"
        self.store = folder / "events.store"
        log = str(write_events(folder / "events.csv", 2000))
        assert main(["data", "describe", log]) == 0
        assert main(["data", "import", log]) == 0

    def start(self, run: Path) -> subprocess.Popen:
        """A life of a run."""
        options = [str(self.store), "--out", str(run), *SMALL]
        environment = os.environ | {
            "JAX_PLATFORMS": "cpu",
            "JAX_COMPILATION_CACHE_DIR": str(self.cache),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        }
        return subprocess.Popen(
            [sys.executable, "-m", "recsys", "train", *options],
            cwd=ROOT,
            env=environment,
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def finish(self, run: Path) -> str:
        """A life to the end; what it printed."""
        process = self.start(run)
        printed, told = process.communicate(timeout=HOPELESS_S)
        assert process.returncode == 0, told
        return printed


@pytest.fixture(scope="module")
def trainer(tmp_path_factory) -> Trainer:
    return Trainer(tmp_path_factory.mktemp("log"))


def end(process: subprocess.Popen, run: Path, how: signal.Signals, *, chance: random.Random) -> str:
    """Signals a run at a random moment after a few more checkpoints; what it said."""
    wanted, begun = (latest(run) or 0) + EVERY * chance.randint(1, 8), time.monotonic()
    while (latest(run) or 0) < wanted:
        assert process.poll() is None, "the run ended before it was stopped"
        assert time.monotonic() - begun < HOPELESS_S, "the run makes no progress"
        time.sleep(0.005)
    time.sleep(chance.uniform(0, LATEST_S))
    process.send_signal(how)
    return process.communicate()[1]


@pytest.mark.system
def test_a_run_killed_and_stopped_at_random_ends_as_one_that_was_not(trainer, tmp_path):
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"
    trainer.finish(undisturbed)
    chance = random.Random(0)
    for how in ENDS:
        process = trainer.start(disturbed)
        told = end(process, disturbed, how, chance=chance)
        if how == signal.SIGTERM:
            assert process.returncode == 128 + signal.SIGTERM
            assert "the same command goes on from there" in told
        else:
            assert process.returncode == -how
    assert (latest(disturbed) or 0) < (latest(undisturbed) or 0)
    trainer.finish(disturbed)

    wanted, came = reopen(undisturbed), reopen(disturbed)
    assert (came.step, came.notes) == (wanted.step, wanted.notes)
    states = [{path: a.tobytes() for path, a in as_numpy(run.state)} for run in (wanted, came)]
    assert states[0] == states[1]
    for name in ("metrics.jsonl", "spec.json", "vocabularies.npz"):
        assert (disturbed / name).read_bytes() == (undisturbed / name).read_bytes()
    found = []
    for run in (undisturbed, disturbed):
        assert main(["evaluate", str(run), "--out", str(tmp_path / "metrics.json")]) == 0
        found.append(json.loads((tmp_path / "metrics.json").read_text())["metrics"])
    assert found[0] == found[1]
