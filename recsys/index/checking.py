"""What comes in from outside: vectors and lists of ids that could not be searched are refused."""

import numpy as np
from jaxtyping import Bool, Float32, Int64, Integer, Num

from recsys.index.found import NOTHING
from recsys.index.ids import Allowed, once


def checked(
    vectors: Num[np.ndarray, "rows dim"], what: str, *, dim: int | None = None
) -> Float32[np.ndarray, "rows dim"]:
    """Vectors in float32.

    Raises:
        ValueError: they are of another dim, or hold something that is no number.
    """
    if dim is not None and vectors.shape[1] != dim:
        raise ValueError(
            f"{what} want vectors of {dim} entries, got {vectors.shape[1]}: they are of another "
            "space."
        )
    vectors = np.ascontiguousarray(vectors, np.float32)
    if not np.isfinite(np.sum(vectors)):  # one pass; a sum of finite ones may still overflow
        finite = np.all(np.isfinite(vectors), axis=1)
        if not np.all(finite):
            raise ValueError(
                f"{what} want finite vectors, got NaN or infinity in row {np.argmin(finite)}: "
                "mend or drop it."
            )
    return vectors


def allowed_of(
    given: Integer[np.ndarray, "allowed"] | Bool[np.ndarray, "catalogue"] | None,
) -> Allowed | None:
    """The ids that a search may find."""
    if given is None:
        return None
    return Allowed(given if given.dtype == np.bool_ else given.astype(np.int64))


def excluded_of(
    given: Integer[np.ndarray, "lists excluded"] | None, queries: int
) -> Int64[np.ndarray, "lists excluded"]:
    """The ids that each query leaves out, each once.

    Raises:
        ValueError: there is not one list for each query.
    """
    if given is None:
        return np.full((queries, 0), NOTHING, np.int64)
    if len(given) != queries:
        raise ValueError(
            f"Exclusions want a row for each of {queries} queries, got {len(given)}: pad rows "
            f"with {NOTHING}."
        )
    return once(given.astype(np.int64))
