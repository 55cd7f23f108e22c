"""O*NET: files in the published layout become occupations, concepts, relations and ratings."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from openpyxl import Workbook

from recsys.data.datasets import onet

CODE = "O*NET-SOC Code"
FILES = {
    "Occupation Data": [
        (CODE, "Title", "Description"),
        ("51-3011.00", "Bakers", 'Mix and bake "dough".'),
        ("51-3092.00", "Food Batchmakers", "Set up equipment that mixes."),
        ("51-9999.00", "Production Workers, All Other", "All others."),
    ],
    "Alternate Titles": [
        (CODE, "Alternate Title", "Short Title", "Source(s)"),
        ("51-3011.00", "Bread Maker", "n/a", "08"),
        ("51-3011.00", "Dough Hand", "n/a", "08"),
        ("51-3092.00", "Mixer", "n/a", "08"),
    ],
    "Task Statements": [
        (CODE, "Task ID", "Task"),
        ("51-3011.00", "1", "Knead dough."),
        ("51-3011.00", "2", "Watch ovens."),
        ("51-3092.00", "3", "Fill mixers."),
    ],
    "DWA Reference": [
        ("Element ID", "IWA ID", "DWA ID", "DWA Title"),
        ("4", "4.I", "4.I.D1", "Mix food."),
        ("4", "4.I", "4.I.D2", "Bake food."),
    ],
    "Tasks to DWAs": [
        (CODE, "Task ID", "DWA ID"),
        ("51-3011.00", "1", "4.I.D1"),
        ("51-3011.00", "2", "4.I.D2"),
        ("51-3011.00", "2", "4.I.D1"),
        ("51-3092.00", "3", "4.I.D1"),
    ],
    "Technology Skills": [
        (CODE, "Example", "Commodity Code", "Commodity Title"),
        ("51-3011.00", "Recipe 2.0", "1", "Recipe software"),
    ],
    "Tools Used": [
        (CODE, "Example", "Commodity Code", "Commodity Title"),
        ("51-3011.00", "Rack ovens", "2", "Ovens"),
        ("51-3011.00", "Deck ovens", "2", "Ovens"),
        ("51-3092.00", "Paddle mixers", "3", "Mixers"),
    ],
    "Related Occupations": [
        (CODE, f"Related {CODE}", "Relatedness Tier", "Index"),
        ("51-3011.00", "51-3092.00", "Primary-Short", "1"),
        ("51-3092.00", "51-3011.00", "Supplemental", "1"),
    ],
}
RATED = [
    (CODE, "Title", "Element Name", "Scale ID", "Data Value", "Not Relevant"),
    ("51-3011.00", "Bakers", "Chemistry", "IM", 2.5, None),
    ("51-3011.00", "Bakers", "Chemistry", "LV", 3.5, "N"),
    ("51-3092.00", "Food Batchmakers", "Food Production", "IM", 5, None),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, rows in FILES.items():
        text = "".join("\t".join(row) + "\n" for row in rows)
        (tmp_path / f"{name.replace(' ', '_')}.txt.gz").write_bytes(gzip.compress(text.encode()))
    book = Workbook()
    for row in RATED:
        book.worksheets[0].append(row)
    book.save(tmp_path / "Knowledge.xlsx")
    return tmp_path


def test_an_occupation_has_its_texts(folder):
    read = onet.load(folder)
    assert read.occupations[0] == onet.Occupation(
        code="51-3011.00",
        title="Bakers",
        description='Mix and bake "dough".',
        alternate_titles=("Bread Maker", "Dough Hand"),
        tasks=("Knead dough.", "Watch ovens."),
    )
    assert read.occupations[2].tasks == ()


def test_concepts_count_and_name_what_occupations_use(folder):
    read = onet.load(folder)
    assert read.tools.names == ("Mixers", "Ovens")
    assert read.tools.links.toarray().tolist() == [[0, 2], [1, 0], [0, 0]]
    assert read.tools.examples[1] == ("Rack ovens", "Deck ovens")
    assert read.activities.names == ("Bake food", "Mix food")
    assert read.activities.links.toarray().tolist() == [[1, 2], [0, 1], [0, 0]]


def test_near_occupations_have_higher_grades(folder):
    assert onet.load(folder).related.toarray().tolist() == [[0, 3, 0], [1, 0, 0], [0, 0, 0]]


def test_ratings_are_those_of_importance(folder):
    read = onet.ratings(folder, onet.load(folder), tables=("Knowledge",))
    assert read.names == ("Chemistry", "Food Production")
    np.testing.assert_array_equal(read.links.toarray(), [[2.5, 0], [0, 5], [0, 0]])


def test_the_names_of_the_official_download_are_found(folder):
    packed = folder / "Task_Statements.txt.gz"
    (folder / "Task Statements.txt").write_bytes(gzip.decompress(packed.read_bytes()))
    packed.unlink()
    assert onet.load(folder).occupations[1].tasks == ("Fill mixers.",)


def test_an_unknown_tier_is_refused(folder):
    rewrite(folder, "Related_Occupations", "Supplemental", "Tertiary")
    with pytest.raises(ValueError, match=r"a tier among Primary-Short, .* and 'Tertiary' came"):
        onet.load(folder)


def test_an_occupation_that_is_not_described_is_refused(folder):
    rewrite(folder, "Tools_Used", "51-3092.00", "51-3093.00")
    with pytest.raises(ValueError, match=r"O\*NET needs every name in Tools Used .*51-3093.00"):
        onet.load(folder)


def test_a_truncated_file_is_refused(folder):
    path = folder / "Task_Statements.txt.gz"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ValueError, match=r"O\*NET needs a whole Task_Statements.txt.gz"):
        onet.load(folder)


def test_a_missing_file_is_named(folder):
    (folder / "Tools_Used.txt.gz").unlink()
    with pytest.raises(FileNotFoundError, match=r"O\*NET needs Tools Used.txt"):
        onet.load(folder)


def rewrite(folder: Path, name: str, old: str, new: str) -> None:
    path = folder / f"{name}.txt.gz"
    text = gzip.decompress(path.read_bytes()).decode()
    path.write_bytes(gzip.compress(text.replace(old, new).encode()))
