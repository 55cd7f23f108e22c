"""Reading: every format to the same columns, and every fault with its file and line."""

import csv
import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from recsys.data import reading
from recsys.data.formats import Chunk, Delimited
from recsys.data.formats.text import blocks
from recsys.data.reading import FORMATS, open_log
from recsys.data.rejects import Rejects

ROWS = [{"user": "ann", "age": "31"}, {"user": "bob", "age": ""}, {"user": "zoë", "age": "7"}]


def written(path: Path, rows: list[dict[str, str]] = ROWS) -> Path:
    """The rows in a file of the format that the path's suffix says."""
    suffix = path.name.removesuffix(".gz").removesuffix(".zst").rpartition(".")[2]
    if suffix == "parquet":
        parquet.write_table(pa.Table.from_pylist(rows), path)
        return path
    if suffix in ("jsonl", "ndjson"):
        text = "".join(json.dumps(row) + "\n" for row in rows)
    else:
        delimiter = {"csv": ",", "tsv": "\t"}[suffix]
        lines = [list(rows[0]), *(list(row.values()) for row in rows)]
        text = "".join(delimiter.join(line) + "\n" for line in lines)
    with pa.output_stream(path, compression="detect") as file:
        file.write(text.encode())
    return path


def rows_of(chunks: list[Chunk]) -> list[dict[str, str]]:
    return [row for chunk in chunks for row in chunk.table.to_pylist()]


def skipped(path: Path) -> tuple[list[Chunk], list[tuple[int, str]]]:
    """What is left without bad rows, and the place and reason of each of them."""
    lines: list[str] = []
    chunks = list(open_log(path, rejects=Rejects(lines.append)))
    found = [json.loads(line) for line in lines]
    return chunks, [(reject["place"], reject["reason"]) for reject in found]


@pytest.mark.parametrize(
    "name",
    [f"log{suffix}" for suffix in FORMATS]
    + [f"log{suffix}{codec}" for suffix in (".csv", ".tsv", ".jsonl") for codec in (".gz", ".zst")],
)
def test_every_format_reads_alike(tmp_path, name):
    (chunk,) = open_log(written(tmp_path / name))
    assert chunk.table.to_pylist() == ROWS
    first = 2 if ".csv" in name or ".tsv" in name else 1
    assert chunk.places.tolist() == [first, first + 1, first + 2]


def test_only_the_columns_asked_for_are_read(tmp_path):
    for name in ("log.csv", "log.jsonl", "log.parquet"):
        (chunk,) = open_log(written(tmp_path / name), columns=["age"])
        assert chunk.table.to_pylist() == [{"age": row["age"]} for row in ROWS]


def test_files_patterns_and_folders_are_read_in_the_order_of_their_names(tmp_path):
    days = [written(tmp_path / f"day-{day}.csv", [{"day": str(day)}]) for day in (3, 1, 2)]
    given = [row["day"] for row in rows_of(list(open_log(days)))]
    assert given == ["3", "1", "2"]
    for source in (tmp_path, tmp_path / "day-*.csv", str(tmp_path / "**" / "*.csv")):
        assert [row["day"] for row in rows_of(list(open_log(source)))] == ["1", "2", "3"]


@pytest.mark.slow
def test_cells_with_delimiters_quotes_and_line_breaks_come_through_any_cut(tmp_path):
    rng = np.random.default_rng(0)
    cells = ["a", 'b"c', "x\ny", "", '5" disk', "q,r", '"', "\n", '","']
    rows = [[str(rng.choice(cells)) for _ in range(3)] for _ in range(300)]
    path = tmp_path / "log.csv"
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)
    raw = path.read_bytes()
    for size in (1, 7, 301, 5000):
        read, data = [], b""
        for block in blocks(path, quotes_after=b",", size=size):
            assert block.first == data.count(b"\n") + 1
            data += block.data
            chunk = Delimited(names=("a", "b", "c")).parse(block, ["a", "b", "c"], None)
            read += [list(row.values()) for row in chunk.table.to_pylist()]
        assert data == raw
        assert read == rows


def test_a_quote_inside_a_cell_is_a_character(tmp_path):
    (tmp_path / "log.csv").write_text('size,name\n5" disk,a\n6,b"c"\n')
    assert rows_of(list(open_log(tmp_path / "log.csv"))) == [
        {"size": '5" disk', "name": "a"},
        {"size": "6", "name": 'b"c"'},
    ]


def test_a_file_without_names_takes_them_from_its_format(tmp_path):
    (tmp_path / "log.txt").write_text('1\t"a\n0\tb\n')
    unquoted = Delimited("\t", names=("label", "word"), quoted=False)
    (chunk,) = open_log(tmp_path / "log.txt", format=unquoted)
    assert chunk.table.to_pylist() == [{"label": "1", "word": '"a'}, {"label": "0", "word": "b"}]
    assert chunk.places.tolist() == [1, 2]


def test_a_byte_order_mark_and_carriage_returns_are_no_part_of_a_cell(tmp_path):
    (tmp_path / "log.csv").write_bytes(b"\xef\xbb\xbfa,b\r\n1,2\r\n")
    assert rows_of(list(open_log(tmp_path / "log.csv"))) == [{"a": "1", "b": "2"}]


def test_json_keeps_texts_and_long_integers_as_they_are(tmp_path):
    lines = [
        '{"day": "2020-01-01 00:00:00", "id": 18446744073709551615, "tags": ["2020-01-01"]}',
        '{"day": "2020-01-02", "id": 1.5}',
    ]
    (tmp_path / "log.jsonl").write_text("\n".join(lines) + "\n")
    (chunk,) = open_log(tmp_path / "log.jsonl")
    first, second = chunk.table.to_pylist()
    assert first == {
        "day": "2020-01-01 00:00:00",
        "id": "18446744073709551615",
        "tags": ["2020-01-01"],
    }
    assert second == {"day": "2020-01-02", "id": "1.5", "tags": None}


def test_a_key_that_no_line_has_is_empty_and_said_to_be_absent(tmp_path):
    (tmp_path / "log.jsonl").write_text('{"a": 1}\n{"a": 2, "b": 3}\n')
    (chunk,) = open_log(tmp_path / "log.jsonl", columns=["a", "b", "c"])
    assert chunk.absent == {"c"}
    assert chunk.table["c"].null_count == 2


def test_ragged_and_undecodable_rows_are_named_by_line(tmp_path):
    path = tmp_path / "log.csv"
    path.write_bytes(b'a,b\n\n1,"x\ny"\n1,2,3\n\n4,5\nq,\xff\n7\n8,9')
    chunks, rejects = skipped(path)
    assert rejects == [
        (5, "has 3 cells, not 2"),
        (9, "has 1 cells, not 2"),
        (8, "holds bytes that are not UTF-8"),
    ]
    assert rows_of(chunks) == [{"a": "1", "b": "x\ny"}, {"a": "4", "b": "5"}, {"a": "8", "b": "9"}]
    assert [place for chunk in chunks for place in chunk.places] == [3, 7, 10]
    with pytest.raises(ValueError, match=r"log.csv, line 5: has 3 cells, not 2 \('1,2,3'\): mend"):
        list(open_log(path))


def test_lines_that_are_no_object_are_named(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"a":1}\n{"a":\n\n[1]\n{"b":"\xff"}\n{"a":2}\n')
    chunks, rejects = skipped(path)
    assert rows_of(chunks) == [{"a": 1}, {"a": 2}]
    assert [line for line, _ in rejects] == [2, 4, 5]
    assert [reason.split(" (")[0] for _, reason in rejects] == [
        "is no JSON",
        "is no JSON object",
        "holds bytes that are not UTF-8",
    ]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("log.csv", b"", "line 1: the file is empty"),
        ("log.jsonl", b"", "line 1: the file is empty"),
        ("log.csv", b"a,b\n", "line 1: the file has no rows"),
        ("log.csv", b"a,a\n1,2\n", r"line 1: wants each column once, got \['a'\]"),
        ("log.csv", b'a,b\n1,2\n1,"x\n2,3\n', r"line 3: a quote \(\"\) is opened here"),
        ("log.csv", "ä,b\n1,2\n".encode("utf-16"), "line 1: the names .* are not in UTF-8"),
        ("log.csv", b"a,b\r1,2\r", "line 1: the names of the columns make no line"),
        ("log.csv.gz", b"no gzip", "line 1: the gzip data end early or were damaged"),
        ("log.parquet", b"no parquet", "should be Parquet and cannot be read"),
        ("log.xlsx", b"a", "wants a suffix .* one of .csv, .tsv, .jsonl, .ndjson, .parquet"),
    ],
)
def test_a_file_that_is_no_log_is_refused(tmp_path, name, content, says):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf"{name}.*{says}"):
        list(open_log(tmp_path / name))


def test_a_truncated_gzip_names_the_line_it_ends_near(tmp_path):
    rows = b"".join(b"%d,%d\n" % (row, row * 7919 % 1000) for row in range(200_000))
    whole = gzip.compress(b"a,b\n" + rows)
    (tmp_path / "log.csv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"log.csv.gz, line \d+: the gzip data end") as error:
        list(open_log(tmp_path / "log.csv.gz"))
    line = int(str(error.value).split("line ")[1].split(":")[0])
    assert 70_000 < line < 120_000


def test_an_unknown_column_is_refused_with_those_that_are_there(tmp_path):
    for name in ("log.csv", "log.parquet"):
        says = rf"{name}.*: wants columns \['zip'\], got \['user', 'age'\]"
        with pytest.raises(ValueError, match=says):
            list(open_log(written(tmp_path / name), columns=["user", "zip"]))


def test_a_path_that_names_nothing_is_refused(tmp_path):
    for source in (tmp_path / "no.csv", tmp_path / "*.csv", tmp_path):
        with pytest.raises(FileNotFoundError, match="names none: correct the path"):
            reading.files(source)


def test_a_delimiter_of_two_characters_is_refused():
    with pytest.raises(ValueError, match="one character between cells, got '::'"):
        Delimited("::")


TFDS_WITHOUT_TENSORFLOW = """
import sys
import numpy as np
import tensorflow_datasets as tfds
from recsys.data.reading import open_log

class Clicks(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        scalar, text = tfds.features.Scalar, tfds.features.Text
        features = {"user": text(), "rate": scalar(np.float32), "movie": {"id": scalar(np.int64)}}
        features["genres"] = tfds.features.Sequence(text())
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, downloads):
        return {"train": self._generate_examples(0, 5), "test": self._generate_examples(5, 8)}

    def _generate_examples(self, start, stop):
        lines = open(sys.argv[1]).read().splitlines()
        for number, line in enumerate(lines[start:stop]):
            user, rate, movie, genres = line.split(",")
            row = {"user": user, "rate": float(rate), "genres": genres.split("|")}
            yield number, row | {"movie": {"id": int(movie)}}

builder = Clicks(data_dir=sys.argv[2], file_format="array_record")
builder.download_and_prepare()
rows = [row for chunk in open_log(builder.data_dir) for row in chunk.table.to_pylist()]
print("ROWS", sorted((row["user"], row["rate"], row["movie/id"], *row["genres"]) for row in rows))
try:
    list(open_log(builder.data_dir, columns=["zip"]))
except ValueError as error:
    print("ERROR", error)
try:
    list(open_log("tfds:mnist"))
except FileNotFoundError as error:
    print("ERROR", error)
print("TENSORFLOW", "tensorflow" in sys.modules)
"""


@pytest.mark.slow
def test_tfds_is_read_from_array_record_without_tensorflow(tmp_path):
    lines = [f"u{row},{row / 2},{row * 10},{'a|b' if row % 2 else 'c'}" for row in range(8)]
    (tmp_path / "log.csv").write_text("\n".join(lines))
    command = [sys.executable, "-c", TFDS_WITHOUT_TENSORFLOW, tmp_path / "log.csv", tmp_path]
    environment = os.environ | {"TFDS_DATA_DIR": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    genres = [("a", "b") if row % 2 else ("c",) for row in range(8)]
    rows = [(f"u{row}", row / 2, row * 10, *genres[row]) for row in range(8)]
    assert f"ROWS {rows}\n" in done.stdout
    assert "wants columns ['zip'], got ['genres', 'movie/id', 'rate', 'user']" in done.stdout
    assert "prepare it with download_and_prepare(file_format='array_record')" in done.stdout
    assert "TENSORFLOW False" in done.stdout
