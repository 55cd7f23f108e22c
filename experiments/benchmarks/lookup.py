"""How long a frozen table takes to look up, for every method, beside the full table.

A request of 128 or of 4,096 examples with 26 features, vectors of 16, Zipf 1.2 ids over 50,000
values a feature; each method at a tenth of the full table's bytes, or at the nearest it reaches.
All forms are timed in turns in one run, and `*_of_full` is how many times longer than the full
table one took. Keys are given: hashing raw values is the same for all.

    python -m experiments.benchmarks.lookup
"""

import dataclasses
import statistics
from collections.abc import Callable, Iterator

import jax
import numpy as np
import tyro
from flax import nnx

from experiments.benchmarks.batches import draw
from experiments.benchmarks.timing import interleave, require_quiet
from experiments.results import Record, device, save
from recsys.embedding import Embedding, Unified
from recsys.features import Batch, Feature, Schema
from recsys.tables import METHODS
from recsys.tables.method import Method

SIZES = (128, 4_096)
ZIPF, SEEN = 1.2, 10_000_000  # how values were seen before, and how many were


@dataclasses.dataclass(frozen=True)
class Lookup:
    """Times the frozen form of every method."""

    features: int = 26
    values: int = 50_000  # of each feature
    dim: int = 16
    budget: float = 0.1  # of the full table's bytes
    rounds: int = 15
    save: bool = True  # write results/lookup.json


@dataclasses.dataclass(frozen=True)
class Frozen:
    """One method's served form, and batches for it on the device."""

    table_bytes: int
    run: dict[int, Callable[[int], jax.Array]]  # by batch size: the i-th lookup, queued


def schema(settings: Lookup) -> Schema:
    """Features whose values are numbered by how often they were seen, as their vocabulary says."""
    shares = np.arange(1, settings.values + 1) ** -ZIPF
    seen = np.maximum(1, np.round(SEEN * shares / shares.sum())).astype(int)
    times, values = np.unique(seen, return_counts=True)
    counts = tuple(zip(times[::-1].tolist(), values[::-1].tolist(), strict=True))
    names = [f"f{n}" for n in range(settings.features)]
    return Schema(tuple(Feature(name, values=settings.values, counts=counts) for name in names))


def frozen(settings: Lookup, method: Method) -> Frozen:
    """The method within the budget, or its smallest table; frozen, compiled by the first call."""
    own = schema(settings)
    full_bytes = settings.features * settings.values * settings.dim * 4
    layout = Unified(method, settings.dim)
    try:
        layout = layout.within(int(settings.budget * full_bytes), own)
    except ValueError:  # its floor lies above
        (plan,) = layout.plans(own).values()
        layout = Unified(plan.method.dial(plan.dim, plan.fields).make(0), settings.dim)
    embed = Embedding(own, layout, rngs=nnx.Rngs(0)).freeze()
    graph, state = nnx.split(embed)

    @jax.jit
    def look_up(state: nnx.State, batch: Batch) -> jax.Array:
        return nnx.merge(graph, state)(batch).concatenated()

    def runner(size: int) -> Callable[[int], jax.Array]:
        batches = list(_batches(settings, own, size))
        return lambda i: look_up(state, batches[i % len(batches)])

    return Frozen(embed.table_bytes, {size: runner(size) for size in SIZES})


def _batches(settings: Lookup, own: Schema, size: int) -> Iterator[Batch]:
    drawn = draw("zipf", rows=settings.values, batch=size, features=settings.features, count=8)
    for ids, labels in drawn:
        columns = {feature.name: ids[:, n] for n, feature in enumerate(own.features)}
        yield jax.device_put(own.encode({**columns, "label": labels}))


def main(settings: Lookup) -> None:
    """Times all, prints and saves."""
    if settings.save:
        require_quiet()
    tables = {name: frozen(settings, make()) for name, make in METHODS.items()}
    seconds = {
        size: interleave(
            {name: table.run[size] for name, table in tables.items()}, rounds=settings.rounds
        )
        for size in SIZES
    }
    records = []
    for name, table in tables.items():
        metrics = {}
        for size in SIZES:
            own, full = seconds[size][name], seconds[size]["full"]
            ratios = [one / other for one, other in zip(own, full, strict=True)]
            metrics[f"lookup_{size}_ms"] = 1e3 * statistics.median(own)
            metrics[f"lookup_{size}_of_full"] = statistics.median(ratios)
        print(f"{name:12} {table.table_bytes:>12,} bytes  {metrics}")
        records.append(
            Record(
                experiment="lookup",
                table=name,
                layout="unified",
                table_bytes=table.table_bytes,
                metrics={key: round(value, 4) for key, value in metrics.items()},
                device=device(),
                command="python -m experiments.benchmarks.lookup",
            )
        )
    if settings.save:
        save("lookup", records)


if __name__ == "__main__":
    main(tyro.cli(Lookup))
