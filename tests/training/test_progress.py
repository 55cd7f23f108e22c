"""Progress: the host runs ahead of the device by many short steps, or few long ones."""

from unittest.mock import Mock

import jax
import jax.numpy as jnp
import pytest

from recsys.data import Shuffled
from recsys.training import Learner, progress
from recsys.training.progress import AHEAD, Progress
from recsys.training.step import Report

REPORT = Report(jnp.float32(0.5), jnp.float32(1.0), jnp.array(True), jnp.array(True))


class Device:
    """Takes so many seconds a step, one after another; waiting for a report turns the clock."""

    def __init__(self, seconds: float):
        self.seconds, self.now = seconds, 0.0

    def device_get(self, reports: list) -> list:
        self.now += self.seconds * len(reports)
        return reports


@pytest.fixture
def queued(monkeypatch):
    def run(seconds: float, steps: int = 500) -> list[int]:
        """How many reports waited after each step."""
        device = Device(seconds)
        monkeypatch.setattr(progress.time, "perf_counter", lambda: device.now)
        monkeypatch.setattr(jax, "device_get", device.device_get)
        monkeypatch.setattr(jax, "block_until_ready", device.device_get)
        learner, loader = Mock(spec=Learner, mesh=Mock(size=1)), Mock(spec=Shuffled, size=1)
        own = Progress(learner, loader, start=0, total=steps, log=None, log_every=1)
        waiting = []
        for step in range(steps):
            own.add(step, REPORT)
            waiting.append(len(own._waiting))
        own.close()
        return waiting

    return run


def test_short_steps_queue_up(queued):
    assert max(queued(0.001)) == 2 * AHEAD


def test_long_steps_do_not_wait_in_a_long_queue(queued):
    assert max(queued(10.0)) <= 2  # a cap or SIGTERM comes in three steps, not in sixty


def test_a_queue_holds_at_most_two_seconds_of_steps(queued):
    assert max(queued(0.2)) == 10
