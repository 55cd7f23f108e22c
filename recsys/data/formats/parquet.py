"""Parquet: columns with types, compressed by themselves."""

import dataclasses
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from recsys.data.formats.chunk import Chunk, Piece, check_columns
from recsys.spec import spec

ROWS = 2**15  # of one piece


@spec
@dataclasses.dataclass(frozen=True)
class Parquet:
    """Row groups of typed columns."""

    def pieces(self, path: Path, columns: Collection[str] | None) -> Iterator[Piece]:
        """A file some rows at a time."""
        try:
            with parquet.ParquetFile(path) as file:
                check_columns(str(path), columns, there=file.schema_arrow.names)
                row = 1
                names = None if columns is None else list(columns)
                for batch in file.iter_batches(ROWS, columns=names):
                    places = np.arange(row, row + batch.num_rows)
                    chunk = Chunk(str(path), pa.Table.from_batches([batch]), places, unit="row")
                    yield lambda chunk=chunk: chunk
                    row += batch.num_rows
        except (pa.ArrowInvalid, OSError) as error:
            raise ValueError(
                f"{path} should be Parquet and cannot be read ({error}): copy or write it again."
            ) from error
