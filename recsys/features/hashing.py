"""Raw value -> 64-bit fingerprint -> row: the only hashing in the system.

A *fingerprint* names a raw value and is made once, on the host (`fingerprint`, `combine`). A *row*
is made from a fingerprint and a salt wherever it is needed (`bucket`), with the same bits in NumPy
and in JAX. JAX has no 64-bit integers by default and truncates them silently, so on a device a
fingerprint is two uint32 words (`split`, `join`). Golden vectors in the tests pin every bit: a
change here moves every row of every trained table.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import xxhash
from jaxtyping import Array, Float32, Int32, Integer, UInt32, UInt64

Word = UInt32[Array | np.ndarray, "..."]

MISSING = np.uint64(0)  # the fingerprint of None, NaN and the empty text; no value has it
ROWS_LIMIT = 2**31 - 1  # JAX lowers a gather with 32-bit indices

_MULTIPLIER = np.uint32(0xD256D193)  # both constants: Salmon et al. (SC 2011), Random123
_WEYL = np.uint32(0x9E3779B9)
_ROUNDS = 10  # 7 pass every test of the paper; the 3 more are its margin and cost little
_EXACT = {2: 2**11, 4: 2**24, 8: 2**53, 16: 2**53}  # bytes of a float -> where it skips integers
_SCALARS = (str, bytes, bool, np.bool_, int, np.integer, float, np.floating, type(None))
_NOTHING = ("NAType", "NaTType")  # pandas' own words for missing, told by name to spare the import


class Words(NamedTuple):
    """A 64-bit integer as two uint32 words: what a device can hold."""

    high: Word
    low: Word


@np.errstate(over="ignore")  # uint32 wraps on purpose; NumPy warns of it for scalars
def philox(high: Word, low: Word, salt: int | np.integer | Word, *, rounds: int = _ROUNDS) -> Words:
    """Philox2x32: a bijection of 64-bit integers, another one for each 32-bit salt.

    Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011, with
    counter (low, high) and key `salt`. A salt of fewer axes is spread from the right.
    """
    key = _spread(salt, like=low)
    for _ in range(rounds):
        carry, product = _multiply(low, _MULTIPLIER)
        low, high = carry ^ key ^ high, product
        key = key + _WEYL
    return Words(high=high, low=low)


@np.errstate(over="ignore")
def bucket(
    high: Word,
    low: Word,
    salt: int | np.integer | Word,
    rows: int | np.integer | Integer[Array | np.ndarray, "..."],
) -> Int32[Array | np.ndarray, "..."]:
    """The row in [0, rows) of a fingerprint under a salt: floor(philox * rows / 2^64).

    Multiply-high, not a remainder: no two rows differ in probability by more than 2^-33 of it.
    """
    if isinstance(rows, int | np.integer) and not 1 <= rows <= ROWS_LIMIT:
        raise ValueError(
            f"bucket() needs 1 <= rows <= {ROWS_LIMIT}, got rows={rows}: "
            "deal the lookups among several arrays instead."
        )
    mixed = philox(high, low, salt)
    count = _spread(rows, like=low)
    above, middle = _multiply(mixed.high, count)
    below, _ = _multiply(mixed.low, count)
    overflow = (middle + below < middle).astype(np.uint32)
    return (above + overflow).astype(np.int32)


def uniform(
    high: Word, low: Word, salt: int | np.integer | Word
) -> Float32[Array | np.ndarray, "..."]:
    """A float in [0, 1) with 24 random bits: noise that belongs to its counter, not to a stream."""
    mixed = philox(high, low, salt)
    return (mixed.low >> 8).astype(np.float32) * np.float32(2**-24)


def salt(*names: str | int) -> int:
    """The 32-bit salt of a name, such as a feature's and the index of one of its lookups."""
    return xxhash.xxh32_intdigest("\x1f".join(map(str, names)).encode())


def fingerprint(values: Iterable[Any]) -> UInt64[np.ndarray, "..."]:
    """64-bit names of raw values: xxh3 of their text in UTF-8, or MISSING.

    A log read as text and the same log read with types agree: an integer is its decimal text, a
    whole float the integer (a missing cell turns a column of integers into floats), another float
    its shortest decimal text, a boolean `true` or `false`, bytes are text already. None, NaN,
    pandas' NA, a masked cell and the empty text are MISSING. Nothing else is made alike: case and
    blanks count. Each distinct value is hashed once.
    """
    if isinstance(values, str | bytes):
        raise TypeError(
            f"fingerprint() wants a sequence of values, got the one text {values!r}: "
            "wrap it in a list."
        )
    if isinstance(values, np.ma.MaskedArray):
        values = np.array(values.tolist(), object)  # a masked cell becomes None
    if hasattr(values, "__array__"):
        return _of_array(np.asarray(values))
    return _of_list(list(values))


def combine(*fingerprints: np.ndarray) -> UInt64[np.ndarray, "..."]:
    """The fingerprint of a cross of features; the order of the parts counts."""
    if not fingerprints:
        raise ValueError("combine() wants at least one array of fingerprints, got none.")
    mixed = split(np.zeros((), np.uint64))
    for position, part in enumerate(map(split, fingerprints)):
        mixed = philox(mixed.high ^ part.high, mixed.low ^ part.low, position)
    return _never_missing(join(mixed))


def split(fingerprints: np.ndarray | Array) -> Words:
    """Fingerprints as the two words of 32 bits that a device holds."""
    if not isinstance(fingerprints, np.ndarray) or fingerprints.dtype != np.uint64:
        owner = "NumPy" if isinstance(fingerprints, np.ndarray) else "JAX"
        raise TypeError(
            f"split() wants uint64 fingerprints in NumPy, got {fingerprints.dtype} in {owner}: "
            "make them with fingerprint() on the host, as JAX truncates 64-bit integers silently."
        )
    return Words(
        high=(fingerprints >> np.uint64(32)).astype(np.uint32),
        low=(fingerprints & np.uint64(0xFFFFFFFF)).astype(np.uint32),
    )


def join(words: Words) -> UInt64[np.ndarray, "..."]:
    """Fingerprints, on the host, from their two words."""
    return np.asarray(words.high, np.uint64) << np.uint64(32) | np.asarray(words.low, np.uint64)


def _spread(value: Any, *, like: Word) -> Any:
    """An integer as a word, an array with as many axes as `like`: JAX may refuse other ranks."""
    if isinstance(value, int | np.integer):
        return np.uint32(int(value))
    return value.reshape((1,) * (like.ndim - value.ndim) + value.shape).astype(np.uint32)


def _multiply(left: Any, right: Any) -> tuple[Any, Any]:
    """The high and the low word of a product, by halves of 16 bits: JAX has no 64-bit integers."""
    left_low, left_high = left & 0xFFFF, left >> 16
    right_low, right_high = right & 0xFFFF, right >> 16
    first = left_high * right_low + (left_low * right_low >> 16)
    second = left_low * right_high + (first & 0xFFFF)
    return left_high * right_high + (first >> 16) + (second >> 16), left * right


def _of_array(values: np.ndarray) -> UInt64[np.ndarray, "..."]:
    if values.dtype.kind == "b":
        names = np.array([_hash(b"false"), _hash(b"true")], np.uint64)
        return names[values.astype(np.intp)]
    if values.dtype.kind in "iu":
        return _of_distinct(values)
    if values.dtype.kind == "f":
        present = ~np.isnan(values)
        names = np.full(values.shape, MISSING)
        names[present] = _of_distinct(values[present])
        return names
    if values.dtype.kind in "USTO":
        return _of_list(values.ravel().tolist()).reshape(values.shape)
    raise TypeError(
        "fingerprint() wants text, bytes, integers, floats or booleans, "
        f"got an array of {values.dtype}: turn it into text or integers first."
    )


def _of_distinct(values: np.ndarray) -> UInt64[np.ndarray, "..."]:
    distinct, inverse = np.unique(values, return_inverse=True)
    scalars = distinct.tolist() if values.dtype.kind in "iu" else distinct
    names = np.array([_hash(_text(value)) for value in scalars], np.uint64)
    return names[inverse].reshape(values.shape)


def _of_list(values: list[Any]) -> UInt64[np.ndarray, "values"]:
    kinds = set(map(type, values))
    if kinds in ({int}, {float}):
        array = np.array(values)
        if array.dtype.kind in ("iu" if kinds == {int} else "f"):  # longer integers stay objects
            return _of_array(array)
    for kind in kinds:
        if not issubclass(kind, _SCALARS) and kind.__name__ not in _NOTHING:
            position = next(at for at, value in enumerate(values) if type(value) is kind)
            raise TypeError(
                "fingerprint() wants text, bytes, integers, floats, booleans or None, got "
                f"{kind.__name__} at position {position}: lists belong in a bag or a sequence, "
                "other types must be turned into text first."
            )
    if kinds & {bool, np.bool_}:  # True == 1, so the two would share an entry below
        values = [_text(value) if isinstance(value, bool | np.bool_) else value for value in values]
    names = {value: _hash(_text(value)) for value in set(values)}
    return np.fromiter(map(names.__getitem__, values), np.uint64, len(values))


def _text(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    if isinstance(value, bool | np.bool_):
        return b"true" if value else b"false"
    if isinstance(value, int | np.integer):
        return str(int(value)).encode()
    if isinstance(value, float | np.floating) and value == value:
        return _text_of_float(value)
    return b""


def _text_of_float(value: float | np.floating) -> bytes:
    exact = _EXACT[getattr(value, "itemsize", 8)]
    if abs(value) >= exact:
        raise ValueError(
            f"fingerprint() wants floats that name one integer, got {value!r} of {exact} or more: "
            "digits are already lost, so read this column as integers or as text."
        )
    whole = int(value)
    return str(whole).encode() if whole == value else repr(float(str(value))).encode()


def _hash(text: bytes) -> int:
    """xxh3 of a text; the one text in 2^64 that would be called MISSING is called 1."""
    return (xxhash.xxh3_64_intdigest(text) or 1) if text else int(MISSING)


def _never_missing(fingerprints: UInt64[np.ndarray, "..."]) -> UInt64[np.ndarray, "..."]:
    return np.where(fingerprints == MISSING, np.uint64(1), fingerprints)
