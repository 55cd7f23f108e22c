"""One feature: where it stands in the log, and what it asks of a table."""

import dataclasses
from typing import Literal, get_args

from recsys.features.hashing import ROWS_LIMIT
from recsys.spec import spec

Kind = Literal["categorical", "bag", "sequence", "numeric"]
Pooling = Literal["sum", "mean"]


@spec
@dataclasses.dataclass(frozen=True)
class Feature:
    """One thing known of an example: a column of the log, or a cross of several."""

    name: str  # of the column, unless it is a cross
    kind: Kind = "categorical"
    length: int = 1  # places of a bag or a sequence; what is shorter is padded and masked
    values: int | None = None  # size of the vocabulary, unknown included; None hashes the values
    cross: tuple[str, ...] = ()  # the columns crossed; their combination is the value
    lookups: int = 1  # how many independently hashed rows are concatenated
    pooling: Pooling = "mean"  # how the vectors of a bag or a sequence become one
    space: str | None = None  # a name that features share to share their values' rows

    def __post_init__(self) -> None:
        """Refuses what no table could hold."""
        wrong = self._mistake()
        if wrong:
            raise ValueError(f"Feature({self.name!r}) {wrong}")

    @property
    def columns(self) -> tuple[str, ...]:
        """What it reads from a log."""
        return self.cross or (self.name,)

    @property
    def key_space(self) -> str:
        """Whose values these are: features of one key space read the same rows."""
        return self.space or self.name

    def _mistake(self) -> str | None:
        if not self.name:
            return "wants a name, got an empty one: call it after its column."
        if self.kind not in get_args(Kind):
            return f"cannot be of kind {self.kind!r}: use one of {', '.join(get_args(Kind))}."
        if self.pooling not in get_args(Pooling):
            return f"cannot pool by {self.pooling!r}: use one of {', '.join(get_args(Pooling))}."
        if self.length < 1 or self.lookups < 1:
            sizes = f"length={self.length} and lookups={self.lookups}"
            return f"wants a length and lookups of at least 1, got {sizes}: raise them."
        if self.length > 1 and self.kind in ("categorical", "numeric"):
            return f"is {self.kind} and has one place, got length={self.length}: make it a bag."
        if self.values is not None and not 1 <= self.values <= ROWS_LIMIT:
            return f"wants 1 <= values <= {ROWS_LIMIT}, got values={self.values}: hash it instead."
        if self.kind == "numeric" and (self.values is not None or self.lookups > 1):
            return "is numeric and reads no table: drop values and lookups, or its kind."
        if self.cross and self.kind != "categorical":
            return f"is a cross and so has one value, got kind {self.kind!r}: make it categorical."
        if self.cross and len(set(self.cross)) < max(2, len(self.cross)):
            return f"wants two or more different columns to cross, got {self.cross}: name them."
        return None
