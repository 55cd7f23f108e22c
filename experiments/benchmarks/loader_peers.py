"""The peers of the loader benchmark: the same examples, shuffled and batched by other libraries.

Each is set up as its documentation advises for random access, and hands out the same arrays as a
batch of ours: the two words of each key, the numbers and the label.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grain
import numpy as np
import pandas
import tensorflow_datasets as tfds
from jaxtyping import UInt32

Arrays = dict[str, np.ndarray]
Words = UInt32[np.ndarray, "rows width"]
KEYS, NUMBERS = 26, 13  # of an example
WORDS = {"keys": slice(0, 2 * KEYS), "numbers": slice(2 * KEYS, -1), "label": slice(-1, None)}


class GrainPerRecord:
    """Grain over rows in memory: it gathers, unpacks and stacks one record after the other."""

    turn = 4  # batches of a turn

    def __init__(self, rows: Words) -> None:
        self.name = f"Grain {grain.__version__}, record by record"
        self._rows = rows

    def batches(self, size: int) -> Iterator[Arrays]:
        """Batches without end; threads only slow down what Python's lock lets one at a time do."""
        options = grain.ReadOptions(num_threads=0, prefetch_buffer_size=0)
        shuffled = grain.MapDataset.range(len(self._rows)).seed(0).shuffle().repeat()
        records = shuffled.map(lambda number: unpacked(self._rows[number]))
        return iter(records.batch(size).to_iter_dataset(options))


class TFDSDataSource:
    """A data set that TensorFlow Datasets prepared as ArrayRecord, read a batch at once."""

    turn = 4  # batches of a turn

    def __init__(self, rows: Words, folder: Path) -> None:
        self.name = f"TFDS {tfds.__version__} data source"
        builder = Clicks(rows=rows, data_dir=str(folder), file_format="array_record")
        builder.download_and_prepare()
        splits: Any = builder.as_data_source()  # a tree by its type, a dict here
        self._source = splits["train"]
        self._order = np.random.default_rng(0).permutation(len(rows)).tolist()

    def batches(self, size: int) -> Iterator[Arrays]:
        """The batches of an epoch, whose order is drawn already."""
        for start in range(0, len(self._order) - size + 1, size):
            records = self._source.__getitems__(self._order[start : start + size])
            yield {name: np.stack([record[name] for record in records]) for name in WORDS}


class Pandas:
    """A frame in memory with a column for each feature, from which rows are picked by number."""

    turn = 100  # batches of a turn

    def __init__(self, rows: Words) -> None:
        self.name = f"pandas {pandas.__version__}"
        keys = rows[:, WORDS["keys"]].reshape(-1, 2, KEYS).swapaxes(1, 2)
        ids = np.ascontiguousarray(keys).view(np.uint64)[:, :, 0]
        self._ids, self._numbers = ([f"{name}{i}" for i in range(n)] for name, n in COLUMNS.items())
        columns = {name: ids[:, i] for i, name in enumerate(self._ids)}
        numbers = rows[:, WORDS["numbers"]].view(np.float32)
        columns |= {name: numbers[:, i] for i, name in enumerate(self._numbers)}
        columns["label"] = rows[:, -1].view(np.float32)
        self._frame = pandas.DataFrame(columns)
        self._order = np.random.default_rng(0).permutation(len(rows))

    def batches(self, size: int) -> Iterator[Arrays]:
        """The batches of an epoch, whose order is drawn already."""
        for start in range(0, len(self._order) - size + 1, size):
            part = self._frame.iloc[self._order[start : start + size]]
            yield {
                "keys": np.ascontiguousarray(part[self._ids]).view(np.uint32),
                "numbers": part[self._numbers].to_numpy(),
                "label": part["label"].to_numpy(),
            }


COLUMNS = {"key": KEYS, "number": NUMBERS}


class Clicks(tfds.core.GeneratorBasedBuilder):
    """The rows as a data set of TFDS."""

    VERSION = tfds.core.Version("1.0.0")

    def __init__(self, rows: Words, **options: str) -> None:
        self._rows = rows
        super().__init__(**options)

    def _info(self) -> tfds.core.DatasetInfo:
        features = tfds.features.FeaturesDict(
            {
                "keys": tfds.features.Tensor(shape=(2 * KEYS,), dtype=np.uint32),
                "numbers": tfds.features.Tensor(shape=(NUMBERS,), dtype=np.float32),
                "label": tfds.features.Tensor(shape=(1,), dtype=np.float32),
            }
        )
        return tfds.core.DatasetInfo(builder=self, features=features, disable_shuffling=True)

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict:
        return {"train": enumerate(map(unpacked, self._rows))}

    def _generate_examples(self) -> Iterator:
        return enumerate(map(unpacked, self._rows))


def unpacked(row: np.ndarray) -> Arrays:
    """The arrays of one record."""
    parts = {name: row[where] for name, where in WORDS.items()}
    return {name: part if name == "keys" else part.view(np.float32) for name, part in parts.items()}
