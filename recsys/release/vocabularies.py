"""Vocabularies as one file: each different one once, values by fingerprint in the order of rank."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors import safe_open

from recsys.features.vocabulary import Vocabulary
from recsys.release.arrays import save_arrays

ARRAYS = ("fingerprints", "counts")


def save_vocabularies(path: Path, vocabularies: Mapping[str, Vocabulary]) -> None:
    """Writes the vocabularies by feature; features that share one name the first that has it."""
    arrays: dict[str, np.ndarray] = {}
    first: dict[int, str] = {}
    shared: dict[str, str] = {}
    for feature, vocabulary in vocabularies.items():
        shared[feature] = first.setdefault(id(vocabulary), feature)
        if shared[feature] == feature:
            told = vocabulary.to_arrays()
            arrays |= {f"{feature}/{name}": told[name] for name in ARRAYS}
    save_arrays(path, arrays, shared)


def load_vocabularies(path: Path) -> dict[str, Vocabulary]:
    """The vocabularies by feature."""
    with safe_open(path, framework="numpy") as file:
        shared = file.metadata() or {}
        own = {
            feature: Vocabulary.from_arrays(
                {name: file.get_tensor(f"{feature}/{name}") for name in ARRAYS}
            )
            for feature in sorted(set(shared.values()))
        }
    return {feature: own[owner] for feature, owner in shared.items()}
