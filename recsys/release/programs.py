"""The programs of a release: StableHLO that is called with the release's parameters and a batch.

A program takes any number of rows, and XLA compiles it anew for each number; so rows are padded to
a power of two, and the sizes that a server wants are compiled before it takes requests.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax import export
from jaxtyping import Float32

from recsys.features.batch import Batch
from recsys.release.manifest import ReleaseError

ARRAYS = ("high", "low", "valid", "numbers")  # of a batch, that programs read
MOST = 1024  # rows of a call; more are several calls
TYPES = {"high": np.uint32, "low": np.uint32, "valid": np.bool_, "numbers": np.float32}


@dataclasses.dataclass(frozen=True)
class Width:
    """How wide the batches of a program are."""

    places: int
    numbers: int

    def blank(self, rows: int) -> dict[str, np.ndarray]:
        """Rows that say nothing: what calls are padded with."""
        columns = {"numbers": self.numbers}
        return {
            name: np.zeros((rows, columns.get(name, self.places)), TYPES[name]) for name in ARRAYS
        }


class Program:
    """One program, compiled for the numbers of rows that it was called with."""

    def __init__(
        self, path: Path, params: Mapping[str, jax.Array], width: Width, *, most: int = MOST
    ) -> None:
        """Reads a program.

        Args:
            path: of its StableHLO.
            params: on the device, by name.
            width: of the batches that it reads.
            most: rows of a call; a power of two.

        Raises:
            ReleaseError: this version of JAX cannot read it.
        """
        self.path, self.params, self.width, self.most = path, dict(params), width, most
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
        starts = range(0, rows, self.most)
        return np.concatenate([self._part(batch, n, min(self.most, rows - n)) for n in starts])

    def warm(self, rows: int) -> None:
        """Compiles the program for calls of so many rows."""
        self._call(self.params, *self.width.blank(self._size(rows)).values())

    def _part(self, batch: Batch, start: int, rows: int) -> Float32[np.ndarray, "rows ..."]:
        padded = self.width.blank(self._size(rows))
        for name, array in padded.items():
            array[:rows] = getattr(batch, name)[start : start + rows]
        return np.asarray(self._call(self.params, *padded.values()))[:rows]

    def _size(self, rows: int) -> int:
        """The power of two that calls of so many rows are padded to."""
        return min(self.most, 1 << max(rows - 1, 0).bit_length())


_ONE = np.zeros(1, np.float32)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else repr(error)


def placed(arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Parameters on the first device."""
    return {name: jax.device_put(array) for name, array in arrays.items()}
