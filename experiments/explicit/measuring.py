"""What is measured of a space or a peer on the test split, and how it is kept until it is compared.

Values are kept query by query in a folder beside the records: means have spreads over seeds there,
and differences between systems have intervals over occupations here.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import csr_array

from experiments.explicit import measures
from experiments.explicit.measures import Interval
from experiments.explicit.peers import Scores
from experiments.explicit.protocol import Part

SECOND = "second_"  # measures by the second opinion start so


@dataclasses.dataclass(frozen=True, eq=False)
class Values:
    """Measures of one run, query by query."""

    of: Mapping[str, Float[np.ndarray, " queries"]]
    group: Int[np.ndarray, " queries"]  # the occupation of each query

    def means(self) -> dict[str, float]:
        """Over queries that have a value."""
        return {name: round(float(np.nanmean(values)), 5) for name, values in self.of.items()}

    def intervals(self) -> dict[str, float]:
        """The ends of the bootstrap intervals."""
        found = {}
        for name, values in self.of.items():
            told = measures.interval(values, self.group)
            found |= {f"{name}_low": round(told.low, 5), f"{name}_high": round(told.high, 5)}
        return found

    def save(self, path: Path) -> None:
        """Writes an archive of arrays."""
        path.parent.mkdir(parents=True, exist_ok=True)
        arrays: Any = {"group": self.group, **self.of}
        np.savez_compressed(path, **arrays)

    @classmethod
    def open(cls, path: Path) -> "Values":
        """The inverse of `save`."""
        with np.load(path) as arrays:
            return cls({n: arrays[n] for n in arrays.files if n != "group"}, arrays["group"])


def measure(scores: Scores, part: Part) -> Values:
    """Relevance, by the grades of the protocol and by the second opinion."""
    grades = part.relevance.grades
    told = measures.ranking(scores, grades)
    told |= measures.ranking(scores, part.second, prefix=SECOND)
    return Values(told, part.profile_of)


def worth(scores: Scores, grades: csr_array) -> float:
    """What settings are chosen by: the mean of both measures of relevance."""
    told = measures.ranking(scores, grades)
    return float(np.mean([np.nanmean(values) for values in told.values()]))


def skill_map(vectors: csr_array, known: csr_array) -> float:
    """Mean average precision of the skills of documents among all skills."""
    rows: Any = vectors
    among: Any = known
    found = [
        measures.average_precision(
            rows[[row]].toarray().astype(np.float64), among[[row]].toarray() > 0
        )
        for row in range(len(known.indptr) - 1)
    ]
    return round(float(np.nanmean(np.concatenate(found))), 5)


def compare(
    ours: Mapping[int | None, Values], theirs: Mapping[int | None, Values]
) -> dict[str, tuple[Interval, float]]:
    """By measure: how much more ours is, and its share of theirs; means over seeds first."""
    first, other = next(iter(ours.values())), next(iter(theirs.values()))
    found = {}
    for name in first.of:
        mine = np.mean([values.of[name] for values in ours.values()], axis=0)
        their = np.mean([values.of[name] for values in theirs.values()], axis=0)
        share = float(np.nanmean(mine) / np.nanmean(their))
        found[name] = (measures.paired([mine], their, other.group), share)
    return found
