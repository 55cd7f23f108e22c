"""Integers with a scale a row: 8 or 16 bits an entry."""

import dataclasses

import numpy as np

from recsys.vectors.method import Arrays, Decode, Vectors, require


@dataclasses.dataclass(frozen=True)
class Integer:
    """Entries rounded to so many steps of their row's largest; nothing is learned."""

    bits: int = 8  # 8 or 16

    def __post_init__(self):
        if self.bits not in (8, 16):
            raise ValueError(f"Integer wants 8 or 16 bits, got {self.bits}: use one of them.")

    def fit(self, vectors: Vectors, *, budget_bytes: int, seed: int) -> Arrays:
        rows, dim = vectors.shape
        require(self, rows * (dim * self.bits // 8 + 4), budget_bytes=budget_bytes, vectors=vectors)
        most = 2 ** (self.bits - 1) - 1
        scale = np.abs(vectors).max(axis=1) / most
        codes = np.rint(vectors / np.maximum(scale, 1e-30)[:, None])
        return {"codes": codes.astype(f"int{self.bits}"), "scale": scale.astype(np.float32)}

    def reader(self, arrays: Arrays) -> Decode:
        codes, scale = arrays["codes"], arrays["scale"]
        return lambda ids: codes[ids].astype(np.float32) * scale[ids, None]
