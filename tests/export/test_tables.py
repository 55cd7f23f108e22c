"""Every table method is served as it was trained: the same scores, out of a compiled program."""

import dataclasses
from pathlib import Path

import jax
import numpy as np
import pytest
from flax import nnx

from recsys.embedding import Layout
from recsys.export.clicks import programs
from recsys.export.frozen import Frozen
from recsys.features import Schema
from recsys.release.programs import Program, Width
from recsys.spec import spec
from recsys.training.predictor import probability
from tests.tables.examples import EXAMPLES
from tests.toy import SCHEMA, Toy
from tests.training import runs
from tests.training.runs import batch_of, cases, layout_of

PLATFORMS = {"mde": ("cpu", "cuda", "tpu")}  # the others: of this machine


@spec
@dataclasses.dataclass(frozen=True)
class ToySpec:
    """The toy model as a spec."""

    schema: Schema
    layout: Layout

    def build(self, *, rngs: nnx.Rngs) -> Toy:
        return Toy(self.layout, schema=self.schema)


@pytest.mark.slow
@pytest.mark.parametrize("method", cases(EXAMPLES))
def test_served_scores_are_those_of_training(method: str, tmp_path: Path):
    run = runs.run(method, "unified")
    batch = batch_of(run.data, 0)
    wanted = probability(np.asarray(run.learner.predict(run.state, batch)))
    frozen = Frozen(ToySpec(SCHEMA, layout_of(method, "unified")))
    blob = frozen.program(programs(frozen.spec)["predict"], PLATFORMS.get(method, ("cpu",)))
    path = tmp_path / "predict.stablehlo"
    path.write_bytes(blob)
    params = jax.device_put(frozen.params(run.state))
    served = Program(path, params, Width(SCHEMA.places, 1))(batch)
    np.testing.assert_allclose(served, wanted, atol=1e-5)
    assert (
        sum(a.nbytes for n, a in params.items() if n.startswith("embed"))
        <= frozen.embed.table_bytes
    )
    assert len(blob) < 100_000, "parameters are in the program"


def test_another_served_form_than_the_specs_is_refused():
    frozen = Frozen(ToySpec(SCHEMA, layout_of("hash", "unified")))
    params = {name: np.zeros(a.shape, a.dtype) for name, a in frozen.shapes.items()}
    frozen.check(params)
    params.popitem()
    with pytest.raises(ValueError, match=r"The served form of this ToySpec wants .* got None"):
        frozen.check(params)
