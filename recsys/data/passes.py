"""Work on every chunk of a log, shared by threads, in the order of the log; bad rows fall out."""

import dataclasses
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

import numpy as np

from recsys.data.formats import Chunk, Piece
from recsys.data.rejects import Reject
from recsys.features.columns import BadCellsError, Column

THREADS = 2
Columns = Mapping[str, Column]
Result = TypeVar("Result")


@dataclasses.dataclass(frozen=True, eq=False)
class Done(Generic[Result]):
    """A chunk of good rows, and what was made of it."""

    chunk: Chunk
    result: Result
    rejects: tuple[Reject, ...]  # rows that were not good, in their order


def each_chunk(
    pieces: Iterable[Piece], work: Callable[[Columns], Result], *, threads: int = THREADS
) -> Iterator[Done[Result]]:
    """The work done on every chunk, in order; a few chunks are in memory at a time.

    Args:
        pieces: Of a log.
        work: Raises BadCellsError where rows are bad, and gets the chunk again without them.
        threads: How many work at a time.
    """
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[Done[Result]]] = deque()
        for piece in pieces:
            waiting.append(pool.submit(_done, piece, work))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _done(piece: Piece, work: Callable[[Columns], Result]) -> Done[Result]:
    chunk = piece()
    rejects = list(chunk.rejects)
    while True:
        try:
            result = work(chunk.columns)
        except BadCellsError as bad:
            found = zip(bad.rows.tolist(), bad.reasons(), strict=True)
            rejects += [chunk.reject(row, reason) for row, reason in found]
            good = np.ones(len(chunk), bool)
            good[bad.rows] = False
            chunk = chunk.only(good)
        except (TypeError, ValueError) as error:
            first, last = chunk.places[[0, -1]] if len(chunk) else (0, 0)
            raise ValueError(f"{chunk.file}, {chunk.unit}s {first} to {last}: {error}") from error
        else:
            rejects.sort(key=lambda reject: reject.place)
            return Done(chunk, result, tuple(rejects))
