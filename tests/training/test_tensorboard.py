"""Event files: what TensorBoard reads back, also from a run that was killed and went on."""

import math
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from recsys.training.log import MetricsLog
from recsys.training.tensorboard import scalars


def points(directory: Path, tag: str) -> list[tuple[int, float]]:
    """What TensorBoard shows of a tag."""
    found = EventAccumulator(str(directory)).Reload()
    return [(point.step, point.value) for point in found.Scalars(tag)]


def test_the_log_is_in_tensorboard_too(tmp_path):
    log = MetricsLog(tmp_path / "metrics.jsonl")
    log.write(1, loss=0.5, valid={"auc": 0.75})
    log.write(2, loss=math.nan)
    log.close()
    assert points(tmp_path, "loss") == [(1, 0.5)]
    assert points(tmp_path, "valid/auc") == [(1, 0.75)]


def test_what_a_killed_run_wrote_beyond_its_checkpoint_is_dropped(tmp_path):
    for begins, loss in ((0, 1.0), (2, 2.0)):
        log = MetricsLog(tmp_path / "metrics.jsonl", step=begins)
        for step in range(begins + 1, 5):
            log.write(step, loss=loss)
        log.close()
    assert points(tmp_path, "loss") == [(1, 1.0), (2, 1.0), (3, 2.0), (4, 2.0)]


def test_a_log_without_a_line_leaves_no_event_file(tmp_path):
    MetricsLog(tmp_path / "metrics.jsonl").close()
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.jsonl"]


def test_names_of_nested_numbers_are_paths():
    nested = {"loss": 1, "valid": {"auc": 0.5, "by": {"user": 2.0}}, "text": "a", "none": None}
    assert scalars(nested) == pytest.approx({"loss": 1, "valid/auc": 0.5, "valid/by/user": 2})
