"""The directory of a release: whole or not at all, and any changed byte is found out by name."""

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from recsys.release.manifest import (
    MANIFEST,
    ReleaseError,
    check_files,
    read_manifest,
    spelled,
    write_manifest,
    written,
)

ROOT = Path(__file__).parent.parent.parent
KILLS = 3
WRITER = """
import sys
from pathlib import Path
from tests.release.test_manifest import make
for number in range(10**6):
    make(Path(sys.argv[1]) / f"out-{number}")
"""


def make(out: Path) -> Path:
    """A directory like a release's."""
    with written(out) as folder:
        (folder / "items").mkdir()
        (folder / "items" / "ids.json").write_text('["a", "b"]')
        (folder / "params.safetensors").write_bytes(bytes(range(256)) * 64)
        (folder / "empty").touch()
        write_manifest(folder, {"task": "click", "name": "näme"})
    return out


def check(path: Path) -> None:
    check_files(path, read_manifest(path), verify=True)


@pytest.fixture
def release(tmp_path) -> Path:
    return make(tmp_path / "release")


def test_a_release_is_checked_by_every_byte(release):
    check(release)
    assert not list(release.parent.glob(".partial-*"))


def test_a_flipped_bit_of_any_file_is_refused_by_name(release):
    files = [path for path in release.rglob("*") if path.is_file() and path.stat().st_size]
    chance = random.Random(0)
    assert len(files) == 3
    for path in files:
        good = path.read_bytes()
        places = range(len(good)) if path.name == MANIFEST else chance.sample(range(len(good)), 8)
        for place in places:
            bad = bytearray(good)
            bad[place] ^= 1 << chance.randrange(8)
            path.write_bytes(bad)
            with pytest.raises(ReleaseError, match=path.name):
                check(release)
        path.write_bytes(good)
    check(release)


@pytest.mark.parametrize("name", ["items/ids.json", "params.safetensors", "empty"])
def test_a_missing_or_longer_file_is_refused_by_name_without_reading_it(release, name):
    manifest = read_manifest(release)
    (release / name).write_bytes((release / name).read_bytes() + b"!")
    with pytest.raises(ReleaseError, match=f"{name} should have .* bytes and has"):
        check_files(release, manifest, verify=False)
    (release / name).unlink()
    with pytest.raises(ReleaseError, match=f"{name} is missing"):
        check_files(release, manifest, verify=False)


def test_another_spelling_of_the_manifest_is_refused(release):
    content = json.loads((release / MANIFEST).read_text())
    (release / MANIFEST).write_text(json.dumps(content))
    with pytest.raises(ReleaseError, match=r"manifest\.json should have the digest"):
        check(release)


def test_another_format_is_refused_before_its_digest(release):
    content = json.loads((release / MANIFEST).read_text())
    (release / MANIFEST).write_bytes(spelled({**content, "format": 2}))
    with pytest.raises(ReleaseError, match=r"has format 2, and this version reads 1: export"):
        check(release)


@pytest.mark.parametrize("told", ["", "[1]", "{}", '{"digest": 1, "format": {}', "\udcff"])
def test_what_is_no_manifest_is_refused(release, told):
    (release / MANIFEST).write_bytes(told.encode(errors="surrogateescape"))
    with pytest.raises(ReleaseError, match="should be a manifest and was truncated or edited"):
        check(release)


def test_a_directory_without_a_manifest_is_refused(tmp_path):
    with pytest.raises(ReleaseError, match=r"A release has a manifest\.json, and .* has none"):
        check(tmp_path)


def test_a_release_is_never_written_over(release):
    before = read_manifest(release)
    with pytest.raises(FileExistsError, match="is there already: give another directory"):
        make(release)
    assert read_manifest(release) == before


def test_an_export_that_fails_leaves_nothing(tmp_path):
    with pytest.raises(FileNotFoundError), written(tmp_path / "out") as folder:
        (folder / "gone" / "params.safetensors").touch()
    assert list(tmp_path.iterdir()) == []


def test_the_same_files_have_the_same_id(release, tmp_path):
    other = make(tmp_path / "other")
    assert read_manifest(other)["id"] == read_manifest(release)["id"]


@pytest.mark.slow
def test_a_killed_export_leaves_whole_releases_only(tmp_path):
    chance, halves = random.Random(0), 0
    for _ in range(KILLS):
        folder = tmp_path / "releases"
        folder.mkdir()
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(folder)], cwd=ROOT)
        while len(list(folder.glob("out-*"))) < 20:
            assert process.poll() is None
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 0.05))
        process.send_signal(signal.SIGKILL)
        process.wait()
        for path in folder.glob("out-*"):
            check(path)
        halves += bool(list(folder.glob(".partial-*")))
        shutil.rmtree(folder)
    assert halves, "no kill fell inside a write: kill more often"
