"""Explanations a second: why a profile fits a job, from their texts to the named shares.

Claim: a thousand a second on two cores, over 13,896 skills, as ESCO has, of texts of about 60
words. Pairs are explained together (`Space.explain_pairs`); one at a time (`Space.explain`) is
measured beside them, and so are pairs whose jobs are encoded already, as a server has them. The
model is drawn, not trained: it does the same work. Records go to `results/explain.json`. A minute.

    python -m experiments.benchmarks.explain
"""

import dataclasses
import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import tyro
from flax import nnx
from scipy.sparse import csr_array

from experiments.benchmarks.timing import require_quiet
from experiments.results import Record, device, save
from recsys.explicit import Documents, Inventory, Relevance, Space, SpaceSettings
from recsys.explicit.settings import model_of

VOCABULARY = 20_000
LETTERS = np.array(list("abcdefghijklmnopqrstuvwxyz"))


@dataclasses.dataclass(frozen=True)
class Explanations:
    """Times explanations of generated texts."""

    skills: int = 13_896
    words: int = 60  # of a text
    pairs: int = 2_048
    alone: int = 200  # explained one at a time
    rounds: int = 5  # of which the fastest counts
    seed: int = 0
    save: bool = True  # write the records to experiments/results; wants a quiet machine


def main(choice: Explanations) -> None:
    """Measures three ways of asking."""
    if choice.save:
        require_quiet()
    space, profiles, jobs = drawn(choice)
    ready = space.job_vectors(jobs)
    ways: dict[str, tuple[int, Callable[[], Any]]] = {
        "pairs": (choice.pairs, lambda: space.explain_pairs(profiles, jobs)),
        "pairs, jobs encoded before": (choice.pairs, lambda: space.explain_pairs(profiles, ready)),
        "one at a time": (
            choice.alone,
            lambda: [
                space.explain(profile, job)
                for profile, job in zip(
                    profiles.texts[: choice.alone], jobs.texts[: choice.alone], strict=True
                )
            ],
        ),
    }
    records = []
    for name, (count, ask) in ways.items():
        ask()  # compiles
        rate = count / min(seconds(ask) for _ in range(choice.rounds))
        print(f"{name}: {rate:,.0f} explanations a second", flush=True)
        records.append(
            Record(
                experiment="explain",
                model=name,
                requests_per_s=round(rate, 1),
                device=device(),
                command=" ".join(["python -m experiments.benchmarks.explain", *sys.argv[1:]]),
            )
        )
    if choice.save:
        save("explain", records)


def drawn(choice: Explanations) -> tuple[Space, Documents, Documents]:
    """A space, profiles and jobs."""
    rng = np.random.default_rng(choice.seed)
    words = ["".join(rng.choice(LETTERS, rng.integers(3, 12))) for _ in range(VOCABULARY)]
    inventory = Inventory(tuple(f"skill {number}" for number in range(choice.skills)))

    def documents() -> Documents:
        numbers = rng.zipf(1.3, (choice.pairs, choice.words)).clip(1, VOCABULARY) - 1
        texts = tuple(" ".join(words[n] for n in row) for row in numbers.tolist())
        nothing = csr_array((choice.pairs, choice.skills), dtype=np.float32)
        return Documents(texts, nothing, nothing)

    profiles, jobs = documents(), documents()
    settings, grades = SpaceSettings(), csr_array((choice.pairs,) * 2, dtype=np.float32)
    spec = model_of(settings, inventory, Relevance(profiles, jobs, grades))
    graph = nnx.graphdef(nnx.eval_shape(lambda: spec.build(rngs=nnx.Rngs(0))))
    state = jax.jit(lambda: nnx.state(spec.build(rngs=nnx.Rngs(0))))()
    return Space(nnx.merge(graph, state), inventory, settings), profiles, jobs


def seconds(ask: Callable[[], Any]) -> float:
    """Of one call."""
    start = time.perf_counter()
    ask()
    return time.perf_counter() - start


if __name__ == "__main__":
    main(tyro.cli(Explanations))
