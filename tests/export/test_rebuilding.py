"""A release outlives the window of its programs: they are made anew from its archive."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from recsys.export import rebuild
from recsys.release import Release, ReleaseError
from recsys.release.manifest import MANIFEST, read_manifest, write_manifest
from tests.releases import NAMES, opened, tower_release

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("releases")]


@pytest.fixture(scope="module")
def expired(tmp_path_factory) -> Path:
    """The towers with programs that no JAX can read."""
    path = Path(shutil.copytree(tower_release(), tmp_path_factory.mktemp("old") / "movies"))
    manifest = read_manifest(path)
    (path / MANIFEST).unlink()
    for program in (path / "programs").iterdir():
        program.write_bytes(program.read_bytes()[::-1])
    write_manifest(path, manifest)
    return path


def test_programs_past_their_window_are_refused_with_the_way_out(expired):
    with pytest.raises(ReleaseError, match=r"another version of JAX .* `recsys export --rebuild`"):
        Release.open(expired)


def test_a_rebuilt_release_answers_as_the_first_did(expired, tmp_path):
    rebuilt = Release.open(rebuild(expired, tmp_path / "movies-2", platforms=("cpu",)))
    first = opened("towers")
    rows = [{"person": name} for name in NAMES[:4]]
    was, now = (release.users(release.encode(rows).batch) for release in (first, rebuilt))
    np.testing.assert_allclose(now, was, atol=1e-5)
    assert rebuilt.space_id == first.space_id
    assert rebuilt.id != first.id
    assert rebuilt.manifest["name"] == "movies-2"
    assert rebuilt.manifest["programs"]["users"]["platforms"] == ["cpu"]


def test_an_edited_release_is_not_rebuilt(expired, tmp_path):
    path = Path(shutil.copytree(expired, tmp_path / "edited"))
    content = bytearray((path / "params.safetensors").read_bytes())
    content[-1] ^= 1
    (path / "params.safetensors").write_bytes(content)
    with pytest.raises(ReleaseError, match=r"params\.safetensors should have the sha256"):
        rebuild(path, tmp_path / "new")
    assert not (tmp_path / "new").exists()
