"""A trained model in its served form: arrays by name, and the functions over them.

The structure of the served form follows from the model's spec alone, so that spec and arrays are an
archive of which programs can be made anew.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from flax import nnx
from jax import export
from jaxtyping import Array, Float

from recsys.embedding.multiplexer import Embedding
from recsys.features.batch import Batch
from recsys.release.programs import TYPES, Width
from recsys.training.step import State, take_apart

Answer = Callable[[Any, Batch], Float[Array, "rows ..."]]  # of a model and a batch


@dataclasses.dataclass(frozen=True)
class Asked:
    """A program to be: what it answers, and of which batches."""

    answer: Answer
    width: Width

    @property
    def batch(self) -> dict[str, jax.ShapeDtypeStruct]:
        """The arrays of a batch of any number of rows."""
        (rows,) = export.symbolic_shape("rows")
        columns = self.width.columns
        return {n: jax.ShapeDtypeStruct((rows, columns[n]), dtype) for n, dtype in TYPES.items()}


class Frozen:
    """The served form of the model of a spec."""

    def __init__(self, spec: Any) -> None:
        """Its structure; allocates nothing."""
        self.spec = spec
        abstract = nnx.eval_shape(lambda: _freeze(spec.build(rngs=nnx.Rngs(0))))
        self.embed: Embedding = abstract.embed  # shapes; says what it weighs
        self.graph, state = nnx.split(abstract)
        leaves, self.tree = jax.tree_util.tree_flatten_with_path(state)
        self.shapes: dict[str, jax.ShapeDtypeStruct] = {
            jax.tree_util.keystr(path, simple=True, separator="/"): jax.ShapeDtypeStruct(
                leaf.shape, leaf.dtype
            )
            for path, leaf in leaves
        }

    def params(self, state: State) -> dict[str, np.ndarray]:
        """The arrays of a trained state, in the served form, by name.

        Raises:
            ValueError: they are not those that the spec says.
        """
        build = self.spec.build
        graph = take_apart(nnx.eval_shape(lambda: build(rngs=nnx.Rngs(0))))[0]

        @jax.jit
        def freeze(rows: nnx.State, params: nnx.State, rest: nnx.State) -> list[Array]:
            model = _freeze(nnx.merge(graph, rows, params, rest))
            return jax.tree.leaves(nnx.split(model)[1])

        arrays = jax.device_get(freeze(state.rows, state.params, state.rest))
        found = dict(zip(self.shapes, map(np.asarray, arrays), strict=True))
        self.check(found)
        return found

    def check(self, params: Mapping[str, np.ndarray]) -> None:
        """Refuses arrays that are not those of the spec.

        Raises:
            ValueError: one is missing, too many, or of another shape.
        """
        wanted = {name: (a.shape, np.dtype(a.dtype)) for name, a in self.shapes.items()}
        found = {name: (a.shape, a.dtype) for name, a in params.items()}
        wrong = sorted(n for n in {*wanted, *found} if wanted.get(n) != found.get(n))
        if wrong:
            name = wrong[0]
            raise ValueError(
                f"The served form of this {type(self.spec).__name__} wants {name} as "
                f"{wanted.get(name)}, got {found.get(name)}: freeze() of its table should keep to "
                "what the spec says, or the archive is of another version."
            )

    def program(self, asked: Asked, platforms: Sequence[str]) -> bytes:
        """A function of the parameters and of any number of rows, as StableHLO."""

        def program(params: dict[str, Array], high, low, valid, numbers):
            leaves = [params[name] for name in self.shapes]
            model = nnx.merge(self.graph, jax.tree.unflatten(self.tree, leaves))
            label = jax.numpy.zeros(high.shape[0], np.float32)
            return asked.answer(model, Batch(high, low, valid, numbers, label, label + 1))

        exporting = export.export(jax.jit(program), platforms=tuple(platforms))
        return bytes(exporting(self.shapes, *asked.batch.values()).serialize())


def _freeze(model: Any) -> Any:
    model.embed = model.embed.freeze()
    return model
