"""Checkpoints: the same bytes on any devices, never half of one, one sentence for every mishap."""

import dataclasses
import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh

from recsys.checkpoint import Saver, describe, latest, restore, steps
from recsys.parallel.mesh import make_mesh, split, whole
from recsys.tables import Hash

ROOT = Path(__file__).parent.parent
SPEC = {"model": Hash(rows=512), "recipe": {"rate": 0.1}}
Tree = dict[str, Any]


def tree(mesh: Mesh, seed: int = 0) -> Tree:
    """Arrays of every kind that a training state has, split or whole."""
    drawn = np.random.default_rng(seed)
    rows = {
        "weight": drawn.normal(size=(1024, 8)).astype(np.float32),
        "codes": drawn.integers(-128, 128, (512, 3)).astype(np.int8),
        "half": drawn.normal(size=(512, 2)).astype(jnp.bfloat16),
    }
    rest = {"step": np.int32(seed), "empty": np.zeros((0, 4), np.float32), "odd": drawn.random(7)}
    return {
        "rows": jax.device_put(rows, split(mesh)),
        "rest": jax.device_put(jax.tree.map(jnp.asarray, rest), whole(mesh)),
        "none": None,
    }


def shapes(mesh: Mesh) -> Tree:
    return jax.tree.map(
        lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=a.sharding), tree(mesh)
    )


def bytes_of(state: Any) -> list[bytes]:
    return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(state)]


@pytest.fixture
def mesh1() -> Mesh:
    return make_mesh(jax.devices()[:1])


@pytest.fixture
def saved(tmp_path: Path, mesh1: Mesh) -> Path:
    """A directory with checkpoints of steps 3 and 5."""
    with Saver(tmp_path / "run") as saver:
        for step in (3, 5):
            saver.save(step, tree(mesh1, step), spec=SPEC, notes={"at": step})
    return tmp_path / "run"


def a_file(checkpoint: Path) -> Path:
    """The largest file of the arrays."""
    files = [path for path in (checkpoint / "arrays").rglob("*") if path.is_file()]
    return max(files, key=lambda path: path.stat().st_size)


@pytest.mark.slow
@pytest.mark.parametrize("async_limit_bytes", [0, 2**30])
def test_a_state_moves_from_eight_devices_to_four_to_one(tmp_path, async_limit_bytes):
    state = wanted = tree(make_mesh())
    for devices in (4, 1, 8):
        with Saver(tmp_path, async_limit_bytes=async_limit_bytes) as saver:
            saver.save(devices, state, spec=SPEC)
        state = restore(tmp_path, shapes(make_mesh(jax.devices()[:devices])), step=devices).state
        assert len(state["rows"]["weight"].sharding.device_set) == devices
        assert jax.tree.structure(state) == jax.tree.structure(wanted)
        assert bytes_of(state) == bytes_of(wanted)


def test_an_array_can_stand_for_its_shape_and_place(saved, mesh1):
    assert bytes_of(restore(saved, tree(mesh1)).state) == bytes_of(tree(mesh1, 5))


def test_a_checkpoint_tells_its_spec_and_notes_without_its_arrays(saved):
    found = describe(saved)
    shutil.rmtree(found.path / "arrays")
    assert describe(saved) == found
    assert found.spec["model"] == {"spec": "Hash", "rows": 512, "initial": 0.05}
    assert (found.step, found.notes) == (5, {"at": 5})
    assert found.arrays["rows/weight"] == "float32[1024, 8]"


@pytest.mark.slow
@pytest.mark.parametrize("devices", [1, 8])
def test_what_a_background_save_writes_is_what_was_there_when_it_was_asked(tmp_path, devices):
    rows = split(make_mesh(jax.devices()[:devices]))
    step = jax.jit(lambda a: a.at[:].add(1.0), donate_argnums=0)
    wanted = np.arange(2**23, dtype=np.float32).reshape(-1, 8)
    # A copy of JAX's own: what device_put takes from NumPy is not donated.
    state = jnp.copy(jax.device_put(wanted, rows))
    with Saver(tmp_path) as saver:
        saver.save(1, {"weight": state}, spec=None)
        for _ in range(20):
            state = step(state)
    like = {"weight": jax.ShapeDtypeStruct(wanted.shape, np.float32, sharding=rows)}
    np.testing.assert_array_equal(restore(tmp_path, like).state["weight"], wanted)
    np.testing.assert_array_equal(state, wanted + 20)


def test_a_state_above_the_limit_is_complete_when_save_returns(tmp_path, mesh1):
    saver = Saver(tmp_path, async_limit_bytes=1000)
    saver.save(1, tree(mesh1), spec=SPEC)
    assert latest(tmp_path) == 1


@pytest.mark.slow
def test_the_latest_and_the_wanted_stay(tmp_path, mesh1):
    with Saver(tmp_path, keep=2) as saver:
        for step in range(1, 7):
            saver.save(step, tree(mesh1), spec=SPEC, also_keep=[2])
    assert steps(tmp_path) == [2, 5, 6]
    assert {path.name for path in tmp_path.iterdir()} == {f"step-0000000{n}" for n in (2, 5, 6)}


def test_half_a_save_is_never_seen_and_goes_with_the_next(saved, mesh1):
    (saved / "step-00000005").rename(saved / ".partial-step-00000005")
    assert latest(saved) == 3
    with Saver(saved) as saver:
        saver.save(4, tree(mesh1), spec=SPEC)
    assert {path.name for path in saved.iterdir()} == {"step-00000003", "step-00000004"}


def test_a_step_is_saved_once(saved, mesh1):
    with pytest.raises(ValueError, match="is there already: use another directory"):
        Saver(saved).save(5, tree(mesh1), spec=SPEC)


def test_an_empty_directory_is_refused(tmp_path, saved, mesh1):
    assert latest(tmp_path) is None
    with pytest.raises(FileNotFoundError, match="should hold a checkpoint and has none"):
        restore(tmp_path, shapes(mesh1))
    with pytest.raises(FileNotFoundError, match=r"checkpoint of step 4 and has those of 3, 5"):
        restore(saved, shapes(mesh1), step=4)


def test_one_edited_byte_is_found(saved, mesh1):
    file = a_file(saved / "step-00000005")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"should have the digest of its save and was edited"):
        restore(saved, shapes(mesh1))
    assert restore(saved, shapes(mesh1), step=3).checkpoint.step == 3


def test_a_truncated_file_is_found(saved, mesh1):
    file = a_file(saved / "step-00000005")
    os.truncate(file, file.stat().st_size - 1)
    with pytest.raises(ValueError, match=rf"{file.name} should have .* bytes and has .*truncated"):
        restore(saved, shapes(mesh1))


@pytest.mark.parametrize("name", ["spec.json", "notes.json", "manifest.json", "arrays/_METADATA"])
def test_a_missing_file_is_found(saved, mesh1, name):
    next((saved / "step-00000005").rglob(Path(name).name)).unlink()
    with pytest.raises(FileNotFoundError, match=rf"{Path(name).name} is missing"):
        restore(saved, shapes(mesh1))


@pytest.mark.parametrize("name", ["spec.json", "notes.json", "manifest.json"])
def test_an_edited_description_is_found(saved, mesh1, name):
    file = saved / "step-00000005" / name
    file.write_text(file.read_text().replace("5", "6"))
    with pytest.raises(ValueError, match=rf"{name} should .*edited"):
        restore(saved, shapes(mesh1))


def test_a_checkpoint_under_another_step_is_found(saved, mesh1):
    (saved / "step-00000005").rename(saved / "step-00000007")
    with pytest.raises(ValueError, match=r"step-00000007 should hold its step and holds 5"):
        restore(saved, shapes(mesh1))


def test_half_a_manifest_is_found(saved, mesh1):
    file = saved / "step-00000005" / "manifest.json"
    os.truncate(file, file.stat().st_size // 2)
    with pytest.raises(ValueError, match=r"manifest\.json should be a manifest and was truncated"):
        restore(saved, shapes(mesh1))


def test_another_spec_is_refused_by_its_fields(saved, mesh1):
    other = {"model": dataclasses.replace(SPEC["model"], rows=1024), "recipe": {"rate": 0.2}}
    told = r"another spec .*model.rows is 512 there and 1024 here, recipe.rate is 0.1 there and 0.2"
    with pytest.raises(ValueError, match=told):
        restore(saved, shapes(mesh1), spec=other)
    assert restore(saved, shapes(mesh1), spec=SPEC).checkpoint.step == 5


def test_another_shape_is_refused_by_its_name(saved, mesh1):
    like = shapes(mesh1)
    like["rows"]["weight"] = jax.ShapeDtypeStruct((512, 8), np.float32, sharding=split(mesh1))
    del like["rest"]["odd"]
    told = r'rest/odd is .* there and "absent" here, rows/weight is "float32\[1024, 8\]" there and'
    with pytest.raises(ValueError, match=told):
        restore(saved, like)


@pytest.mark.slow
def test_an_error_of_a_background_save_comes_out(tmp_path, mesh1):
    large = jax.device_put(jnp.zeros((2**19, 64)), split(mesh1))  # takes longer than what follows
    saver = Saver(tmp_path)
    saver.save(1, {"weight": large}, spec=SPEC)
    (tmp_path / "step-00000001" / "in the way").mkdir(parents=True)
    with pytest.raises(OSError, match="step-00000001"):
        saver.wait()


@pytest.mark.system
@pytest.mark.parametrize("devices", [1, 8])
def test_a_blocking_save_of_a_gigabyte_takes_less_than_64_mb(tmp_path, devices):
    command = [sys.executable, "-m", "tests.system.save_large", str(tmp_path), str(devices)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    assert told["state_bytes"] >= 2**30
    assert told["peak_bytes"] < 64 * 2**20
    assert latest(tmp_path) == 1


def test_a_save_that_the_disk_has_no_room_for_leaves_the_ones_before_it(tmp_path):
    state = {"weight": jnp.arange(100_000, dtype=jnp.float32)}
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Saver(tmp_path) as saver:
        saver.save(1, state, spec={})
        saver.wait()
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, most))
        try:
            saver.save(2, state, spec={})
            with pytest.raises(OSError, match=r"step-00000002 could not be written \(File too"):
                saver.wait()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        assert [path.name for path in tmp_path.iterdir()] == ["step-00000001"]
        saver.save(2, state, spec={})
    assert restore(tmp_path, state).checkpoint.step == 2
