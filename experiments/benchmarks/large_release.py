"""A release with a large catalogue, drawn and not trained: what servers are measured with.

Items of one kind lie near each other, as those of trained towers do and as in `index.py`.
"""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from recsys.data.interactions import sparse
from recsys.embedding import Unified
from recsys.export import towers, write
from recsys.features import Feature, Schema
from recsys.models import Tower, TwoTower
from recsys.release import Items
from recsys.retrieval.examples import Sides
from recsys.tables import Hash
from recsys.training.step import State, state_of

KINDS, USERS, LIKED, SEEN = 1_000, 2_000, 3, 20
DIM = 64
OWN = 0.3  # of an item in its vector, beside what its kind has


@dataclasses.dataclass(frozen=True)
class Large:
    """Items of many kinds, and users who like some kinds."""

    items: int = 100_000
    seed: int = 0

    def write(self, path: Path) -> Path:
        """Exports the release, if it is not there yet."""
        if path.exists():
            return path
        rng = np.random.default_rng(self.seed)
        spec = self._spec()
        kinds = rng.integers(0, KINDS, self.items)
        liked = rng.integers(0, KINDS, (USERS, LIKED))
        told = Schema(spec.schema.features[2:], label=None)
        items = told.encode({"movie": np.arange(self.items), "kind": kinds})
        users = Schema(spec.schema.features[:1], label=None).encode({"likes": liked.tolist()})
        pairs = np.repeat(np.arange(USERS), SEEN), rng.integers(0, self.items, USERS * SEEN)
        train = sparse(*pairs, (USERS, self.items))
        shown = {
            "title": [f"The story of item {number}" for number in range(self.items)],
            "kind": kinds.tolist(),
        }
        draft = towers.draft(
            spec,
            self._state(spec),
            Sides.of(spec, train, items=items, users=users),
            items=Items.of(range(self.items), shown),
            users=range(USERS),
            history=SEEN,
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        return write(draft, path, platforms=("cpu",))

    def _spec(self) -> TwoTower:
        features = (
            Feature("likes", kind="bag", length=LIKED, values=KINDS, space="kind"),
            Feature("watched", kind="bag", length=SEEN, values=self.items, space="movie"),
            Feature("movie", values=self.items),
            Feature("kind", values=KINDS),
        )
        return TwoTower(
            Schema(features, label=None),
            Unified(Hash(rows=2 * self.items), DIM),
            user=Tower(("watched", "likes")),
            item=Tower(("movie", "kind")),
            dim=DIM,
        )

    def _state(self, spec: TwoTower) -> State:
        graph, shapes = nnx.split(nnx.eval_shape(lambda: spec.build(rngs=nnx.Rngs(0))))
        rng = np.random.default_rng(self.seed)

        def drawn(array: Any) -> Any:
            return jnp.asarray(rng.standard_normal(array.shape) / DIM**0.5, array.dtype)

        model: Any = nnx.merge(graph, jax.tree.map(drawn, shapes))
        own = model.project.maps["movie"]
        own.set_value(OWN * own[...])
        return state_of(model)
