"""INT4: rows as integers of 4 bits, two a byte, in training too: an eighth of the bytes."""

import dataclasses
from typing import ClassVar

from recsys.spec import spec
from recsys.tables.integer import Integer


@spec
@dataclasses.dataclass(frozen=True)
class INT4(Integer):
    """Another method's rows as pairs of 4-bit integers with a bfloat16 scale a row.

    A row has 15 levels, so nearly all that it learns is in how often an entry steps up or down: at
    equal bytes it has twice the rows of INT8, which is mostly worth more. Rows of an even width.
    """

    bits: ClassVar[int] = 4
