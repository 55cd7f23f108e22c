"""Explicit spaces by command: `train --task explicit`, `explain`, `skills` and `export`."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from starlette.testclient import TestClient

from recsys.cli import main
from recsys.explicit import Space
from recsys.explicit.files import kept_jobs
from recsys.release import Release
from serving.app import make_app
from serving.server import Server
from serving.settings import Settings
from tests.cli.told import Told
from tests.explicit.toy import INVENTORY, market

pytestmark = pytest.mark.slow

SMALL = ["--words", "16", "--width", "16", "--active", "8", "--epochs", "2", "--batch", "32"]
SMALL += ["--table-options", "rows=512"]
PROFILE, JOB = "did did3word1 did did5word0", "wants wants3word2 wants wants9word1"


@pytest.fixture
def told(capsys) -> Told:
    return Told(capsys)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Files of a toy market, and a space that was fitted to them."""
    folder = tmp_path_factory.mktemp("market")
    write(folder)
    files = ["--skills", "skills.jsonl", "--profiles", "profiles.jsonl", "--jobs", "jobs.parquet"]
    named = [str(folder / word) if "." in word else word for word in files]
    assert main(["train", "--task", "explicit", *named, "--out", str(folder / "run"), *SMALL]) == 0
    return folder


def write(folder: Path) -> None:
    """Skills and profiles as JSONL, jobs as Parquet."""
    data, names = market(0, people=64), INVENTORY.names
    lines = [json.dumps({"name": name}) for name in names]
    (folder / "skills.jsonl").write_text("\n".join(lines))
    rows = [
        {
            "text": text,
            "given": [names[n] for n in data.profiles.known[[row]].indices],
            "known": [names[n] for n in data.profiles.known[[row]].indices],
            "relevant": [f"j{n}" for n in data.grades[[row]].indices],
            "relevant_grades": data.grades[[row]].data.tolist(),
        }
        for row, text in enumerate(data.profiles.texts)
    ]
    (folder / "profiles.jsonl").write_text("\n".join(map(json.dumps, rows)))
    ids = [f"j{row}" for row in range(len(data.jobs))]
    known = [[names[n] for n in data.jobs.known[[row]].indices] for row in range(len(ids))]
    table = pa.table({"id": ids, "text": list(data.jobs.texts), "known": known})
    pyarrow.parquet.write_table(table, folder / "jobs.parquet")


def test_a_score_is_explained_with_what_is_missing_and_drawn(folder, told, tmp_path):
    pair = ["--profile", PROFILE, "--job", JOB]
    skill = INVENTORY.names[3]
    printed = told.ok(
        "explain", folder / "run", *pair, "--what-if", f"{skill}=0", "--plot", tmp_path / "why.png"
    )
    space = Space.open(folder / "run")
    shares = space.explain(PROFILE, JOB)
    score = sum(share for _, share in shares)
    assert f"{score:.4f}" in printed
    for name, share in shares[:3]:
        assert name in printed
        assert f"{share:.4f}" in printed
    assert all(head in printed for head in ("Why", "Missing", "What if"))
    assert (tmp_path / "why.png").read_bytes().startswith(b"\x89PNG")
    told.ok("explain", folder / "run", *pair, "--plot", tmp_path / "why.svg")
    assert skill in (tmp_path / "why.svg").read_text() or shares[0][0] != skill


def test_the_skills_of_a_text_are_named(folder, told):
    printed = told.ok("skills", folder / "run", "--text", PROFILE, "", "-k", "2")
    (first, _), _ = Space.open(folder / "run").skills(PROFILE, most=2)
    assert first in printed
    assert "No skill." in printed


def test_skills_alone_are_a_profile(folder, told):
    pair = ["--profile", "", "--job", JOB, "--profile-skill", INVENTORY.names[3]]
    assert "score" in told.ok("explain", folder / "run", *pair)


def test_what_cannot_be_read_is_one_sentence(folder, told, tmp_path):
    pair = ["--profile", PROFILE, "--job", JOB]
    run = folder / "run"
    assert "use one of their names, as" in told.wrong(
        "explain", run, *pair, "--what-if", "skill 3 of craft=1"
    )
    assert "a skill and a value" in told.wrong("explain", run, *pair, "--what-if", "craft")
    assert "one of .svg" in told.wrong("explain", run, *pair, "--plot", "why.gif")
    assert "has none" in told.wrong("explain", tmp_path, *pair)
    assert "is not empty" in told.wrong("train", "--task", "explicit", *files(folder), "--out", run)


@pytest.mark.parametrize(
    ("file", "lines", "sentence"),
    [
        ("skills.jsonl", ['{"name": "a"}', '{"name": "a"}'], "each skill once, got 'a'"),
        ("skills.jsonl", ['{"title": "a"}'], "wants a column 'name'"),
        ("skills.jsonl", [], "the file is empty"),
        ("profiles.jsonl", ["nonsense"], "line 1: is no JSON"),
        ("profiles.jsonl", ['{"text": "a", "relevant": ["x"]}'], "has none of that id"),
        ("profiles.jsonl", ['{"text": "a", "given": ["x"]}'], "is called 'x'"),
        ("profiles.jsonl", ['{"text": "a", "given": "x"}'], "wants given as a list"),
        ("profiles.jsonl", ['{"text": "a", "id": 1}'] * 2, "each id once, got '1'"),
    ],
)
def test_files_that_are_wrong_are_one_sentence(tmp_path, told, file, lines, sentence):
    write(tmp_path)
    (tmp_path / file).write_text("\n".join(lines))
    assert sentence in told.wrong("train", "--task", "explicit", *files(tmp_path))


@pytest.mark.parametrize("are_linked", [True, False])
def test_a_release_answers_as_the_space_and_names_its_reasons(folder, told, tmp_path, are_linked):
    out, run = tmp_path / "releases" / "market", folder / "run"
    if not are_linked:
        run = tmp_path / "run"
        where = [*files(folder), "--out", run]
        told.ok("train", "--task", "explicit", *where, *SMALL, "--no-links")
    told.ok("export", run, "--out", out, "--platforms", "cpu")
    release, space = Release.open(out), Space.open(run)
    assert (space.linker is not None) == are_linked
    assert release.skills is not None
    assert release.skills == list(space.names.names)
    assert ("the word 'wants3word2'" in release.skills) == are_linked
    jobs = kept_jobs(run, space.inventory).documents
    offline = space.job_vectors(jobs)
    np.testing.assert_allclose(release.item_vectors.toarray(), offline.toarray(), atol=1e-5)
    text = f"{PROFILE} {JOB}"
    asked = {"text": text, "skills": [INVENTORY.names[3]] * 2}
    profile = space.documents([text], [[INVENTORY.names[3]]])
    vector = release.users(release.encode([asked]).batch)
    np.testing.assert_allclose(vector, space.profile_vectors(profile).toarray(), atol=1e-5)

    with TestClient(make_app(Server(Settings(out.parent, most_together=1)))) as client:
        scores = space.score(profile, jobs)[0]
        body = {"features": asked, "k": 3}
        found = client.post("/v1/recommend", json=body).json()["items"]
        best = -np.sort(-scores)[:3]
        np.testing.assert_allclose([item["score"] for item in found], best, atol=1e-5)
        item = found[0]["id"]
        told_why = client.post("/v1/explain", json={"features": asked, "item": item}).json()
        place = int(item[1:])
        wanted = space.explain(profile, jobs.take(np.array([place])))
        assert told_why["by"] == "skills"
        assert [why["name"] for why in told_why["reasons"]] == [
            name for name, _ in wanted[: len(told_why["reasons"])]
        ]
        assert told_why["score"] == pytest.approx(float(scores[place]), abs=1e-5)


def files(folder: Path) -> list[str]:
    named = {"--skills": "skills.jsonl", "--profiles": "profiles.jsonl", "--jobs": "jobs.parquet"}
    return [word for name, file in named.items() for word in (name, str(folder / file))]
