"""The programs of a release: StableHLO that is called with the release's parameters and a batch.

A program takes any number of rows, and XLA compiles it anew for each number; so calls are of a few
sizes, rows are padded to the next, and a server has its sizes compiled before it takes requests.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax import export
from jaxtyping import Float32

from recsys.features.batch import TYPES as EVERY_TYPE
from recsys.features.batch import Batch
from recsys.features.schema import Schema
from recsys.release.manifest import ReleaseError

ARRAYS = ("high", "low", "valid", "numbers")  # of a batch, that programs read
TYPES = {name: EVERY_TYPE[name] for name in ARRAYS}
MOST = 1024  # rows of a call, where no sizes were chosen; more are several calls


@dataclasses.dataclass(frozen=True)
class Width:
    """How wide the batches of a program are."""

    places: int
    numbers: int

    @classmethod
    def of(cls, schema: Schema) -> "Width":
        """Of batches that hold what a schema says, and no more."""
        return cls(schema.places, len(schema.numeric))

    @property
    def columns(self) -> dict[str, int]:
        """Of each array of a batch."""
        return {name: self.numbers if name == "numbers" else self.places for name in ARRAYS}

    def blank(self, rows: int) -> dict[str, np.ndarray]:
        """Rows that say nothing: what calls are padded with."""
        return {name: np.zeros((rows, n), TYPES[name]) for name, n in self.columns.items()}


class Program:
    """One program, compiled for the numbers of rows that it was called with."""

    def __init__(self, path: Path, params: Mapping[str, jax.Array], width: Width) -> None:
        """Reads a program.

        Raises:
            ReleaseError: this version of JAX cannot read it.
        """
        self.path, self.params, self.width = path, dict(params), width
        self._sizes = [1 << power for power in range(MOST.bit_length())]  # rows of calls, rising
        try:
            exported = export.deserialize(bytearray(path.read_bytes()))
        except Exception as error:  # JAX says in many ways that it does not read old programs
            raise ReleaseError(
                f"{path} was exported for another version of JAX than {jax.__version__} "
                f"({_first_line(error)}): run `recsys export --rebuild` on the release."
            ) from error
        platform = jax.default_backend()
        platform = {"gpu": "cuda"}.get(platform, platform)
        if platform not in exported.platforms:
            raise ReleaseError(
                f"{path} runs on {', '.join(exported.platforms)}, and this machine has "
                f"{platform}: export it for that platform."
            )
        self._call = jax.jit(exported.call)

    def __call__(self, batch: Batch) -> Float32[np.ndarray, "rows ..."]:
        """The answer for each row."""
        rows = len(batch)
        if not rows:
            return self(Batch(**self.width.blank(1), label=_ONE, weight=_ONE))[:0]
        most = self._sizes[-1]
        starts = range(0, rows, most)
        return np.concatenate([self._part(batch, n, min(most, rows - n)) for n in starts])

    def compile(self, rows: int) -> None:
        """Compiles the program for calls of so many rows."""
        self._call(self.params, *self.width.blank(rows).values())

    def keep_to(self, sizes: Iterable[int]) -> None:
        """From now on calls are of these sizes alone: if they are compiled, nobody waits."""
        self._sizes = sorted(set(sizes))

    def _part(self, batch: Batch, start: int, rows: int) -> Float32[np.ndarray, "rows ..."]:
        padded = self.width.blank(next(size for size in self._sizes if size >= rows))
        for name, array in padded.items():
            array[:rows] = getattr(batch, name)[start : start + rows]
        return np.asarray(self._call(self.params, *padded.values()))[:rows]


_ONE = np.zeros(1, np.float32)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else repr(error)


def placed(arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Parameters on the first device."""
    return {name: jax.device_put(array) for name, array in arrays.items()}
