"""Two processes that share every batch learn what one learns."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


def told_by(count: int) -> list[dict]:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.system.share_batches", str(index), str(count), str(port)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for index in range(count)
    ]
    return [json.loads(process.communicate()[0].splitlines()[-1]) for process in started]


@pytest.mark.system
def test_two_processes_learn_what_one_learns():
    (alone,) = told_by(1)
    together = told_by(2)
    assert alone["share"] == 96
    assert [told["share"] for told in together] == [48, 48]
    assert {told["digest"] for told in together} == {alone["digest"]}
