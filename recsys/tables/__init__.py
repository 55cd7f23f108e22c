"""Tables: keys to vectors. THE REGISTRY: one line a method."""

from recsys.tables.adapt import AdaptEmb
from recsys.tables.alpt import ALPT
from recsys.tables.cafe import CAFE
from recsys.tables.cce import CCE
from recsys.tables.dhe import DHE
from recsys.tables.dpq import DPQ
from recsys.tables.fp16 import BF16, FP16
from recsys.tables.frequency import Frequency
from recsys.tables.full import Full
from recsys.tables.hash import Hash
from recsys.tables.hotcold import HotCold
from recsys.tables.int4 import INT4
from recsys.tables.int8 import INT8
from recsys.tables.int16 import INT16
from recsys.tables.mde import MDE
from recsys.tables.memcom import MEmCom
from recsys.tables.method import Method
from recsys.tables.mgqe import MGQE
from recsys.tables.multihash import MultiHash
from recsys.tables.qr import QR
from recsys.tables.robe import ROBE
from recsys.tables.ttrec import TTRec

METHODS: dict[str, type[Method]] = {
    "adapt": AdaptEmb,
    "alpt": ALPT,
    "bf16": BF16,
    "cafe": CAFE,
    "cce": CCE,
    "dhe": DHE,
    "dpq": DPQ,
    "fp16": FP16,
    "frequency": Frequency,
    "full": Full,
    "hash": Hash,
    "hotcold": HotCold,
    "int4": INT4,
    "int8": INT8,
    "int16": INT16,
    "mde": MDE,
    "memcom": MEmCom,
    "mgqe": MGQE,
    "multihash": MultiHash,
    "qr": QR,
    "robe": ROBE,
    "ttrec": TTRec,
}
