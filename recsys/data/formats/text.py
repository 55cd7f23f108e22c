"""Text files as blocks of whole records, plain or compressed, each with the line it starts at."""

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

BLOCK_BYTES = 2**22
RECORD_BYTES = 2**26  # what is longer is no record of a log
COMPRESSED_BYTES = 2**18  # read at a time, so that an error names a line close to it
CODECS = {".gz": "gzip", ".zst": "zstd"}  # by suffix
MARK = b"\xef\xbb\xbf"  # that some programs put before UTF-8


@dataclasses.dataclass(frozen=True, eq=False)
class Block:
    """Whole records of a text file."""

    file: str
    first: int  # the line that it starts at, from 1
    data: bytes


def blocks(path: Path, *, quotes_after: bytes | None, size: int | None = None) -> Iterator[Block]:
    """A text file block by block.

    Args:
        path: Of the file.
        quotes_after: The delimiter of a format in which a quoted cell may hold line breaks.
        size: About how many bytes a block has; None is BLOCK_BYTES.

    Raises:
        ValueError: the file is empty, or its compressed data end early or make no sense.
    """
    rest, line = b"", 1
    for piece in _pieces(path, size or BLOCK_BYTES):
        data = rest + piece if rest else piece
        if line == 1:
            data = data.removeprefix(MARK)
        end = _end(data, quotes_after)
        if not end and len(data) > RECORD_BYTES:
            _check_closed(path, line, data, quotes_after)
            raise ValueError(
                f"{path}, line {line}: a record wants less than {RECORD_BYTES:,} bytes, got more: "
                "give a file of text that has lines."
            )
        if end:
            yield Block(str(path), line, data[:end])
            line += data.count(b"\n", 0, end)
        rest = data[end:]
    if rest:
        _check_closed(path, line, rest, quotes_after)
        yield Block(str(path), line, rest)
    elif line == 1:
        raise ValueError(f"{path}, line 1: the file is empty: give one with rows, or leave it out.")


def _pieces(path: Path, size: int) -> Iterator[bytes]:
    codec = CODECS.get(path.suffix)
    if codec is None:
        with path.open("rb") as file:
            while piece := file.read(size):
                yield piece
        return
    line = 1
    gathered: list[bytes] = []
    with pa.CompressedInputStream(pa.OSFile(str(path)), codec) as stream:
        while True:
            try:
                piece = stream.read(COMPRESSED_BYTES)
            except OSError as error:
                raise ValueError(
                    f"{path}, line {line}: the {codec} data end early or were damaged hereabouts "
                    f"({error}): copy or fetch the file again."
                ) from error
            line += piece.count(b"\n")
            gathered.append(piece)
            if not piece or COMPRESSED_BYTES * len(gathered) >= size:
                whole, gathered = b"".join(gathered), []
                if whole:
                    yield whole
            if not piece:
                return


def _end(data: bytes, quotes_after: bytes | None) -> int:
    """Where the last whole record ends: after a line break that no quotes are around."""
    end = data.rfind(b"\n") + 1
    if not end or quotes_after is None or b'"' not in data or _is_plain(data):
        return end
    for start, stop in reversed(_quoted(data, quotes_after)):
        if start < end <= stop:
            end = data.rfind(b"\n", 0, start) + 1
        if stop <= end:
            break
    return end


def _quoted(data: bytes, after: bytes) -> list[tuple[int, int]]:
    """Where quoted cells are: one begins a record or follows a delimiter, and may be unclosed."""
    cell = re.compile(rb'(?:^|(?<=[\n%b]))"(?:[^"]++|"")*+"?' % re.escape(after))
    return [match.span() for match in cell.finditer(data)]


def _check_closed(path: Path, line: int, data: bytes, quotes_after: bytes | None) -> None:
    """Refuses an end of a file that a quote runs into."""
    if quotes_after is None or b'"' not in data:
        return
    start, stop = (_quoted(data, quotes_after) or [(0, 0)])[-1]
    cell = data[start:stop]
    if stop == len(data) and cell.count(b'"') % 2:
        line += data.count(b"\n", 0, start)
        raise ValueError(
            f'{path}, line {line}: a quote (") is opened here '
            "and never closed: close it, or say that the file has no quotes."
        )


def _is_plain(data: bytes) -> bool:
    """Whether every line has its quotes in pairs, so that none runs on into the next."""
    letters = np.frombuffer(data, np.uint8)
    odd = np.bitwise_xor.accumulate(letters == ord('"'))
    return not odd[letters == ord("\n")].any()
