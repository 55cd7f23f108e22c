"""JSON lines: an object a line, of which the keys are the columns."""

import dataclasses
import json
from collections.abc import Collection, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import json as arrow

from recsys.data.formats.chunk import Chunk, Piece
from recsys.data.formats.text import Block, blocks
from recsys.data.rejects import Reject
from recsys.spec import spec

EXACT = 2**53  # above it a float skips integers


@spec
@dataclasses.dataclass(frozen=True)
class JSONLines:
    """An object a line; a key that a line lacks is an empty cell."""

    def pieces(self, path: Path, columns: Collection[str] | None) -> Iterator[Piece]:
        """A file block by block."""
        for block in blocks(path, quotes_after=None):
            if block.data.strip():
                yield partial(self.parse, block, columns)

    def parse(self, block: Block, columns: Collection[str] | None) -> Chunk:
        """The objects of a block; lines that are none, apart."""
        table = _typed(block.data)
        if table is None:
            return self._parse_each(block, columns)
        lines = block.data.count(b"\n") + (not block.data.endswith(b"\n"))
        if table.num_rows != lines:  # empty lines, or one object over several
            return self._parse_each(block, columns)
        return _chunk(block, table, np.arange(lines), (), columns)

    def _parse_each(self, block: Block, columns: Collection[str] | None) -> Chunk:
        """The same line by line: slow, and it knows which line is at fault."""
        rows: list[dict[str, Any]] = []
        places: list[int] = []
        rejects: list[Reject] = []
        for number, line in enumerate(block.data.removesuffix(b"\n").split(b"\n")):
            if not line.strip():
                continue
            row = _object(line)
            if isinstance(row, str):
                shown = line.decode("utf-8", "replace")
                rejects.append(Reject(block.file, block.first + number, row, shown))
            else:
                rows.append(row)
                places.append(number)
        names = dict.fromkeys(name for row in rows for name in row)
        table = pa.table({name: _column([row.get(name) for row in rows]) for name in names})
        return _chunk(block, table, np.array(places, np.int64), tuple(rejects), columns)


def _chunk(
    block: Block,
    table: pa.Table,
    numbers: np.ndarray,
    rejects: tuple[Reject, ...],
    columns: Collection[str] | None,
) -> Chunk:
    absent = frozenset(columns or ()) - set(table.column_names)
    for name in sorted(absent):
        table = table.append_column(name, pa.nulls(len(numbers), pa.string()))
    if columns is not None:
        table = table.select(list(columns))
    places = block.first + numbers
    return Chunk(block.file, table, places, rejects=rejects, absent=absent)


def _typed(data: bytes) -> pa.Table | None:
    """A table by Arrow; none where its types would not say what the text says."""
    texts: list[pa.Field] = []
    while True:
        try:
            table = arrow.read_json(
                pa.BufferReader(data),
                arrow.ReadOptions(use_threads=False, block_size=len(data) + 1),
                arrow.ParseOptions(explicit_schema=pa.schema(texts), newlines_in_values=False),
            )
        except (pa.ArrowInvalid, UnicodeDecodeError):
            return None
        # Arrow makes times of texts that look like them; a text stays as it is written.
        times = [field.with_type(pa.string()) for field in table.schema if _is_time(field.type)]
        if not times:
            break
        texts += times
    floats = [column for column in table.columns if pa.types.is_floating(column.type)]
    if any((np.abs(column.to_numpy()) >= EXACT).any() for column in floats):
        return None  # long integers, perhaps, of which digits are lost
    return table


def _is_time(kind: pa.DataType) -> bool:
    if pa.types.is_list(kind):
        return _is_time(kind.value_type)
    return pa.types.is_temporal(kind)


def _object(line: bytes) -> dict[str, Any] | str:
    """The object of a line, or why there is none."""
    try:
        row = json.loads(line)
    except UnicodeDecodeError:
        return "holds bytes that are not UTF-8"
    except json.JSONDecodeError as error:
        return f"is no JSON ({error.msg} at character {error.pos + 1})"
    except (ValueError, RecursionError) as error:
        return f"is no JSON ({error})"
    return row if isinstance(row, dict) else "is no JSON object"


def _column(cells: list[Any]) -> pa.Array:
    """Cells of one type as they are, those of several as text."""
    try:
        return pa.array(cells)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return pa.array([_text(cell) for cell in cells], pa.string())


def _text(cell: Any) -> str | None:
    if cell is None or isinstance(cell, str):
        return cell
    return json.dumps(cell, ensure_ascii=False)
