"""DCN-v2: cross layers, then dense layers, then one logit (Wang et al., WWW 2021, the stacked
form).
"""

import dataclasses

from flax import nnx
from jaxtyping import Array, Float

from recsys.embedding.layout import Layout
from recsys.embedding.multiplexer import Vectors
from recsys.features.batch import Batch
from recsys.features.schema import Schema
from recsys.losses.log_loss import LogLoss
from recsys.models.ranker import Ranker
from recsys.spec import spec
from recsys.towers import MLP, Cross


@spec
@dataclasses.dataclass(frozen=True)
class DCN:
    """A click model."""

    schema: Schema
    layout: Layout
    cross: int = 1  # cross layers
    hidden: tuple[int, ...] = (192,)  # widths of the dense layers
    loss: LogLoss = LogLoss()

    def __post_init__(self):
        if self.cross < 0 or any(width < 1 for width in self.hidden):
            raise ValueError(
                "DCN wants cross >= 0 layers and hidden widths of at least 1, got "
                f"cross={self.cross}, hidden={self.hidden}: use () for no dense layers."
            )

    def build(self, *, rngs: nnx.Rngs) -> "DCNModel":
        return DCNModel(self, rngs=rngs)


class DCNModel(Ranker):
    """Vectors and numbers of an example to one logit."""

    def __init__(self, spec: DCN, *, rngs: nnx.Rngs):
        super().__init__(spec, rngs=rngs)
        self.cross = Cross(self.width, spec.cross, rngs=rngs)
        self.deep = MLP(self.width, spec.hidden, rngs=rngs)
        self.head = nnx.Linear(self.deep.width, 1, rngs=rngs)

    def __call__(self, vectors: Vectors, batch: Batch) -> Float[Array, " batch"]:
        x = self.side_by_side(vectors, batch)
        return self.head(self.deep(self.cross(x)))[:, 0]
