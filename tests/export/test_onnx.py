"""Programs as ONNX answer what the release answers, by another runtime."""

import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from recsys.export import onnx
from recsys.export.onnx import settled, to_onnx
from recsys.features.batch import Batch
from recsys.release.programs import TYPES
from tests.releases import NAMES, WRITTEN, opened


@pytest.mark.system
@pytest.mark.xdist_group("releases")
@pytest.mark.parametrize(
    ("which", "programs"),
    [
        ("clicks", {"predict"}),
        ("towers", {"users", "items"}),
        ("documents", {"users", "items"}),
    ],
)
def test_every_program_has_a_file_that_answers_alike(
    which: str, programs: set[str], tmp_path: Path
):
    import onnxruntime

    release = opened(which)
    out = to_onnx(WRITTEN[which](), tmp_path / "onnx")
    assert {path.stem for path in out.iterdir()} == programs
    rows = [{}, {"city": "Lyon", "tags": "a|b", "price": 2.5}, {"tags": ["c"] * 3}]
    if which == "towers":
        rows = [{}, *({"person": name} for name in NAMES), {"watched": ["m1", "m2"], "age": 1.5}]
    if which == "documents":
        rows = [{}, {"text": "did did3word1 wants3word2"}, {"skills": ["skill 3 of craft3"]}]
    batch, name = release.encode(rows).batch, min(programs - {"items"})
    wanted = release.predict(batch) if which == "clicks" else release.users(batch)
    session = onnxruntime.InferenceSession(out / f"{name}.onnx")
    np.testing.assert_allclose(np.asarray(session.run(None, told(batch))[0]), wanted, atol=1e-5)


def told(batch: Batch) -> dict[str, np.ndarray]:
    """A batch as the files take it."""
    return {name: np.asarray(getattr(batch, name)) for name in TYPES}


def test_choices_between_platforms_are_made_and_nothing_else_changes():
    def choosing(array):
        both = jax.lax.platform_dependent(array, cpu=lambda a: a + 100, default=lambda a: 2 * a)
        return jax.jit(lambda a: jax.lax.cond(a[0] > 0, jnp.sin, jnp.cos, a))(both)

    array = jnp.array([1.0, 2.0])
    found = settled(choosing, [array])
    assert "platform_index" in str(jax.make_jaxpr(choosing)(array))
    assert "platform_index" not in str(jax.make_jaxpr(found)(array))
    np.testing.assert_allclose(found(array), np.sin([2.0, 4.0]), rtol=1e-6)


def test_a_machine_without_the_library_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "jax2onnx", None)
    with pytest.raises(ValueError, match=r"ONNX wants jax2onnx.*--no-deps jax2onnx"):
        onnx._library()
