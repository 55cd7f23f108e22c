"""`recsys compress`: what it prints, writes and refuses."""

import numpy as np
import pytest

from recsys.cli import main
from recsys.vectors import load
from tests.cli.told import Told
from tests.vectors.test_methods import drawn

METHODS = ["--methods", "int8", "svd", "pruning"]


@pytest.fixture
def told(capsys) -> Told:
    return Told(capsys)


@pytest.fixture
def path(tmp_path):
    np.save(tmp_path / "items.npy", drawn())
    return tmp_path / "items.npy"


def test_the_best_method_within_a_budget_is_kept(path, told):
    printed = told.ok("compress", path, "--budget", "30%", *METHODS, "--k", "5", "20")
    assert "recall@5" in printed
    assert "items.compressed: int8, 31" not in printed
    path.unlink()
    found = load(path.with_suffix(".compressed"))
    assert found.method in ("svd", "pruning")
    assert found.decode(np.arange(3)).shape == (3, 16)


def test_a_budget_may_be_a_size(path, told):
    out = path.with_name("small")
    assert "int8" in told.ok("compress", path, "--budget", "20KB", *METHODS, "--out", out)
    assert out.stat().st_size < 24_000


def test_what_cannot_be_compressed_is_refused(path, told):
    assert main(["compress", str(path), "--budget", "1B", *METHODS]) == 2
    lines = told.capsys.readouterr().err.splitlines()
    assert [line.partition(" ")[0] for line in lines] == [*METHODS[1:], "recsys:"]
    assert "needs at least" in lines[0]
    assert "No method keeps to 1B" in lines[-1]
    np.save(path, np.arange(5))
    assert "wants rows and columns of numbers" in told.wrong("compress", path)
    path.write_text("text")
    assert "should hold an array of NumPy" in told.wrong("compress", path)
    assert "No such file" in told.wrong("compress", path.with_name("gone.npy"))
