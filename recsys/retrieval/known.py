"""What a run knows of users and items: who met what, what items are called, and their features.

Read from a store, and kept in the run's directory, so that the run answers without its store.
Users and items are numbered by how often they come, as methods want that tell hot rows from cold.
"""

import dataclasses
import io
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int, UInt64
from scipy.sparse import csr_array

from recsys.data.catalogue import Catalogue, places
from recsys.data.interactions import sparse
from recsys.data.store import Store
from recsys.durable import save_whole
from recsys.features.batch import TYPES, Batch
from recsys.features.feature import Feature
from recsys.features.hashing import MISSING
from recsys.features.schema import Schema

KNOWN = "known.npz"
MATRICES = ("train", "valid", "test", "seen")


@dataclasses.dataclass(frozen=True, eq=False)
class Rows:
    """Features of users or of items, a row each."""

    schema: Schema
    batch: Batch


@dataclasses.dataclass(frozen=True, eq=False)
class Known:
    """Users and items by number, and the pairs of each split."""

    users: UInt64[np.ndarray, " users"]  # fingerprints
    items: Catalogue
    train: csr_array  # (users, items): what users liked, as are the next two; no pair in two
    valid: csr_array
    test: csr_array
    seen: csr_array  # what they met, liked or not, in any split
    user_rows: Rows | None = None  # where features of users are read
    item_rows: Rows | None = None

    @property
    def liked(self) -> csr_array:
        """What users liked, in any split: what they are recommended by."""
        return csr_array(self.train + self.valid + self.test)

    def user(self, key: UInt64[np.ndarray, " asked"]) -> Int[np.ndarray, " asked"]:
        """The numbers of users by fingerprint; `NOT_THERE` of those never seen."""
        return places(key, among=self.users)

    def save(self, path: Path) -> None:
        """Writes the file, whole or not at all."""
        arrays = {"users": self.users, "items": np.frombuffer(self.items.to_bytes(), np.uint8)}
        for name in MATRICES:
            matrix: csr_array = getattr(self, name)
            arrays |= {f"{name}/indptr": matrix.indptr, f"{name}/indices": matrix.indices}
        for name in ("user_rows", "item_rows"):
            rows: Rows | None = getattr(self, name)
            if rows is not None:
                arrays |= {f"{name}/{part}": getattr(rows.batch, part) for part in TYPES}
        save_whole(path, arrays)

    @classmethod
    def load(cls, path: Path, *, user: Schema | None, item: Schema | None) -> "Known":
        """The inverse of `save`.

        Args:
            path: of the file.
            user: the features of users; None where there are none.
            item: likewise of items.
        """
        found = dict(np.load(io.BytesIO(path.read_bytes())))
        users, items = found["users"], Catalogue.from_bytes(found["items"].tobytes())
        shape = (len(users), len(items))

        def matrix(name: str) -> csr_array:
            indptr, indices = found[f"{name}/indptr"], found[f"{name}/indices"]
            return csr_array((np.ones(len(indices), np.float32), indices, indptr), shape=shape)

        def rows(name: str, schema: Schema | None) -> Rows | None:
            if schema is None:
                return None
            return Rows(schema, Batch(**{part: found[f"{name}/{part}"] for part in TYPES}))

        return cls(
            users,
            items,
            *map(matrix, MATRICES),
            user_rows=rows("user_rows", user),
            item_rows=rows("item_rows", item),
        )


def known_of(
    store: Store, *, user_features: tuple[str, ...] = (), item_features: tuple[str, ...] = ()
) -> Known:
    """What a store knows. Liked is what has a label above 0; without a label, all that was met.

    A pair counts once, in the first split that has it. Features of a user or an item are those of
    the first example it comes in.

    Raises:
        ValueError: the store does not tell users and items, or has no such feature.
    """
    schema = store.schema
    if schema.user is None or schema.item is None:
        raise ValueError(
            f"Retrieval wants to know who met what, and the schema of {store.path} names "
            f"user={schema.user} and item={schema.item}: import again with a schema that says "
            "user='COLUMN' and item='COLUMN'."
        )
    events = {name: _events(store, name) for name in store.splits}
    every = _Events(*map(np.concatenate, zip(*events.values(), strict=True)))
    is_train = np.repeat(
        [name == "train" for name in events], [len(e.user) for e in events.values()]
    )
    users, user = _numbered(every.user, counted=is_train)
    keys, item = _numbered(every.item, counted=is_train)
    catalogue = store.catalogue
    shape = (len(users), len(keys))

    def rows(names: tuple[str, ...], numbers: Int[np.ndarray, " rows"]) -> Rows | None:
        return _rows(store, _schema_of(schema, names), events, numbers) if names else None

    return Known(
        users,
        catalogue.take(catalogue.numbers(keys)),
        **_liked(events, user, item, every.liked, shape),
        seen=sparse(user, item, shape),
        user_rows=rows(user_features, user),
        item_rows=rows(item_features, item),
    )


class _Events(NamedTuple):
    """The rows of a split that tell who and what."""

    user: UInt64[np.ndarray, " rows"]
    item: UInt64[np.ndarray, " rows"]
    liked: Bool[np.ndarray, " rows"]
    row: Int[np.ndarray, " rows"]


def _events(store: Store, name: str) -> _Events:
    split = store.splits[name]
    user, item = split.keys("user"), split.keys("item")
    liked = np.ones(len(split), bool) if store.schema.label is None else split.labels > 0
    row = np.flatnonzero((user != MISSING) & (item != MISSING))
    return _Events(user[row], item[row], liked[row], row)


def _numbered(
    keys: UInt64[np.ndarray, " rows"], *, counted: Bool[np.ndarray, " rows"]
) -> tuple[UInt64[np.ndarray, " different"], Int[np.ndarray, " rows"]]:
    """The different ones, those that come most first, and the number of each row's."""
    different, number = np.unique(keys, return_inverse=True)
    order = np.argsort(-np.bincount(number[counted], minlength=len(different)), kind="stable")
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return different[order], rank[number]


def _liked(
    events: Mapping[str, _Events],
    user: Int[np.ndarray, " rows"],
    item: Int[np.ndarray, " rows"],
    liked: Bool[np.ndarray, " rows"],
    shape: tuple[int, int],
) -> dict[str, csr_array]:
    """The liked pairs of each split, each in the first that has it."""
    pair = user[liked] * shape[1] + item[liked]
    split = np.repeat(np.arange(len(events)), [len(own.user) for own in events.values()])[liked]
    pairs, first = np.unique(pair, return_index=True)
    none = np.zeros(0, np.int64)
    found = {name: sparse(none, none, shape) for name in MATRICES[:3]}
    for number, name in enumerate(events):
        found[name] = sparse(*np.divmod(pairs[split[first] == number], shape[1]), shape)
    return found


def _rows(
    store: Store, schema: Schema, events: Mapping[str, _Events], numbers: Int[np.ndarray, " rows"]
) -> Rows:
    """Features of users or items, as their first example has them."""
    _, first = np.unique(numbers, return_index=True)
    ends = np.cumsum([len(own.user) for own in events.values()])
    split = np.searchsorted(ends, first, side="right")
    names, parts = tuple(events), []
    for number, name in enumerate(names):
        own = events[name]
        rows = first[split == number] - (ends[number] - len(own.user))
        parts.append(store.splits[name].take(own.row[rows]))
    back = np.argsort(np.argsort(split, kind="stable"))
    return Rows(schema, _cut(Batch.joined(parts).take(back), store.schema, schema))


def _cut(batch: Batch, schema: Schema, kept: Schema) -> Batch:
    """The places and numbers of some features."""
    spans = [np.arange(schema.places)[schema.span(feature.name)] for feature in kept.categorical]
    at = np.concatenate([np.zeros(0, np.int64), *spans])
    order = [feature.name for feature in schema.numeric]
    numbers = [order.index(feature.name) for feature in kept.numeric]
    high, low, valid = (np.asarray(a)[:, at] for a in (batch.high, batch.low, batch.valid))
    measures = np.asarray(batch.numbers)[:, numbers]
    return dataclasses.replace(batch, high=high, low=low, valid=valid, numbers=measures)


def _schema_of(schema: Schema, names: tuple[str, ...]) -> Schema:
    """Some features of a schema by name, in their order there.

    Raises:
        ValueError: there is no such feature.
    """
    known = {feature.name: feature for feature in schema.features}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(
            f"No feature {unknown[0]!r} in the schema of the store: known are {', '.join(known)}."
        )
    chosen: tuple[Feature, ...] = tuple(known[name] for name in known if name in names)
    return Schema(chosen, label=None)


def levels(counts: np.ndarray) -> tuple[tuple[int, int], ...]:
    """How many values come how often, falling."""
    times, values = np.unique(counts[counts > 0], return_counts=True)
    return tuple(zip(times[::-1].tolist(), values[::-1].tolist(), strict=True))
