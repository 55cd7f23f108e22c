"""Two towers over any schema and layout: what they score, what is masked, and that they learn."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from recsys.embedding import Group, Grouped, PerFeature, Unified
from recsys.features import Batch, Feature, Schema
from recsys.losses import BPR, CosineContrastive
from recsys.models import RETRIEVERS, Tower, TwoTower
from recsys.optim import Adagrad, Adam, RowTraining
from recsys.spec import from_json, to_json
from recsys.tables import Full, Hash
from recsys.tables.base import Context
from recsys.towers.pooling import Attention
from recsys.training import Learner, Recipe

pytestmark = pytest.mark.slow

ITEMS = 30
SCHEMA = Schema(
    (
        Feature("user", values=20),
        Feature("history", kind="sequence", length=4, values=ITEMS, space="item"),
        Feature("age", kind="numeric"),
        Feature("item", values=ITEMS),
        Feature("tags", kind="bag", length=2, values=9),
    ),
    label=None,
)
GROUPED = Grouped(
    (
        Group(("user", "tags"), PerFeature(Full(), 8)),
        Group(("history", "item"), Unified(Full(), 8)),
    )
)
SPEC = TwoTower(
    SCHEMA,
    GROUPED,
    user=Tower(("history", "user", "age")),
    item=Tower(("item", "tags")),
    dim=8,
    targets=2,
    candidates=3,
    is_counted=True,
)
LAYERED = dataclasses.replace(
    SPEC,
    layout=Unified(Hash(rows=64), 6),
    user=Tower(("history", "user", "age"), cross=1, hidden=(7,), pooling=Attention()),
    item=Tower(("item", "tags"), hidden=(5,)),
)


def batch(spec: TwoTower, *, size: int = 6, seed: int = 0) -> Batch:
    """Drawn examples of the packed schema, some places of it padding."""
    rng = np.random.default_rng(seed)
    schema = spec.packed
    columns = {}
    for feature in schema.features:
        if feature.kind == "numeric":
            columns[feature.name] = rng.random(size)
        elif feature.length == 1:
            columns[feature.name] = rng.integers(0, (feature.values or 0) - 1, size)
        else:
            lengths = rng.integers(feature.length - 1, feature.length + 1, size)
            most = (feature.values or 0) - 1
            columns[feature.name] = [rng.integers(0, most, length) for length in lengths]
    return schema.encode(columns)


BATCH = batch(SPEC)


@pytest.fixture(scope="module", params=["sums", "layers"])
def spec(request) -> TwoTower:
    return {"sums": SPEC, "layers": LAYERED}[request.param]


@pytest.fixture(scope="module")
def ran(spec):
    """A fresh model, and what it makes of the batch."""
    model = spec.build(rngs=nnx.Rngs(0))

    @nnx.jit
    def run(model, batch):
        vectors = model.embed(batch)
        users, items = model.users(vectors, batch), model.items(vectors, batch)
        return users, items, model.scores(vectors, batch), model(vectors, batch)

    return model, run(model, BATCH)


def test_the_registry_knows_it():
    assert {"two_tower": TwoTower} == RETRIEVERS


def test_its_spec_survives_json(spec):
    assert from_json(to_json(spec)) == spec


def test_an_example_has_a_slot_for_each_target_and_candidate():
    lengths = {feature.name: feature.length for feature in SPEC.packed.categorical}
    assert lengths == {"user": 1, "history": 4, "item": 5, "tags": 10}
    assert [f.name for f in SPEC.packed.numeric][1:] == [f"log_count.{slot}" for slot in range(5)]


def test_vectors_have_length_one(ran):
    _, (users, items, *_) = ran
    assert users.shape == (6, 8)
    assert items.shape == (6, 5, 8)
    valid = np.asarray(BATCH.valid)[:, SPEC.packed.span("item")]
    np.testing.assert_allclose(np.linalg.norm(users, axis=-1), 1, rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(items, axis=-1)[valid], 1, rtol=1e-5)


def test_scores_are_products_over_temperature(ran):
    model, (users, items, scores, first) = ran
    sides = np.asarray(users), np.asarray(items)
    expected = np.einsum("bd,btd->bt", sides[0], sides[1][:, :2]) / model.spec.temperature
    np.testing.assert_allclose(scores.target, expected, rtol=1e-4, atol=1e-5)
    every = sides[0] @ sides[1].reshape(-1, 8).T / model.spec.temperature
    np.testing.assert_allclose(scores.candidate, every, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(first * 10, expected[:, 0], rtol=1e-4, atol=1e-5)


def test_padding_and_what_a_user_met_are_no_negatives(ran):
    _, (_, _, scores, _) = ran
    spans = SPEC.packed.span("history"), SPEC.packed.span("item")
    (history, is_history), (item, is_item) = (
        (np.asarray(BATCH.low)[:, span], np.asarray(BATCH.valid)[:, span]) for span in spans
    )
    for user in range(6):
        met = {*history[user][is_history[user]], *item[user, :2][is_item[user, :2]]}
        expected = [
            bool(valid) and key not in met
            for key, valid in zip(item.ravel(), is_item.ravel(), strict=True)
        ]
        assert np.asarray(scores.is_negative)[user].tolist() == expected
    np.testing.assert_array_equal(scores.is_target, is_item[:, :2])


def test_candidates_bring_their_counts(ran):
    _, (_, _, scores, _) = ran
    np.testing.assert_array_equal(scores.log_count, np.asarray(BATCH.numbers)[:, -5:].ravel())


def test_targets_are_no_negatives_to_others_unless_allowed():
    alone = dataclasses.replace(SPEC, in_batch=False)
    model = alone.build(rngs=nnx.Rngs(0))
    scores = model.scores(model.embed(BATCH), BATCH)
    assert scores.candidate.shape == (6, 6 * 3)
    np.testing.assert_array_equal(scores.log_count, np.asarray(BATCH.numbers)[:, -3:].reshape(-1))


def test_a_dot_product_keeps_the_length():
    model = dataclasses.replace(SPEC, cosine=False).build(rngs=nnx.Rngs(0))
    users = model.users(model.embed(BATCH), BATCH)
    assert np.linalg.norm(users, axis=-1).std() > 1e-3


def test_an_item_is_the_same_in_a_history_and_by_itself():
    schema = Schema((SCHEMA.features[1], SCHEMA.features[3]), label=None)
    for lookups in (1, 2):
        features = tuple(dataclasses.replace(f, lookups=lookups) for f in schema.features)
        spec = TwoTower(
            Schema(features, label=None),
            Unified(Hash(rows=50), 4),
            user=Tower(("history",)),
            item=Tower(("item",)),
            dim=8,
        )
        one = spec.packed.encode({"history": [[7]], "item": [7]})
        model = spec.build(rngs=nnx.Rngs(0))
        assert float(model(model.embed(one), one)[0]) == pytest.approx(1, rel=1e-5)


def test_a_table_of_several_key_spaces_has_a_projection_for_each():
    alone = SPEC.build(rngs=nnx.Rngs(0)).project
    shared = LAYERED.build(rngs=nnx.Rngs(0)).project
    assert set(alone.maps) == set()
    assert set(shared.maps) == {"user", "item", "tags"}
    maps = [np.asarray(shared.maps[space][...]) for space in ("user", "item", "tags")]
    assert all(np.abs(one - other).max() > 0.1 for one, other in itertools.pairwise(maps))


def test_an_empty_history_without_anything_else_is_the_zero_vector():
    schema = Schema((SCHEMA.features[1], SCHEMA.features[3]), label=None)
    layout = Unified(Full(), 8)
    spec = TwoTower(schema, layout, user=Tower(("history",)), item=Tower(("item",)), dim=8)
    model = spec.build(rngs=nnx.Rngs(0))
    one = spec.packed.encode({"history": [[]], "item": [7]})
    assert not np.asarray(model.users(model.embed(one), one)).any()
    gradient = nnx.grad(lambda model: jnp.sum(model.users(model.embed(one), one)))(model)
    assert all(np.isfinite(np.asarray(leaf)).all() for leaf in jax.tree.leaves(gradient))


def test_every_parameter_has_a_gradient(spec):
    model = spec.build(rngs=nnx.Rngs(0))
    pooled = nnx.state(model, nnx.Param)
    gradient = nnx.jit(nnx.grad(lambda m, b: m.loss(m.embed(b), b, Context.still())))(model, BATCH)
    found = jax.tree_util.tree_flatten_with_path(gradient)[0]
    assert len(found) == len(jax.tree.leaves(pooled))
    silent = [jax.tree_util.keystr(path) for path, leaf in found if not np.asarray(leaf).any()]
    assert silent == []


@pytest.mark.parametrize("loss", [None, CosineContrastive(weight=5.0), BPR()])
def test_it_learns_whom_items_belong_to(loss):
    """User u met items 3u, 3u + 1 and 3u + 2, and nothing else."""
    schema = Schema((Feature("user", values=11), Feature("item", values=31)), label=None)
    layout = PerFeature(Full(), 8)
    temperature = 0.2 if loss is None else 1.0
    spec = TwoTower(
        schema, layout, user=Tower(("user",)), item=Tower(("item",)), dim=8,
        temperature=temperature,
    )  # fmt: skip
    if loss is not None:
        spec = dataclasses.replace(spec, loss=loss)
    data = spec.packed.encode({"user": np.arange(30) // 3, "item": np.arange(30)})
    recipe = Recipe(rows=RowTraining(Adagrad(0.2)), dense=Adam(1e-2))
    learner = Learner(lambda: spec.build(rngs=nnx.Rngs(0)), recipe)
    state, report = learner.step(learner.start(), data)
    for _ in range(59):
        state, report = learner.step(state, data)
    assert np.isfinite(float(report.loss))
    model = learner.model(state)
    vectors = model.embed(data)
    users, items = model.users(vectors, data), model.items(vectors, data)[:, 0]
    best = np.argsort(-np.asarray(users @ items.T), axis=1)[:, :3] // 3
    assert (best == (np.arange(30) // 3)[:, None]).mean() > 0.9


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dim": 0}, "dim and targets of at least 1"),
        ({"targets": 0}, "dim and targets of at least 1"),
        ({"candidates": -1}, "candidates of at least 0"),
        ({"temperature": 0.0}, "a temperature above 0"),
        (
            {"loss": CosineContrastive(slack=0.01), "is_counted": False},
            "is_counted=True for a slack of 0.01",
        ),
        ({"candidates": 0, "in_batch": False}, "wants negatives, got in_batch=False"),
        ({"item": Tower(("item",))}, "each of user, history, age, item, tags in one tower"),
        ({"item": Tower(("item", "tags", "user"))}, "name every feature of the schema once"),
        (
            {"user": Tower(("history", "user", "tags")), "item": Tower(("age", "item"))},
            "got the number 'age': name the item's id first",
        ),
        (
            {"user": Tower(("history", "user", "tags")), "item": Tower(("item", "age"))},
            r"Feature\('age'\) is a number of an item, of which an example holds one, got 5 slots",
        ),
    ],
)
def test_nonsense_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(SPEC, **change)


@pytest.mark.parametrize(
    ("tower", "message"),
    [
        (lambda: Tower(()), "one or more features, each once"),
        (lambda: Tower(("a", "a")), "one or more features, each once"),
        (lambda: Tower(("a",), cross=-1), "cross >= 0 layers"),
        (lambda: Tower(("a",), hidden=(0,)), "hidden widths of at least 1"),
    ],
)
def test_a_nonsensical_tower_is_refused(tower, message):
    with pytest.raises(ValueError, match=message):
        tower()
