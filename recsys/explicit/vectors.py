"""Compiled look-ups of documents: in blocks of a few sizes, so that few programs are compiled, and
short texts take little time.
"""

import copy
import dataclasses
from typing import Any

import jax
import numpy as np
from flax import nnx
from jaxtyping import Float32
from scipy import sparse
from scipy.sparse import csr_array

from recsys.explicit.documents import Documents
from recsys.explicit.encoding import alone, encoded
from recsys.models.explicit import Entries, Explicit, ExplicitModel
from recsys.models.pairs import Pairs

Told = dict[str, Any]  # the arrays of a batch that a program reads
BLOCKS = (1, 16, 256)  # documents at a time
WORDS = (16, 64, 256, 1024)  # places for words in a program; a text has some of them at most


class Programs:
    """What a model makes of documents."""

    def __init__(self, model: ExplicitModel):
        """Copies nothing; a model that changes afterwards is not followed."""
        self.spec, self._sides = model.spec, len(model.encoders)
        graph, state = nnx.split(model)
        self._leaves, tree = jax.tree.flatten(state)  # which JAX takes faster than a state

        def call(leaves: list[Any], told: Told, name: str, side: int, words: int) -> Any:
            own: ExplicitModel = nnx.merge(graph, jax.tree.unflatten(tree, leaves))
            batch = alone(**told)
            own.spec = of_words(own.spec, words)
            own.embed.schema = own.spec.schema
            return getattr(own, name)(own.embed(batch), batch, side)

        self._call = jax.jit(call, static_argnums=(2, 3, 4))

    def after(self, model: ExplicitModel) -> "Programs":
        """The same programs over what the model has become, compiled once for both."""
        found = copy.copy(self)
        found._leaves = jax.tree.leaves(nnx.state(model))
        return found

    def told(self, documents: Documents, side: int) -> Float32[np.ndarray, "documents width"]:
        """What documents say, before any head."""
        return self._called("told", documents, side)

    def logits(self, documents: Documents, side: int) -> Float32[np.ndarray, "documents skills"]:
        """How likely each skill is, of every document."""
        return self._called("logits", documents, side)

    def dense(self, documents: Documents, side: int) -> Float32[np.ndarray, "documents dim"]:
        """The vectors of documents, whole."""
        return self._called("vectors", documents, side)

    def sparse(self, documents: Documents, side: int) -> csr_array:
        """The vectors of documents, by the entries above 0."""
        return as_rows(self.entries(documents, side), self.spec.named)

    def entries(self, documents: Documents, side: int) -> Entries:
        """The same by place."""
        return self._called("entries", documents, side)

    def _called(self, name: str, documents: Documents, side: int) -> Any:
        """Block by block."""
        side %= self._sides  # one program for both where they share it
        if not len(documents):
            raise ValueError("Vectors want at least one document, got none: give one.")
        found = []
        for start, stop, size in blocks(len(documents)):
            few = documents if stop - start == len(documents) else documents.between(start, stop)
            batch = encoded(self.spec, few)
            words = self._words(batch)
            told = shortened(batch, self.spec, words, rows=size)
            made = self._call(self._leaves, told, name, side, words)
            found.append(jax.tree.map(lambda a, n=stop - start: np.asarray(a)[:n], made))
        return found[0] if len(found) == 1 else jax.tree.map(lambda *p: np.concatenate(p), *found)

    def _words(self, batch: Pairs) -> int:
        """The words that a program reads: as few as the longest text allows."""
        feature, each = self.spec.schema.features[0], self.spec.ngrams.places
        most = feature.length // each
        first = np.asarray(batch.valid)[:, : feature.length : each]
        longest = int(first.sum(axis=1).max())
        return next((words for words in WORDS if longest <= words < most), most)


def of_words(spec: Explicit, words: int) -> Explicit:
    """The same model for texts of so many words."""
    text, *others = spec.schema.features
    text = dataclasses.replace(text, length=words * spec.ngrams.places)
    schema = dataclasses.replace(spec.schema, features=(text, *others))
    return dataclasses.replace(spec, schema=schema)


def shortened(batch: Pairs, spec: Explicit, words: int, *, rows: int) -> Told:
    """Documents with so many words, and padded to so many rows by documents that say nothing."""
    length, kept = spec.schema.features[0].length, words * spec.ngrams.places

    def cut(name: str) -> np.ndarray:
        array = np.asarray(getattr(batch, name))
        found = np.zeros((rows, kept + array.shape[1] - length), array.dtype)
        found[: len(array), :kept] = array[:, :kept]
        found[: len(array), kept:] = array[:, length:]
        return found

    def padded(name: str) -> np.ndarray:
        array = np.asarray(getattr(batch, name))
        found = np.zeros((rows, array.shape[1]), array.dtype)
        found[: len(array)] = array
        return found

    told = {name: cut(name) for name in ("high", "low", "valid")}
    return told | {name: padded(name) for name in ("given", "words", "counts")}


def blocks(count: int) -> list[tuple[int, int, int]]:
    """Where blocks start and stop, and how many documents their program takes."""
    most = BLOCKS[-1]
    found = []
    for start in range(0, count, most):
        stop = min(start + most, count)
        found.append((start, stop, next(size for size in BLOCKS if size >= stop - start)))
    return found


def as_rows(entries: Entries, named: int) -> csr_array:
    """Entries as a sparse matrix, in the order of their names."""
    places, values = np.asarray(entries.places), np.asarray(entries.values)
    row = np.broadcast_to(np.arange(len(places))[:, None], places.shape)
    is_there = values > 0
    found = (values[is_there], (row[is_there], places[is_there]))
    return sparse.csr_array(found, shape=(len(places), named), dtype=np.float32)
