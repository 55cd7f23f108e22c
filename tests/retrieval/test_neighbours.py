"""Neighbours: items that the same users met, read by the tower of items, in runs and releases."""

import dataclasses

import numpy as np
import pytest
from scipy.sparse import csr_array

from recsys.data.describe import describe
from recsys.data.importing import import_files
from recsys.data.splits import Random
from recsys.data.store import Store
from recsys.export.towers import of_run
from recsys.export.writing import write
from recsys.release import Release
from recsys.retrieval.answers import Recommender
from recsys.retrieval.neighbours import NEIGHBOURS, nearest_items, rows_of
from recsys.retrieval.run import TowerRun, open_towers, train_towers
from recsys.retrieval.settings import TowerSettings
from recsys.retrieval.vectors import item_vectors
from tests.retrieval.logs import ITEMS, write_log

# Items 0 and 1 share two users, 0 and 2 one, 3 none.
MET = csr_array(np.array([[1, 1, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 1]], np.float32))
SETTINGS = TowerSettings(dim=4, epochs=1, every=1, item_features=("genre",), neighbours=3)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> TowerRun:
    folder = tmp_path_factory.mktemp("neighbours")
    log = write_log(folder / "log.csv")
    split = Random(valid=0.1, test=0.1)
    import_files(log, describe(log).schema, folder / "log.store", split=split, vocabulary=None)
    train_towers(Store.open(folder / "log.store"), folder / "run", SETTINGS, progress=False)
    return open_towers(folder / "run")


def test_the_nearest_by_cosine_come_first_and_an_item_alone_has_none():
    found, valid = nearest_items(MET, 2)
    np.testing.assert_array_equal(valid, [[1, 1], [1, 0], [1, 0], [0, 0]])
    np.testing.assert_array_equal(found[0], [1, 2])  # cosines 2 / sqrt(6) and 1 / sqrt(3)
    assert found[1, 0] == found[2, 0] == 0


def test_the_bag_shares_the_rows_of_items():
    rows = rows_of(MET, 2, space="item")
    feature = rows.schema.features[0]
    assert (feature.key_space, feature.values, feature.length) == ("item", 4, 2)
    np.testing.assert_array_equal(rows.batch.low[0], [1, 2])


@pytest.mark.slow
def test_a_run_reads_neighbours_beside_the_features_of_items(run):
    schema = run.resolved.model.schema
    assert run.resolved.model.item.features == ("item", "genre", NEIGHBOURS)
    rows = run.known.item_rows
    assert rows is not None
    at = rows.schema.span(NEIGHBOURS)
    found, valid = nearest_items(run.known.train, 3)
    np.testing.assert_array_equal(rows.batch.valid[:, at], valid)
    np.testing.assert_array_equal(rows.batch.low[:, at], found)
    assert next(f for f in schema.features if f.name == NEIGHBOURS).length == 3
    assert len(Recommender(run).similar("3", k=5).items) == 5


@pytest.mark.slow
def test_an_item_moves_with_its_neighbours(run):
    """Switched off, vectors of items would not change with the bag."""
    sides = run.sides
    about = run.resolved.model
    whole = np.asarray(item_vectors(about, run.state, sides))
    valid = np.asarray(sides.items.valid).copy()
    valid[:, -3:] = False
    alone = dataclasses.replace(sides, items=dataclasses.replace(sides.items, valid=valid))
    assert np.abs(whole - np.asarray(item_vectors(about, run.state, alone))).max() > 1e-3


@pytest.mark.slow
def test_a_release_takes_neighbours_by_the_names_of_items(run, tmp_path):
    release = Release.open(write(of_run(run), tmp_path / "release", platforms=("cpu",)))
    names = run.known.items.names
    assert len(names) == ITEMS
    rows = [{"item": names[0], NEIGHBOURS: [names[1], names[2]]}, {"item": names[0]}]
    vectors = release.embed_items(rows)
    assert np.abs(vectors[0] - vectors[1]).max() > 1e-3


def test_fewer_than_no_neighbours_are_refused():
    with pytest.raises(ValueError, match="neighbours of at least 0, got -1"):
        TowerSettings(neighbours=-1)
