"""Compressed vectors as one file, which opens without the original and without what learned it."""

import dataclasses
import json
import zipfile
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Integer

from recsys.durable import save_whole
from recsys.vectors.method import VECTOR_METHODS, Arrays, Decode, VectorMethod, Vectors

FORMAT = 1  # of the file; another number is another layout
ABOUT = "about"  # the array that says what the others are


@dataclasses.dataclass(frozen=True, eq=False)
class Compressed:
    """Vectors that are read when they are asked for."""

    method: str  # of the registry
    rows: int
    dim: int
    arrays_bytes: int
    reader: Decode

    def decode(self, ids: Integer[np.ndarray, " ids"]) -> Float32[np.ndarray, "ids dim"]:
        """The vectors of some rows of the original.

        Raises:
            ValueError: there is no such row.
        """
        ids = np.asarray(ids)
        wrong = ids[(ids < 0) | (ids >= self.rows)]
        if len(wrong):
            raise ValueError(
                f"Vectors have numbers from 0 to {self.rows - 1:,}, got {wrong[0]}: correct it."
            )
        return self.reader(ids.astype(np.int64)).astype(np.float32)


def compressed(vectors: Vectors, method: str, *, budget_bytes: int, seed: int = 0) -> Arrays:
    """The arrays of a method by name, of at most so many bytes.

    Raises:
        ValueError: it needs more bytes, or the vectors are not finite.
    """
    if vectors.ndim != 2 or not vectors.size or not np.isfinite(vectors).all():
        raise ValueError(
            f"Vectors want rows and columns of finite numbers, got shape {vectors.shape}: leave "
            "out what is none."
        )
    return _known(method).fit(vectors, budget_bytes=budget_bytes, seed=seed)


def compress(
    vectors: Vectors, method: str, *, budget_bytes: int, path: str | Path, seed: int = 0
) -> Compressed:
    """Compresses, writes the file, and opens it.

    Raises:
        ValueError: the method needs more bytes, or the vectors are not finite.
    """
    arrays = compressed(vectors, method, budget_bytes=budget_bytes, seed=seed)
    save(path, method, arrays, shape=vectors.shape)
    return load(path)


def save(path: str | Path, method: str, arrays: Arrays, *, shape: tuple[int, ...]) -> None:
    """Writes the file, whole or not at all."""
    about = {"format": FORMAT, "method": method, "rows": shape[0], "dim": shape[1]}
    told = np.frombuffer(json.dumps(about).encode(), np.uint8)
    save_whole(Path(path), {ABOUT: told, **arrays})


def load(path: str | Path) -> Compressed:
    """Compressed vectors in a file.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it was cut short or edited, or another version has written it.
    """
    try:
        with Path(path).open("rb") as file:
            arrays = dict(np.load(file))
        about = json.loads(arrays.pop(ABOUT).tobytes())
    except (zipfile.BadZipFile, ValueError, KeyError, EOFError, AttributeError) as error:
        raise ValueError(
            f"{path} should hold compressed vectors and does not ({error}): compress again."
        ) from error
    if about["format"] != FORMAT:
        raise ValueError(
            f"{path} has format {about['format']}, and this version reads {FORMAT}: compress again."
        )
    return opened(about["method"], arrays, shape=(about["rows"], about["dim"]))


def opened(method: str, arrays: Arrays, *, shape: tuple[int, ...]) -> Compressed:
    """Arrays of a method, to be read."""
    size = sum(array.nbytes for array in arrays.values())
    return Compressed(method, shape[0], shape[1], size, _known(method).reader(arrays))


def _known(name: str) -> VectorMethod:
    if name not in VECTOR_METHODS:
        known = ", ".join(VECTOR_METHODS)
        raise ValueError(f"Unknown way of compressing {name!r}: known are {known}.")
    return VECTOR_METHODS[name]
