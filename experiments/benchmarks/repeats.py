"""Ways of summing the gradients of repeated rows, by time: which one should a step use?

Claim: on a CPU the scratch hash table of `recsys.parallel.repeats.claim` beats sorting by far, and
needs no scratch array as tall as the table ("direct"). Each way names the first place of every id
of a batch and sums a gradient of all places there. Records go to `results/repeats.json`; half a
minute on two cores.

    python -m experiments.benchmarks.repeats
"""

import dataclasses
import sys
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from jaxtyping import Array, Float, Int32

from experiments.benchmarks.batches import Draw, draw
from experiments.benchmarks.timing import interleave, summarise
from experiments.results import Record, device, save
from recsys.parallel.memory import keep_freed_memory
from recsys.parallel.repeats import REPEATS, TOTALS, total

First = Int32[Array, " places"]
DRAWS: tuple[Draw, ...] = ("zipf", "uniform")


@dataclasses.dataclass(frozen=True)
class Repeats:
    """Times every way on Zipf and on uniform ids."""

    rows: int = 4_000_000  # height of the table that the ids address
    dim: int = 32  # width of a gradient
    features: int = 26  # ids of one example
    batch: int = 4096  # examples of one step
    rounds: int = 20  # measured turns of each way
    batches: int = 8  # distinct batches that the turns rotate over
    save: bool = True  # write the records to experiments/results


def unique(ids: First) -> First:
    """By `jnp.unique`, padded to as many ids as there are places."""
    _, index, inverse = jnp.unique(
        ids, size=len(ids), fill_value=-1, return_index=True, return_inverse=True
    )
    return index[inverse]


def direct(ids: First, rows: int) -> First:
    """By a scratch array with an entry for every row of the table."""
    here = jnp.arange(len(ids), dtype=jnp.int32)
    return jnp.zeros(rows, jnp.int32).at[ids].set(here, mode="drop")[ids]


def ways(rows: int) -> dict[str, Callable[[First, Float[Array, "places dim"]], Array]]:
    """Every way: ids and their gradients to sums."""
    ours = {
        way: lambda ids, grads, way=way: TOTALS[way](grads, REPEATS[way](ids)) for way in REPEATS
    }
    return ours | {
        "jnp.unique": lambda ids, grads: total(grads, unique(ids)),
        "direct": lambda ids, grads: total(grads, direct(ids, rows)),
    }


def measure(settings: Repeats) -> list[Record]:
    """One record a way, with milliseconds on each kind of ids."""
    places = settings.batch * settings.features
    grads = jax.random.normal(jax.random.key(0), (places, settings.dim))
    compiled = {name: jax.jit(way) for name, way in ways(settings.rows).items()}
    metrics: dict[str, dict[str, float]] = {name: {} for name in compiled}
    for kind in DRAWS:
        drawn = draw(
            kind,
            rows=settings.rows,
            batch=settings.batch,
            features=settings.features,
            count=settings.batches,
        )
        ids = [jnp.asarray(one.reshape(-1).astype(np.int32)) for one, _ in drawn]

        def runner(name: str, ids: list[First] = ids) -> Callable[[int], None]:
            return lambda i: jax.block_until_ready(compiled[name](ids[i % len(ids)], grads))

        seconds = interleave({name: runner(name) for name in compiled}, rounds=settings.rounds)
        for name, values in seconds.items():
            summary = summarise(values, scale=1e3)
            metrics[name][f"{kind}_ms"] = round(summary.median, 3)
            metrics[name][f"{kind}_ms_low"] = round(summary.low, 3)
            metrics[name][f"{kind}_ms_high"] = round(summary.high, 3)
    return [
        Record(
            experiment="repeats",
            training=name,
            metrics=measured,
            device=device(),
            command=" ".join(["python -m experiments.benchmarks.repeats", *sys.argv[1:]]),
        )
        for name, measured in metrics.items()
    ]


if __name__ == "__main__":
    choice = tyro.cli(Repeats)
    keep_freed_memory()
    records = measure(choice)
    for record in records:
        print(f"{record.training:12} {dict(record.metrics or {})}")
    if choice.save:
        save("repeats", records)
