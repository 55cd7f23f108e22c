"""What the experiment of recall against bytes compares: tables of towers, and their combinations.

A contender is a layout without a size; `within` gives it the largest tables that fit a budget.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from recsys.data.interactions import Interactions, sparse
from recsys.embedding import Unified
from recsys.features import Feature, Schema
from recsys.models import TwoTower
from recsys.retrieval.known import levels
from recsys.tables import INT4, INT8, Full, Hash, HotCold
from recsys.tables.method import Method
from recsys.towers.direction import unit
from recsys.training.step import State
from recsys.vectors import VECTOR_METHODS
from recsys.vectors.file import compressed

LEAST_DIM = 4


@dataclasses.dataclass(frozen=True)
class Contender:
    """A way of storing the rows of users and items."""

    table: str  # how records call the method
    layout: str  # and how it is used
    method: Method
    lookups: int = 1  # rows of a value, each of dim / lookups
    projected: bool = True  # a linear map a feature
    narrow: bool = False  # of fewer columns where the budget is smaller, in place of fewer rows
    has_users: bool = True  # rows for users; False: their histories alone
    codec: str | None = None  # of `recsys.vectors`, for the directions of rows after training

    def within(self, budget_bytes: int, spec: TwoTower) -> TwoTower:
        """The towers with the largest tables that fit; with a codec, those whose rows it codes.

        Raises:
            ValueError: there are none as small.
        """
        if not self.has_users:
            spec = _without_users(spec)
        schema = _with_lookups(spec.schema, self.lookups)
        spec = dataclasses.replace(spec, schema=schema, projected=self.projected)
        if self.codec:
            return spec
        if not self.narrow:
            layout = Unified(self.method, spec.dim // self.lookups).within(budget_bytes, schema)
            return dataclasses.replace(spec, layout=layout)
        for dim in range(spec.dim, LEAST_DIM - 1, -2):  # codes of 4 bits want even widths
            layout = Unified(self.method, dim)
            if sum(plan.table_bytes for plan in layout.plans(schema).values()) <= budget_bytes:
                return dataclasses.replace(spec, layout=layout)
        raise ValueError(f"{self.table} needs more than {budget_bytes:,} bytes: give it more.")


FULL = Contender("full", "a row each", Full(), narrow=True)
CONTENDERS = (
    Contender("hash", "plain multiplexing", Hash(), lookups=2, projected=False),
    Contender("hash", "multiplexing, projections", Hash(), lookups=2),
    Contender("int8", "multiplexing, projections", INT8(of=Hash()), lookups=2),
    Contender("full", "narrow", Full(), narrow=True),
    Contender("int8", "narrow", INT8(of=Full()), narrow=True),
    Contender("int4", "narrow", INT4(of=Full()), narrow=True),
    Contender("hotcold", "full, hash", HotCold(hot=Full(), cold=Hash())),
    Contender("hotcold", "int8, int8 of hash", HotCold(hot=INT8(of=Full()), cold=INT8(of=Hash()))),
    Contender("hotcold", "int8, int4 of hash", HotCold(hot=INT8(of=Full()), cold=INT4(of=Hash()))),
    Contender("full", "no users, narrow", Full(), narrow=True, has_users=False),
    Contender("int8", "no users, narrow", INT8(of=Full()), narrow=True, has_users=False),
    Contender(
        "hotcold",
        "no users, int8, int8 of hash",
        HotCold(hot=INT8(of=Full()), cold=INT8(of=Hash())),
        has_users=False,
    ),
    Contender("pq", "no users, of trained rows", Full(), has_users=False, codec="pq"),
)


def coded(state: State, codec: str, *, budget_bytes: int, seed: int) -> tuple[State, int]:
    """The state with its one table's rows as a codec gives their directions back, and its bytes.

    For towers that read directions alone.

    Raises:
        ValueError: there are several tables, or the codec needs more bytes.
    """
    (rows,) = jax.tree.leaves(state.rows)
    arrays = compressed(np.asarray(unit(rows)), codec, budget_bytes=budget_bytes, seed=seed)
    found = VECTOR_METHODS[codec].reader(arrays)(np.arange(len(rows)))
    rows = jax.tree.map(lambda _: jnp.asarray(found, jnp.float32), state.rows)
    return dataclasses.replace(state, rows=rows), sum(array.nbytes for array in arrays.values())


def by_frequency(data: Interactions) -> Interactions:
    """Users and items numbered by how often train has them, as hot and cold rows want it."""
    counts = np.diff(data.train.indptr), np.bincount(data.train.indices, minlength=data.items)
    ranks = [np.argsort(np.argsort(-own, kind="stable")) for own in counts]

    def renumbered(matrix):
        user, item = matrix.nonzero()
        return sparse(ranks[0][user], ranks[1][item], (data.users, data.items))

    return Interactions(renumbered(data.train), renumbered(data.test))


def with_counts(spec: TwoTower, data: Interactions) -> TwoTower:
    """The towers' schema with how often values come in train."""
    users, items = (
        levels(own)
        for own in (
            np.diff(data.train.indptr),
            np.bincount(data.train.indices, minlength=data.items),
        )
    )

    def counted(feature: Feature) -> Feature:
        return dataclasses.replace(feature, counts=items if feature.key_space == "item" else users)

    features = tuple(map(counted, spec.schema.features))
    return dataclasses.replace(spec, schema=dataclasses.replace(spec.schema, features=features))


def _without_users(spec: TwoTower) -> TwoTower:
    """The towers without what is known of a user beside its history."""
    features = tuple(
        f for f in spec.schema.features if f.name in (*spec.known, *spec.item.features)
    )
    schema = dataclasses.replace(spec.schema, features=features)
    return dataclasses.replace(
        spec, schema=schema, user=dataclasses.replace(spec.user, features=spec.known)
    )


def _with_lookups(schema: Schema, lookups: int) -> Schema:
    features = tuple(dataclasses.replace(f, lookups=lookups) for f in schema.features)
    return dataclasses.replace(schema, features=features)
