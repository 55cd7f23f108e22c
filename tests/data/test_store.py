"""The store: batches as they were written, and no store but a whole one."""

import json
import resource
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from recsys.data import Blocks, Shuffled
from recsys.data.examples import Examples
from recsys.data.record import Events, Record
from recsys.data.store import MANIFEST, Store, manifest_digest
from recsys.data.writing import StoreWriter
from recsys.features import Batch, Feature, Schema, Vocabulary
from recsys.features.transforms import Buckets

ROWS = 500
PLAIN = Schema((Feature("user"), Feature("age", kind="numeric")))
RICH = Schema(
    (
        Feature("user"),
        Feature("tags", kind="bag", length=5),
        Feature("age", kind="numeric"),
        Feature("price", kind="numeric", transform=Buckets(edges=(1.0, 2.0))),
    ),
    weight="weight",
    user="user",
    item="item",
    timestamp="time",
)
RANKS = Schema((Feature("user", values=9),), label=None)


def columns(rows: int = ROWS, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    tags = [rng.integers(0, 9, rng.integers(0, 8)).tolist() for _ in range(rows)]
    return {
        "user": rng.integers(0, 9, rows),
        "item": rng.integers(0, 9, rows),
        "tags": np.fromiter(tags, object, rows),
        "age": rng.random(rows),
        "price": rng.random(rows) * 3,
        "label": rng.integers(0, 2, rows).astype(np.float32),
        "weight": rng.random(rows).astype(np.float32),
        "time": np.arange(rows) + 0.5,
    }


def write(path: Path, schema: Schema = RICH, **options) -> Batch:
    """A store of two splits, the second a tenth of the first; returns the first."""
    log = columns()
    batch = schema.encode(log)
    times, keys = {"timestamp": log["time"]}, {}
    if schema is RICH:
        keys = {which: schema.keys(which, log) for which in ("user", "item")} | times
    events, words = Events(**keys), Record.of(schema).pack(batch)
    with StoreWriter(path, schema, splits=("train", "test", "valid"), **options) as writer:
        for start in range(0, ROWS, 100):  # in pieces, as an import does
            span = slice(start, start + 100)
            writer.add("train", words[span], events.only(span))
        writer.add("test", words[:50], events.only(slice(50)))
        writer.finish()
    return batch


def assert_same(found: Batch, wanted: Batch) -> None:
    found.check()
    for name in ("high", "low", "valid", "numbers", "label", "weight"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name), err_msg=name)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Batch]:
    """A store of several files, and what it should hold; tests read it only."""
    path = tmp_path_factory.mktemp("data") / "store"
    return path, write(path, shard_bytes=10_000)


@pytest.mark.parametrize("schema", [PLAIN, RICH, RANKS], ids=["plain", "rich", "ranks"])
def test_a_batch_comes_back_as_it_was_written(tmp_path, schema):
    batch = write(tmp_path / "store", schema)
    store = Store.open(tmp_path / "store")
    assert store.schema == schema
    assert_same(store.splits["train"].take(slice(None)), batch)


def test_any_examples_are_taken_in_any_order(stored):
    path, batch = stored
    train = Store.open(path).splits["train"]
    assert len(train) == len(batch)
    assert len(list((path / "train").glob("examples-*"))) > 2
    shuffled = np.random.default_rng(0).permutation(ROWS)
    for indices in (shuffled, np.array([3, 3, -1, 0]), np.array([], np.int64)):
        assert_same(train.take(indices), batch.take(indices))
    for span in (
        slice(10, 20),
        slice(5, 495),
        slice(None, None, 7),
        slice(30, 10),
        slice(-5, None),
    ):
        assert_same(train.take(span), batch.take(span))
    with pytest.raises(IndexError, match="numbered from 0 to 499, got 500"):
        train.take(np.array([500]))


def test_what_is_fetched_is_read_whole_and_changes_nothing(stored):
    path, batch = stored
    train = Store.open(path).splits["train"]
    before = _read_bytes()
    train.fetch(10, 490)
    row_bytes = train.record.width * 4
    assert 480 * row_bytes <= _read_bytes() - before < 500 * row_bytes
    train.fetch(490, 490)
    assert_same(train.take(slice(None)), batch)
    blocks = Blocks(train, size=100, block=50, window=2)
    seen = np.concatenate([blocks.indices(step) for step in range(5)])
    read = np.concatenate([blocks.batch(step).low for step in range(5)])
    np.testing.assert_array_equal(read, batch.low[seen])


def _read_bytes() -> int:
    """How much this process has asked of files so far, as Linux counts."""
    return int(Path("/proc/self/io").read_text().split()[1])


def test_a_gathered_batch_is_views_of_one_array(stored):
    batch = Store.open(stored[0]).splits["train"].take(np.arange(64))
    arrays = (batch.high, batch.low, batch.numbers, batch.label)
    owners = {id(owner(np.asarray(array))) for array in arrays}
    assert len(owners) == 1


def owner(array: np.ndarray) -> np.ndarray:
    return array if array.base is None else owner(array.base)


def test_what_is_the_same_in_all_examples_takes_no_words():
    assert Record.of(RANKS).width == 1
    assert Record.of(PLAIN).width == 2 + 1 + 1
    assert Record.of(RICH).width == 7 * 2 + 2 + 1 + 1 + 1


def test_keys_times_and_labels_stand_beside_the_features(stored):
    path, batch = stored
    train, log = Store.open(path).splits["train"], columns()
    np.testing.assert_array_equal(train.keys("user"), RICH.keys("user", log))
    np.testing.assert_array_equal(train.keys("item"), RICH.keys("item", log))
    np.testing.assert_array_equal(train.timestamps, log["time"])
    np.testing.assert_array_equal(train.labels, batch.label)


def test_what_the_schema_does_not_name_is_not_kept(tmp_path):
    write(tmp_path / "store", PLAIN)
    train = Store.open(tmp_path / "store").splits["train"]
    with pytest.raises(ValueError, match="keeps nothing besides features, and not the user"):
        train.keys("user")


def test_a_split_without_examples_is_not_there(stored):
    assert set(Store.open(stored[0]).splits) == {"train", "test"}


def test_loaders_take_a_split_for_examples(stored):
    path, batch = stored
    train = Store.open(path).splits["train"]
    assert isinstance(train, Examples)
    assert_same(Shuffled(train, size=32).batch(3), Shuffled(batch, size=32).batch(3))


def test_vocabularies_come_back_each_once(tmp_path):
    one = Vocabulary.fit(np.array([5, 5, 7, 9, 9, 9], np.uint64))
    other = Vocabulary.fit(np.arange(1, 1000, dtype=np.uint64))
    features = [
        Feature("user", values=4, space="people"),
        Feature("friend", values=4, space="people"),
    ]
    schema = Schema((*features, Feature("movie", values=1000)), label=None)
    vocabularies = {"user": one, "friend": one, "movie": other}
    with StoreWriter(tmp_path / "store", schema, vocabularies) as writer:
        writer.add("train", np.zeros((3, 3), np.uint32))
        writer.finish()
    store = Store.open(tmp_path / "store")
    store.verify()
    assert len(list((tmp_path / "store").glob("vocabulary-*"))) == 2
    for name, vocabulary in vocabularies.items():
        for array, wanted in vocabulary.to_arrays().items():
            np.testing.assert_array_equal(store.vocabularies[name].to_arrays()[array], wanted)


def edited(file: Path) -> None:
    """The file with one bit turned, in the middle."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def test_an_edited_file_is_named(tmp_path):
    write(tmp_path / "store")
    store = Store.open(tmp_path / "store")
    store.verify()
    for name in store.manifest["files"]:
        edited(tmp_path / "store" / name)
        with pytest.raises(ValueError, match=rf"{name} should have the digest .* was edited"):
            store.verify()
        edited(tmp_path / "store" / name)
    store.verify()


def test_a_file_cut_short_or_missing_is_named_on_opening(tmp_path):
    write(tmp_path / "store")
    file = tmp_path / "store" / "test" / "examples-00000"
    content = file.read_bytes()
    file.write_bytes(content[:-1])
    with pytest.raises(ValueError, match=r"examples-00000 should have .* bytes and has"):
        Store.open(tmp_path / "store")
    file.unlink()
    with pytest.raises(FileNotFoundError, match="examples-00000 is missing"):
        Store.open(tmp_path / "store")


def test_an_edited_manifest_is_refused(tmp_path):
    write(tmp_path / "store")
    manifest = tmp_path / "store" / MANIFEST
    text = manifest.read_text()
    manifest.write_text(
        text.replace('"rows": 50,', '"rows": 49,').replace('"rows": 50\n', '"rows": 49\n')
    )
    assert manifest.read_text() != text
    with pytest.raises(ValueError, match=r"manifest.json should have the digest .* was edited"):
        Store.open(tmp_path / "store")
    manifest.write_text(text[:-20])
    with pytest.raises(ValueError, match="should be a manifest and was truncated or edited"):
        Store.open(tmp_path / "store")


def test_another_version_is_refused(tmp_path):
    write(tmp_path / "store")
    manifest = tmp_path / "store" / MANIFEST
    content = json.loads(manifest.read_text()) | {"format": 99}
    del content["digest"]
    manifest.write_text(json.dumps(content | {"digest": manifest_digest(content)}))
    with pytest.raises(ValueError, match="has format 99, and this version reads 1"):
        Store.open(tmp_path / "store")


def test_a_folder_that_is_no_store_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"wants a manifest.json, and .* has none"):
        Store.open(tmp_path)


@pytest.fixture
def small_disk() -> Iterator[None]:
    """No file may grow beyond 10,000 bytes, as on a disk that is nearly full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("small_disk")
def test_a_full_disk_leaves_nothing_and_is_told_in_one_sentence(tmp_path):
    with pytest.raises(OSError, match=r"store could not be written whole \(File too large\), and"):
        write(tmp_path / "store")
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_was_not_finished_leaves_nothing(tmp_path):
    writer = StoreWriter(tmp_path / "store", PLAIN).__enter__()
    writer.add("train", np.zeros((3, 4), np.uint32))
    assert list(tmp_path.iterdir()) == [writer.folder]
    writer.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_import_left_is_cleared_away(tmp_path):
    leftover = tmp_path / ".store.partial" / "train" / "examples-00007"
    leftover.parent.mkdir(parents=True)
    leftover.write_text("half")
    write(tmp_path / "store")
    assert [path.name for path in tmp_path.iterdir()] == ["store"]
    assert not (tmp_path / "store" / "train" / leftover.name).exists()
    Store.open(tmp_path / "store").verify()


def test_two_imports_do_not_write_one_store(tmp_path):
    with StoreWriter(tmp_path / "store", PLAIN):
        with pytest.raises(FileExistsError, match="another is at work"):
            StoreWriter(tmp_path / "store", PLAIN).__enter__()
        assert (tmp_path / ".store.partial" / "train").is_dir()


def test_a_store_is_not_written_over(tmp_path):
    write(tmp_path / "store")
    with pytest.raises(FileExistsError, match=r"written once, and .*store is there already"):
        StoreWriter(tmp_path / "store", PLAIN)
