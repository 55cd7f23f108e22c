"""The vocabularies of a run as one file: each different one once, and which features have it."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from recsys.durable import save_whole
from recsys.features.vocabulary import Vocabulary

ARRAYS = ("sorted", "order", "levels", "sizes")
FEATURES = "features"  # the array of names beside those of a vocabulary


def save_vocabularies(path: Path, vocabularies: Mapping[str, Vocabulary]) -> None:
    """Writes the file, whole or not at all."""
    arrays: dict[str, np.ndarray] = {}
    names: dict[int, list[str]] = {}
    for name, vocabulary in vocabularies.items():
        names.setdefault(id(vocabulary), []).append(name)
    for number, features in enumerate(names.values()):
        vocabulary = vocabularies[features[0]]
        arrays |= {f"{number}/{name}": getattr(vocabulary, name) for name in ARRAYS}
        arrays[f"{number}/{FEATURES}"] = np.array(features)
    save_whole(path, arrays)


def load_vocabularies(path: Path) -> dict[str, Vocabulary]:
    """The vocabularies by feature."""
    found: dict[str, Vocabulary] = {}
    with np.load(path) as arrays:
        numbers = sorted({name.partition("/")[0] for name in arrays.files})
        for number in numbers:
            vocabulary = Vocabulary(*(arrays[f"{number}/{name}"] for name in ARRAYS))
            found |= dict.fromkeys(arrays[f"{number}/{FEATURES}"].tolist(), vocabulary)
    return found
