"""Interactions that the tests of retrieval share: users of two tastes, some items liked by all."""

import numpy as np

from recsys.data.interactions import Interactions, sparse

USERS, ITEMS = 60, 40


def interactions(seed: int = 0) -> Interactions:
    """A split in which user 0 has no train item and item 39 none either."""
    rng = np.random.default_rng(seed)
    user, item = np.divmod(np.arange(USERS * ITEMS), ITEMS)
    chance = 0.05 + 0.3 * (user % 2 == item % 2) + 0.3 * (item < 5)
    is_met, is_asked = rng.random(len(user)) < chance, rng.random(len(user)) < 0.2
    is_asked |= (user == 0) | (item == ITEMS - 1)
    shape = (USERS, ITEMS)
    train, test = is_met & ~is_asked, is_met & is_asked
    return Interactions(
        sparse(user[train], item[train], shape), sparse(user[test], item[test], shape)
    )
