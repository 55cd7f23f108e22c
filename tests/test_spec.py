"""Specs as JSON and back, and specs that make no sense."""

import dataclasses
import json
from typing import Any

import pytest

from recsys.data.formats import TFDS, Delimited, JSONLines, Parquet
from recsys.data.record import Record
from recsys.data.splits import SPLITS
from recsys.embedding import Group, Grouped, PerFeature, Unified
from recsys.explicit import SpaceSettings
from recsys.features import Feature, Schema
from recsys.features.ngrams import Ngrams
from recsys.features.transforms import Buckets, Log1p, Standardise
from recsys.index import INDEXES
from recsys.losses import GBCE, KNOWN_LOSSES, LOSSES, RETRIEVAL_LOSSES
from recsys.models import DCN, MODELS, RETRIEVERS, Tower
from recsys.models.explicit import Explicit
from recsys.optim import SGD, Adam, Constant, Cosine, Drops, LazyAdam, Linear, RowTraining
from recsys.optim.dense import DENSE_OPTIMIZERS
from recsys.optim.rowwise import ROW_OPTIMIZERS
from recsys.retrieval.baselines import BASELINES
from recsys.retrieval.settings import ResolvedTowers, TowerSettings
from recsys.retrieval.user_batches import Sampling
from recsys.spec import SPECS, from_json, spec, to_json
from recsys.tables import METHODS, Full, Hash
from recsys.towers.pooling import POOLINGS
from recsys.towers.text import TEXT_TOWERS, Recurrent
from recsys.training import Recipe
from recsys.training.resolving import resolve
from recsys.training.settings import Settings
from tests.tables.examples import EXAMPLES

SCHEMA = Schema((Feature("a", values=4, lookups=2), Feature("b", kind="bag", length=3)), weight="w")
BARE = Schema((Feature("a", values=4), Feature("b", values=3)), label=None)
TEXTS = Schema((Feature("text", kind="text", length=10, ngrams=Ngrams()),), label=None)
GROUPED = Grouped(
    (
        Group(("a",), PerFeature(Full(), 4, fitted=(Full(),))),
        Group(("b",), Unified(Hash(rows=7), 8)),
    )
)
SAMPLES: list[Any] = [
    *EXAMPLES.values(),
    *(make() for make in (*LOSSES.values(), *ROW_OPTIMIZERS.values(), *DENSE_OPTIMIZERS.values())),
    *(make() for make in (*POOLINGS.values(), *BASELINES.values(), *INDEXES.values())),
    *(make() for make in RETRIEVAL_LOSSES.values() if make is not GBCE),
    GBCE(items=9),
    Tower(("a",)),
    *(
        model(BARE, GROUPED, user=Tower(("a",)), item=Tower(("b",)))
        for model in RETRIEVERS.values()
    ),
    Sampling(hard=1),
    TowerSettings(user_features=("a",)),
    ResolvedTowers(Tower(("a",)), Recipe(), Sampling(), None, BARE, 8, 3, 1, 2, 0),
    *(Unified(method) for method in EXAMPLES.values()),
    *GROUPED.groups,
    GROUPED.groups[0].layout,
    GROUPED,
    SCHEMA.features[0],
    SCHEMA,
    RowTraining(LazyAdam(0.1), weight_decay=0.1, average=0.9),
    Recipe(rows=RowTraining(SGD(0.3)), dense=Adam(0.1, weight_decay=0.2), clip_norm=1.0, seed=3),
    *(Constant(), Cosine(9, floor=0.1), Linear(9), Drops((3, 7))),
    Recipe(schedule=Cosine(9), warmup=2),
    DCN(SCHEMA, GROUPED, hidden=(4, 2)),
    *(model(SCHEMA, GROUPED) for model in MODELS.values()),
    *(Log1p(), Standardise(0.5, 2.0, of=Log1p()), Buckets(3, edges=(0.5, 2.0))),
    *(Delimited(","), JSONLines(), Parquet(), TFDS()),
    *(split() for split in SPLITS.values()),
    Record.of(SCHEMA),
    Settings(table="hash", budget="1KB", model_options=("cross=2",)),
    resolve(Settings(table="hash"), SCHEMA, examples=1000),
    TEXTS.features[0].ngrams,
    *(make() for make in (*TEXT_TOWERS.values(), *KNOWN_LOSSES.values())),
    Explicit(TEXTS, PerFeature(Hash(rows=7), 4), Recurrent("lstm", hidden=3), skills=5),
    SpaceSettings(epochs=1),
]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: type(sample).__name__)
def test_a_spec_survives_json(sample):
    again = from_json(json.loads(json.dumps(to_json(sample))))
    assert again == sample
    assert type(again) is type(sample)
    assert hash(again) == hash(sample)


def test_every_spec_of_the_library_is_among_the_samples():
    library = {name for name, cls in SPECS.items() if cls.__module__.startswith("recsys.")}
    assert library - {type(sample).__name__ for sample in SAMPLES} == set()


def test_the_json_says_what_was_chosen():
    assert to_json(Hash(rows=9)) == {"spec": "Hash", "rows": 9, "initial": 0.05}
    assert to_json({"x": (1, None, True)}) == {"x": [1, None, True]}


def test_an_unknown_spec_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"Unknown spec 'Magic': known are .*Hash"):
        from_json({"spec": "Magic"})


def test_a_spec_of_another_version_is_refused():
    with pytest.raises(ValueError, match=r"saved Hash does not fit this version.*columns"):
        from_json({"spec": "Hash", "columns": 3})


def test_what_is_no_spec_is_not_saved():
    with pytest.raises(TypeError, match="plain values and other specs, got object"):
        to_json({"layout": object()})


def test_two_specs_of_one_name_are_refused():
    @dataclasses.dataclass(frozen=True)
    class Hash:
        pass

    with pytest.raises(ValueError, match="Two specs are called Hash"):
        spec(Hash)


@pytest.mark.parametrize("method", METHODS)
def test_a_method_says_what_it_is(method):
    assert METHODS[method].category
    assert METHODS[method].paper
    assert METHODS[method].__name__.lower().removesuffix("emb") == method


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Hash(rows=0), "at least one row|between one row"),
        (lambda: Hash(rows=2**31), "between one row"),
        (lambda: Unified(Hash(), 0).plans(SCHEMA), "dim >= 1"),
        (lambda: Hash().within(3, 16, ()), "needs at least 64 bytes"),
        (lambda: DCN(SCHEMA, GROUPED, hidden=(0,)), "hidden"),
        (lambda: DCN(SCHEMA, GROUPED, cross=-1), "cross"),
        (lambda: SGD(learning_rate=-1.0), "learning_rate"),
        (lambda: LazyAdam(beta1=1.0), "beta1"),
        (lambda: Adam(learning_rate=float("nan")), "learning_rate"),
    ],
)
def test_a_spec_that_makes_no_sense_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()
