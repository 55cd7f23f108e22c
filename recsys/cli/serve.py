"""`recsys serve`: a release answers requests."""

import dataclasses
import importlib.util
import os
import sys
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

Releases = Positional[Annotated[Path, arg(metavar="RELEASE")]]


@dataclasses.dataclass(frozen=True)
class Serve:
    """Serves a release, or the newest of a folder of them.

    The server is a process that loads nothing which trains: this one becomes it. Its limits can be
    set with `python -m serving --help`.
    """

    releases: Releases  # that `export` wrote, or a folder of such
    host: str = "127.0.0.1"  # others than this machine need keys
    port: int = 8000
    admin_port: int | None = None  # where releases are changed; None: on the same port
    keys: Path | None = None  # file of keys, made by `python -m serving.keys`
    kept: Path | None = None  # folder of changed items; None: .kept beside the releases

    def run(self) -> int:
        """Becomes the server."""
        if importlib.util.find_spec("serving") is None:
            raise ValueError(
                "recsys serve wants the server, got the library alone: pip install 'recsys[serve]'."
            )
        if not self.releases.is_dir():
            raise ValueError(
                f"recsys serve wants a release, got {self.releases}: make one with recsys export."
            )
        command = [sys.executable, "-m", "serving", "--releases", str(self.releases)]
        for field in dataclasses.fields(self)[1:]:
            value = getattr(self, field.name)
            if value is not None:
                command += [f"--{field.name.replace('_', '-')}", str(value)]
        os.execv(sys.executable, command)
