"""Avazu: the hour becomes one of the day and a time, and the rest is read as it stands."""

import gzip
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from recsys.data.datasets.avazu import SCHEMA, TEXTS, load, read

HEADER = (
    "id,click,hour,C1,banner_pos,site_id,site_domain,site_category,app_id,app_domain,"
    "app_category,device_id,device_ip,device_model,device_type,device_conn_type,"
    "C14,C15,C16,C17,C18,C19,C20,C21"
)
LINES = (
    "10,0,14102100,1005,0,1fbe01fe,f3845767,28905ebd,ecad2386,7801e8d9,07d7df22,a99f214a,ddd2926e,"
    "44956a24,1,2,15706,320,50,1722,0,35,-1,79",
    "11,1,14103023,1005,1,1fbe01fe,f3845767,28905ebd,ecad2386,7801e8d9,07d7df22,a99f214a,96809ac8,"
    "711ee120,1,0,15704,320,50,1722,0,35,100084,79",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "train.csv").write_text("\n".join([HEADER, *LINES, ""]))
    return tmp_path


def test_the_hour_becomes_one_of_the_day_and_a_time(folder):
    columns = load(folder)
    assert columns["hour"].tolist() == [0, 23]
    wanted = [datetime(2014, 10, 21, 0, tzinfo=UTC), datetime(2014, 10, 30, 23, tzinfo=UTC)]
    assert columns["timestamp"].tolist() == [int(moment.timestamp()) for moment in wanted]


def test_clicks_are_labels_and_codes_stay_text(folder):
    columns = load(folder)
    assert columns["label"].tolist() == [0, 1]
    assert columns["device_ip"].tolist() == ["ddd2926e", "96809ac8"]
    assert columns["C20"].tolist() == [-1, 100084]
    assert "id" not in columns


def test_the_schema_encodes_every_feature_but_the_time(folder):
    columns = load(folder)
    batch = SCHEMA.encode(columns)
    assert batch.low.shape == (2, 22)
    assert {feature.name for feature in SCHEMA.features} == columns.keys() - {"label", "timestamp"}
    assert set(TEXTS) <= columns.keys()


def test_a_gzipped_file_reads_like_a_plain_one(folder):
    path = folder / "train.gz"
    path.write_bytes(gzip.compress((folder / "train.csv").read_bytes()))
    for name, column in load(folder).items():
        np.testing.assert_array_equal(load(path)[name], column)


def test_blocks_of_a_file_are_the_file(folder):
    assert sum(len(block["label"]) for block in read(folder)) == 2


@pytest.mark.parametrize("spoilt", [LINES[0][:30], LINES[0].replace(",0,1410", ",no,1410", 1)])
def test_a_broken_line_is_refused(folder, spoilt):
    (folder / "train.csv").write_text("\n".join([HEADER, *LINES, spoilt, ""]))
    with pytest.raises(ValueError, match=r"Avazu needs a header .* reading train.csv says"):
        load(folder)


def test_a_file_without_a_column_is_refused(folder):
    (folder / "train.csv").write_text("\n".join([HEADER.replace("C21", "C22"), *LINES, ""]))
    with pytest.raises(ValueError, match=r"reading train.csv says .*C21"):
        load(folder)


def test_an_empty_folder_says_what_to_give(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"needs one of train.csv, train.gz"):
        load(tmp_path)
