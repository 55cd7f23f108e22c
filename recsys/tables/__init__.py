"""Tables: keys to vectors. THE REGISTRY: one line a method."""

from recsys.tables.alpt import ALPT
from recsys.tables.cafe import CAFE
from recsys.tables.dpq import DPQ
from recsys.tables.full import Full
from recsys.tables.hash import Hash
from recsys.tables.int8 import INT8
from recsys.tables.mde import MDE
from recsys.tables.method import Method

METHODS: dict[str, type[Method]] = {
    "alpt": ALPT,
    "cafe": CAFE,
    "dpq": DPQ,
    "full": Full,
    "hash": Hash,
    "int8": INT8,
    "mde": MDE,
}
