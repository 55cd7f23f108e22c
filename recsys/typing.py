"""Array types and the words that name axes in every signature.

`Float[Array, "batch places dim"]` says which axes an array has; the same word in one signature is
the same length. The words mean the same in every file:

    batch   examples of one step
    places  where an example holds a key: one a feature, more for bags and sequences
    reads   stored rows that one key reads from one array
    unique  distinct rows that one step reads from one array, padded to a fixed number
    rows    places of a stored array, or records of a data set
    width   entries of one stored row
    dim     entries of one vector that a table hands out
    length  steps of a sequence
    items   candidates that are ranked or retrieved
"""

from jaxtyping import (
    Array,
    Bool,
    Float,
    Float32,
    Int,
    Int32,
    Key,
    Num,
    PyTree,
    Shaped,
    UInt8,
    UInt32,
    UInt64,
)

__all__ = [
    "Array",
    "Bool",
    "Float",
    "Float32",
    "Int",
    "Int32",
    "Key",
    "Num",
    "PyTree",
    "Shaped",
    "UInt8",
    "UInt32",
    "UInt64",
]
