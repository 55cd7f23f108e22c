"""MDE: features with large vocabularies get narrow rows, and a matrix each that widens them."""

import dataclasses
import itertools
import math
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int32

from recsys.spec import spec
from recsys.tables.base import Context, EmbeddingTable, Field, Keys, Rows, Span, masked
from recsys.tables.full import ranked
from recsys.tables.method import Category, Dial, Method, Need
from recsys.tables.parts import uniform_rows


@spec
@dataclasses.dataclass(frozen=True)
class MDE(Method):
    """Rows whose width falls with the size of the vocabulary: base * (size / smallest size)^-alpha.

    Rare values are learned from few examples and need few numbers; a value of a large vocabulary is
    rare on average (Ginart et al., "Mixed Dimension Embeddings", ISIT 2021). Widths are rounded to
    powers of two and kept within [1, dim]. A feature whose narrow rows and matrix together would be
    no smaller than rows of `dim` keeps the latter. Needs vocabularies.
    """

    category: ClassVar[Category] = "dimension"
    paper: ClassVar[str] = "Ginart et al., ISIT 2021"
    own_needs: ClassVar[tuple[Need, ...]] = ("vocabulary",)

    alpha: float = 0.3  # in [0, 1]: 0 is one width for all, 1 is as many numbers for every feature
    base: float | None = None  # at least 1: width at the smallest vocabulary; None is dim
    initial: float = 0.05  # vectors start uniform in [-initial, initial]

    def __post_init__(self):
        if not 0 <= self.alpha <= 1:
            raise ValueError(
                f"MDE narrows rows by a power between 0 and 1, got alpha={self.alpha}: "
                "use alpha=0 for one width, or lower base for less than alpha=1 leaves."
            )
        if self.base is not None and not self.base >= 1:
            raise ValueError(f"A row is at least 1 wide, got base={self.base}: use base >= 1.")

    def widths(self, dim: int, fields: tuple[Field, ...]) -> tuple[int, ...]:
        """The width of each field's rows."""
        return _widths(_sizes(fields), dim, alpha=self.alpha, base=self.base)

    def build(self, dim: int, fields: tuple[Field, ...], *, rngs: nnx.Rngs) -> "MDETable":
        widths = self.widths(dim, fields)
        heights = {w: _rows_of(w, widths, fields) for w in sorted(set(widths))}
        rows = {_name(w): uniform_rows(n, w, self.initial, rngs) for w, n in heights.items()}
        matrices = {
            str(number): _copies(width, dim) for number, width in enumerate(widths) if width < dim
        }
        return MDETable(dim, fields, widths, rows=rows, matrices=matrices)

    def table_bytes(self, dim: int, fields: tuple[Field, ...]) -> int:
        widths = self.widths(dim, fields)
        return 4 * sum(_numbers(w, dim, f.size) for w, f in zip(widths, fields, strict=True))

    def dial(self, dim: int, fields: tuple[Field, ...]) -> Dial:
        """From one number a value up to `dim`: base rises with alpha at 1, then alpha falls to 0.

        Widths change only where a field crosses a rounding edge, so one setting between each two
        neighbouring edges is all there are; those that give the same widths are one.
        """
        sizes, top = _sizes(fields), math.log2(dim)
        logs = set(np.log2(sizes / sizes.min()).tolist())
        edges = [top, *(k + 0.5 for k in range(math.ceil(top)))]
        bases = _between({edge + log for edge in edges for log in logs}, 0.0, top)
        alphas = _between({(top - edge) / log for edge in edges for log in logs if log}, 0.0, 1.0)
        settings = [(1.0, 2**base) for base in bases] + [(alpha, None) for alpha in alphas[::-1]]
        distinct = {_widths(sizes, dim, alpha=a, base=b): (a, b) for a, b in settings}
        ordered = list(distinct.values())
        return Dial(
            settings=len(ordered),
            make=lambda n: dataclasses.replace(self, alpha=ordered[n][0], base=ordered[n][1]),
        )


class MDETable(EmbeddingTable):
    """An array for each width, its fields one after another; a matrix for each narrow field."""

    def __init__(
        self,
        dim: int,
        fields: tuple[Field, ...],
        widths: tuple[int, ...],
        *,
        rows: Rows,
        matrices: dict[str, Float[Array, "_ dim"]],
    ):
        super().__init__(dim, fields, rows)
        self.widths = widths
        self.matrices = nnx.Dict({number: nnx.Param(m) for number, m in matrices.items()})

    def address(self, key: Keys) -> dict[str, Int32[Array, "batch _"]]:
        asked = {self.widths[span.field] for span in key.spans}
        return {_name(width): self._ranked(width, key) for width in sorted(asked)}

    def decode(self, rows: Rows, key: Keys, context: Context) -> Float[Array, "batch places dim"]:
        spans = {_name(w): [s for s in key.spans if self.widths[s.field] == w] for w in self.widths}
        pieces = {
            name: iter(jnp.split(narrow, _ends(spans[name])[:-1], axis=1))
            for name, narrow in rows.items()
        }
        ordered = [(span.field, next(pieces[_name(self.widths[span.field])])) for span in key.spans]
        return jnp.concatenate([self._widened(field, narrow) for field, narrow in ordered], axis=1)

    def _widened(
        self, field: int, narrow: Float[Array, "batch length width"]
    ) -> Float[Array, "batch length dim"]:
        return narrow if self.widths[field] == self.dim else narrow @ self.matrices[str(field)][...]

    def _ranked(self, width: int, key: Keys) -> Int32[Array, "batch _"]:
        """The rows of the places of this width's fields, in the array that is theirs alone."""
        numbers = [number for number, own in enumerate(self.widths) if own == width]
        spans = [span for span in key.spans if span.field in numbers]
        places = np.concatenate([np.arange(span.start, span.stop) for span in spans])
        ends = _ends(spans)
        here = tuple(
            Span(numbers.index(span.field), end - (span.stop - span.start), end)
            for span, end in zip(spans, ends, strict=True)
        )
        own = Keys(key.high[:, places], key.low[:, places], key.valid[:, places], here)
        return masked(ranked(own, tuple(self.fields[number] for number in numbers)), own)


def _name(width: int) -> str:
    return f"width{width}"


def _ends(spans: list[Span]) -> list[int]:
    """Where each span ends once they are put side by side."""
    return list(itertools.accumulate(span.stop - span.start for span in spans))


def _rows_of(width: int, widths: tuple[int, ...], fields: tuple[Field, ...]) -> int:
    return sum(f.size for f, own in zip(fields, widths, strict=True) if own == width)


def _sizes(fields: tuple[Field, ...]) -> Float[np.ndarray, " fields"]:
    return np.array([field.size for field in fields], np.float64)


def _widths(
    sizes: Float[np.ndarray, " fields"], dim: int, *, alpha: float, base: float | None
) -> tuple[int, ...]:
    """Powers of two in [1, dim], or dim where a narrower row and its matrix save nothing."""
    raw = (base or dim) * (sizes / sizes.min()) ** -alpha
    width = np.maximum(1.0, 2.0 ** np.floor(np.log2(raw) + 0.5))
    saves = (raw < dim) & (width < dim) & (width * (sizes + dim) < dim * sizes)
    return tuple(np.where(saves, width, dim).astype(int).tolist())


def _numbers(width: int, dim: int, size: int) -> int:
    """Floats of a field: its rows, and the matrix that widens them."""
    return size * width + (width * dim if width < dim else 0)


def _copies(width: int, dim: int) -> Float[Array, "width dim"]:
    """A matrix that starts each coordinate of a vector as one of the narrow row, in turn.

    So a vector starts uniform in [-initial, initial] at every width, as Full's do, and the product
    of two features' vectors starts as one of their narrow rows. A random matrix would make each
    coordinate a sum, larger or smaller by chance, and turn every feature its own way; Xavier's
    bounds, which the authors use, shrink with the height of the table.
    """
    copies = np.arange(dim)[None] % width == np.arange(width)[:, None]
    return jnp.asarray(copies, jnp.float32)


def _between(cuts: set[float], low: float, high: float) -> list[float]:
    """The two ends, and a number between each two neighbouring cuts."""
    inside = [low, *sorted(cut for cut in cuts if low < cut < high), high]
    return [low, *((a + b) / 2 for a, b in itertools.pairwise(inside)), high]
