"""AdaptEmb: values that are read often get rows of their own while training; the rest share."""

import dataclasses
from typing import ClassVar

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from recsys.spec import spec
from recsys.tables.adaptive import Adaptive, AdaptiveTable
from recsys.tables.base import Field, Keys


@spec
@dataclasses.dataclass(frozen=True)
class AdaptEmb(Adaptive):
    """Shared hash rows, and a row of its own for each value that was read often enough.

    Adaptive embedding of DeepRec (Alibaba), as in Zhang et al., VLDB 2024, whose code hands out the
    rows once, before training, by the counts of the whole log. Here reads are counted by a sketch
    of fixed size while training, so there is no pass over the log, no vocabulary, and no array as
    long as one; a value that crosses the threshold is promoted there and then. A row once owned is
    given up only to a value that was read far more often.
    """

    paper: ClassVar[str] = "DeepRec; Zhang et al., VLDB 2024"

    threshold: float = 16.0  # reads from which a value may have a row
    margin: float = 1.0  # by this share a newcomer must beat the owner that it drives out

    def build(self, dim: int, fields: tuple[Field, ...], *, rngs: nnx.Rngs) -> "AdaptEmbTable":
        return AdaptEmbTable(self, dim, fields, rngs=rngs)


class AdaptEmbTable(AdaptiveTable):
    """Rows, and the sketch of counts that says whose the hot ones are."""

    def weigh(self, key: Keys, grad: Float[Array, "batch places dim"]) -> Float[Array, " reads"]:
        return key.valid.reshape(-1).astype(jnp.float32)
