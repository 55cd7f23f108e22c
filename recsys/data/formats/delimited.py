"""CSV and its relatives: a record a line, cells between delimiters, names in the first line."""

import contextlib
import csv
import dataclasses
import io
from collections.abc import Collection, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow

from recsys.data.formats.chunk import Chunk, Piece, Places, check_columns
from recsys.data.formats.text import Block, blocks
from recsys.data.rejects import Reject
from recsys.spec import spec


@spec
@dataclasses.dataclass(frozen=True)
class Delimited:
    """Cells between delimiters, as text."""

    delimiter: str = ","
    names: tuple[str, ...] = ()  # of the columns, for a file without a first line of names
    quoted: bool = True  # whether "..." around a cell may hold delimiters and line breaks

    def __post_init__(self) -> None:
        """Refuses what no parser could tell apart."""
        if len(self.delimiter) != 1 or self.delimiter in '"\r\n':
            raise ValueError(
                f"Delimited wants one character between cells, got {self.delimiter!r}: use , or a "
                "tab."
            )

    def pieces(self, path: Path, columns: Collection[str] | None) -> Iterator[Piece]:
        """A file block by block; the columns are those that its first line names."""
        names: list[str] = []
        after = self.delimiter.encode() if self.quoted else None
        for block in blocks(path, quotes_after=after):
            if not names:
                names, block = self._named(block)
                check_columns(f"{block.file}, line 1", columns, there=names)
            if block.data.strip(b"\r\n"):
                yield partial(self.parse, block, names, columns)

    def parse(self, block: Block, names: list[str], columns: Collection[str] | None) -> Chunk:
        """The records of a block; those with cells too many or too few, or no text, apart."""
        table, ragged = self._cells(block, names, columns)
        places = self._places(block, table.num_rows + len(ragged))
        rejects = [
            Reject(
                block.file,
                int(places[row.number - 1]),
                f"has {row.actual_columns} cells, not {row.expected_columns}",
                str(row.text),
            )
            for row in ragged
        ]
        places = np.delete(places, [row.number - 1 for row in ragged])
        return _decoded(Chunk(block.file, table, places, rejects=tuple(rejects)))

    def _cells(
        self, block: Block, names: list[str], columns: Collection[str] | None
    ) -> tuple[pa.Table, list[arrow.InvalidRow]]:
        """The cells of a block as bytes, and the records with too many or too few of them."""
        ragged: list[arrow.InvalidRow] = []
        try:
            table = arrow.read_csv(
                pa.BufferReader(block.data),
                arrow.ReadOptions(
                    column_names=names, use_threads=False, block_size=len(block.data) + 1
                ),
                arrow.ParseOptions(
                    delimiter=self.delimiter,
                    quote_char='"' if self.quoted else False,
                    newlines_in_values=self.quoted,
                    invalid_row_handler=partial(_skip, ragged),
                ),
                arrow.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.binary()),
                    include_columns=None if columns is None else list(columns),
                    strings_can_be_null=False,
                ),
            )
        except pa.ArrowInvalid as error:
            raise ValueError(
                f"{block.file}, line {block.first} or after: no cells could be told apart "
                f"({error}): mend the file, or say how it is made."
            ) from error
        return table, ragged

    def _named(self, block: Block) -> tuple[list[str], Block]:
        """The names of the columns, and the block after them."""
        if self.names:
            return list(self.names), block
        end = block.data.find(b"\n") + 1 or len(block.data)
        try:
            line = block.data[:end].decode()
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{block.file}, line {block.first}: the names of the columns are not in UTF-8 "
                f"({error.reason}): save the file as UTF-8."
            ) from error
        quoting = csv.QUOTE_MINIMAL if self.quoted else csv.QUOTE_NONE
        try:
            names = next(csv.reader([line], delimiter=self.delimiter, quoting=quoting), [])
        except csv.Error as error:  # as where lines end in a carriage return alone
            raise ValueError(
                f"{block.file}, line {block.first}: the names of the columns make no line "
                f"({error}): end lines with a line feed."
            ) from error
        return names, Block(block.file, block.first + 1, block.data[end:])

    def _places(self, block: Block, records: int) -> Places:
        """The line of each record; empty lines hold none, and a quoted cell may run over more."""
        lines = block.data.count(b"\n") + (not block.data.endswith(b"\n"))
        if lines == records:
            return np.arange(block.first, block.first + records)
        places = block.first + np.minimum(np.arange(records), lines - 1)
        text = io.StringIO(block.data.decode("latin-1"), newline="\n")
        quoting = csv.QUOTE_MINIMAL if self.quoted else csv.QUOTE_NONE
        starts = list(_starts(csv.reader(text, delimiter=self.delimiter, quoting=quoting)))
        places[: len(starts)] = block.first + np.array(starts[:records])
        return places


def _starts(reader: Any) -> Iterator[int]:
    """How many lines stand before each record; ends early at what csv cannot read."""
    before = 0
    with contextlib.suppress(csv.Error):
        for record in reader:
            if record:
                yield before
            before = reader.line_num


def _skip(ragged: list[arrow.InvalidRow], row: arrow.InvalidRow) -> str:
    ragged.append(row)
    return "skip"


def _decoded(chunk: Chunk) -> Chunk:
    """The chunk with text for bytes; rows that are no UTF-8 go to its rejects."""
    is_text = np.ones(len(chunk), bool)
    columns = {}
    for name in chunk.table.column_names:
        column = chunk.table[name].combine_chunks()
        try:
            columns[name] = column.cast(pa.string())
        except pa.ArrowInvalid:
            cells = [_text(cell) for cell in column.to_pylist()]
            is_text &= np.array([cell is not None for cell in cells])
            columns[name] = pa.array(cells, pa.string())
    rejects = [
        chunk.reject(int(row), "holds bytes that are not UTF-8") for row in np.flatnonzero(~is_text)
    ]
    decoded = dataclasses.replace(
        chunk, table=pa.table(columns), rejects=(*chunk.rejects, *rejects)
    )
    return decoded.only(is_text)


def _text(cell: bytes) -> str | None:
    try:
        return cell.decode()
    except UnicodeDecodeError:
        return None
