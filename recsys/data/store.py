"""A store: examples on disk as a model reads them, in splits, with all that tells what they are.

    store = Store.open("criteo")
    train = store.splits["train"]
    batch = train.take(np.array([5, 3, 8]))

A folder with a manifest, and for each split files of rows that are mapped into memory. It is
written once (`recsys/data/writing.py`), whole or not at all.
"""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xxhash
from jaxtyping import Float32, Float64, Integer, UInt64

from recsys.data.catalogue import Catalogue
from recsys.data.record import Events, Record, event_fields
from recsys.data.rejects import Reject, read
from recsys.data.shards import Shards, digest
from recsys.features import Batch, Schema, Vocabulary
from recsys.spec import from_json

MANIFEST, REJECTED, CATALOGUE = "manifest.json", "rejected.jsonl", "catalogue.parquet"
FORMAT = 1  # of the files; another number is another layout
AGAIN = "import the data again, or copy the store again"
VOCABULARY = {"levels": "<i8", "sizes": "<i8", "sorted": "<u8", "order": "<u4"}


class StoredExamples:
    """One split of a store."""

    def __init__(self, examples: Shards, events: Shards | None, *, schema: Schema) -> None:
        """Examples and what is known of each besides; as many of either."""
        self.record = Record.of(schema)
        self.rows = examples  # as words: what `record` unpacks
        self._events = events
        self._fields = event_fields(schema)

    def __len__(self) -> int:
        """How many examples."""
        return len(self.rows)

    def take(self, indices: Integer[np.ndarray, "taken"] | slice) -> Batch:
        """Some of the examples, in this order: one gather, and views of it."""
        return self.record.unpack(self.rows.take(indices))

    def fetch(self, start: int, stop: int) -> None:
        """Has examples read from the disk, to be taken soon."""
        self.rows.fetch(start, stop)

    @property
    def labels(self) -> Float32[np.ndarray, "rows"]:
        """The label of every example."""
        return self.record.labels(self.rows.take(slice(None)))

    @property
    def timestamps(self) -> Float64[np.ndarray, "rows"]:
        """When each example happened, in seconds since 1970."""
        return self._column("timestamp").view(np.float64)

    def keys(self, which: Literal["user", "item"]) -> UInt64[np.ndarray, "rows"]:
        """The fingerprint of each example's user or item."""
        return self._column(which)

    def _column(self, name: str) -> UInt64[np.ndarray, "rows"]:
        if name not in self._fields or self._events is None:
            raise ValueError(
                f"The store keeps {', '.join(self._fields) or 'nothing'} besides features, and not "
                f"the {name}: import again with a schema that says {name}='COLUMN'."
            )
        words = self._events.take(slice(None))
        return words.view(np.uint64)[:, self._fields.index(name)]


@dataclasses.dataclass(frozen=True, eq=False)
class Store:
    """What an import has written."""

    path: Path
    schema: Schema  # as learned: encodes new rows as these were
    vocabularies: Mapping[str, Vocabulary]  # by feature
    splits: Mapping[str, StoredExamples]
    manifest: Mapping[str, Any]  # plain JSON; "report" says what the import saw

    @classmethod
    def open(cls, path: str | Path) -> "Store":
        """A store on disk; checks its manifest and the sizes of its files.

        Raises:
            FileNotFoundError: there is none, or one of its files is missing.
            ValueError: it was edited or cut short, or another version has written it.
        """
        path = Path(path)
        manifest = _manifest(path / MANIFEST)
        for name, wanted in manifest["files"].items():
            _check_size(path / name, wanted["bytes"])
        schema = from_json(manifest["schema"])
        tables = {
            name: _vocabulary(path / entry["file"], entry["lengths"])
            for name, entry in manifest["vocabularies"].items()
        }
        splits = {
            name: _examples(path, entry, schema) for name, entry in manifest["splits"].items()
        }
        vocabularies = {name: tables[space] for name, space in manifest["spaces"].items()}
        return cls(path, schema, vocabularies, splits, manifest)

    def verify(self) -> None:
        """Reads every file and compares it with its digest.

        Raises:
            ValueError: a file was edited; it is named.
        """
        for name, wanted in self.manifest["files"].items():
            if digest(self.path / name) != wanted:
                raise ValueError(
                    f"{self.path / name} should have the digest of its import and was edited: "
                    f"{AGAIN}."
                )

    @property
    def catalogue(self) -> Catalogue:
        """What its items are called.

        Raises:
            ValueError: nothing tells its items, or an older version has written it.
        """
        if CATALOGUE not in self.manifest["files"]:
            raise ValueError(
                f"{self.path} does not say what its items are: import again with a schema that "
                "says item='COLUMN'."
            )
        return Catalogue.from_bytes((self.path / CATALOGUE).read_bytes())

    @property
    def rejected(self) -> list[Reject]:
        """The rows that the import skipped, each with its reason."""
        path = self.path / REJECTED
        return read(path) if path.is_file() else []


def manifest_digest(content: Mapping[str, Any]) -> str:
    """What a manifest carries to prove that nobody edited it."""
    return xxhash.xxh3_128(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _manifest(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(
            f"A store wants a {MANIFEST}, and {path.parent} has none: give the folder that an "
            "import has written."
        )
    try:
        content = json.loads(path.read_text())
        found = content.pop("digest")
    except (ValueError, KeyError, AttributeError) as error:
        raise ValueError(
            f"{path} should be a manifest and was truncated or edited: {AGAIN}."
        ) from error
    if found != manifest_digest(content):
        raise ValueError(f"{path} should have the digest that it names and was edited: {AGAIN}.")
    if content["format"] != FORMAT:
        raise ValueError(
            f"{path} has format {content['format']}, and this version reads {FORMAT}: import the "
            "data again, or use the version that wrote it."
        )
    return content


def _check_size(path: Path, wanted: int) -> None:
    if not path.is_file():
        raise FileNotFoundError(f"A store wants all its files, and {path} is missing: {AGAIN}.")
    size = path.stat().st_size
    if size != wanted:
        raise ValueError(
            f"{path} should have {wanted:,} bytes and has {size:,}, so it was truncated or "
            f"edited: {AGAIN}."
        )


def _examples(path: Path, entry: Mapping[str, Any], schema: Schema) -> StoredExamples:
    examples = _shards(path, entry["examples"], Record.of(schema).width)
    fields = event_fields(schema)
    events = _shards(path, entry["events"], Events.width(fields)) if fields else None
    return StoredExamples(examples, events, schema=schema)


def _shards(path: Path, shards: list[Mapping[str, Any]], width: int) -> Shards:
    files = [path / shard["file"] for shard in shards]
    return Shards(files, rows=[shard["rows"] for shard in shards], width=width)


def _vocabulary(path: Path, lengths: Mapping[str, int]) -> Vocabulary:
    """A vocabulary whose arrays stay on disk until they are looked at."""
    arrays, offset = {}, 0
    for name, kind in VOCABULARY.items():
        count = lengths[name]
        where = np.memmap(path, kind, "r", offset, (count,)) if count else np.zeros(0, kind)
        arrays[name] = np.asarray(where)
        offset += arrays[name].nbytes
    return Vocabulary(**arrays)
