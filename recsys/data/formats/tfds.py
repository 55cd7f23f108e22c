"""TFDS builders by random access (`tfds.data_source`), which needs no TensorFlow.

A builder is named (`tfds:movielens/100k-ratings`), or given as the folder that it prepared. It must
have been prepared as array_record; all its splits are read, one after the other.
"""

import dataclasses
from collections.abc import Collection, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from recsys.data.formats.chunk import Chunk, Piece, check_columns
from recsys.spec import spec

PREFIX = "tfds:"
INFO = "dataset_info.json"  # what marks the folder of a prepared builder
EXAMPLES = 2**12  # of one piece


@spec
@dataclasses.dataclass(frozen=True)
class TFDS:
    """Examples of a TFDS builder; nested features are named with slashes."""

    def pieces(self, path: Path | str, columns: Collection[str] | None) -> Iterator[Piece]:
        """A builder some examples at a time."""
        for split, source in _sources(str(path)).items():
            there = list(_flat(source[0])) if len(source) else []
            if there:
                check_columns(str(path), columns, there=there)
            wanted = there if columns is None else list(columns)
            for start in range(0, len(source), EXAMPLES):
                numbers = range(start, min(start + EXAMPLES, len(source)))
                yield partial(_parse, f"{path}, split {split}", source, numbers, wanted)


def _parse(file: str, source: Any, numbers: range, wanted: list[str]) -> Chunk:
    rows = [_flat(row) for row in source.__getitems__(list(numbers))]
    table = pa.table({name: _column([row[name] for row in rows]) for name in wanted})
    return Chunk(file, table, np.arange(len(rows)) + numbers.start + 1, unit="row")


def _sources(name: str) -> Any:
    """The splits of a builder, by random access."""
    import tensorflow_datasets as tfds  # takes a while, so only where it is used

    if name.startswith(PREFIX):
        builder = tfds.builder(name.removeprefix(PREFIX))
    else:
        builder = tfds.builder_from_directory(name)
    if not builder.is_prepared():
        raise FileNotFoundError(
            f"{name} wants a builder whose files are there, and {builder.data_dir} has none: "
            "prepare it with download_and_prepare(file_format='array_record')."
        )
    try:
        return builder.as_data_source()
    except NotImplementedError as error:
        raise ValueError(
            f"{name} wants files of array_record, got {builder.info.file_format}: prepare it "
            "again with file_format='array_record'."
        ) from error


def _flat(row: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The leaves of nested mappings, by their path."""
    leaves: dict[str, Any] = {}
    for name, value in row.items():
        path = f"{prefix}{name}"
        leaves |= _flat(value, f"{path}/") if isinstance(value, Mapping) else {path: value}
    return leaves


def _column(cells: list[Any]) -> pa.Array:
    """Cells as Arrow has them; bytes are text."""
    column = pa.array([cell.tolist() if isinstance(cell, np.ndarray) else cell for cell in cells])
    if pa.types.is_binary(column.type):
        return column.cast(pa.string())
    if pa.types.is_list(column.type) and pa.types.is_binary(column.type.value_type):
        return column.cast(pa.list_(pa.string()))
    return column
