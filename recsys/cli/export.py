"""`recsys export`: a trained model to a release, which a server opens."""

import dataclasses
from pathlib import Path
from typing import Literal

from recsys.cli.names import RunPath
from recsys.export import draft_of, rebuild, write
from recsys.export.onnx import to_onnx
from recsys.release import Release
from recsys.report.text import Table


@dataclasses.dataclass(frozen=True)
class Export:
    """Makes a release of a run: one directory with all that serving needs, checked and immutable.

    It is written whole or not at all. With --rebuild, the programs of an older release are made
    anew of its own archive; with --onnx, they are written as ONNX into a folder of their own.
    """

    run_directory: RunPath  # that `train` wrote; with --rebuild or --onnx, a release
    out: Path | None = (
        None  # of the release, which must be new; by default releases/NAME of the run
    )
    rebuild: bool = False  # make the programs of a release anew, for the JAX that is installed
    onnx: bool = False  # write the programs of a release as ONNX; wants jax2onnx
    name: str | None = None  # what people call the release; by default what the directory is called
    parent: Path | None = None  # the release that this one follows
    platforms: tuple[Literal["cpu", "cuda", "tpu"], ...] = ("cpu", "cuda", "tpu")  # it runs on
    floor: float = 0.95  # recall of the index, measured against exact search; below, no release

    def run(self) -> int:
        """Exports, opens what was exported, and says what it is."""
        path = self.run_directory
        name = path.resolve().name
        if self.onnx:
            files = sorted(to_onnx(path, self.out or Path("releases") / f"{name}-onnx").iterdir())
            print(*files, sep="\n")
            return 0
        out = self.out or Path("releases") / (f"{name}-rebuilt" if self.rebuild else name)
        if self.rebuild:
            rebuild(path, out, platforms=self.platforms)
        else:
            parent = None if self.parent is None else Release.open(self.parent).id
            write(
                draft_of(path),
                out,
                name=self.name,
                parent=parent,
                platforms=self.platforms,
                floor=self.floor,
            )
        release = Release.open(out)
        release.replay()
        print(card(release))
        print(f"Next: recsys serve {out}")
        return 0


def card(release: Release) -> Table:
    """What a release says of itself."""
    quality = release.manifest["quality"]
    rows = [
        ("id", release.id),
        ("task", release.task),
        ("space", release.space_id),
        *((f"{quality['split']} {name}", value) for name, value in quality["metrics"].items()),
        *((f"ms for {n} rows", value) for n, value in quality["latency_ms"].items()),
        *((f"{which} bytes", count) for which, count in quality["bytes"].items()),
        ("bytes of all files", sum(file["bytes"] for file in release.manifest["files"].values())),
    ]
    index = quality.get("index")
    if index:
        recall = 1.0 if index["is_exact"] else index["recall"]
        rows.insert(3, (f"{index['kind']} recall@{index['recall_at']}", recall))
    return Table(f"{release.path}", ("", "release"), rows)
