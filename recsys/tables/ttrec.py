"""TT-Rec: a table as a train of three small tensors, each read by one digit of the value."""

import dataclasses
import math
from typing import ClassVar

import jax.export
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int32

from recsys.spec import spec
from recsys.tables.base import Context, EmbeddingTable, Field, Keys, Rows
from recsys.tables.full import ranked, regions
from recsys.tables.method import Category, Dial, Method, Need
from recsys.tables.parts import uniform_rows

Three = tuple[int, int, int]


@spec
@dataclasses.dataclass(frozen=True)
class TTRec(Method):
    """Tensor-train rows: vector[a, b, c] = first[i, a, :] middle[j, :, b, :] last[k, :, c].

    Yin et al., "TT-Rec: Tensor Train Compression for Deep Learning Recommendation Models", MLSys
    2021. i, j, k are the digits of the value in a mixed radix that just covers all values, and
    (a, b, c) those of the entry. The rank says how much the train can tell apart. Fields of one
    table are numbered through. A prime dim has no factors to give to three cores: the last then
    makes all entries, and the floor is higher than for a dim such as 16. Needs vocabularies.

    The cores are dense parameters, on every device: they are small, and all of each is read at
    every step. Where there are fewer pairs (i, j) than places in a batch, each pair is multiplied
    out once. A product of three numbers is mostly near zero if each of them often is, so the cores
    start away from zero (section 3.3 of the paper), scaled to give vectors the spread of a plain
    row.
    """

    category: ClassVar[Category] = "composition"
    paper: ClassVar[str] = "Yin et al., MLSys 2021"
    needs: ClassVar[tuple[Need, ...]] = ("vocabulary",)
    has_rows: ClassVar[bool] = False

    rank: int = 16  # of the train: width of the sums between cores, at least 1
    initial: float = 0.05  # vectors start with the spread of a row uniform in [-initial, initial]

    def __post_init__(self):
        if self.rank < 1:
            raise ValueError(f"TTRec needs a rank of at least 1, got {self.rank}: raise it.")

    def shapes(self, dim: int, fields: tuple[Field, ...]) -> tuple[tuple[int, ...], ...]:
        """The shapes of the three cores."""
        (m1, m2, m3), (d1, d2, d3) = radices(regions(fields).rows), factors(dim)
        return (m1, d1, self.rank), (m2, self.rank, d2, self.rank), (m3, self.rank, d3)

    def build(self, dim: int, fields: tuple[Field, ...], *, rngs: nnx.Rngs) -> "TTRecTable":
        variance = self.initial**2 / 3 / self.rank**2  # of one product; a sum has rank^2 of them
        spread = variance ** (1 / 6)
        cores = [away_from_zero(shape, spread, rngs) for shape in self.shapes(dim, fields)]
        return TTRecTable(dim, fields, cores)

    def table_bytes(self, dim: int, fields: tuple[Field, ...]) -> int:
        return 4 * sum(map(math.prod, self.shapes(dim, fields)))

    def dial(self, dim: int, fields: tuple[Field, ...]) -> Dial:
        """Up to the rank from which on another adds nothing to what the train can say."""
        first, _, last = dataclasses.replace(self, rank=1).shapes(dim, fields)
        most = min(math.prod(first), math.prod(last))
        return Dial(most, lambda n: dataclasses.replace(self, rank=n + 1))


class TTRecTable(EmbeddingTable):
    """Three cores, and no rows."""

    def __init__(self, dim: int, fields: tuple[Field, ...], cores: list[Float[Array, "..."]]):
        super().__init__(dim, fields, {})
        self.first, self.middle, self.last = map(nnx.Param, cores)

    def address(self, key: Keys) -> dict[str, Int32[Array, "batch places"]]:
        return {}

    def decode(self, rows: Rows, key: Keys, context: Context) -> Float[Array, "batch places dim"]:
        first, middle, last = (core[...] for core in (self.first, self.middle, self.last))
        value = ranked(key, self.fields).reshape(-1)
        pair, k = value // len(last), value % len(last)
        left = self._left(first, middle, pair)
        vectors = jnp.einsum("pabs,psc->pabc", left, last[k])
        vectors = vectors.reshape(*key.low.shape, self.dim)
        return jnp.where(key.valid[..., None], vectors, 0.0)

    def _left(
        self,
        first: Float[Array, "m1 d1 rank"],
        middle: Float[Array, "m2 rank d2 rank"],
        pair: Int32[Array, " places"],
    ) -> Float[Array, "places d1 d2 rank"]:
        """The product of the first two cores for each place, by the number of its pair of rows.

        A served program does not know how many places it will be asked, and takes them for few.
        """
        places = pair.shape[0]
        if jax.export.is_symbolic_dim(places) or len(first) * len(middle) > places:
            i, j = pair // len(middle), pair % len(middle)
            return jnp.einsum("par,prbs->pabs", first[i], middle[j])
        every = jnp.einsum("iar,jrbs->ijabs", first, middle)
        return every.reshape(-1, *every.shape[2:])[pair]


def radices(values: int) -> Three:
    """Three radices, about the cube root of `values` each, whose product covers them."""
    third = _root(values)
    second = math.isqrt(-(-values // third) - 1) + 1 if values > third else 1
    return -(-values // (third * second)), second, third


def factors(dim: int) -> Three:
    """Three factors of `dim` in rising order, as equal as they can be."""
    found = [
        (one, two, dim // (one * two))
        for one in range(1, dim + 1)
        for two in range(one, dim // one + 1)
        if dim % (one * two) == 0 and two <= dim // (one * two)
    ]
    return min(found, key=sum)


def _root(values: int) -> int:
    """The cube root, rounded up; exact."""
    near = round(values ** (1 / 3))
    return next(root for root in range(max(1, near - 1), near + 2) if root**3 >= values)


def away_from_zero(shape: tuple[int, ...], spread: float, rngs: nnx.Rngs) -> Float[Array, "..."]:
    """Numbers of random sign with this standard deviation, none less than half of the largest."""
    drawn = uniform_rows(shape[0], math.prod(shape[1:]), 1.0, rngs).reshape(shape)
    outside = jnp.where(drawn < 0, drawn - 1, drawn + 1)
    return outside * (spread / math.sqrt(7 / 3))  # the mean square of uniform [1, 2]
