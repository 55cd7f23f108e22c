"""One small spec a method: the contract tests run over this registry, so that a row here tests a
new method.

Each builds over the features of `tests.toy.SCHEMA` (vocabularies of 40 to 90 values) with vectors
of 8, and is small enough that its mechanism has work to do there.
"""

from recsys.tables import (
    ALPT,
    BF16,
    CAFE,
    CCE,
    DHE,
    DPQ,
    FP16,
    INT4,
    INT8,
    INT16,
    MDE,
    MGQE,
    QR,
    ROBE,
    AdaptEmb,
    Frequency,
    Full,
    Hash,
    HotCold,
    MEmCom,
    MultiHash,
    TTRec,
)
from recsys.tables.method import Method

EXAMPLES: dict[str, Method] = {
    "adapt": AdaptEmb(rows=120, share=0.5, ways=4, candidates=6, threshold=20.0),
    "alpt": ALPT(of=Hash(rows=120), initial=0.003),  # so narrow that scales must grow
    "bf16": BF16(),
    "cafe": CAFE(rows=120, share=0.5, ways=4, candidates=6, threshold=4.0, every=7),
    "cce": CCE(rows=24, centroids=16, every=30),
    "dhe": DHE(hashes=32, width=16, layers=2),
    "dpq": DPQ(parts=4, centroids=16),
    "fp16": FP16(),
    "frequency": Frequency(rows=120, share=0.5),
    "full": Full(),
    "hash": Hash(rows=120),
    "hotcold": HotCold(cold=Hash(rows=40), values=60, share=0.4),
    "int4": INT4(),
    "int8": INT8(),
    "int16": INT16(),
    "mde": MDE(alpha=1.0, base=2.0),
    "memcom": MEmCom(rows=40),
    "mgqe": MGQE(parts=4, centroids=16, rare=8, share=0.3),
    "multihash": MultiHash(rows=60),
    "qr": QR(rows=40),
    "robe": ROBE(rows=64, z=3),
    "ttrec": TTRec(rank=6),
}

COMBINATIONS: dict[str, Method] = {  # each storage, HotCold, and each kind of method inside them
    "alpt4_of_robe": ALPT(of=ROBE(rows=60, z=4), bits=4, initial=0.01),
    "fp16_of_memcom": FP16(of=MEmCom(rows=40)),
    "int4_of_qr": INT4(of=QR(rows=40)),
    "alpt_beside_hash": HotCold(ALPT(initial=0.003), Hash(rows=40), values=60),
}
