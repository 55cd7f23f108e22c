"""Avazu's click-through rate challenge (Kaggle, 2014): ten days of mobile ads, clicked or not.

For research use, under the terms of the challenge. The folder holds `train.csv` or `train.gz` as on
Kaggle (with a header, in the order of time), or another such file is given. Its column `hour`
(YYMMDDHH) becomes the hour of the day and a timestamp.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from jaxtyping import Int64, Shaped
from pyarrow import csv

from recsys.features import Feature, Schema

Columns = dict[str, Shaped[np.ndarray, "rows"]]

FILES = ("train.csv", "train.gz", "train.csv.gz")
TEXTS = (
    "site_id", "site_domain", "site_category", "app_id", "app_domain", "app_category",
    "device_id", "device_ip", "device_model",
)  # fmt: skip
NUMBERS = (
    "C1", "banner_pos", "device_type", "device_conn_type",
    "C14", "C15", "C16", "C17", "C18", "C19", "C20", "C21",
)  # fmt: skip
SCHEMA = Schema(
    tuple(Feature(name) for name in ("hour", *NUMBERS[:2], *TEXTS, *NUMBERS[2:])),
    timestamp="timestamp",
)


def load(path: Path) -> Columns:
    """Read a file, or that in the folder given, into memory."""
    parts = list(read(path))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def read(path: Path) -> Iterator[Columns]:
    """The same, a block of rows at a time: the whole training file does not fit in memory.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a line has other cells than it should; the rows before it came already.
    """
    path = _found(path)
    kinds = dict.fromkeys(TEXTS, pa.string()) | dict.fromkeys(NUMBERS, pa.int64())
    kinds |= {"click": pa.float32(), "hour": pa.int64()}
    try:
        with pa.input_stream(path, compression="gzip" if path.suffix == ".gz" else None) as stream:
            for batch in csv.open_csv(
                stream,
                convert_options=csv.ConvertOptions(include_columns=[*kinds], column_types=kinds),
            ):
                yield _columns(batch)
    except (pa.ArrowInvalid, KeyError, OSError) as error:
        raise ValueError(
            f"Avazu needs a header and a cell in each of its columns, and reading {path.name} says "
            f"{error}: fetch it again."
        ) from error


def _columns(batch: pa.RecordBatch) -> Columns:
    arrays = {name: batch[name].to_numpy(zero_copy_only=False) for name in (*NUMBERS, *TEXTS)}
    hour = batch["hour"].to_numpy()
    return {
        "label": batch["click"].to_numpy(),
        "timestamp": _seconds(hour),
        "hour": hour % 100,
        **arrays,
    }


def _seconds(hour: Int64[np.ndarray, "rows"]) -> Int64[np.ndarray, "rows"]:
    """YYMMDDHH as seconds since 1970."""
    year, month, day = 2000 + hour // 1_000_000, hour // 10_000 % 100, hour // 100 % 100
    months = (year - 1970) * 12 + month - 1
    days = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) + day - 1
    return (days * 24 + hour % 100) * 3600


def _found(path: Path) -> Path:
    if path.is_file():
        return path
    found = next((path / name for name in FILES if (path / name).is_file()), None)
    if found is None:
        raise FileNotFoundError(
            f"Avazu needs one of {', '.join(FILES)}, and {path} has none of them: give the folder "
            "that holds it, or a file."
        )
    return found
