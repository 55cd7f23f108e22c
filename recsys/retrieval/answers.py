"""Answers of a trained run: what to recommend to a user, and which items are like another.

Every question has an answer, with a note for each default that was used: a user never seen, or of
whom nothing is known, is shown what most users liked; so is whoever asks for items like one that
nobody met and that has no features. Such items are in no other answer. An item is never in a list
twice, and where fewer than k are left the list is shorter.
"""

import dataclasses
from collections.abc import Sequence

import jax
import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse import csr_array

from recsys.data.catalogue import NOT_THERE
from recsys.data.interactions import size, sparse
from recsys.features.hashing import fingerprint
from recsys.retrieval.examples import Sides
from recsys.retrieval.run import TowerRun
from recsys.retrieval.vectors import item_vectors, user_vectors

POPULAR = "shown is what most users liked"
BY_ITEMS = "recommended is by the items given"
BY_FEATURES = "recommended is by the features"


@dataclasses.dataclass(frozen=True)
class Shown:
    """An item of an answer."""

    name: str  # as the log spells it
    title: str | None  # None where the data has no titles
    score: float  # cosine; of popular items, the share of users who liked them


@dataclasses.dataclass(frozen=True)
class Answer:
    """Items, best first, and the defaults that were used."""

    items: tuple[Shown, ...]
    notes: tuple[str, ...]


class Recommender:
    """Answers from a run."""

    def __init__(self, run: TowerRun):
        self.run, self.sides = run, run.sides
        known = run.known
        self.likes = np.bincount(self.sides.train.indices, minlength=len(known.items))
        has_features = np.zeros(len(known.items), bool)
        if known.item_rows is not None:
            batch = known.item_rows.batch
            has_features = np.asarray(batch.valid).any(axis=1)
        is_met = np.bincount(known.train.indices, minlength=len(known.items)) > 0
        self.is_told: Bool[np.ndarray, " items"] = is_met | has_features
        self.vectors = np.asarray(item_vectors(self.sides.spec, run.state, self.sides))

    def recommend(
        self,
        user: str | None = None,
        *,
        k: int = 10,
        exclude_seen: bool = True,
        also_liked: Sequence[str] = (),
    ) -> Answer:
        """What to show a user.

        Args:
            user: as the log spells it; None is somebody new.
            k: items; all there are, where there are fewer.
            exclude_seen: leaves out what the user met, whether it liked it or not.
            also_liked: items beside those of the log: names or titles; one that comes twice counts
                once.

        Raises:
            ValueError: k is below 1, or an item of `also_liked` does not exist.
        """
        _check(k)
        known = self.run.known
        number = NOT_THERE if user is None else int(known.user(fingerprint([user]))[0])
        given = np.array([known.items.find(name) for name in also_liked], np.int64)
        own, seen = (_of(matrix, number) for matrix in (self.sides.train, known.seen))
        vector = self._vector(number, np.union1d(own, given))
        notes = []
        if not len(own) and (user is not None or vector is None):
            by = POPULAR if vector is None else BY_ITEMS if len(given) else BY_FEATURES
            notes = [f"{_who(user, number)}: {by}."]
        scores = self._popularity() if vector is None else self.vectors @ vector
        left_out = np.union1d(seen, given) if exclude_seen else np.zeros(0, np.int64)
        return self._answer(scores, k, left_out, notes)

    def similar(self, item: str, *, k: int = 10) -> Answer:
        """The items nearest to one, which is not among them.

        Args:
            item: its name as the log spells it, or its title.
            k: items; all there are, where there are fewer.

        Raises:
            ValueError: k is below 1, or there is no such item.
        """
        _check(k)
        number = self.run.known.items.find(item)
        if self.is_told[number]:
            scores, notes = _unit(self.vectors) @ _unit(self.vectors[number]), []
        else:
            why = f"Nobody met {item!r} in training, and no feature of it is known"
            scores, notes = self._popularity(), [f"{why}: {POPULAR}."]
        return self._answer(scores, k, np.array([number]), notes)

    def _vector(
        self, number: int, liked: Int[np.ndarray, " liked"]
    ) -> Float[np.ndarray, " dim"] | None:
        """The vector of a user; None if nothing is known of it."""
        sides = _alone(self.sides, number, liked)
        has_features = sides.users is not None and bool(np.asarray(sides.users.valid).any())
        if not len(liked) and not has_features:
            return None
        return np.asarray(user_vectors(sides.spec, self.run.state, sides))[0]

    def _popularity(self) -> Float[np.ndarray, " items"]:
        return (self.likes / max(len(self.run.known.users), 1)).astype(np.float32)

    def _answer(
        self,
        scores: Float[np.ndarray, " items"],
        k: int,
        left_out: Int[np.ndarray, " left_out"],
        notes: list[str],
    ) -> Answer:
        items = self.run.known.items
        allowed = self.is_told.copy()
        allowed[left_out] = False
        found = np.flatnonzero(allowed)
        best = found[np.argsort(-scores[found], kind="stable")][:k]
        if not len(best):
            notes = [*notes, "Nothing is left to show: every item was met."]
        elif len(best) < k:
            notes = [*notes, f"Only {len(best):,} of {len(items):,} items are left to show."]
        return Answer(tuple(self._shown(n, float(scores[n])) for n in best.tolist()), tuple(notes))

    def _shown(self, number: int, score: float) -> Shown:
        items = self.run.known.items
        title = items.titles[number] if items.titles is not None else None
        return Shown(items.names[number], title or None, score)


def _alone(sides: Sides, number: int, liked: Int[np.ndarray, " liked"]) -> Sides:
    """One user, who liked these items; of a user never seen, no feature is there."""
    train = sparse(np.zeros_like(liked), liked, (1, size(sides.train)[1]))
    users = sides.users
    if users is not None:
        users = users.take(np.array([max(number, 0)]))
        if number == NOT_THERE:
            users = jax.tree.map(np.zeros_like, users)
    return dataclasses.replace(sides, train=train, users=users)


def _of(matrix: csr_array, user: int) -> Int[np.ndarray, " items"]:
    """The items of a user's row; none of a user never seen."""
    if user == NOT_THERE:
        return np.zeros(0, np.int64)
    return matrix.indices[matrix.indptr[user] : matrix.indptr[user + 1]].astype(np.int64)


def _who(user: str | None, number: int) -> str:
    if user is None:
        return "Nothing is known of this user"
    why = "was never seen" if number == NOT_THERE else "has liked nothing so far"
    return f"User {user!r} {why}"


def _unit(vectors: Float[np.ndarray, "*n dim"]) -> Float[np.ndarray, "*n dim"]:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-30)


def _check(k: int) -> None:
    if k < 1:
        raise ValueError(f"An answer wants k of at least 1, got {k}: ask for more.")
