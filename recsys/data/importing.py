"""From raw files to a store: learn what must be learned from the training rows, encode, write.

The log streams by up to three times: where the split must see its end, where a vocabulary or a
transform is learned, and to be encoded and written. Threads read and encode; splits, learning and
writing go in the order of the log, so that a store is the same however the work was shared.
"""

import dataclasses
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
from tqdm import tqdm

from recsys.data.catalogue import Called, called
from recsys.data.formats import Chunk, Format, Piece
from recsys.data.passes import Columns, Done, Result, each_chunk
from recsys.data.ranks import ranked
from recsys.data.reading import Source, files, pieces
from recsys.data.record import Events, Record, Words, event_fields
from recsys.data.rejects import OnBadRows, Rejects
from recsys.data.splits import NAMES, Plan, Random, Split
from recsys.data.tally import Tally
from recsys.data.writing import SHARD_BYTES, StoreWriter, refuse_existing
from recsys.features import Schema, Vocabulary
from recsys.features.columns import refuse
from recsys.features.encoding import measured
from recsys.features.hashing import MISSING
from recsys.features.learning import Learning
from recsys.features.ragged import lists

Log = Callable[[], Iterator[Piece]]  # hands out a log from its start, as often as it is called


@dataclasses.dataclass(frozen=True)
class ImportReport:
    """What an import saw and did."""

    files: tuple[str, ...]
    examples: Mapping[str, int]  # by split
    labels: Mapping[str, float]  # the mean label, by split
    rejected: int  # rows that were skipped; `Store.rejected` says why
    left_out: int  # rows that the split gave to nobody
    passes: int  # how often the log was read
    seconds: float


def import_files(
    paths: Source | Iterable[Source],
    schema: Schema,
    out: str | Path,
    *,
    format: Format | None = None,
    split: Split | None = None,
    on_bad_rows: OnBadRows = "stop",
    vocabulary: Collection[str] | None = (),
    min_count: int = 1,
    max_values: int | None = None,
    shard_bytes: int = SHARD_BYTES,
    progress: bool = False,
) -> ImportReport:
    """Makes a store of raw files; there is none if this fails.

    Args:
        paths: Files, patterns, folders of files, TFDS builders.
        schema: What to read of them.
        out: Where the store will be.
        format: Of the files; None goes by their suffix.
        split: Which rows train, choose and judge; None draws 80, 10 and 10 %.
        on_bad_rows: "stop" at the first, or "skip" and keep them apart with their reasons.
        vocabulary: Features that get one, learned from the training rows; None is all that can.
        min_count: Values of a vocabulary that are rarer are unknown.
        max_values: At most so many values of a vocabulary are kept.
        shard_bytes: About how large a file of the store may grow.
        progress: Whether to show a bar.

    Raises:
        ValueError: the files are not as the schema says; file and line are named.
        OSError: the disk is full.
    """
    refuse_existing(Path(out))
    named = tuple(map(str, files(paths)))

    def log() -> Iterator[Piece]:
        return pieces(named, columns=schema.columns, format=format)

    passes = _Passes(
        log,
        schema,
        split or Random(),
        files=named,
        vocabulary=vocabulary,
        skips=on_bad_rows == "skip",
        shows=progress,
    )
    passes.observe()
    learned, vocabularies = passes.learn(min_count=min_count, max_values=max_values)
    with StoreWriter(out, learned, vocabularies, splits=NAMES, shard_bytes=shard_bytes) as writer:
        return passes.write(learned, vocabularies, writer=writer)


@dataclasses.dataclass(frozen=True, eq=False)
class _Encoded:
    """Rows of a chunk as they are stored."""

    examples: Words
    events: Events
    label: np.ndarray
    items: Called | None  # where the schema names an item


class _Passes:
    """The passes over one log."""

    def __init__(
        self,
        log: Log,
        schema: Schema,
        split: Split,
        *,
        files: tuple[str, ...],
        vocabulary: Collection[str] | None,
        skips: bool,
        shows: bool,
    ) -> None:
        missing = [name for name in split.needs if getattr(schema, name) is None]
        if missing:
            raise ValueError(
                f"{type(split).__name__} splits by the {missing[0]}, and the schema names none: "
                f"set Schema({missing[0]}='COLUMN'), or choose another split."
            )
        self._log, self._schema, self._split, self._files = log, schema, split, files
        able = [feature.name for feature in schema.features if feature.has_names]
        self._learned = able if vocabulary is None else list(vocabulary)
        self._skips, self._shows = skips, shows
        self._plan: Plan = split.plan()
        self._count = 0
        self._start = time.monotonic()

    def observe(self) -> None:
        """Lets the split see the whole log, if it must."""
        if self._plan.wants_pass:
            for done, rows in self._pass("splitting", self._checked):
                self._plan.observe(done.result, rows)

    def learn(
        self, *, min_count: int, max_values: int | None
    ) -> tuple[Schema, dict[str, Vocabulary]]:
        """The schema as learned from the training rows, and its vocabularies."""
        transforms = [each.transform for each in self._schema.features if each.transform]
        if not self._learned and all(each.is_learned for each in transforms):
            return self._schema, {}
        learning = Learning(self._schema, self._learned, min_count=min_count, max_values=max_values)
        for done, rows in self._pass("learning", self._checked):
            is_train = self._plan.deal(done.result, rows) == NAMES.index("train")
            learning.add(done.chunk.only(is_train).columns)
        try:
            return learning.finish()
        except ValueError as error:
            raise ValueError(f"{self._named}: {error}") from error

    def write(
        self,
        schema: Schema,
        vocabularies: Mapping[str, Vocabulary],
        *,
        writer: StoreWriter,
    ) -> ImportReport:
        """Encodes all rows and gives them to their splits."""
        record, tally = Record.of(schema), Tally(NAMES)

        def encoded(columns: Columns) -> _Encoded:
            columns = ranked(columns, schema, vocabularies)
            batch, events = schema.encode(columns, vocabularies), self._events(columns)
            items = called(columns, schema)
            return _Encoded(record.pack(batch), events, np.asarray(batch.label), items)

        rejects = Rejects(writer.reject if self._skips else None)
        for done, rows in self._pass("writing", encoded, rejects):
            made = done.result
            numbers = self._plan.deal(made.events, rows)
            tally.add(numbers, made.label)
            for number, name in enumerate(NAMES):
                there = np.flatnonzero(numbers == number)
                writer.add(name, made.examples[there], made.events.only(there))
            if made.items is not None:
                writer.call(made.items)
        tally.check(schema.label, log=self._named)
        report = ImportReport(
            files=self._files,
            examples=tally.examples,
            labels=tally.means,
            rejected=rejects.count,
            left_out=tally.left_out,
            passes=self._count,
            seconds=round(time.monotonic() - self._start, 3),
        )
        writer.finish(report=dataclasses.asdict(report))
        return report

    @property
    def _named(self) -> str:
        """The log as errors call it."""
        first, *others = self._files
        return f"{first} and {len(others)} more files" if others else first

    def _pass(
        self, name: str, work: Callable[[Columns], Result], rejects: Rejects | None = None
    ) -> Iterator[tuple[Done[Result], np.ndarray]]:
        """The log once more: what was made of each chunk, and the numbers of its good rows."""
        self._count += 1
        row, absent, last = 0, set(self._schema.columns), None
        with tqdm(desc=name, unit=" rows", unit_scale=True, disable=not self._shows) as bar:
            for done in each_chunk(self._log(), work):
                if rejects is not None:
                    rejects.add(done.rejects)
                elif not self._skips:
                    Rejects().add(done.rejects)
                rows = np.arange(row, row + len(done.chunk))
                row, absent, last = row + len(rows), absent & done.chunk.absent, done.chunk
                yield done, rows
                bar.update(len(rows))
        _check_present(absent, last)

    def _checked(self, columns: Columns) -> Events:
        """What a split goes by, of rows that can be encoded."""
        schema = self._schema
        ranked(columns, schema, self._learned)
        schema.labels(columns)
        schema.weights(columns)
        for feature in schema.features:
            if feature.kind == "numeric":
                measured(feature, columns)
            elif feature.kind in ("bag", "sequence"):
                lists(columns[feature.name], feature.name, feature.separator)
        return self._events(columns)

    def _events(self, columns: Columns) -> Events:
        schema = self._schema
        there = event_fields(schema)
        user, item = (
            schema.keys(name, columns) if name in there else None for name in ("user", "item")
        )
        if "user" in self._split.needs:
            assert schema.user is not None  # the schema was checked
            wanted = "a user in each row, as the split goes by it"
            refuse(user == MISSING, columns[schema.user], schema.user, wanted)
        timestamp = schema.timestamps(columns) if "timestamp" in there else None
        return Events(user, item, timestamp)


def _check_present(absent: set[str], last: Chunk | None) -> None:
    """Refuses a log in which no row at all has some column."""
    if absent and last is not None and len(last):
        raise ValueError(
            f"{last.file}, {last.unit} {last.places[-1]}: no row up to here has the columns "
            f"{sorted(absent)}: add them, or drop from the schema what reads them."
        )
