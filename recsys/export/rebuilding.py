"""Rebuilding: the programs of a release anew from its archive, the model's spec and parameters.

JAX reads the StableHLO of older versions for about half a year. What a release answers does not
change: its golden requests are asked before it gets its name.
"""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from safetensors.numpy import load_file

import recsys.models
import recsys.tables  # noqa: F401, and above: the specs that an archive may name
from recsys.export.frozen import Frozen
from recsys.export.writing import PLATFORMS, add_programs
from recsys.release import Release
from recsys.release.manifest import (
    MANIFEST,
    check_files,
    read_manifest,
    write_manifest,
    written,
)
from recsys.release.release import ARCHIVE, PARAMS, PROGRAMS
from recsys.spec import from_json


def rebuild(path: str | Path, out: str | Path, *, platforms: Sequence[str] = PLATFORMS) -> Path:
    """A release with the same vectors, scores and space id, for the JAX that is installed.

    Args:
        path: of the old release, which stays.
        out: of the new one.
        platforms: that its programs run on.

    Raises:
        FileExistsError: the new directory is there already.
        ReleaseError: the old release was edited, or does not answer as it did.
        ValueError: its archive is of another version of the model.
    """
    path, out = Path(path), Path(out)
    manifest = read_manifest(path)
    check_files(path, manifest, verify=True)
    archive = json.loads((path / ARCHIVE).read_bytes())
    frozen = Frozen(from_json(archive["model"]))
    frozen.check(load_file(path / PARAMS))
    with written(out) as folder:
        ignored = shutil.ignore_patterns(MANIFEST, PROGRAMS)
        shutil.copytree(path, folder, ignore=ignored, dirs_exist_ok=True)
        told = add_programs(folder, archive["task"], frozen, platforms)
        manifest = {**manifest, **told, "name": out.name, "parent": manifest["id"]}
        Release(folder, manifest).replay()
        write_manifest(folder, manifest)
    return out
