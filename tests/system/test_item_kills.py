"""A process that changes items as the server does is killed at random: what it told of is kept."""

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.releases import tower_release
from tests.system.change_items import change, opened

ROOT = Path(__file__).parent.parent.parent
KILLS = 25  # of a process that takes long to start; test_index_kills.py has a hundred


def killed(kept: Path, first: int, acknowledged: int) -> list[int]:
    """The changes that a process told of before it was killed, soon after so many of them."""
    module = "tests.system.change_items"
    command = [sys.executable, "-m", module, str(tower_release()), str(kept), str(first)]
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    told = [next(child.stdout) for _ in range(acknowledged)]
    child.kill()
    told += child.stdout.read().splitlines(keepends=True)
    child.wait()
    child.stdout.close()
    return [int(line) for line in told if line.endswith("\n")]


def there(kept: Path, names: list[str]) -> dict[str, tuple[float, str] | None]:
    """What is found of items after a restart: an entry of the vector, and the title."""
    loaded = opened(tower_release(), kept)
    titles = loaded.catalogue.column("title")
    found: dict[str, tuple[float, str] | None] = dict.fromkeys(names)
    for name in names:
        row = loaded.catalogue.row_of(name)
        if row is not None and loaded.index.has(np.array([row]))[0]:
            found[name] = float(loaded.index.vectors(np.array([row]))[0, 0]), titles[row]
    loaded.close()
    return found


def value(number: int, columns: dict[str, Any] | None) -> tuple[float, str] | None:
    """What a change makes of its item."""
    return None if columns is None else (float(number), columns["title"])


@pytest.mark.system
@pytest.mark.xdist_group("releases")
def test_items_that_were_acknowledged_outlive_kills(tmp_path: Path):
    rng = random.Random(0)
    expected: dict[str, tuple[float, str] | None] = {}
    first = 0
    for _ in range(KILLS):
        for number in killed(tmp_path, first, acknowledged=rng.randint(1, 40)):
            name, columns = change(number)
            expected[name], first = value(number, columns), number + 1
        # One more change may be on disk, of which nobody was told; or its name and columns alone.
        name, columns = change(first)
        found = there(tmp_path, [*expected, name])
        unheard = value(first, columns)
        assert found[name] in (expected.get(name), unheard) or _is_half(found[name], unheard)
        others = {each: told for each, told in expected.items() if each != name}
        assert {each: found[each] for each in others} == others
        expected[name] = found[name]


def _is_half(found: tuple[float, str] | None, unheard: tuple[float, str] | None) -> bool:
    """Whether an item has the columns of a change that was never acknowledged, not its vector."""
    return found is not None and unheard is not None and found[1] == unheard[1]
