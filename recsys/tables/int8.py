"""INT8: rows as integers of 8 bits with a scale each, in training too: a quarter of the bytes."""

import dataclasses
from typing import ClassVar

from recsys.spec import spec
from recsys.tables.integer import Integer


@spec
@dataclasses.dataclass(frozen=True)
class INT8(Integer):
    """Another method's rows as int8 with a bfloat16 scale a row."""

    bits: ClassVar[int] = 8
