"""A release: what leaves training as one immutable directory, and all that a server needs of it.

    movies/
    ├── manifest.json              versions, space id, quality card, sha256 of each file
    ├── schema.json hashing.json   what a row holds; how a value becomes a row of a table
    ├── vocabularies.safetensors   values by fingerprint, in the order of their ranks
    ├── params.safetensors         what the programs are called with
    ├── archive.json               the model's spec: programs are made anew of it and the parameters
    ├── programs/                  StableHLO
    ├── items/ users/ index/       of retrieval: the catalogue, who met what, nearest items
    ├── links/                     of an explicit space: the skills and words that texts speak of
    └── golden.json                requests and their answers

`docs/release-format.md` says how to read it without this code.
"""

import concurrent.futures
import functools
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Int32
from safetensors.numpy import load_file
from scipy import sparse

from recsys.features.batch import Batch
from recsys.features.schema import Schema
from recsys.release import golden
from recsys.release.documents import LINKS, DocumentEncoder, told_of
from recsys.release.encoding import Encoded, Encoder, People, Rows
from recsys.release.items import Items
from recsys.release.manifest import check_files, read_manifest
from recsys.release.people import Known
from recsys.release.programs import Program, Width, placed
from recsys.release.vocabularies import load_vocabularies
from recsys.spec import from_json

SCHEMA, HASHING, ARCHIVE, GOLDEN = "schema.json", "hashing.json", "archive.json", "golden.json"
VOCABULARIES, PARAMS = "vocabularies.safetensors", "params.safetensors"
PROGRAMS, ITEMS, USERS, INDEX = "programs", "items", "users", "index"
VECTORS = "index/vectors.npy"  # which the index keeps
POSTINGS = "index/postings.npz"  # which it keeps in place of them in an explicit space
BUCKETS = (1, 2, 4, 8, 16, 32, 64)
SIDES = {"predict": "query", "users": "query", "items": "item"}  # whose rows a program reads


class Release:
    """A release that is open: requests to batches, batches to answers."""

    def __init__(self, path: Path, manifest: dict[str, Any]) -> None:
        """Reads what `open` has checked."""
        self.path, self.manifest = path, manifest
        self.task: str = manifest["task"]
        self.vocabularies = load_vocabularies(path / VOCABULARIES)
        sides = from_json(json.loads((path / SCHEMA).read_bytes()))
        self.schema: Schema = sides["query"]
        self.item_schema: Schema | None = sides["item"]
        self.items: Items | None = None
        self.known: Known | None = None
        people = None
        if self.item_schema is not None:
            self.items = Items.open(path / ITEMS)
            self.known = Known.open(path / USERS)
            histories = tuple(manifest["histories"])
            people = People(self.user_column, self.known, histories, self.items)
        no_row = manifest["no_row"]
        query = Encoder(self.schema, self.vocabularies, no_row=no_row, people=people)
        self._encoders: dict[str, Encoder | DocumentEncoder] = {"query": query}
        if self.item_schema is not None:
            self._encoders["item"] = Encoder(self.item_schema, self.vocabularies, no_row=no_row)
        self._documents = told_of(manifest)
        if self._documents is not None:
            both = DocumentEncoder(query, self.schema, self._documents, path / LINKS)
            self._encoders = dict.fromkeys(self._encoders, both)
        params = placed(load_file(path / PARAMS))
        self._programs = {
            name: Program(path / PROGRAMS / f"{name}.stablehlo", params, self._width(name))
            for name in manifest["programs"]
        }
        self.golden: list[dict[str, Any]] = json.loads((path / GOLDEN).read_bytes())

    @classmethod
    def open(cls, path: str | Path, *, verify: bool = True) -> "Release":
        """The release in a directory.

        Args:
            path: that `recsys export` wrote.
            verify: reads every file first, to see that nobody edited it.

        Raises:
            ReleaseError: there is none, a file of it is missing, was edited or truncated, or
                another version has written it.
        """
        path = Path(path)
        manifest = read_manifest(path)
        check_files(path, manifest, verify=verify)
        return cls(path, manifest)

    @property
    def id(self) -> str:
        """What this release alone is called."""
        return self.manifest["id"]

    @property
    def space_id(self) -> str:
        """What all releases share whose vectors can be compared."""
        return self.manifest["space_id"]

    @property
    def user_column(self) -> str:
        """The key of a row that names a user."""
        return self.manifest["columns"]["user"]

    @property
    def item_column(self) -> str:
        """The feature that names an item."""
        return self.manifest["columns"]["item"]

    @property
    def history(self) -> str | None:
        """The feature of a row that holds items, if there is one."""
        return next(iter(self.manifest["histories"]), None)

    @property
    def skills(self) -> list[str] | None:
        """What the dimensions of an explicit space are called; None of another space."""
        return self.manifest["skills"]

    @functools.cached_property
    def item_vectors(self) -> Any:
        """The vector of each item: an array mapped into memory, or sparse in an explicit space."""
        self._of_items("vectors of items", self.items)
        if self.skills is not None:
            return sparse.csr_array(sparse.load_npz(self.path / POSTINGS))
        return np.load(self.path / VECTORS, mmap_mode="r")

    @functools.cached_property
    def popularity(self) -> Float32[np.ndarray, "items"]:
        """How often each item was met, at most 1: what to show where nothing is known of a user."""
        known, items = self._of_items("popularity", self.known), self._of_items("items", self.items)
        counts = np.bincount(known.liked.items, minlength=len(items)).astype(np.float32)
        return counts / max(counts.max(initial=0), np.float32(1))

    @functools.cached_property
    def index(self) -> Any:
        """The index of the items' vectors: a `recsys.index.Index`."""
        self._of_items("an index", self.items)
        from recsys.index import Index  # not before somebody searches

        return Index.load(self.path / INDEX)

    def encode(self, rows: Rows) -> Encoded:
        """Rows, as dicts or as columns, for `predict` and `users`; and what was not as asked.

        Raises:
            ValueError: a row has a key that is no feature, or a cell cannot be read.
            TypeError: a cell is of a type that its feature does not have.
        """
        return self._encoders["query"](rows)

    def encode_known(self, users: Sequence[int]) -> Encoded:
        """Known users by their rows, as `encode` has those that rows name."""
        self._of_items("known users", self.known)
        return self._encoders["query"].of_known(users)

    def encode_items(self, rows: Rows) -> Encoded:
        """Rows of items, the same way."""
        self._of_items("items", self.items)
        return self._encoders["item"](rows)

    def predict(self, batch: Batch) -> Float32[np.ndarray, "rows"]:
        """The probability of each row."""
        return self._program("predict")(batch)

    def users(self, batch: Batch) -> Float32[np.ndarray, "rows dim"]:
        """The vector of each row's user; zero where nothing is known of it."""
        return self._program("users")(batch)

    def embed_items(self, rows: Rows | Batch) -> Float32[np.ndarray, "rows dim"]:
        """The vector of each row's item, encoded or not; zero where nothing is known of it."""
        batch = rows if isinstance(rows, Batch) else self.encode_items(rows).batch
        return self._program("items")(batch)

    def seen(self, user: Any) -> Int32[np.ndarray, "seen"]:
        """What a user has met, as rows of the catalogue; nothing of a user that is unknown."""
        known = self._of_items("what users have seen", self.known)
        row = known.row_of(user)
        return known.seen.items[:0] if row is None else known.seen[row]

    def warm(self, buckets: Iterable[int] = BUCKETS) -> None:
        """Compiles the programs for calls of so many rows, several at once.

        From then on calls are of these sizes alone; more rows are several calls. Items are embedded
        rarely while a release is served: their program gets the smallest and the largest size.
        """
        sizes = sorted(set(buckets))
        wanted = {
            name: sizes if SIDES[name] == "query" else [sizes[0], sizes[-1]]
            for name in self._programs
        }
        with concurrent.futures.ThreadPoolExecutor() as threads:
            each = [(self._programs[name], rows) for name in wanted for rows in wanted[name]]
            list(threads.map(lambda one: one[0].compile(one[1]), each))
        for name, program in self._programs.items():
            program.keep_to(wanted[name])

    def replay(self) -> None:
        """Answers the golden requests again.

        Raises:
            ValueError: an answer is not what it was at the export.
        """
        golden.replay(self)

    def _program(self, name: str) -> Program:
        if name not in self._programs:
            raise ValueError(
                f"{self.path} is a release for {self.task} with programs "
                f"{', '.join(self._programs)}, got a call of {name}: use another release."
            )
        return self._programs[name]

    def _of_items(self, what: str, found: Any) -> Any:
        if found is None:
            raise ValueError(
                f"{self.path} is a release for {self.task} and has no items, got a request for "
                f"{what}: export a retrieval run."
            )
        return found

    def _width(self, program: str) -> Width:
        schema = self.schema if SIDES[program] == "query" else self.item_schema
        assert schema is not None
        width = Width.of(schema)
        return width if self._documents is None else self._documents.beside(width)
