"""Runs that are killed or asked to stop, through the whole command line."""

import os
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
SMALL = [
    "--epochs",
    "6",
    "--patience",
    "9",
    "--batch",
    "64",
    "--model-options",
    "hidden=8",
    "--every",
    "3",
]
HOPELESS_S = 300


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("log")
    log = str(write_events(folder / "events.csv", 2000))
    assert main(["data", "describe", log]) == 0
    assert main(["data", "import", log]) == 0
    return folder / "events.store"


def start(store: Path, run: Path) -> subprocess.Popen:
    """`recsys train` in a process of its own."""
    command = [sys.executable, "-m", "recsys", "train", str(store), "--out", str(run), *SMALL]
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def end(process: subprocess.Popen, run: Path, how: signal.Signals) -> str:
    """Signals a run when it has two checkpoints more; what it then said."""
    wanted, begun = (latest(run) or 0) + 6, time.monotonic()
    while (latest(run) or 0) < wanted:
        assert process.poll() is None, "the run ended before it was stopped"
        assert time.monotonic() - begun < HOPELESS_S, "the run makes no progress"
        time.sleep(0.005)
    process.send_signal(how)
    return process.communicate()[1]


@pytest.mark.slow
def test_a_run_that_was_killed_and_stopped_ends_as_one_that_was_not(store, tmp_path):
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"
    whole = start(store, undisturbed)
    assert whole.wait(HOPELESS_S) == 0
    killed = start(store, disturbed)
    end(killed, disturbed, signal.SIGKILL)
    assert killed.returncode == -signal.SIGKILL
    stopped = start(store, disturbed)
    told = end(stopped, disturbed, signal.SIGTERM)
    assert stopped.returncode == 128 + signal.SIGTERM
    assert "the same command goes on from there" in told
    assert (latest(disturbed) or 0) < (latest(undisturbed) or 0)
    assert start(store, disturbed).wait(HOPELESS_S) == 0

    wanted, came = reopen(undisturbed), reopen(disturbed)
    assert (came.step, came.notes) == (wanted.step, wanted.notes)
    states = [{path: a.tobytes() for path, a in as_numpy(run.state)} for run in (wanted, came)]
    assert states[0] == states[1]
    logs = [(run / "metrics.jsonl").read_bytes() for run in (undisturbed, disturbed)]
    assert logs[0] == logs[1]
