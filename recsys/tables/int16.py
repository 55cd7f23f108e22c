"""INT16: rows as integers of 16 bits with a scale each, in training too: half of the bytes."""

import dataclasses
from typing import ClassVar

from recsys.spec import spec
from recsys.tables.integer import Integer


@spec
@dataclasses.dataclass(frozen=True)
class INT16(Integer):
    """Another method's rows as int16 with a bfloat16 scale a row.

    The steps of a row are as fine as its largest entry has them; those of FP16 and BF16 are finer
    for small entries and coarser for large ones.
    """

    bits: ClassVar[int] = 16
