"""Storage: any inner method's rows in another form, its maths and its own work as they were."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from recsys.parallel.mesh import make_mesh
from recsys.tables import ALPT, BF16, CAFE, FP16, INT4, INT8, INT16, MDE, Full, Hash
from recsys.tables.base import Context, EmbeddingTable, Field, payload, payload_bytes
from recsys.tables.full import FullTable
from recsys.tables.storage import StoredAs
from recsys.training import Learner, Recipe
from recsys.training.passes import row_noise
from tests.toy import LAYOUTS, Toy, clicks
from tests.training.reference import CLOSE, Reference
from tests.training.runs import batch_of

pytestmark = pytest.mark.slow

FIELDS = (Field("small", 5, salt=1), Field("large", 700, salt=2))
HEIGHT = 705
INNER = {
    "full": Full(),
    "hash": Hash(rows=100),
    "mde": MDE(alpha=0.2),  # widths 4 and 2
    "cafe": CAFE(rows=60),
}
CODES = {  # how each stores a row of four entries: type and width of its codes, type of its scale
    ALPT: ("int8", 4, "float32"),
    BF16: ("uint16", 4, None),
    FP16: ("uint16", 4, None),
    INT4: ("int8", 2, "uint16"),
    INT8: ("int8", 4, "uint16"),
    INT16: ("int16", 4, "uint16"),
}
STORAGES = pytest.mark.parametrize("storage", CODES)
HALF_A_STEP = {FP16: 2.0**-11, BF16: 2.0**-8}  # relative to the entry; the others have scales


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


@functools.cache
def built(method) -> EmbeddingTable:
    return method.build(4, FIELDS, rngs=nnx.Rngs(0))


def pruned(storage) -> StoredAs:
    rows = built(Full()).rows["weight"][...][:HEIGHT]
    return storage().wrap(Pruned(4, FIELDS, {"weight": rows}))


@STORAGES
@pytest.mark.parametrize("inner", INNER)
def test_bytes_are_those_reported_and_no_float_copy_stays(storage, inner):
    spec, floats = storage(of=INNER[inner]), built(INNER[inner])
    table, (code, width, scale) = built(spec), CODES[storage]
    found = {
        name: (
            stored.dtype.name,
            stored.shape[1] / floats.rows[name.removesuffix(".scale")].shape[1],
        )
        for name, stored in table.stored().items()
    }
    wanted = dict.fromkeys(floats.heights, (code, width / 4))
    if scale:
        wide = {name: row.shape[1] for name, row in floats.rows.items()}
        wanted |= {f"{name}.scale": (scale, 1 / wide[name]) for name in floats.heights}
    assert found == wanted
    beside = {f"inner/{name}" for name in payload(floats) if not name.startswith("rows/")}
    assert set(payload(table)) == {f"rows/{name}" for name in found} | beside
    assert payload_bytes(table.freeze()) == spec.table_bytes(4, FIELDS)


@STORAGES
@pytest.mark.parametrize("inner", INNER)
def test_a_new_table_is_the_inner_one_to_half_a_step(storage, inner):
    floats, table = built(INNER[inner]), built(storage(of=INNER[inner]))
    loaded = table.load(table.stored())
    for name, height in floats.heights.items():
        exact = np.asarray(floats.rows[name][...][:height])
        wrong = np.abs(np.asarray(loaded[name][:height]) - exact)
        if storage in HALF_A_STEP:
            half = HALF_A_STEP[storage] * np.abs(exact) + 2.0**-25  # FP16 has no finer steps
        else:
            half = np.asarray(loaded[name + ".scale"][:height]) / 2
        assert (wrong <= half * (1 + CLOSE) + 2.0**-23 * np.abs(exact)).all()
        assert wrong.any()


@STORAGES
def test_stored_rows_add_up_to_half_a_step_and_an_empty_one_changes_no_byte(storage):
    table = built(storage(of=Full(initial=0.3)))
    one, other = ({n: a[rows] for n, a in table.stored().items()} for rows in (ONE, OTHER))
    floats = [np.asarray(table.load(rows)["weight"]) for rows in (one, other)]
    total = table.load(table.added(one, other))
    wrong = np.abs(np.asarray(total["weight"]) - sum(floats))
    scale = total.get("weight.scale")
    half = HALF_A_STEP[storage] * np.abs(sum(floats)) if scale is None else np.asarray(scale) / 2
    reached = {ALPT: 0.01 * 127}.get(storage, np.inf)  # its scale learns, and does not follow
    assert (wrong <= half * (1 + CLOSE) + 2.0**-24)[np.abs(sum(floats)) < reached].all()
    empty = jax.tree.map(jnp.zeros_like, other)
    jax.tree.map(np.testing.assert_array_equal, table.added(one, empty), one)


ONE, OTHER = slice(0, 40), slice(40, 80)


@STORAGES
def test_updates_below_a_step_add_up_and_are_lost_when_rounded_to_the_nearest(storage):
    """A hundredth of a step at a time, over 200 steps: two steps, to a standard error of 0.03.

    Each of 2,400 entries steps up or stays, with a variance of 0.01 * 0.99 each time.
    """
    table = storage(of=Full()).build(4, (Field("only", 800, salt=1),), rngs=nnx.Rngs(0))
    step = {ALPT: 0.01, BF16: 2.0**-7, FP16: 2.0**-10, INT4: 0.25, INT8: 2.0**-6, INT16: 2.0**-14}
    at = {"weight": jnp.arange(800, dtype=jnp.int32)}
    moved = jnp.array([[0.01, 0.01, 0.01, 0.0]]) * step[storage]
    first = table.load(
        table.store(starting(table, step[storage]), lambda _: jnp.full((800, 4), 0.5))
    )

    def pushed(stored, number, *, noise=None):
        rows = table.load(stored)
        context = Context(step=number, seed=jnp.uint32(5), train=True)
        own = noise or row_noise("table", at, rows, context)
        return table.store({**rows, "weight": rows["weight"] + moved}, own), None

    def after(noise):
        start = table.store(first, lambda _: jnp.full((800, 4), 0.5))
        push = functools.partial(pushed, noise=noise)
        end, _ = jax.lax.scan(push, start, jnp.arange(200, dtype=jnp.int32))
        return (table.load(end)["weight"] - first["weight"])[:, :3] / step[storage]

    random, nearest = after(None), after(lambda _: jnp.full((800, 4), 0.5))
    np.testing.assert_allclose(np.mean(random), 2.0, atol=4 * np.sqrt(200 * 0.0099 / 2400))
    np.testing.assert_array_equal(nearest, np.zeros((800, 3)))


def starting(table: EmbeddingTable, step: float) -> dict[str, jax.Array]:
    """Rows of small whole steps and one entry that holds the scale: 1 in floats, else the limit."""
    limit = {"int8": 7 if table.stored()["weight"].shape[1] == 2 else 127, "int16": 32_767}
    name = table.stored()["weight"].dtype.name
    rows = np.full((800, 4), 1.0 if name == "uint16" else 0.0, np.float32)
    rows[:, 3] = limit.get(name, 1) * step
    scale = {n: jnp.full((800, 1), step) for n in table.rows if n.endswith(".scale")}
    return {"weight": jnp.asarray(rows), **scale}


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
    assert not np.asarray(after["weight"][3]).any()
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
    wide = [s for s in map(inner.make, range(inner.settings)) if storage is not INT4 or _is_even(s)]
    assert {dial.make(n).of for n in range(dial.settings)} == set(wide)


def _is_even(spec: MDE) -> bool:
    """Whether two codes a byte fill all rows of the spec."""
    return all(width % 2 == 0 for width in spec.widths(16, FIELDS))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("of", [Full(), Hash(rows=120)], ids=["full", "hash"])
@pytest.mark.parametrize("storage", [INT8, ALPT])
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
