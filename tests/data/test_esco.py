"""ESCO: archives in the published layout become occupations, skills and links."""

import zipfile
from pathlib import Path

import pytest

from recsys.data.datasets import esco

SKILLS = """conceptType,conceptUri,skillType,reuseLevel,preferredLabel,altLabels,description
KnowledgeSkillCompetence,s/1,skill/competence,sector-specific,bake bread,"baking bread
make loaves
baking bread","Mix, knead and bake."
KnowledgeSkillCompetence,s/2,knowledge,cross-sector,yeast,,What makes dough rise.
"""
OCCUPATIONS = """conceptType,conceptUri,iscoGroup,preferredLabel,altLabels,description,code
Occupation,o/1,7512,baker,"bread maker
baker of bread","Bakers say ""rise"" early.",7512.1
Occupation,o/2,7512,pastry maker,,Pastry makers make cakes.,7512.2
"""
LINKS = """occupationUri,relationType,skillType,skillUri
o/1,essential,skill/competence,s/1
o/1,essential,knowledge,s/2
o/2,optional,knowledge,s/2
"""
CLASSIFICATION = "ESCO_v9_classification_en_csv.zip"
RELATIONS = "ESCO_v9_relations_csv.zip"


def write(folder: Path, *, skills: str = SKILLS, links: str = LINKS) -> Path:
    with zipfile.ZipFile(folder / CLASSIFICATION, "w") as archive:
        archive.writestr("skills_en.csv", skills)
        archive.writestr("occupations_en.csv", OCCUPATIONS)
    with zipfile.ZipFile(folder / RELATIONS, "w") as archive:
        archive.writestr("occupationSkillRelations.csv", links)
    return folder


def test_labels_and_descriptions_are_read_with_their_lines_and_quotes(tmp_path):
    read = esco.load(write(tmp_path))
    assert read.skills[0].alternatives == ("baking bread", "make loaves")
    assert [skill.kind for skill in read.skills] == ["skill/competence", "knowledge"]
    assert read.occupations[0].description == 'Bakers say "rise" early.'
    assert [o.group for o in read.occupations] == ["7512", "7512"]
    assert read.occupations[1].alternatives == ()


def test_links_are_of_two_kinds(tmp_path):
    read = esco.load(write(tmp_path))
    assert read.essential.toarray().tolist() == [[1, 1], [0, 0]]
    assert read.optional.toarray().tolist() == [[0, 0], [0, 1]]


def test_a_folder_inside_the_one_given_is_read(tmp_path):
    (tmp_path / "esco").mkdir()
    write(tmp_path / "esco")
    assert len(esco.load(tmp_path).skills) == 2


def test_a_link_to_an_unknown_skill_is_refused(tmp_path):
    write(tmp_path, links=LINKS + "o/2,essential,knowledge,s/3\n")
    with pytest.raises(ValueError, match=r"ESCO needs every name .* and 's/3' is not"):
        esco.load(tmp_path)


def test_a_row_that_was_cut_is_refused(tmp_path):
    write(tmp_path, links=LINKS + "o/2,essential\n")
    with pytest.raises(ValueError, match=r"4 fields a row .* and row 5 has another number"):
        esco.load(tmp_path)


def test_an_edited_header_is_refused(tmp_path):
    write(tmp_path, skills=SKILLS.replace("altLabels", "labels"))
    with pytest.raises(ValueError, match=r"ESCO needs the column 'altLabels' in skills_en.csv"):
        esco.load(tmp_path)


def test_a_damaged_archive_is_refused(tmp_path):
    write(tmp_path)
    path = tmp_path / RELATIONS
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ValueError, match=r"ESCO needs a whole occupationSkillRelations.csv"):
        esco.load(tmp_path)


def test_a_missing_archive_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"ESCO needs one archive .*classification.* 0"):
        esco.load(tmp_path)


def test_links_of_a_few_occupations_that_are_not_described_are_left_out(tmp_path):
    write(tmp_path, links=LINKS + "o/1,essential,knowledge,s/2\n" * 200 + "o/3,optional,,s/1\n")
    assert esco.load(tmp_path).optional.nnz == 1


def test_links_of_many_such_occupations_are_refused(tmp_path):
    write(tmp_path, links=LINKS.replace("o/1", "o/3"))
    with pytest.raises(ValueError, match=r"and 2 of 3 links are of others"):
        esco.load(tmp_path)
