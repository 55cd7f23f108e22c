"""Indexes beside faiss Flat in one run: recall of the best 100, and the time of one query.

Claim: at 100,000 and at a million clustered vectors, what `recsys.index.default` builds finds at
least 0.97 of the best 100 items of users that it was not tuned with, and takes less time for a
query than faiss's exact search. Users lie between items, as they do in two towers. One query at a
time on one thread; contenders take turns. Records go to `results/index.json`. Some minutes, and
2 GB of memory.

    python -m experiments.benchmarks.index
"""

import dataclasses
import sys
import time
from collections.abc import Callable, Mapping

import numpy as np
import tyro
from jaxtyping import Float32
from threadpoolctl import threadpool_limits

from experiments.benchmarks.timing import interleave, ratio, require_quiet, summarise
from experiments.results import Record, device, save
from recsys.index import HNSW, IVF, PQ, SQ8, Exact, Index, Spec, build, default
from recsys.index.found import Rows
from recsys.index.recall import overlap

CENTRES = 1_000
TUNED, APART = 512, 512  # users that an index is tuned with, and those that it is measured with


@dataclasses.dataclass(frozen=True)
class Indexes:
    """Times indexes of generated vectors."""

    items: tuple[int, ...] = (100_000, 1_000_000)
    dim: int = 64
    k: int = 100
    rounds: int = 20  # turns of each contender
    turn: int = 50  # queries of a turn
    graphs_up_to: int = 100_000  # items of which a graph is built; more take many minutes
    seed: int = 0
    save: bool = True  # write the records to experiments/results; wants a quiet machine


@dataclasses.dataclass(frozen=True, eq=False)
class Drawn:
    """Items around centres, and users between several of them."""

    items: Float32[np.ndarray, "items dim"]
    tuned: Float32[np.ndarray, "tuned dim"]
    apart: Float32[np.ndarray, "apart dim"]

    @classmethod
    def of(cls, count: int, settings: Indexes) -> "Drawn":
        rng = np.random.default_rng(settings.seed)
        centres = rng.standard_normal((CENTRES, settings.dim), np.float32)
        items = centres[rng.integers(0, CENTRES, count)]
        items += 0.7 * rng.standard_normal(items.shape, np.float32)
        near = centres[rng.integers(0, CENTRES, (TUNED + APART, 3))]
        users = np.einsum("ijd,ij->id", near, rng.random((TUNED + APART, 3), np.float32))
        users += 0.5 * rng.standard_normal(users.shape, np.float32)
        return cls(_unit(items), _unit(users[:TUNED]), _unit(users[TUNED:]))


def main(settings: Indexes) -> list[Record]:
    """Every contender at each size."""
    if settings.save:
        require_quiet()
    records = []
    for count in settings.items:
        records += _at(count, settings)
    return records


def _at(count: int, settings: Indexes) -> list[Record]:
    drawn = Drawn.of(count, settings)
    import faiss

    flat = faiss.IndexFlatIP(settings.dim)
    flat.add(drawn.items)
    scores, rows = flat.search(drawn.apart, settings.k)
    best = Rows(rows, scores)
    built = {name: _built(spec, drawn, settings) for name, spec in _specs(count, settings).items()}
    runners: dict[str, Callable[[int], object]] = {
        name: _searching(index, drawn, settings.k) for name, (index, _) in built.items()
    }
    runners["faiss Flat"] = lambda i: flat.search(drawn.apart[i % APART][None], settings.k)
    faiss.omp_set_num_threads(1)
    with threadpool_limits(1):
        times = interleave(runners, rounds=settings.rounds, turn=settings.turn)
    records = [_record(count, "faiss Flat", {"recall@100": 1.0}, times, "faiss Flat")]
    for name, (index, seconds) in built.items():
        found = index.search(drawn.apart, settings.k)
        metrics = {
            "recall@100": round(overlap(best, Rows(found.ids, found.scores)), 4),
            "build_s": round(seconds, 2),
            "effort": index.stats().effort,
        }
        records.append(_record(count, name, metrics, times))
    for record in records:
        print(record.model, record.peer, record.metrics)
    return records


def _specs(count: int, settings: Indexes) -> dict[str, Spec]:
    specs: dict[str, Spec] = {"exact": Exact(), "ivf": IVF(), "sq8": SQ8(), "pq": PQ()}
    if count <= settings.graphs_up_to:
        specs["hnsw"] = HNSW()
    named = {name: spec for name, spec in specs.items() if spec != default(count)}
    return {"default": default(count), **named}


def _built(spec: Spec, drawn: Drawn, settings: Indexes) -> tuple[Index, float]:
    start = time.perf_counter()
    index = build(spec, drawn.items, users=drawn.tuned, floor=0.0, at=settings.k)
    return index, time.perf_counter() - start


def _searching(index: Index, drawn: Drawn, k: int) -> Callable[[int], object]:
    return lambda i: index.search(drawn.apart[i % APART][None], k).scores


def _record(
    count: int,
    name: str,
    metrics: Mapping[str, float],
    times: Mapping[str, list[float]],
    peer: str | None = None,
) -> Record:
    query = summarise(times[name], scale=1e6)
    speed = ratio(times["faiss Flat"], times[name])
    return Record(
        experiment="index",
        model=f"{name} of {count:,}",
        metrics={
            **metrics,
            "items": count,
            "query_us": round(query.median, 1),
            "query_us_low": round(query.low, 1),
            "query_us_high": round(query.high, 1),
            "speed_of_flat": round(speed.median, 2),
        },
        device=device(),
        peer=peer,
        command=" ".join(["python -m experiments.benchmarks.index", *sys.argv[1:]]),
    )


def _unit(vectors: Float32[np.ndarray, "rows dim"]) -> Float32[np.ndarray, "rows dim"]:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


if __name__ == "__main__":
    choice = tyro.cli(Indexes)
    measured = main(choice)
    if choice.save:
        save("index", measured)
