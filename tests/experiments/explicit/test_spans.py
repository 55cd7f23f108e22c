"""Spans of job ads: labels are gathered by span or sentence, and other files are refused."""

import gzip

import pytest

from experiments.explicit import spans
from recsys.explicit import Inventory

INVENTORY = Inventory(("Java", "baking", "java"))
LINES = """sentence,span,sub_span,label
Java and bread,Java,,Java
Java and bread,bread,,baking
Bake Java,Java,,baking
Bake Java,smart,,UNDERSPECIFIED
"""


def write(folder, text: str = LINES) -> None:
    (folder / "spans.csv.gz").write_bytes(gzip.compress(text.encode()))


def test_a_span_has_every_label_that_it_was_given(tmp_path):
    write(tmp_path)
    read = spans.read(tmp_path, "spans.csv", INVENTORY)
    assert read.texts == ("Java", "bread")
    assert read.relevant.tolist() == [[True, True, False], [False, True, False]]


def test_a_sentence_has_the_labels_of_its_spans(tmp_path):
    write(tmp_path)
    read = spans.read(tmp_path, "spans.csv", INVENTORY, by="sentence")
    assert read.texts == ("Java and bread", "Bake Java")
    assert read.relevant.sum(axis=1).tolist() == [2, 1]


def test_other_labels_are_refused(tmp_path):
    write(tmp_path)
    with pytest.raises(ValueError, match=r"labels among 1 skills, and spans.csv.gz has none"):
        spans.read(tmp_path, "spans.csv", Inventory(("sewing",)))


def test_other_columns_are_refused(tmp_path):
    write(tmp_path, "text,label\na,b\n")
    with pytest.raises(ValueError, match=r"columns sentence and label .* are text, label"):
        spans.read(tmp_path, "spans.csv", INVENTORY)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"Spans want spans.csv"):
        spans.read(tmp_path, "spans.csv", INVENTORY)
