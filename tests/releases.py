"""Small releases that many tests look at: each is exported once in a process.

Their models are drawn, not trained: nothing is compiled before the export.
"""

import atexit
import dataclasses
import functools
import shutil
import tempfile
from pathlib import Path
from typing import Any

from flax import nnx

from recsys.data.interactions import Interactions
from recsys.embedding import Unified
from recsys.explicit import Linker, Space
from recsys.explicit.fitting import linked
from recsys.explicit.settings import model_of
from recsys.export import clicks, explicit, towers, write
from recsys.features import Feature, Schema, Vocabulary, fingerprint
from recsys.models import DCN, Tower, TwoTower
from recsys.release import Items, Release
from recsys.retrieval.examples import Sides
from recsys.tables import Hash
from recsys.towers.pooling import Attention
from recsys.training import Recipe
from recsys.training.predictor import Predictor
from recsys.training.step import State
from recsys.training.step import state_of as of_model
from tests.drawn import drawn
from tests.explicit import toy
from tests.retrieval.drawn import ITEMS, USERS, interactions

FOLDER = Path(tempfile.mkdtemp(prefix="releases-"))
CITIES = ("Ghent", "Lyon", "Porto")
CLICKS = Schema(
    (
        Feature("city", values=4),
        Feature("tags", kind="bag", length=3, separator="|", lookups=2),
        Feature("device", default="phone"),
        Feature("price", kind="numeric"),
    ),
    label="click",
    user="person",
)
VOCABULARY = Vocabulary.fit(fingerprint(CITIES))
NAMES = [f"u{number}" for number in range(USERS)]
IDS = [f"m{number}" for number in range(ITEMS)]
TOWERS = TwoTower(
    Schema(
        (
            Feature("person", values=USERS),
            Feature("age", kind="numeric"),
            Feature("watched", kind="bag", length=6, values=ITEMS, space="movie"),
            Feature("movie", values=ITEMS),
        ),
        label=None,
    ),
    Unified(Hash(rows=200), 8),
    user=Tower(("watched", "person", "age"), hidden=(8,), pooling=Attention()),
    item=Tower(("movie",)),
    dim=8,
    targets=4,
    candidates=3,
    in_batch=False,
    is_counted=True,
)


def state_of(spec: Any, *, seed: int = 0) -> State:
    """A state of a spec's model with every float drawn."""
    return of_model(drawn(lambda: spec.build(rngs=nnx.Rngs(0)), seed=seed))


@functools.cache
def predictor() -> Predictor:
    """A click model with drawn parameters."""
    spec = DCN(CLICKS, Unified(Hash(rows=50), 4), hidden=(8,))
    return Predictor(spec, state_of(spec), {"city": VOCABULARY}, recipe=Recipe())


@functools.cache
def data() -> Interactions:
    """Who watched what."""
    return interactions()


def sides() -> Sides:
    """The rows of the towers."""
    query = Schema((Feature("person", values=USERS), Feature("age", kind="numeric")), label=None)
    users = query.encode({"person": range(USERS), "age": [n / 10 for n in range(USERS)]})
    return Sides.of(TOWERS, data().train, users=users)


@functools.cache
def click_release() -> Path:
    """A release of the click model, for the CPU alone."""
    row = {"city": "Lyon", "tags": "a|b", "price": 2.5}
    draft = clicks.draft(predictor(), requests=[{"row": row}], metrics={"auc": 0.7}, split="valid")
    return write(draft, FOLDER / "clicks", platforms=("cpu",))


@functools.cache
def tower_draft() -> Any:
    """The towers as a release to be; histories longer than the data's longest."""
    items = Items.of(IDS, {"title": [f"Movie {number}" for number in range(ITEMS)]})
    return towers.draft(
        TOWERS,
        state_of(TOWERS),
        sides(),
        items=items,
        users=NAMES,
        history=32,
        user_column="person",
    )


@functools.cache
def tower_release() -> Path:
    """A release of the towers, for all platforms."""
    return write(tower_draft(), FOLDER / "towers")


@functools.cache
def other_release() -> Path:
    """A release of towers that learned something else, for the CPU alone."""
    draft = dataclasses.replace(tower_draft(), state=state_of(TOWERS, seed=1))
    return write(draft, FOLDER / "others", platforms=("cpu",))


@functools.cache
def document_release() -> Path:
    """A release of an explicit space whose texts are linked, for the CPU alone."""
    market = toy.market(0, people=32)
    linker = Linker.learn(toy.INVENTORY, [market.profiles, market.jobs])
    spec = model_of(toy.SMALL, toy.INVENTORY, linked(linker, market, 10.0))
    model = drawn(lambda: spec.build(rngs=nnx.Rngs(0)), seed=0)
    space = Space(model, toy.INVENTORY, toy.SMALL, linker=linker)
    items = Items.of([f"j{number}" for number in range(len(market.jobs))])
    draft = explicit.draft(space, items=items, jobs=market.jobs)
    return write(draft, FOLDER / "documents", platforms=("cpu",))


WRITTEN = {
    "clicks": click_release,
    "towers": tower_release,
    "others": other_release,
    "documents": document_release,
}


@functools.cache
def opened(which: str) -> Release:
    """A release that is open."""
    return Release.open(WRITTEN[which]())


@atexit.register
def _remove() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
