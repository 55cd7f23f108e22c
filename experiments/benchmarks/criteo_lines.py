"""Lines like those of Criteo's challenge: as many values, as often missing, of the same length.

The heights of the vocabularies are those of the Kaggle data set as the DLRM benchmark counts them
(Naumov et al., 2019); within a feature a rank is drawn with a probability that falls as its
inverse, so that rare values keep coming.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
from jaxtyping import UInt32
from pyarrow import csv

from recsys.data.datasets.criteo import COUNTS, NAMES

# fmt: off
VALUES = (
    1460, 583, 10131227, 2202608, 305, 24, 12517, 633, 3, 93145, 5683, 8351593, 3194, 27, 14992,
    5461306, 10, 5652, 2173, 4, 7046547, 18, 15, 286181, 105, 142572,
)
# fmt: on
EMPTY = 0.12  # share of the cells of every other column
CLICKS = 0.256  # share of labels that are 1
BLOCK = 100_000  # lines drawn at a time
_BYTES = np.array([b"%02x" % byte for byte in range(256)])
_SCRAMBLE = np.uint64(2_654_435_761)  # odd: each number below 2^32 gets a text of its own


def write_lines(path: Path, lines: int, *, seed: int = 0) -> Path:
    """A file of so many lines: a label, 13 counts, 26 texts of eight letters, between tabs."""
    rng = np.random.default_rng(seed)
    options = csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none")
    schema = pa.schema([(name, pa.string()) for name in NAMES])
    path.parent.mkdir(parents=True, exist_ok=True)
    with csv.CSVWriter(path, schema, write_options=options) as file:
        for start in range(0, lines, BLOCK):
            columns = _columns(rng, min(BLOCK, lines - start))
            file.write_table(pa.Table.from_arrays(columns, schema=schema))
    return path


def _columns(rng: np.random.Generator, rows: int) -> list[pa.Array]:
    label = pa.array((rng.random(rows) < CLICKS).astype(np.int8)).cast(pa.string())
    counts = [np.exp(rng.normal(1.5, 2.0, rows)).astype(np.int64) for _ in COUNTS]
    ranks = [np.floor(values ** rng.random(rows)).astype(np.uint64) for values in VALUES]
    # Values of two features that have one rank have texts of their own, as in the data.
    codes = [
        (rank * _SCRAMBLE + np.uint64(height)).astype(np.uint32)
        for rank, height in zip(ranks, VALUES, strict=True)
    ]
    cells = [pa.array(count).cast(pa.string()) for count in counts]
    cells += [_spelled(code) for code in codes]
    return [label, *(_emptied(rng, c) if n % 2 else c for n, c in enumerate(cells))]


def _spelled(numbers: UInt32[np.ndarray, "numbers"]) -> pa.Array:
    """Numbers as eight hexadecimal digits."""
    digits = _BYTES[numbers.view(np.uint8)].tobytes()
    ends = np.arange(0, 8 * len(numbers) + 1, 8, dtype=np.int32)
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(digits)]
    return pa.Array.from_buffers(pa.string(), len(numbers), buffers)


def _emptied(rng: np.random.Generator, cells: pa.Array) -> pa.Array:
    """The column without some of its cells."""
    kept = pa.array(np.arange(len(cells), dtype=np.int32), mask=rng.random(len(cells)) < EMPTY)
    return cells.take(kept)
