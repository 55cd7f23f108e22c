"""Two towers: users and items in, vectors out; with the catalogue, its index, and who met what.

draft = towers.draft(spec, fitted.state, sides, items=Items.of(ids, {"title": titles}))
write(draft, "movies")
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import UInt64
from scipy.sparse import csr_array

from recsys.data.interactions import size
from recsys.export.draft import Catalogue, Draft, named
from recsys.export.frozen import Asked
from recsys.export.stored import stored
from recsys.features.batch import Batch
from recsys.features.hashing import Words, fingerprint, join
from recsys.features.schema import Schema
from recsys.features.vocabulary import Vocabulary
from recsys.models.two_tower import TwoTower
from recsys.release import Items, Known
from recsys.release.people import Lists
from recsys.release.programs import Width
from recsys.retrieval.examples import Sides, item_schema
from recsys.retrieval.run import TowerRun
from recsys.retrieval.vectors import serving
from recsys.training.run_spec import VOCABULARIES, read_spec
from recsys.training.step import State
from recsys.training.vocabularies import load_vocabularies

HISTORY = 256  # most items of a history that the user tower reads
GOLDEN = 8  # requests of each sort
NAMED = 3  # items of a history that a golden request names


def programs(spec: TwoTower) -> dict[str, Asked]:
    """What a release of two towers answers."""

    def users(model: Any, batch: Batch) -> Any:
        whole = _packed(batch, query_schema(spec), spec.packed)
        return model.users(model.embed(whole), whole)

    def items(model: Any, batch: Batch) -> Any:
        whole = _packed(batch, item_schema(spec), spec.packed)
        return model.items(model.embed(whole), whole)[:, 0]

    return {
        "users": Asked(users, Width.of(query_schema(spec))),
        "items": Asked(items, Width.of(item_schema(spec))),
    }


def query_schema(spec: TwoTower) -> Schema:
    """What is known of a user, its history included."""
    kept = tuple(f for f in spec.schema.features if f.name in spec.user.features)
    return Schema(kept, label=None)


def draft(
    spec: TwoTower,
    state: State,
    sides: Sides,
    *,
    items: Items,
    users: Iterable[Any] | UInt64[np.ndarray, "users"] | None = None,
    seen: csr_array | None = None,
    vocabularies: Mapping[str, Vocabulary] | None = None,
    history: int = HISTORY,
    user_column: str = "user",
    metrics: Mapping[str, float] | None = None,
    split: str | None = None,
    data: Mapping[str, Any] | None = None,
) -> Draft:
    """The release of two towers.

    Args:
        spec: of the model that was trained.
        state: of that model, as served.
        sides: users, items, and what users are recommended by.
        items: what items are called, in the order of `sides`.
        users: what users are called, in the order of `sides`: names, or fingerprints; their numbers
            by default.
        seen: what users are not shown again, where that is more than what they liked.
        vocabularies: by feature, of features beside the ids.
        history: most items of a history; of a longer one a sample of so many is read, or its end
            where it is a sequence.
        user_column: the key of a request that names a user.
        metrics: of the model.
        split: that they were measured on.
        data: what it was trained on.
    """
    served = serving(spec, history)
    query, about = query_schema(served), item_schema(served)
    count = size(sides.train)[0]
    names = None
    if not isinstance(users, np.ndarray):
        names = [str(user) for user in (range(count) if users is None else users)]
        users = fingerprint(names)
    first = served.feature(served.item.features[0])
    spaces = {first.key_space: fingerprint(items.ids)}
    own = next((f for f in query.features if f.name == user_column), None)
    if own is not None:
        spaces[own.key_space] = users
    vocabularies = named((*query.features, *about.features), vocabularies or {}, spaces)
    place = about.span(first.name).start
    keys = np.asarray(join(Words(sides.items.high[:, place], sides.items.low[:, place])))
    return Draft(
        task="retrieval",
        model=served,
        state=state,
        schema=query,
        vocabularies=vocabularies,
        requests=_requests(names, items, served.known, user_column),
        catalogue=Catalogue(
            schema=about,
            items=Items(items.ids, items.columns, keys),
            rows=sides.items,
            known=_known(users, names, sides, served, seen),
            histories=served.known,
        ),
        user_column=user_column,
        metrics=metrics or {},
        split=split,
        data={"users": count, "items": len(items), "pairs": int(sides.train.nnz), **(data or {})},
    )


def of_run(
    run: TowerRun,
    *,
    names: Iterable[Any] = (),
    columns: Mapping[str, Sequence[Any]] | None = None,
) -> Draft:
    """The release of a run: users are recommended by all that they liked, in any split.

    Args:
        run: that was trained.
        names: of users, who are known by fingerprint alone: those that are given can be shown.
        columns: what is shown of items beside their titles, in the order of `run.known.items`.
    """
    known, catalogue, told = run.known, run.known.items, read_spec(run.path)
    titles = {"title": list(catalogue.titles)} if catalogue.titles is not None else {}
    found = draft(
        run.resolved.model,
        run.state,
        run.sides,
        items=Items.of(catalogue.names, {**titles, **(columns or {})}),
        users=known.users,
        seen=known.seen,
        vocabularies=load_vocabularies(run.path / VOCABULARIES),
        metrics=run.valid,
        split="valid",
        data=stored(told.store, told.store_digest),
    )
    return with_names(found, list(names))


def with_names(found: Draft, names: Sequence[Any]) -> Draft:
    """The draft with some users by name; the others are known by fingerprint."""
    if found.catalogue is None or not names:
        return found
    known = found.catalogue.known
    by_key = {int(key): str(name) for key, name in zip(fingerprint(names), names, strict=True)}
    listed = [by_key.get(key, "") for key in known.fingerprints.tolist()]
    catalogue = dataclasses.replace(found.catalogue, known=dataclasses.replace(known, names=listed))
    return dataclasses.replace(found, catalogue=catalogue)


def _known(
    users: UInt64[np.ndarray, "users"],
    names: list[str] | None,
    sides: Sides,
    spec: TwoTower,
    seen: csr_array | None,
) -> Known:
    is_ordered = all(spec.feature(name).kind == "sequence" for name in spec.known)
    most = max((spec.feature(name).length for name in spec.known), default=0)
    liked = _lists(sides.train, most=None if is_ordered else most)
    count, own = len(users), sides.users
    return Known(
        fingerprints=users,
        keys=np.zeros((count, 0), np.uint64) if own is None else join(Words(own.high, own.low)),
        valid=np.zeros((count, 0), bool) if own is None else np.asarray(own.valid),
        numbers=np.zeros((count, 0), np.float32) if own is None else np.asarray(own.numbers),
        liked=liked,
        seen=liked if seen is None else _lists(seen, most=None),
        names=names,
    )


def _lists(matrix: csr_array, *, most: int | None) -> Lists:
    """The items of each user; lists of more than `most` shuffled, of which any end is a sample."""
    starts, items = matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32)
    if most is not None:
        for user in np.flatnonzero(np.diff(starts) > most).tolist():
            own = slice(starts[user], starts[user + 1])
            items[own] = np.random.default_rng((0, user)).permutation(items[own])
    return Lists(starts, items)


def _requests(
    names: list[str] | None, items: Items, histories: Sequence[str], user_column: str
) -> list[dict[str, Any]]:
    """Golden requests: known users, histories of named items, and nothing at all."""
    rows: list[dict[str, Any]] = [{}]
    if names:
        chosen = np.unique(np.linspace(0, len(names) - 1, GOLDEN).astype(np.int64))
        rows += [{user_column: names[user]} for user in chosen]
    if histories:
        starts = np.unique(np.linspace(0, max(len(items) - NAMED, 0), GOLDEN).astype(np.int64))
        for start in starts:
            some = items.ids[start : start + NAMED]
            rows.append(dict.fromkeys(histories, some))
    return [{"row": row} for row in rows]


def _packed(batch: Batch, own: Schema, whole: Schema) -> Batch:
    """A batch of one side as one of both, whose other side is padding."""
    rows = batch.high.shape[0]
    names = {feature.name for feature in own.features}

    def placed(array: Any) -> Any:
        pieces = [
            array[:, own.span(f.name)]
            if f.name in names
            else jnp.zeros((rows, f.length), array.dtype)
            for f in whole.categorical
        ]
        return jnp.concatenate(pieces, axis=1)

    numeric = [feature.name for feature in own.numeric]
    columns = [
        jnp.asarray(batch.numbers)[:, [numeric.index(f.name)]]
        if f.name in names
        else jnp.zeros((rows, 1), jnp.float32)
        for f in whole.numeric
    ]
    numbers = jnp.concatenate([*columns, jnp.zeros((rows, 0), jnp.float32)], axis=1)
    high, low, valid = (placed(jnp.asarray(part)) for part in (batch.high, batch.low, batch.valid))
    return Batch(high, low, valid, numbers, batch.label, batch.weight)
