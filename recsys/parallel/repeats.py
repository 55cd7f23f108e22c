"""Repeats: which places of a batch read the same row, and the sum of what they say.

A popular row is read hundreds of times in one batch, and its optimizer must see the one sum of
those gradients. Two steps do it. `first` names, for every place, the earliest place that reads the
same row; `total` gathers the values of all of them there. Nothing here is as tall as a table, so
the cost depends on the batch alone.

Each step comes in two ways. "claim" scatters into a scratch array and is the fastest on a CPU;
"sort" uses no atomic operation at all, which matters on NVIDIA, where jaxlib 0.10.2 and 0.11.0
compile a contended float32 scatter-add to a slow compare-and-swap loop (jax-ml/jax#38806).
`python -m experiments.benchmarks.repeats` measures them side by side.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int32, UInt32

from recsys.tables.base import OUT

# What `.at[first].add` means, in the form that XLA on a CPU takes without copying the values first.
ROW_BY_ROW = jax.lax.ScatterDimensionNumbers(
    update_window_dims=(1, 2), inserted_window_dims=(), scatter_dims_to_operand_dims=(0,)
)
SPREAD = 4  # scratch entries per place in `claim`: 4 settles nearly every batch in three rounds


def claim(ids: Int32[Array, " places"]) -> Int32[Array, " places"]:
    """The earliest place of each id, found by claiming entries of a small hash table.

    Every open place writes its position into the entry of its id, and the smallest stays. A place
    whose entry went to its own id is settled; the others meet again under the next salt. Each
    round settles at least one id, so it ends. A place of OUT stands for itself.
    """
    (places,) = ids.shape
    here = jnp.arange(places, dtype=jnp.int32)
    size = 1 << max(SPREAD * places - 1, 1).bit_length()

    def settle(state):
        first, is_open, turn = state
        entry = (_mix(ids.astype(jnp.uint32) ^ turn) & jnp.uint32(size - 1)).astype(jnp.int32)
        scratch = jnp.full(size, OUT, jnp.int32)
        scratch = scratch.at[jnp.where(is_open, entry, OUT)].min(here, mode="drop")
        holder = jnp.minimum(scratch[entry], places - 1)  # an entry nobody claimed holds OUT
        is_ours = is_open & (ids[holder] == ids)
        salt = turn * jnp.uint32(0x2C1B3C6D) + jnp.uint32(0x297A2D39)
        return jnp.where(is_ours, holder, first), is_open & ~is_ours, salt

    state = here, ids != OUT, jnp.uint32(0)
    return jax.lax.while_loop(lambda state: jnp.any(state[1]), settle, state)[0]


def sort(ids: Int32[Array, " places"]) -> Int32[Array, " places"]:
    """The earliest place of each id, found by a stable sort. A place of OUT stands for itself."""
    here = jnp.arange(ids.shape[0], dtype=jnp.int32)
    ordered, place = jax.lax.sort((ids, here), num_keys=1, is_stable=True)
    start = jax.lax.cummax(jnp.where(_opens(ordered), here, 0))  # where each run begins
    first = jnp.zeros_like(here).at[place].set(place[start], unique_indices=True)
    return jnp.where(ids == OUT, here, first)


def total(
    values: Float[Array, "places width"], first: Int32[Array, " places"]
) -> Float[Array, "places width"]:
    """The sum of all places that share a first place, at that place; zeros elsewhere."""
    return add_total(jnp.zeros_like(values), values, first)


def add_total(
    sums: Float[Array, "sums width"],
    values: Float[Array, "places width"],
    first: Int32[Array, " places"],
) -> Float[Array, "sums width"]:
    """Sums, and the values of some more places added to them."""
    return jax.lax.scatter_add(
        sums,
        first[:, None],
        values[:, None, :],
        ROW_BY_ROW,
        mode="promise_in_bounds",
    )


def total_by_runs(
    values: Float[Array, "places width"], first: Int32[Array, " places"]
) -> Float[Array, "places width"]:
    """The same sums as `total` by sorting and a segmented scan: no two writes meet."""
    here = jnp.arange(first.shape[0], dtype=jnp.int32)
    ordered, place = jax.lax.sort((first, here), num_keys=1, is_stable=True)
    opens = _opens(ordered)

    def combine(left, right):
        (left_opens, left_sum), (right_opens, right_sum) = left, right
        return left_opens | right_opens, jnp.where(right_opens, right_sum, left_sum + right_sum)

    _, sums = jax.lax.associative_scan(combine, (opens[:, None], values[place]), axis=0)
    closes = jnp.concatenate([opens[1:], jnp.ones(1, bool)])
    target = jnp.where(closes, ordered, OUT - here)  # beyond the end, and distinct as promised
    return jnp.zeros_like(values).at[target].set(sums, mode="drop", unique_indices=True)


REPEATS: dict[str, Callable[[Int32[Array, " places"]], Int32[Array, " places"]]] = {
    "claim": claim,
    "sort": sort,
}
TOTALS: dict[str, Callable[..., Float[Array, "places width"]]] = {
    "claim": total,
    "sort": total_by_runs,
}


def _opens(ordered: Int32[Array, " places"]) -> Bool[Array, " places"]:
    """Whether a run of equal values begins at each place of a sorted array."""
    return jnp.concatenate([jnp.ones(1, bool), ordered[1:] != ordered[:-1]])


def _mix(bits: UInt32[Array, " places"]) -> UInt32[Array, " places"]:
    """A bijection of 32 bits whose low bits depend on all of them (Appleby, MurmurHash3)."""
    bits = (bits ^ (bits >> 16)) * jnp.uint32(0x85EBCA6B)
    bits = (bits ^ (bits >> 13)) * jnp.uint32(0xC2B2AE35)
    return bits ^ (bits >> 16)
