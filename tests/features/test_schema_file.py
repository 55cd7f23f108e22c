"""Schemas as files: what is written is read again, and what nobody can read is named by line."""

from pathlib import Path

import pytest

from recsys.features import Feature, Schema
from recsys.features.schema_file import read, write
from recsys.features.transforms import Buckets, Log1p, Standardise

RICH = Schema(
    (
        Feature("user id", default="nobody", lookups=2),
        Feature("tags", kind="bag", length=5, separator="|", pooling="sum"),
        Feature("title", kind="text", length=8),
        Feature("when", kind="numeric", date_format="%d/%m/%Y", transform=Standardise()),
        Feature("price", kind="numeric", transform=Standardise(of=Log1p()), default=1.5),
        Feature("age", kind="numeric", transform=Buckets(edges=(18.0, 65.0))),
        Feature("clicks", kind="numeric", transform=Log1p(), default=0),
        Feature("pair", cross=("user id", "tags")),
    ),
    label="liked?",
    weight="weight",
    timestamp="when",
    user="user id",
    date_format="%d/%m/%Y",
    positive=4.0,
)
PLAIN = Schema((Feature("x"),), label=None)


@pytest.mark.parametrize("schema", [RICH, PLAIN], ids=["rich", "plain"])
def test_a_schema_comes_back_as_it_was_written(tmp_path, schema):
    write(schema, tmp_path / "s.toml")
    assert read(tmp_path / "s.toml") == schema


def test_notes_are_comments_beside_what_they_are_about(tmp_path):
    write(
        RICH,
        tmp_path / "s.toml",
        head="two\nlines",
        notes={"label": "30% are 1", "tags": "9 values"},
        left_out={"row": "a name\nof a row"},
    )
    text = (tmp_path / "s.toml").read_text()
    assert text.startswith("# two\n# lines\n")
    assert 'label = "liked?" # 30% are 1' in text
    assert "[features.tags]\n# 9 values\n" in text
    assert "# row is left out: a name" in text
    assert read(tmp_path / "s.toml") == RICH


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[features.x]\nkind = bag", "line 2: is no TOML"),
        ("label = 3\n[features.x]", "line 1: label wants text, got 3"),
        ("\nlable = 'y'\n[features.x]", "line 2: unknown 'lable' of a Schema: known are label"),
        ("[features.x]\n\nlenght = 3", "line 3: unknown 'lenght' of a Feature: known are kind"),
        ("[features.x]\nlength = '3'", "line 2: length wants a whole number, got '3'"),
        ("[features.x]\nlength = 3", r"line 1: Feature\('x'\) is categorical and has one place"),
        ("[features.x]\nkind='numeric'\ntransform='log'", "line 3: unknown transform 'log': kno"),
        (
            "[features.x]\nkind='numeric'\ntransform={kind='buckets', count=1}",
            "line 3: Buckets wants a count of at least 2",
        ),
        ("[features.x]\ncross = ['a', 3]", "line 2: cross wants a list, each text, got"),
        ("label = 'x'\n[features.x]", r"Feature\('x'\) reads the label"),
        ("label = 'x'", "wants at least one feature"),
        ("features = 3", r"line 1: wants a \[features.NAME\] for each feature"),
        ("[features.x]\n[features.x]", "is no TOML"),
    ],
)
def test_a_file_that_says_nothing_sensible_is_refused_with_its_line(tmp_path, text, says):
    path = tmp_path / "s.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=rf"s\.toml.*{says}"):
        read(path)


def test_a_file_that_is_not_there_says_how_to_write_it(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="write one with `data describe`"):
        read(tmp_path / "s.toml")
