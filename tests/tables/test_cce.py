"""CCE: sums of centroids and hashed rows by hand, what clustering leaves, and what is saved."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from sklearn.metrics import roc_auc_score

from recsys.embedding import Unified
from recsys.tables import CCE, INT8
from recsys.tables.base import OUT, Context, Field, payload_bytes
from recsys.training import Learner
from tests.tables.examples import EXAMPLES
from tests.tables.lookup import built, everyone, keys, look_up
from tests.toy import DIM, Toy, clicks
from tests.training.runs import BATCH, RECIPE, batch_of

pytestmark = pytest.mark.slow

ITEM = (Field("item", 100, salt=1),)
TWO = (Field("small", 10, salt=1), Field("large", 90, salt=2))
ALL = everyone(100)
PLANTED = CCE(rows=4, centroids=2, chunks=2)


@functools.partial(jax.jit, static_argnames="graph")
def _maintained(graph, state):
    table = nnx.merge(graph, state)
    moves = table.maintain(Context.still())["weight"]
    return nnx.state(table), moves


def maintain(table) -> np.ndarray:
    """Lets the table do its work; the rows that are to be emptied."""
    graph, state = nnx.split(table)
    state, moves = _maintained(graph, state)
    nnx.update(table, state)
    assert (moves.source == OUT).all()
    return np.asarray(moves.target[moves.target != OUT])


def planted(fields=ITEM):
    """Two chunks of one entry: centroids 0 and 10 and hashed rows 0 and 1, the second times 100."""
    table = built(PLANTED, 2, fields)
    rows = jnp.array([[0.0], [10], [0], [1], [0], [1000], [0], [100]])
    table.rows["weight"][...] = jnp.pad(rows, ((0, 504), (0, 0)))
    return table


def test_a_chunk_is_the_centroid_of_the_value_plus_a_hashed_row():
    """Value 3 of the second field is 10 + 3 of all; its clusters are 1 and 0."""
    table, key = planted(TWO), keys([[0, 3]], fields=2)
    table.clusters[...] = table.clusters[...].at[13].set(jnp.array([1, 0], jnp.uint8))
    address = np.asarray(table.address(key)["weight"]).reshape(2, 2, 2)[1]
    assert address[:, 0].tolist() == [1, 4]
    assert address[0, 1] in (2, 3)
    assert address[1, 1] in (6, 7)
    by_hand = [10 + address[0, 1] - 2, 100 * (address[1, 1] - 6)]
    np.testing.assert_array_equal(look_up(table, key)[0, 1], by_hand)


def test_values_whose_chunks_are_near_get_one_centroid_which_is_their_mean():
    """Chunks are 0, 1, 10 and 11 (times 100): two centroids take 0 and 1, and 10 and 11."""
    table = planted()
    before = look_up(table, ALL)[:, 0]
    assert [len(np.unique(chunk)) for chunk in before.T] == [4, 4]
    assert maintain(table).tolist() == [2, 3, 6, 7]
    rows, clusters = np.asarray(table.rows["weight"][...][:, 0]), np.asarray(table.clusters[...])
    for chunk, middle in ((0, 5), (1, 500)):
        is_large = before[:, chunk] > middle
        for mates in (is_large, ~is_large):
            (cluster,) = np.unique(clusters[mates, chunk])
            mean = before[mates, chunk].mean()
            np.testing.assert_allclose(rows[4 * chunk + cluster], mean, rtol=1e-5)


def test_hashed_rows_are_drawn_anew_and_centroids_are_kept():
    table = built(CCE(rows=40, centroids=8, chunks=2), 4, ITEM)
    before = np.asarray(table.address(ALL)["weight"]).reshape(100, 2, 2)
    maintain(table)
    after = np.asarray(table.address(ALL)["weight"]).reshape(100, 2, 2)
    assert (before[..., 1] != after[..., 1]).mean() > 0.9  # 31 of 32 rows are others
    assert (after[..., 0] % 40 < 8).all()
    assert (after[..., 1] % 40 >= 8).all()


def test_values_are_clustered_as_often_as_was_asked_for_and_no_more():
    table = built(dataclasses.replace(PLANTED, times=1), 2, ITEM)
    assert len(maintain(table)) == 4
    state = {path: np.asarray(array) for path, array in nnx.to_flat_state(nnx.state(table))}
    assert len(maintain(table)) == 0
    for path, array in nnx.to_flat_state(nnx.state(table)):
        np.testing.assert_array_equal(array, state[path])


def test_a_centroid_that_nobody_is_nearest_to_stays_a_number():
    """All values have the same vector: one centroid of two has nobody."""
    table = planted()
    table.rows["weight"][...] = jnp.ones_like(table.rows["weight"][...])
    maintain(table)
    assert np.isfinite(look_up(table, ALL)).all()


def test_bytes_count_the_clusters():
    spec = CCE(rows=600, centroids=300, chunks=2)
    assert spec.table_bytes(4, ITEM) == 4 * 2 * 600 * 2 + 100 * 2 * 2 + 4
    assert PLANTED.table_bytes(4, ITEM) == 4 * 2 * 4 * 2 + 100 * 2 + 4
    assert payload_bytes(built(spec, 4, ITEM).freeze()) == spec.table_bytes(4, ITEM)
    with pytest.raises(ValueError, match=r"CCE needs at least 236 bytes .* got a budget of 235"):
        CCE(chunks=2).within(235, 4, ITEM)


def test_its_rows_may_be_stored_as_integers_and_are_clustered_there():
    floats, table = planted(), built(INT8(of=PLANTED), 2, ITEM)
    loaded = {"weight": floats.rows["weight"][...], "weight.scale": jnp.zeros((512, 1))}
    for name, rows in table.store(loaded, lambda name: jnp.full((512, 1), 0.5)).items():
        table.rows[name][...] = rows
    np.testing.assert_allclose(look_up(table, ALL), look_up(floats, ALL), rtol=0.01)
    emptied = [maintain(each).tolist() for each in (table, floats)]
    assert emptied[0] == emptied[1]
    for each in (table, floats):
        for row in each.rows.values():
            row[...] = row[...].at[np.array(emptied[0])].set(0)
    np.testing.assert_allclose(look_up(table, ALL), look_up(floats, ALL), rtol=0.02)


@pytest.mark.xdist_group("cce")
def test_clustering_is_how_it_learns_more_than_hashing():
    """The same table with and without it, over two seeds."""
    example = EXAMPLES["cce"]
    assert isinstance(example, CCE)
    specs = (dataclasses.replace(example, times=times, every=60) for times in (3, 0))
    clustered, hashed = (np.array(aucs(spec)) for spec in specs)
    assert (clustered - hashed > 0.03).all(), (clustered, hashed)


def aucs(spec: CCE) -> list[float]:
    """Of the toy model after 300 steps, from two seeds."""
    found = []
    own = Learner(Toy(Unified(spec, DIM)), RECIPE)
    for seed in (0, 1):
        state = Learner(Toy(Unified(spec, DIM), seed=seed), RECIPE).start()
        train, test = clicks(BATCH * 64, seed=10 + seed), clicks(BATCH * 64, seed=100 + seed)
        for number in range(300):
            state, _ = own.step(state, batch_of(train, number))
        found.append(float(roc_auc_score(test.label, own.predict(state, test))))
    return found


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rows": 1}, "a centroid and a hashed row in every chunk"),
        ({"centroids": 2**16 + 1}, "at most 65,536 centroids"),
        ({"chunks": 0}, "got chunks=0"),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        CCE(**options)


def test_chunks_that_do_not_divide_the_vector_are_refused():
    with pytest.raises(ValueError, match="got dim=6 and chunks=4: use one of 1, 2, 3, 6 chunks"):
        CCE().table_bytes(6, ITEM)
