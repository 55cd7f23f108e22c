"""Which runs can be exported, by what was trained. THE REGISTRY: one line a kind of run."""

from collections.abc import Callable
from pathlib import Path

from recsys.explicit.space import INVENTORY
from recsys.export import clicks, explicit, towers
from recsys.export.draft import Draft
from recsys.retrieval.run import open_towers
from recsys.retrieval.settings import ResolvedTowers
from recsys.training.resolving import Resolved
from recsys.training.run import open_run
from recsys.training.run_spec import read_spec

RUNS: dict[type, Callable[[Path], Draft]] = {
    Resolved: lambda path: clicks.of_run(open_run(path)),
    ResolvedTowers: lambda path: towers.of_run(open_towers(path)),
}


def draft_of(directory: str | Path) -> Draft:
    """The release of the run in a directory.

    Raises:
        FileNotFoundError: there is none, it has no checkpoint yet, or a file is missing.
        ValueError: a file was edited, or no release is made of such runs.
    """
    path = Path(directory)
    if (path / INVENTORY).is_file():
        return explicit.of_directory(path)
    kind = type(read_spec(path).resolved)
    if kind not in RUNS:
        known = ", ".join(each.__name__ for each in RUNS)
        raise ValueError(
            f"{path} holds a run of {kind.__name__}, and releases are made of {known}: train one "
            "of those."
        )
    return RUNS[kind](path)
