"""One feature: where it stands in the log, and what it asks of a table."""

import dataclasses
from typing import Literal, get_args

from recsys.features.dates import check_format
from recsys.features.hashing import ROWS_LIMIT
from recsys.features.ngrams import Ngrams
from recsys.features.transforms import Buckets, Transform
from recsys.spec import spec

Kind = Literal["categorical", "bag", "sequence", "text", "numeric"]
Pooling = Literal["sum", "mean"]


@spec
@dataclasses.dataclass(frozen=True)
class Feature:
    """One thing known of an example: a column of the log, or a cross of several."""

    name: str  # of the column, unless it is a cross
    kind: Kind = "categorical"
    length: int = 1  # places of a bag, a sequence or a text; what is shorter is padded and masked
    values: int | None = None  # size of the vocabulary, unknown included; None hashes the values
    cross: tuple[str, ...] = ()  # the columns crossed; their combination is the value
    lookups: int = 1  # how many independently hashed rows are concatenated
    pooling: Pooling = "mean"  # how the vectors of a bag or a sequence become one
    space: str | None = None  # a name that features share to share their values' rows
    default: str | int | float | None = None  # for a missing value; None: a value of its own, or 0
    transform: Transform | None = None  # of a number; buckets make it categorical
    separator: str | None = None  # cuts a cell of text into the values of a bag or a sequence
    date_format: str | None = None  # makes a date a number: iso, strptime's, or a unit since 1970
    counts: tuple[tuple[int, int], ...] | None = None  # times seen, values seen so often; learned
    ngrams: Ngrams | None = None  # what is read of each word of a text, so many places of `length`

    def __post_init__(self) -> None:
        """Refuses what no table could hold."""
        if isinstance(self.transform, Buckets) and self.values is None:
            object.__setattr__(self, "values", self.transform.values)
        wrong = self._mistake() or self._mistake_of_number() or self._mistake_of_cells()
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

    @property
    def reads_table(self) -> bool:
        """Whether its values are keys; the others are numbers, which a model reads as they are."""
        return self.kind != "numeric" or isinstance(self.transform, Buckets)

    @property
    def has_names(self) -> bool:
        """Whether its values have names; numbers and buckets have none."""
        return self.kind != "numeric"

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
        if self.counts is not None and sum(n for _, n in self.counts) > (self.values or 0):
            return f"has counts of more values than values={self.values}: learn both together."
        if self.cross and self.kind != "categorical":
            return f"is a cross and so has one value, got kind {self.kind!r}: make it categorical."
        if self.cross and len(set(self.cross)) < max(2, len(self.cross)):
            return f"wants two or more different columns to cross, got {self.cross}: name them."
        return None

    def _mistake_of_number(self) -> str | None:
        if self.kind != "numeric":
            if self.transform is not None or self.date_format is not None:
                return f"is {self.kind} and no number: drop transform and date_format, or its kind."
            return None
        if not self.reads_table and (self.values is not None or self.lookups > 1):
            return "is numeric and reads no table: drop values and lookups, or its kind."
        if isinstance(self.transform, Buckets) and self.values != self.transform.values:
            edges = self.transform.values
            return f"has values={self.values}, and its buckets {edges}: leave values out."
        if isinstance(self.default, str):
            return f"is numeric and wants a number as default, got {self.default!r}: write one."
        return check_format(self.date_format)

    def _mistake_of_cells(self) -> str | None:
        if self.separator is not None and self.kind not in ("bag", "sequence"):
            return f"is {self.kind} and splits no cells: drop separator, or make it a bag."
        if self.separator == "":
            return "wants a separator of at least one character, got none: leave it out."
        if self.ngrams is not None and (self.kind != "text" or self.values is not None):
            return (
                "has n-grams, which are of texts and hashed: drop ngrams, or values and its kind."
            )
        if self.ngrams is not None and self.length % self.ngrams.places:
            each = self.ngrams.places
            return f"has {each} places a word, got length={self.length}: use a multiple of {each}."
        if self.default is not None and self.cross:
            return "is a cross, whose parts may be missing one by one: drop default."
        return None
