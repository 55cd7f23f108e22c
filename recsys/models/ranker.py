"""What the rankers have in common: features and numbers of an example to one logit."""

from typing import Any, Protocol, runtime_checkable

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from recsys.embedding.layout import Layout
from recsys.embedding.multiplexer import Embedding, Vectors
from recsys.features.batch import Batch
from recsys.features.schema import Schema
from recsys.losses.log_loss import LogLoss
from recsys.tables.base import Context


@runtime_checkable
class RankerSpec(Protocol):
    """A frozen spec of a ranker: over any schema, any layout of tables."""

    @property
    def schema(self) -> Schema: ...

    @property
    def layout(self) -> Layout: ...

    @property
    def loss(self) -> LogLoss: ...

    def build(self, *, rngs: nnx.Rngs) -> "Ranker": ...


class Ranker(nnx.Module):
    """One embedding of all features, and a logit an example; a model says how the one becomes the
    other.
    """

    def __init__(self, spec: Any, *, rngs: nnx.Rngs):
        self.spec = spec
        self.embed = Embedding(spec.schema, spec.layout, rngs=rngs)
        self.numbers = len(spec.schema.numeric)
        self.width = self.embed.width + self.numbers  # of all vectors and numbers side by side

    def side_by_side(self, vectors: Vectors, batch: Batch) -> Float[Array, "batch total"]:
        """All that is known of an example as one vector."""
        if not vectors:
            return jnp.asarray(batch.numbers)
        return jnp.concatenate([vectors.concatenated(), batch.numbers], axis=-1)

    def __call__(self, vectors: Vectors, batch: Batch) -> Float[Array, " batch"]:
        """The logit of each example."""
        raise TypeError(f"{type(self).__name__} does not say what it predicts: define __call__.")

    def loss(self, vectors: Vectors, batch: Batch, context: Context) -> Float[Array, ""]:
        """The mean loss of a batch."""
        return self.spec.loss(self(vectors, batch), batch.label, batch.weight)


def refuse_widths(spec: Any, *names: str, least: int = 0) -> None:
    """Checks a spec's stacks of layers: every width at least 1, and at least so many layers.

    Raises:
        ValueError: one of them is not.
    """
    for name in names:
        widths = getattr(spec, name)
        if len(widths) < least or any(width < 1 for width in widths):
            raise ValueError(
                f"{type(spec).__name__} wants {name} to be {least} or more widths of at least 1, "
                f"got {name}={widths}: give the width of each dense layer."
            )


def refuse_dim(spec: Any) -> None:
    """Checks the width at which a spec multiplies vectors.

    Raises:
        ValueError: it is below 1.
    """
    if spec.dim is not None and spec.dim < 1:
        raise ValueError(
            f"{type(spec).__name__} wants a dim of at least 1, got dim={spec.dim}: use None for "
            "the width of the widest feature."
        )
