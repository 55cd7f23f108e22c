"""What goes with a row optimizer: clipping, decay and averages, for touched rows only."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from recsys.optim import SGD, Adagrad, LazyAdam, RowTraining
from recsys.optim.touched import find_repeats, move, sum_repeats
from recsys.parallel.exchange import Exchange
from recsys.parallel.mesh import make_mesh
from recsys.parallel.repeats import REPEATS
from recsys.tables import Full, Hash
from recsys.tables.base import HEIGHT_MULTIPLE, MOST_ROWS, OUT, Field, Moves

HEIGHT, WIDTH = 6, 2


@pytest.fixture
def exchange() -> Exchange:
    return Exchange(make_mesh(jax.devices()[:1]))


def apply(training: RowTraining, table, slots, grads, *, step: int, exchange: Exchange, rate=1.0):
    """One update of the rows named in `grads`; the table and slots after it."""
    at = jnp.array([*grads, OUT], jnp.int32)  # and one place that stands for nobody
    grad = jnp.array([*grads.values(), [9.0] * WIDTH], jnp.float32)
    rows = table.at[at].get(mode="fill", fill_value=0)
    after, slots = training.update(
        rows, grad, slots, at=at, rate=jnp.float32(rate), step=jnp.int32(step), exchange=exchange
    )
    return exchange.write(table, at, after), slots


def fresh(training: RowTraining):
    """A table and its slots at their true height."""
    field = Field("a", HEIGHT, 0)
    built = Full().build(WIDTH, (field,), rngs=nnx.Rngs(0))
    slots = {name: slot[:HEIGHT] for name, slot in training.start(built)["weight"].items()}
    return jnp.arange(HEIGHT * WIDTH, dtype=jnp.float32).reshape(HEIGHT, WIDTH), slots, built


@pytest.mark.slow
def test_a_row_is_clipped_by_the_norm_of_its_own_sum(exchange):
    training = RowTraining(SGD(1.0), clip_row=1.0)
    table, slots, _ = fresh(training)
    after, _ = apply(
        training, table, slots, {1: [3.0, 4.0], 2: [0.3, 0.4]}, step=1, exchange=exchange
    )
    np.testing.assert_allclose(after[1], table[1] - jnp.array([0.6, 0.8]), rtol=1e-6)
    np.testing.assert_allclose(after[2], table[2] - jnp.array([0.3, 0.4]), rtol=1e-6)


@pytest.mark.slow
def test_clipping_a_row_without_gradient_divides_by_no_zero(exchange):
    training = RowTraining(SGD(1.0), clip_row=1.0)
    table, slots, _ = fresh(training)
    after, _ = apply(training, table, slots, {1: [0.0, 0.0]}, step=1, exchange=exchange)
    np.testing.assert_array_equal(after, table)


def test_weight_decay_shrinks_touched_rows_and_no_others(exchange):
    training = RowTraining(SGD(0.5), weight_decay=0.1)
    table, slots, _ = fresh(training)
    after, _ = apply(training, table, slots, {4: [0.0, 2.0]}, step=1, exchange=exchange, rate=0.5)
    shrunk = 1 - 0.5 * 0.5 * 0.1
    np.testing.assert_allclose(after[4], table[4] * shrunk - jnp.array([0.0, 0.5]), rtol=1e-6)
    np.testing.assert_array_equal(np.delete(after, 4, axis=0), np.delete(table, 4, axis=0))


@pytest.mark.slow
def test_weight_decay_by_step_makes_up_for_the_steps_before_the_touch(exchange):
    training = RowTraining(SGD(0.5), weight_decay=0.1, decay_by="step")
    table, slots, _ = fresh(training)
    still = {4: [0.0, 0.0]}
    after, slots = apply(training, table, slots, still, step=3, exchange=exchange)
    np.testing.assert_allclose(after[4], table[4] * 0.95**3, rtol=1e-6)
    again, _ = apply(training, after, slots, still, step=5, exchange=exchange)
    np.testing.assert_allclose(again[4], table[4] * 0.95**5, rtol=1e-6)
    np.testing.assert_array_equal(np.delete(again, 4, axis=0), np.delete(table, 4, axis=0))


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", [SGD(0.3), LazyAdam(0.1)], ids=["sgd", "lazy_adam"])
def test_the_average_is_that_of_dense_training_though_only_touched_rows_are_paid_for(
    optimizer, exchange
):
    decay = 0.9
    training = RowTraining(optimizer, average=decay)
    table, slots, built = fresh(training)
    rng = np.random.default_rng(0)
    dense = np.zeros((HEIGHT, WIDTH))
    for step in range(1, 31):
        read = rng.choice(HEIGHT - 1, size=2, replace=False)  # the last row is never read
        grads = {int(row): rng.normal(size=WIDTH).tolist() for row in read}
        before = slots
        table, slots = apply(training, table, slots, grads, step=step, exchange=exchange)
        untouched = np.delete(np.arange(HEIGHT), read)
        for name in slots:
            np.testing.assert_array_equal(slots[name][untouched], before[name][untouched])
        dense = decay * dense + (1 - decay) * np.asarray(table, np.float64)
        if step in (1, 7, 30):
            stored = jnp.pad(table, ((0, 512 - HEIGHT), (0, 0)))
            built.rows["weight"][...] = stored
            whole = {n: jnp.pad(slot, ((0, 512 - HEIGHT), (0, 0))) for n, slot in slots.items()}
            got = training.averaged(built, {"weight": whole}, jnp.int32(step))["weight"]
            np.testing.assert_allclose(
                got[:HEIGHT], dense / (1 - decay**step), rtol=1e-6, atol=1e-6
            )


@pytest.mark.slow
@pytest.mark.parametrize("way", REPEATS)
def test_repeats_are_summed_at_the_place_that_speaks_for_their_row(way, exchange):
    address = {"weight": jnp.array([[3, 5], [3, OUT], [5, 3]], jnp.int32)}
    reads = find_repeats(address, exchange, way=way)
    grad = jnp.arange(1.0, 7.0).reshape(3, 2, 1)
    sums = sum_repeats({"weight": grad}, reads, way=way)["weight"]
    spoken = {
        int(row): float(value)
        for row, value in zip(reads["weight"].rows, sums[:, 0], strict=True)
        if row != OUT
    }
    assert spoken == {3: 1.0 + 3.0 + 6.0, 5: 2.0 + 5.0}


@pytest.mark.slow
def test_repeats_are_found_once_for_arrays_that_share_their_addresses(exchange):
    one, other = jnp.array([[1, 2]], jnp.int32), jnp.array([[1, 2]], jnp.int32)
    reads = find_repeats({"a": one, "b": one, "c": other}, exchange, way="sort")
    assert reads["a"] is reads["b"]
    assert reads["a"] is not reads["c"]


@pytest.mark.slow
@pytest.mark.parametrize("way", REPEATS)
def test_a_read_at_out_leaves_no_sum_behind(exchange, way):
    at = {"a": jnp.array([[3, OUT], [3, OUT]], jnp.int32), "b": jnp.array([[2, 1]], jnp.int32)}
    reads = find_repeats(at, exchange, way=way)
    grads = {"a": jnp.array([[[1.0], [8.0]], [[2.0], [9.0]]]), "b": jnp.array([[[5.0], [6.0]]])}
    sums = sum_repeats(grads, reads, way=way)
    assert sums["a"][:, 0].tolist() == [3.0, 0.0, 0.0, 0.0]
    assert sorted(sums["b"][:, 0].tolist()) == [5.0, 6.0]


def test_moves_read_all_sources_before_they_write_any_target(exchange):
    array = jnp.arange(5.0)[:, None]
    moves = Moves(jnp.array([0, 1, OUT, 4]), jnp.array([1, 0, 2, OUT]))
    np.testing.assert_array_equal(move(array, moves, exchange)[:, 0], [1, 0, 0, 3, 4])


def test_a_row_that_is_cleared_starts_with_fresh_slots(exchange):
    training = RowTraining(Adagrad(initial=0.5))
    slots = {"sum": jnp.array([[3.0], [4.0]])}
    moves = Moves(jnp.array([0, OUT]), jnp.array([1, 0]))
    np.testing.assert_array_equal(training.move(slots, moves, exchange)["sum"], [[0.5], [3.0]])


@pytest.mark.slow
def test_a_moving_row_may_gather_another_and_brings_its_own_slots(exchange):
    training = RowTraining(Adagrad())
    table = Full().build(1, (Field("a", 4, 0),), rngs=nnx.Rngs(0))
    rows = table.rows["weight"]
    rows[...] = rows[...].at[:4, 0].set(jnp.arange(1.0, 5.0))
    slots = {"weight": {"sum": jnp.arange(4.0)[:, None]}, "else": {"sum": jnp.zeros((4, 1))}}
    moves = Moves(jnp.array([2, 1]), jnp.array([0, 3]), plus=jnp.array([3, OUT]))
    after = training.relocate(table, slots, {"weight": moves}, exchange)
    np.testing.assert_array_equal(rows[...][:4, 0], [3 + 4, 2, 3, 2])
    np.testing.assert_array_equal(after["weight"]["sum"][:, 0], [2, 1, 2, 1])
    assert after["else"] is slots["else"]


def test_the_tallest_array_ends_before_the_address_of_padding():
    assert MOST_ROWS % HEIGHT_MULTIPLE == 0  # so that it is padded no further
    assert MOST_ROWS <= OUT
    with pytest.raises(ValueError, match="between one row and 2,147,483,136"):
        Hash(rows=MOST_ROWS + 1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"average": 1.0},
        {"average": -0.1},
        {"weight_decay": -1.0},
        {"clip_row": -1.0},
        {"decay_by": "day"},
    ],
)
def test_training_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RowTraining(**wrong)
