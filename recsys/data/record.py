"""An example as a row of 32-bit words: what is stored, and how a batch is read out of it.

All that a train step reads of an example lies side by side, so that a shuffled batch is one gather
of rows, and its arrays are views of the gathered rows. What is the same in every example takes no
words: upper words of keys where all are ranks, masks where no feature has a length, weights where
the schema names none. Words are little-endian.
"""

import dataclasses

import numpy as np
from jaxtyping import Float64, UInt32, UInt64

from recsys.features import Batch, Schema
from recsys.spec import spec

Words = UInt32[np.ndarray, "rows width"]
WORD = np.dtype("<u4")
EVENT_FIELDS = ("user", "item", "timestamp")


@spec
@dataclasses.dataclass(frozen=True)
class Record:
    """Where the arrays of a batch lie in a row."""

    places: int
    has_high: bool  # whether keys have an upper word other than 0
    has_valid: bool  # whether any place may be padding
    numbers: int
    has_label: bool
    has_weight: bool

    @classmethod
    def of(cls, schema: Schema) -> "Record":
        """The row of a schema."""
        return cls(
            places=schema.places,
            has_high=any(feature.values is None for feature in schema.categorical),
            has_valid=any(
                feature.kind not in ("categorical", "numeric") for feature in schema.categorical
            ),
            numbers=len(schema.numeric),
            has_label=schema.label is not None,
            has_weight=schema.weight is not None,
        )

    @property
    def widths(self) -> dict[str, int]:
        """The words of each array, in their order."""
        return {
            "high": self.places * self.has_high,
            "low": self.places,
            "valid": -(-self.places // WORD.itemsize) * self.has_valid,
            "numbers": self.numbers,
            "label": int(self.has_label),
            "weight": int(self.has_weight),
        }

    @property
    def width(self) -> int:
        """The words of a row."""
        return sum(self.widths.values())

    def pack(self, batch: Batch) -> Words:
        """The rows of a batch."""
        rows = np.zeros((len(batch), self.width), WORD)
        parts = self._parts(rows)
        parts["high"][:] = batch.high[:, : parts["high"].shape[1]]
        parts["low"][:] = batch.low
        if self.has_valid:
            parts["valid"].view(bool)[:, : self.places] = batch.valid
        parts["numbers"].view(np.float32)[:] = batch.numbers
        for name in ("label", "weight"):
            column = getattr(batch, name)[:, None]
            parts[name].view(np.float32)[:] = column[:, : parts[name].shape[1]]
        return rows

    def unpack(self, rows: Words) -> Batch:
        """The batch of some rows: views of them, and of constants."""
        parts = self._parts(rows)
        shape = (len(rows), self.places)
        valid = parts["valid"].view(bool)[:, : self.places] if self.has_valid else None
        return Batch(
            high=parts["high"] if self.has_high else np.broadcast_to(np.uint32(0), shape),
            low=parts["low"],
            valid=np.broadcast_to(np.True_, shape) if valid is None else valid,
            numbers=parts["numbers"].view(np.float32),
            label=_column(parts["label"], default=0.0),
            weight=_column(parts["weight"], default=1.0),
        )

    def labels(self, rows: Words) -> np.ndarray:
        """The labels of some rows, without looking at the rest of them."""
        return _column(self._parts(rows)["label"], default=0.0)

    def _parts(self, rows: Words) -> dict[str, np.ndarray]:
        stops = np.cumsum(list(self.widths.values())).tolist()
        starts = [0, *stops[:-1]]
        return {
            name: rows[:, start:stop]
            for name, start, stop in zip(self.widths, starts, stops, strict=True)
        }


@dataclasses.dataclass(frozen=True, eq=False)
class Events:
    """Who, what and when of some examples, where the schema names them; not read by models."""

    user: UInt64[np.ndarray, "rows"] | None = None
    item: UInt64[np.ndarray, "rows"] | None = None
    timestamp: Float64[np.ndarray, "rows"] | None = None

    def pack(self) -> Words:
        """As rows of words, two for each thing that is there."""
        columns = (getattr(self, name) for name in EVENT_FIELDS)
        there = [column.view(np.uint64) for column in columns if column is not None]
        return np.stack(there, axis=1).view(WORD)

    @staticmethod
    def width(fields: tuple[str, ...]) -> int:
        """The words of a row that holds these."""
        return 2 * len(fields)

    def only(self, kept: np.ndarray | slice) -> "Events":
        """Some of them."""
        there = {name: getattr(self, name) for name in EVENT_FIELDS}
        return Events(
            **{k: None if column is None else column[kept] for k, column in there.items()}
        )


def event_fields(schema: Schema) -> tuple[str, ...]:
    """What the events of a schema hold."""
    return tuple(name for name in EVENT_FIELDS if getattr(schema, name) is not None)


def _column(words: Words, *, default: float) -> np.ndarray:
    if words.shape[1]:
        return words.view(np.float32)[:, 0]
    return np.broadcast_to(np.float32(default), len(words))
