"""The names of the package itself: all there, and nothing loaded that nobody asked for."""

import subprocess
import sys

import pytest

import recsys


def test_every_name_of_the_package_is_there():
    assert all(getattr(recsys, name).__module__.startswith("recsys.") for name in recsys.__all__)
    assert {*recsys.__all__} <= {*dir(recsys)}


def test_fit_takes_frames():
    assert recsys.fit.__module__ == "recsys.training.frames"


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(AttributeError, match="no 'Hush': it has ALPT"):
        recsys.Hush  # noqa: B018 - reading the attribute is what fails


@pytest.mark.slow
def test_a_layer_loads_no_other():
    code = "import sys, recsys.features; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "recsys.features" in loaded
    above = ("recsys.data", "recsys.tables", "recsys.training", "grain", "pyarrow", "flax")
    assert not {*above} & {*loaded}
