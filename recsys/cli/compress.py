"""`recsys compress`: vectors that exist already, in fewer bytes."""

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from tyro.conf import Positional, arg

from recsys.report.text import Table
from recsys.training.settings import Budget
from recsys.vectors import VECTOR_METHODS, Fidelity, fidelity
from recsys.vectors.fidelity import Score
from recsys.vectors.file import compressed, opened, save

VectorsPath = Positional[Annotated[Path, arg(metavar="VECTORS.npy")]]

if TYPE_CHECKING:
    MethodName = str
else:
    MethodName = Literal[tuple(VECTOR_METHODS)]


@dataclasses.dataclass(frozen=True)
class Compress:
    """Compresses vectors by several methods, says what each costs, and keeps the best.

    The file opens without the original: `recsys.vectors.load(path).decode(ids)`.
    """

    vectors: VectorsPath  # an array of NumPy, a row each
    budget: str = "10%"  # of the original's bytes in float32, or a size as 5MB
    methods: tuple[MethodName, ...] = tuple(VECTOR_METHODS)  # that are tried
    out: Path | None = None  # by default VECTORS.compressed
    k: tuple[int, ...] = (10, 100)  # the nearest that are compared; the first decides
    queries: int = 1000  # rows whose nearest are compared
    score: Score = "dot"  # what the nearest have the most of
    seed: int = 0  # of what is drawn

    def run(self) -> int:
        """Tries, writes, prints."""
        vectors = _read(self.vectors)
        budget = Budget.of(self.budget)
        size = int(budget.amount * (vectors.nbytes if budget.is_share else 1))
        out = self.out or self.vectors.with_suffix(".compressed")
        rows, best = [], None
        for name in self.methods:
            try:
                arrays = compressed(vectors, name, budget_bytes=size, seed=self.seed)
            except ValueError as error:
                print(f"{name} is left out: {error}", file=sys.stderr)
                continue
            there = opened(name, arrays, shape=vectors.shape)
            found = fidelity(
                vectors, there, ks=self.k, queries=self.queries, score=self.score, seed=self.seed
            )
            rows.append((name, found.bytes, *found.recall.values(), found.relative_error))
            if best is None or _rank(found) > _rank(best[1]):
                save(out, name, arrays, shape=vectors.shape)
                best = name, found
        if best is None:
            raise ValueError(f"No method keeps to {self.budget}: give a larger budget.")
        heads = ("method", "bytes", *(f"recall@{k}" for k in best[1].recall), "relative error")
        title = f"{self.vectors}: {vectors.shape[0]:,} x {vectors.shape[1]}, {size:,} bytes"
        print(Table(title, heads, rows))
        print(f"{out}: {best[0]}, {best[1].share:.2%} of the original's {vectors.nbytes:,} bytes")
        return 0


def _rank(found: Fidelity) -> tuple[float, float]:
    return next(iter(found.recall.values())), -found.relative_error


def _read(path: Path) -> np.ndarray:
    """The array of a file, in float32."""
    try:
        found = np.load(path)
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path} should hold an array of NumPy and does not: {error}.") from error
    if not isinstance(found, np.ndarray) or found.ndim != 2 or found.dtype.kind not in "fiu":
        what = f"{found.dtype} {found.shape}" if isinstance(found, np.ndarray) else "an archive"
        raise ValueError(f"{path} wants rows and columns of numbers, got {what}: save one array.")
    return np.ascontiguousarray(found, np.float32)
