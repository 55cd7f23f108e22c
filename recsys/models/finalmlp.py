"""FinalMLP: two stacks of dense layers over gated features, fused by products (Mao et al., AAAI
2023).
"""

import dataclasses

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from recsys.embedding.layout import Layout
from recsys.embedding.multiplexer import Vectors
from recsys.features.batch import Batch
from recsys.features.schema import Schema
from recsys.losses.log_loss import LogLoss
from recsys.models.ranker import Ranker, refuse_widths
from recsys.spec import spec
from recsys.towers import MLP, BilinearFusion, FeatureGate


@spec
@dataclasses.dataclass(frozen=True)
class FinalMLP:
    """logit = fusion(o_1, o_2) with o_s = stack_s(x * 2 sigmoid(gate_s(context_s))).

    The gates let the two stacks see the features differently, as for the user's sake and for the
    item's: name user features as one context and item features as the other. Contexts are read
    from the same vectors as x, where the authors' code has an embedding for them alone.
    """

    schema: Schema
    layout: Layout
    first: tuple[int, ...] = (192,)  # widths of the first stack
    second: tuple[int, ...] = (192,)  # and of the second
    heads: int = 2  # of the fusion; divides the last width of both
    first_context: tuple[str, ...] = ()  # features that decide what the first stack sees; (): none
    second_context: tuple[str, ...] = ()  # and the second
    gate: tuple[int, ...] = ()  # widths of a gate's layers between context and features
    loss: LogLoss = LogLoss()

    def __post_init__(self):
        refuse_widths(self, "first", "second", least=1)
        refuse_widths(self, "gate")
        if self.heads < 1 or self.first[-1] % self.heads or self.second[-1] % self.heads:
            raise ValueError(
                f"FinalMLP wants heads that divide the last widths {self.first[-1]} and "
                f"{self.second[-1]}, got heads={self.heads}: change one of them."
            )
        known = [feature.name for feature in self.schema.categorical]
        unknown = [n for n in (*self.first_context, *self.second_context) if n not in known]
        if unknown:
            raise ValueError(
                f"FinalMLP wants contexts to name features that read a table, got {unknown}: "
                f"there are {', '.join(known)}."
            )

    def build(self, *, rngs: nnx.Rngs) -> "FinalMLPModel":
        return FinalMLPModel(self, rngs=rngs)


class FinalMLPModel(Ranker):
    """Two streams and their fusion."""

    def __init__(self, spec: FinalMLP, *, rngs: nnx.Rngs):
        super().__init__(spec, rngs=rngs)
        self.gates = nnx.List(
            [
                FeatureGate(
                    self.width, sum(self.embed.widths[n] for n in names), spec.gate, rngs=rngs
                )
                for names in (spec.first_context, spec.second_context)
            ]
        )
        self.first = MLP(self.width, spec.first, rngs=rngs)
        self.second = MLP(self.width, spec.second, rngs=rngs)
        self.fusion = BilinearFusion(self.first.width, self.second.width, spec.heads, rngs=rngs)

    def __call__(self, vectors: Vectors, batch: Batch) -> Float[Array, " batch"]:
        x = self.side_by_side(vectors, batch)
        contexts = (self.spec.first_context, self.spec.second_context)
        first, second = (
            gate(x, _joined(vectors, names))
            for gate, names in zip(self.gates, contexts, strict=True)
        )
        return self.fusion(self.first(first), self.second(second))


def _joined(vectors: Vectors, names: tuple[str, ...]) -> Float[Array, "batch context"] | None:
    if not names:
        return None
    return jnp.concatenate([vectors[name] for name in names], axis=-1)
