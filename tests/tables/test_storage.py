"""Storage: any inner method's rows in another form, its maths and its own work as they were."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from recsys.parallel.mesh import make_mesh
from recsys.tables import ALPT, CAFE, INT8, MDE, Full, Hash
from recsys.tables.base import Context, EmbeddingTable, Field, payload, payload_bytes
from recsys.tables.full import FullTable
from recsys.tables.storage import StoredAs
from recsys.training import Learner, Recipe
from tests.toy import LAYOUTS, Toy, clicks
from tests.training.reference import CLOSE, Reference
from tests.training.runs import batch_of

FIELDS = (Field("small", 5, salt=1), Field("large", 700, salt=2))
HEIGHT = 705
INNER = {
    "full": Full(),
    "hash": Hash(rows=100),
    "mde": MDE(alpha=0.5),
    "cafe": CAFE(rows=60),
}
STORAGES = pytest.mark.parametrize("storage", [INT8, ALPT])


class Pruned(FullTable):
    """An inner table with work of its own on all rows."""

    period = 5

    def maintain(self, context):
        row = self.rows["weight"]
        row[...] = row[...].at[3].set(0.0)
        return {}

    def advance(self, stage):
        if stage == "same":
            return self
        return FullTable(self.dim, self.fields, {"weight": 2 * self.rows["weight"][...][:HEIGHT]})


def built(method) -> EmbeddingTable:
    return method.build(4, FIELDS, rngs=nnx.Rngs(0))


def pruned(storage) -> StoredAs:
    rows = built(Full()).rows["weight"][...][:HEIGHT]
    return storage().wrap(Pruned(4, FIELDS, {"weight": rows}))


@STORAGES
@pytest.mark.parametrize("inner", INNER)
def test_bytes_are_those_reported_and_no_float_copy_stays(storage, inner):
    spec, floats = storage(of=INNER[inner]), built(INNER[inner])
    table = built(spec)
    scale = jnp.dtype(jnp.uint16 if storage is INT8 else jnp.float32)
    kinds = {name: stored.dtype for name, stored in table.stored().items()}
    assert kinds == {
        part: dtype
        for name in floats.heights
        for part, dtype in ((name, jnp.dtype(jnp.int8)), (name + ".scale", scale))
    }
    beside = {name for name in payload(floats) if not name.startswith("rows/")}
    assert set(payload(table)) - {f"rows/{name}" for name in kinds} == {
        f"inner/{n}" for n in beside
    }
    assert payload_bytes(table.freeze()) == spec.table_bytes(4, FIELDS)


@STORAGES
@pytest.mark.parametrize("inner", INNER)
def test_a_new_table_is_the_inner_one_to_half_a_code(storage, inner):
    floats, table = built(INNER[inner]), built(storage(of=INNER[inner]))
    loaded = table.load(table.stored())
    for name, height in floats.heights.items():
        exact, scale = (x[:height] for x in (floats.rows[name][...], loaded[name + ".scale"]))
        wrong = np.abs(np.asarray(loaded[name][:height] - exact))
        assert (wrong <= np.asarray(scale) / 2 * (1 + CLOSE)).all()
        assert wrong.any()


@STORAGES
def test_whole_table_work_leaves_other_rows_their_bytes(storage):
    table = pruned(storage)
    before = table.stored()
    assert table.period == 5
    assert table.maintain(Context.still()) == {}
    after, others = table.stored(), np.arange(len(before["weight"])) != 3
    for name in before:
        np.testing.assert_array_equal(after[name][others], before[name][others])
    assert np.asarray(before["weight"][3]).any()
    np.testing.assert_array_equal(after["weight"][3], np.zeros(4))
    assert not table.inner.rows


@STORAGES
def test_a_stage_may_replace_the_inner_table(storage):
    table = pruned(storage)
    assert table.advance("same") is table
    successor = table.advance("doubled")
    assert type(successor) is type(table)
    twice, once = (np.asarray(t.load(t.stored())["weight"]) for t in (successor, table))
    np.testing.assert_allclose(twice, 2 * once, atol=np.abs(once).max() / 100)


def test_rows_that_are_codes_already_are_refused():
    with pytest.raises(ValueError, match="INT8 stores the float rows of another method, got ALPT"):
        INT8(of=ALPT())


@STORAGES
def test_a_budget_sets_the_inner_method(storage):
    row = storage().row_bytes(4)
    assert storage(of=Hash()).within(100 * row, 4, FIELDS) == storage(of=Hash(rows=100))
    assert storage(of=Hash()).within(101 * row - 1, 4, FIELDS) == storage(of=Hash(rows=100))
    with pytest.raises(ValueError, match=f"{storage.__name__} needs at least {row} bytes"):
        storage(of=Hash()).within(row - 1, 4, FIELDS)


@STORAGES
def test_settings_are_in_the_order_of_what_they_cost_here(storage):
    dial = storage(of=MDE()).dial(16, FIELDS)
    costs = [dial.make(n).table_bytes(16, FIELDS) for n in range(dial.settings)]
    assert costs == sorted(costs)
    inner = MDE().dial(16, FIELDS)
    assert {dial.make(n).of for n in range(dial.settings)} == set(
        map(inner.make, range(inner.settings))
    )


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("of", [Full(), Hash(rows=120)], ids=["full", "hash"])
@STORAGES
def test_one_step_agrees_on_one_and_on_eight_devices(storage, of, layout):
    """Codes may differ only where the unrounded value lies within 1e-5 of a boundary."""
    data, model = clicks(96 * 4), Toy(LAYOUTS[layout](storage(of=of)))
    one, eight = (Learner(model, Recipe(), make_mesh(jax.devices()[:count])) for count in (1, 8))
    common = one.start()
    for number in range(3):
        common, _ = one.step(common, batch_of(data, number))
    batch = batch_of(data, 3)
    expected = Reference(one).step(common, batch)
    moved = jax.tree.map(lambda x, to: jax.device_put(np.asarray(x), to), common, eight.layout)
    ends = [
        learner.model(learner.step(state, batch)[0]).embed.tables
        for learner, state in ((one, common), (eight, moved))
    ]
    for name, table in ends[0].items():
        for array, stored in table.stored().items():
            other = ends[1][name].stored()[array]
            if stored.dtype != jnp.int8:
                np.testing.assert_allclose(*map(np.float32, (stored, other)), rtol=CLOSE)
                continue
            is_safe = np.asarray(expected.lowest[name][array] == expected.highest[name][array])
            assert is_safe.mean() > 0.99
            np.testing.assert_array_equal(np.asarray(stored)[is_safe], np.asarray(other)[is_safe])
