"""Batches of users: some of what each met is its history, some is asked for, and candidates are
drawn for all of them together.

Everything follows from (seed, step), so a resumed run sees what the first would have seen.
"""

import dataclasses
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Int32

from recsys.data.loader import check, place_of
from recsys.data.order import permute
from recsys.features.batch import Batch
from recsys.retrieval.examples import Sides
from recsys.retrieval.ranking import NOTHING, Scorer, rank
from recsys.spec import spec, to_json


@spec
@dataclasses.dataclass(frozen=True)
class Sampling:
    """How users' items become examples."""

    history: Literal["half", "all"] = "half"  # half: what is asked for is not in the history
    turns: Literal["one", "all"] = "one"  # of a user in an epoch; all: until all it met is asked
    weight: float = -0.5  # a user counts by its number of items to this power
    power: float = 0.0  # candidates are drawn by popularity to this power; 0: none comes twice
    shift: float = 0.0  # candidates of popularity n are scored lower by shift * log(n) in training
    hard: int = 0  # candidates of an example that its user's vector is nearest to
    skip: int = 10  # of the nearest, that are left out: they may be what the user will choose next
    depth: int = 100  # the nearest of a user that are drawn from, with those left out

    def __post_init__(self):
        if self.hard < 0 or not 0 <= self.skip < self.depth:
            raise ValueError(
                "Sampling wants hard of at least 0 and skip in [0, depth), got "
                f"hard={self.hard}, skip={self.skip} and depth={self.depth}."
            )

    def asked(self, counts: Int[np.ndarray, " all_users"]) -> Int[np.ndarray, " all_users"]:
        """How many of its items each user can be asked for."""
        return counts - (counts // 2 if self.history == "half" else 0)

    def users(
        self, counts: Int[np.ndarray, " all_users"], *, targets: int
    ) -> Int[np.ndarray, " turns"]:
        """Those who met at least two items, once for each turn of an epoch."""
        users = np.flatnonzero(counts >= 2)
        if self.turns == "one":
            return users
        return np.repeat(users, -(-self.asked(counts)[users] // targets))


class Drawn(NamedTuple):
    """Users' items in a random order."""

    items: Int[np.ndarray, "batch most"]
    valid: Bool[np.ndarray, "batch most"]


class UserBatches:
    """Batches of `size` users that met at least two items; each user comes once an epoch, or as
    often as it takes to ask for all that it met.
    """

    def __init__(self, sides: Sides, *, size: int, seed: int = 0, sampling: Sampling | None = None):
        """Examples of the users of `sides`.

        Raises:
            ValueError: no batch can be filled, or not with so many hard candidates.
        """
        self.sides, self.size, self.seed = sides, size, seed
        self.sampling = sampling or Sampling()
        if self.sampling.hard > sides.spec.candidates:
            raise ValueError(
                f"Examples bring {sides.spec.candidates} candidates, got "
                f"hard={self.sampling.hard}: use fewer hard ones, or more candidates."
            )
        self.counts = np.diff(sides.train.indptr)
        self.asked = self.sampling.asked(self.counts)
        self.users = self.sampling.users(self.counts, targets=sides.spec.targets)
        check("UserBatches", len(self.users), size, seed)
        self.popularity = np.bincount(sides.train.indices, minlength=len(sides.items))
        chance = np.maximum(self.popularity, 1.0) ** self.sampling.power
        self.chance = chance / chance.sum()
        self.log_count = self._log_count().astype(np.float32)
        self.nearest: Int32[np.ndarray, "all_users near"] | None = None  # once they are mined

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches in one epoch."""
        return len(self.users) // self.size

    @property
    def order(self) -> dict[str, Any]:
        """What the examples follow from."""
        return {
            "users": len(self.users),
            "interactions": int(self.sides.train.nnz),
            "size": self.size,
            "seed": self.seed,
            "sampling": to_json(self.sampling),
        }

    def batch(self, step: int) -> Batch:
        """Batch number `step`, counted from 0 over all epochs."""
        epoch, place = place_of(step, self)
        positions = np.arange(place * self.size, (place + 1) * self.size)
        users = self.users[permute(positions, len(self.users), key=(self.seed, epoch))]
        rng = np.random.default_rng((self.seed, step))
        drawn = shuffled(self.sides, users, rng)
        asked, is_asked = self._asked(users, drawn)
        history, is_history = self._history(users, drawn)
        more, is_more = self._candidates(rng)
        log_count = self.log_count[np.concatenate([asked, more], axis=1)]
        if self.nearest is not None and self.sampling.hard:
            more, is_more, log_count = self._hardened(users, more, is_more, log_count, rng)
        items = np.concatenate([asked, more], axis=1)
        return self.sides.pack(
            users,
            history,
            is_history,
            items,
            np.concatenate([is_asked, is_more], axis=1),
            log_count=log_count,
            weight=self.counts[users] ** np.float32(self.sampling.weight),
        )

    def mine(self, scorer: Scorer) -> None:
        """Finds the items that users are nearest to and did not meet: hard negatives from now on.

        The very nearest are left out (Zhang et al., "ConFit v2", 2025, call the next the
        runner-ups): they are often what the user chooses next.
        """
        sampling, users = self.sampling, np.arange(len(self.counts))
        found = rank(scorer, users, seen=self.sides.train, best=sampling.depth, progress=False)
        self.nearest = found.items[:, sampling.skip :]

    def _history(self, users: np.ndarray, drawn: Drawn) -> Drawn:
        if self.sampling.history == "all":
            return drawn
        place = np.arange(drawn.items.shape[1])[None, :]
        return Drawn(drawn.items, place < self._kept(users)[:, None])

    def _asked(self, users: np.ndarray, drawn: Drawn) -> Drawn:
        """The first items, or the first behind the history."""
        targets, most = self.sides.spec.targets, drawn.items.shape[1]
        first = 0 if self.sampling.history == "all" else self._kept(users)[:, None]
        place = np.arange(targets)[None, :] + first
        is_there = place < self.counts[users][:, None]
        at = np.minimum(np.broadcast_to(place, is_there.shape), most - 1)
        return Drawn(np.take_along_axis(drawn.items, at, axis=1), is_there)

    def _kept(self, users: np.ndarray) -> Int[np.ndarray, " batch"]:
        return self.counts[users] // 2

    def _candidates(self, rng: np.random.Generator) -> Drawn:
        each, catalogue = self.sides.spec.candidates, len(self.popularity)
        wanted = self.size * each
        if self.sampling.power:
            found = rng.choice(catalogue, wanted, p=self.chance)
        else:
            found = rng.permutation(catalogue)[:wanted]
        padded = np.zeros(wanted, np.int64)
        padded[: len(found)] = found
        shape = (self.size, each)
        return Drawn(padded.reshape(shape), (np.arange(wanted) < len(found)).reshape(shape))

    def _hardened(
        self,
        users: np.ndarray,
        more: np.ndarray,
        is_more: np.ndarray,
        log_count: np.ndarray,
        rng: np.random.Generator,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The last candidates of each example in favour of hard ones, which count once each."""
        assert self.nearest is not None
        hard, width = self.sampling.hard, self.nearest.shape[1]
        place = rng.integers(0, width, (len(users), hard))
        found = self.nearest[users[:, None], place]
        more, is_more, log_count = more.copy(), is_more.copy(), log_count.copy()
        more[:, -hard:], is_more[:, -hard:] = np.maximum(found, 0), found != NOTHING
        log_count[:, -hard:] = 0
        return more, is_more, log_count

    def _log_count(self) -> Float[np.ndarray, " items"]:
        """Of each item, the log of how often a batch has it among its candidates, and the shift."""
        spec, train = self.sides.spec, self.sides.train
        wanted = self.size * spec.candidates
        expected = np.minimum(wanted * self.chance, np.inf if self.sampling.power else 1.0)
        if spec.in_batch:
            share = np.minimum(spec.targets, self.asked) / np.maximum(self.counts, 1)
            turns = np.bincount(self.users, minlength=len(self.counts))
            share = share * turns * (self.size / len(self.users))
            each = np.repeat(share, self.counts)
            expected = expected + np.bincount(train.indices, weights=each, minlength=len(expected))
        shift = self.sampling.shift * np.log(np.maximum(self.popularity, 1.0))
        return np.log(np.maximum(expected, 1e-9)) + shift


def shuffled(sides: Sides, users: np.ndarray, rng: np.random.Generator) -> Drawn:
    """All items of some users, each user's in a random order."""
    train, counts = sides.train, np.diff(sides.train.indptr)[users]
    most = max(int(counts.max(initial=1)), 1)
    place = np.arange(most)[None, :]
    draws = rng.random((len(users), most))
    draws[place >= counts[:, None]] = 2.0
    order = np.argsort(draws, axis=1)
    at = np.minimum(train.indptr[users][:, None] + order, max(train.nnz - 1, 0))
    valid = np.broadcast_to(place < counts[:, None], order.shape)
    return Drawn(train.indices[at].astype(np.int64), valid)
