"""Many features, few tables: a batch becomes the keys of each table, and their vectors one vector
a feature.
"""

import dataclasses
from collections.abc import Iterator, Mapping

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from recsys.embedding.layout import Layout, Plan
from recsys.embedding.pooling import pool
from recsys.features.batch import Batch
from recsys.features.schema import Feature, Schema
from recsys.tables.base import Context, Keys, Span


@dataclasses.dataclass(frozen=True)
class Wiring:
    """Where a table's keys lie in a batch, and whose they are; static."""

    places: tuple[int, ...]  # of the batch, in the table's order
    spans: tuple[Span, ...]  # of the table's keys
    owners: tuple[Feature, ...]  # the feature of each span


@jax.tree_util.register_pytree_node_class
class Vectors(Mapping[str, Float[Array, "batch width"]]):
    """One vector a feature, by name; `concatenated` is all of them side by side.

    A feature of several places (a bag, a sequence) is pooled here; `places` has it unpooled.
    """

    def __init__(
        self,
        fused: dict[str, Float[Array, "batch _ dim"]],
        keys: dict[str, Keys],
        wiring: dict[str, Wiring],
    ):
        self._fused, self._keys, self._wiring = fused, keys, wiring

    def tree_flatten(self):
        return (self._fused, self._keys), tuple(self._wiring.items())

    @classmethod
    def tree_unflatten(cls, wiring, children):
        fused, keys = children
        return cls(fused, keys, dict(wiring))

    def __iter__(self) -> Iterator[str]:
        owners = [owner.name for wiring in self._wiring.values() for owner in wiring.owners]
        return iter(dict.fromkeys(owners))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __getitem__(self, name: str) -> Float[Array, "batch width"]:
        parts = [pool(part, self._keys[table].valid[:, cut], feature.pooling) if feature.length > 1
                 else part[:, 0] for table, feature, cut, part in self._spans(name)]  # fmt: skip
        return jnp.concatenate(parts, axis=-1)

    def places(self, name: str) -> Float[Array, "batch length width"]:
        """The vectors of each place of a bag or sequence; padding is zero."""
        parts = [jnp.where(self._keys[table].valid[:, cut, None], part, 0.0)
                 for table, _, cut, part in self._spans(name)]  # fmt: skip
        return jnp.concatenate(parts, axis=-1)

    def concatenated(self) -> Float[Array, "batch total"]:
        """Every feature's vector side by side, table by table."""
        return jnp.concatenate([self._table(name) for name in self._wiring], axis=-1)

    def _table(self, table: str) -> Float[Array, "batch total"]:
        fused, wiring = self._fused[table], self._wiring[table]
        if all(owner.length == 1 for owner in wiring.owners):
            return fused.reshape(fused.shape[0], -1)
        return jnp.concatenate(
            [self[name] for name in dict.fromkeys(o.name for o in wiring.owners)], -1
        )

    def _spans(self, name: str):
        found = [
            (
                table,
                owner,
                slice(span.start, span.stop),
                self._fused[table][:, span.start : span.stop],
            )
            for table, wiring in self._wiring.items()
            for span, owner in zip(wiring.spans, wiring.owners, strict=True)
            if owner.name == name
        ]
        if not found:
            raise KeyError(f"No feature {name!r} here: there are {', '.join(self)}.")
        return found


class Embedding(nnx.Module):
    """The tables of a model and the wiring of its features to them. A model owns exactly one.

    A schema of numbers only has no tables, whatever the layout.

    Raises:
        ValueError: the layout does not fit the schema.
    """

    def __init__(self, schema: Schema, layout: Layout, *, rngs: nnx.Rngs):
        self.schema = schema
        self.layout = layout
        self.tables = nnx.Dict(
            {name: p.method.build(p.dim, p.fields, rngs=rngs) for name, p in self.plans.items()}
        )

    @property
    def plans(self) -> dict[str, Plan]:
        """What each table was built from."""
        return self.layout.plans(self.schema) if self.schema.categorical else {}

    @property
    def widths(self) -> dict[str, int]:
        """Of each feature's vector."""
        return {f.name: f.lookups * p.dim for p in self.plans.values() for f in p.features}

    @property
    def width(self) -> int:
        """Of all features' vectors side by side."""
        return sum(self.widths.values())

    def keys(self, batch: Batch) -> dict[str, Keys]:
        """What each table is asked.

        Raises:
            ValueError: the batch was packed for another schema.
            TypeError: its keys are not two words of 32 bits.
        """
        _check(batch, self.schema.places)
        return {name: _ask(batch, _wire(self.schema, p)) for name, p in self.plans.items()}

    def split(
        self, vectors: dict[str, Float[Array, "batch _ dim"]], keys: dict[str, Keys]
    ) -> Vectors:
        """The tables' vectors by feature."""
        wiring = {name: _wire(self.schema, p) for name, p in self.plans.items()}
        return Vectors(vectors, keys, wiring)

    def __call__(self, batch: Batch, context: Context | None = None) -> Vectors:
        """Looks up without a mesh or a train step: for evaluation, serving and your own loop."""
        keys = self.keys(batch)
        return self.split(
            {name: self.tables[name](key, context) for name, key in keys.items()}, keys
        )

    def freeze(self) -> "Embedding":
        """The served form: every table frozen."""
        frozen = nnx.clone(self)
        frozen.tables = nnx.Dict({name: table.freeze() for name, table in self.tables.items()})
        return frozen

    @property
    def table_bytes(self) -> int:
        """Bytes of the frozen tables as saved."""
        return sum(p.table_bytes for p in self.plans.values())

    @property
    def served_bytes(self) -> int:
        """`table_bytes` and what turns raw values into keys: 8 bytes for each value of a
        vocabulary.
        """
        known = {f.name: f.values for f in self.schema.categorical if f.values is not None}
        return self.table_bytes + 8 * sum(known.values())


def _wire(schema: Schema, p: Plan) -> Wiring:
    places, spans, owners = [], [], []
    for feature in p.features:
        cut = schema.span(feature.name)
        for _ in range(feature.lookups):
            start = len(places)
            places += range(cut.start, cut.stop)
            spans.append(Span(field=len(spans), start=start, stop=len(places)))
            owners.append(feature)
    return Wiring(tuple(places), tuple(spans), tuple(owners))


def _check(batch: Batch, places: int) -> None:
    dtypes = [str(array.dtype) for array in (batch.high, batch.low, batch.valid)]
    if dtypes != ["uint32", "uint32", "bool"]:
        raise TypeError(
            f"This embedding wants keys as two uint32 words and a bool mask, got "
            f"{', '.join(dtypes)}: pack batches with the schema's encode(), as JAX truncates "
            "64-bit integers silently."
        )
    shapes = {array.shape[1:] for array in (batch.high, batch.low, batch.valid)}
    if shapes != {(places,)}:
        raise ValueError(
            f"This embedding wants batches of {places} places, got "
            f"{' and '.join(str(shape) for shape in shapes)}: pack them with its schema's encode()."
        )


def _ask(batch: Batch, wiring: Wiring) -> Keys:
    is_all = wiring.places == tuple(range(batch.high.shape[1]))

    def asked(array: Array | np.ndarray) -> Array:
        return jnp.asarray(array) if is_all else jnp.asarray(array)[:, np.asarray(wiring.places)]

    return Keys(asked(batch.high), asked(batch.low), asked(batch.valid), wiring.spans)
