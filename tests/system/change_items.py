"""Changes items of a release as the server does, one after another, and tells of each when done.

python -m tests.system.change_items RELEASE KEPT FIRST
"""

import sys
from pathlib import Path
from typing import Any

from recsys.release import Release
from serving.loaded import Loaded
from serving.messages import Upsert

NAMES = 7  # items that are changed again and again, beside those that are new


def opened(release: Path, kept: Path) -> Loaded:
    """A release with the changes of its items; it answers nothing, so nothing is compiled."""
    return Loaded(Release.open(release, verify=False), kept)


def change(number: int) -> tuple[str, dict[str, Any] | None]:
    """The item that a change is of, and its columns; None is a delete."""
    name = f"often {number % NAMES}" if number % 2 else f"new {number}"
    return name, None if number % 5 == 3 else {"title": f"title {number}"}


def main(release: Path, kept: Path, first: int) -> None:
    """Changes items until it is killed."""
    loaded = opened(release, kept)
    number = first
    while True:
        name, columns = change(number)
        if columns is None:
            loaded.delete([name])
        else:
            vector = [float(number)] * loaded.index.dim
            loaded.upsert([Upsert(name, vector=vector, columns=columns)])
        print(number, flush=True)
        number += 1


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
