"""Two towers that the tests of training on interactions share."""

import dataclasses

from recsys.embedding import Unified
from recsys.features import Feature, Schema
from recsys.models import Tower, TwoTower
from recsys.tables import Full
from tests.retrieval.drawn import ITEMS, USERS

SCHEMA = Schema(
    (
        Feature("user", values=USERS),
        Feature("history", kind="bag", length=6, values=ITEMS, space="item"),
        Feature("item", values=ITEMS),
    ),
    label=None,
)
SPEC = TwoTower(
    SCHEMA,
    Unified(Full(), 8),
    user=Tower(("history", "user")),
    item=Tower(("item",)),
    dim=8,
    temperature=0.2,
    targets=4,
    candidates=3,
    in_batch=False,
    is_counted=True,
)
HISTORY_ONLY = dataclasses.replace(
    SPEC,
    schema=Schema(SCHEMA.features[1:], label=None),
    user=Tower(("history",)),
)
