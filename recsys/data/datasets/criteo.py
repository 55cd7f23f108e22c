"""Criteo's display advertising challenge (Kaggle, 2014): a week of ad impressions, clicked or not.

For research use, under the terms of Criteo. Two forms are read, told apart by their first line,
whole or gzipped: the raw one as on Kaggle (`train.txt`: a label, 13 counts I1-I13, 26 hashed texts
C1-C26, tab separated, without a header, in the order of time, cells may be empty), and samples of
which all values were turned into indices (comma separated, without a header; 0 is missing or rare).

The whole file does not fit in memory: `import_files(path, SCHEMA, out, format=RAW)` makes a store.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from jaxtyping import Shaped
from pyarrow import csv

from recsys.data.formats import Delimited
from recsys.features import Feature, Schema
from recsys.features.transforms import Log1p

Columns = dict[str, Shaped[np.ndarray, "rows"]]

FILES = ("train.txt", "train.txt.gz", "train.csv", "train.csv.gz")
COUNTS = tuple(f"I{number}" for number in range(1, 14))
CODES = tuple(f"C{number}" for number in range(1, 27))
NAMES = ("label", *COUNTS, *CODES)  # of the columns, in the order of the files
RAW = Delimited("\t", NAMES, quoted=False)
INDEXED = Delimited(",", NAMES, quoted=False)
SCHEMA = Schema(
    (
        *(Feature(name, kind="numeric", transform=Log1p()) for name in COUNTS),
        *(Feature(name) for name in CODES),
    )
)


def load(path: Path) -> Columns:
    """Read a file of either form, or that in the folder given, into memory."""
    parts = list(read(path))
    return {name: np.concatenate([part[name] for part in parts]) for name in NAMES}


def read(path: Path) -> Iterator[Columns]:
    """The same, a block of rows at a time.

    An empty cell is NaN or None, a code is text in the raw form and an index in the other.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a line has other cells than it should; the rows before it came already.
    """
    path = _found(path)
    is_raw = _is_raw(path)
    kinds = {"label": pa.float32(), **dict.fromkeys(COUNTS, pa.float32())}
    kinds |= dict.fromkeys(CODES, pa.string() if is_raw else pa.int64())
    try:
        with pa.input_stream(path, compression="detect") as stream:
            for batch in csv.open_csv(
                stream,
                read_options=csv.ReadOptions(column_names=NAMES),
                parse_options=csv.ParseOptions(delimiter="\t" if is_raw else ","),
                convert_options=csv.ConvertOptions(column_types=kinds, strings_can_be_null=True),
            ):
                yield {name: batch[name].to_numpy(zero_copy_only=False) for name in NAMES}
    except (pa.ArrowInvalid, OSError) as error:
        raise ValueError(
            f"Criteo needs a label, 13 counts and 26 codes in each line, and reading {path.name} "
            f"says {error}: fetch it again."
        ) from error


def _is_raw(path: Path) -> bool:
    with pa.input_stream(path, compression="detect") as stream:
        return b"\t" in stream.read(1024)


def _found(path: Path) -> Path:
    if path.is_file():
        return path
    found = next((path / name for name in FILES if (path / name).is_file()), None)
    if found is None:
        raise FileNotFoundError(
            f"Criteo needs one of {', '.join(FILES)}, and {path} has none of them: give the folder "
            "that holds it, or a file."
        )
    return found
