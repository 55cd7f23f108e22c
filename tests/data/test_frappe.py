"""Frappe: each use comes with two apps that its person never uses, in the same context."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from recsys.data.datasets.frappe import CONTEXT, MEMBER, SCHEMA, load, split

HEADER = "user\titem\tcnt\tdaytime\tweekday\tisweekend\thomework\tcost\tweather\tcountry\tcity"
CELLS = "3\tmorning\tsunday\tweekend\tunknown\tfree\tsunny\tSpain"
USES = [(user, item) for user in range(5) for item in range(user, user + 4)]
LOG = "\n".join([HEADER, *(f"{user}\t{item}\t{CELLS}\t{user}" for user, item in USES), ""])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "frappe.csv").write_text(LOG)
    return tmp_path


def test_each_use_is_followed_by_two_negatives_in_its_context(folder):
    columns = load(folder)
    assert columns["label"].tolist() == [1, 0, 0] * 20
    assert columns["item"][::3].tolist() == [u + i for u in range(5) for i in range(4)]
    for name in ("user", *CONTEXT):
        np.testing.assert_array_equal(columns[name][::3], columns[name][1::3])
        np.testing.assert_array_equal(columns[name][::3], columns[name][2::3])


def test_a_negative_is_an_app_that_its_person_never_uses(folder):
    columns = load(folder)
    is_used = (columns["item"] >= columns["user"]) & (columns["item"] < columns["user"] + 4)
    np.testing.assert_array_equal(is_used, columns["label"] == 1)


def test_the_seed_alone_decides_the_negatives(folder):
    one, same, other = (load(folder, seed=seed)["item"] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_the_published_archive_is_read_like_its_log(folder, tmp_path_factory):
    outer = tmp_path_factory.mktemp("data")
    (outer / "frappe").mkdir()
    with zipfile.ZipFile(outer / "frappe" / "Mobile_Frappe.zip", "w") as archive:
        archive.writestr(MEMBER, LOG)
    for name, column in load(folder).items():
        np.testing.assert_array_equal(load(outer)[name], column)


def test_the_schema_encodes_it_without_the_count_of_uses(folder):
    columns = load(folder)
    batch = SCHEMA.encode(columns)
    assert batch.low.shape == (60, 10)
    assert "cnt" not in columns
    assert sum(map(len, split(len(batch), seed=0).values())) == 60


def test_someone_who_uses_every_app_has_no_negatives(folder):
    (folder / "frappe.csv").write_text("\n".join([*LOG.split("\n")[:5], ""]))
    with pytest.raises(ValueError, match="and one uses all 4"):
        load(folder)


def test_a_log_without_a_column_is_refused(folder):
    (folder / "frappe.csv").write_text(LOG.replace("weather", "sky", 1))
    with pytest.raises(ValueError, match=r"reading it says Column 'weather'"):
        load(folder)


def test_a_broken_archive_is_refused(tmp_path):
    (tmp_path / "Mobile_Frappe.zip").write_bytes(b"PK\x03\x04 half of it")
    with pytest.raises(ValueError, match=r"in Mobile_Frappe.zip, and opening it says"):
        load(tmp_path)


def test_an_empty_folder_says_what_to_give(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"needs Mobile_Frappe.zip or frappe.csv"):
        load(tmp_path)
