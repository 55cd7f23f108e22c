"""The metrics log: JSON lines, none missing and none doubled however often the run was killed.

A line that a checkpoint relies on is on disk before the checkpoint is (`flush`), and lines written
after the checkpoint are cut off when the run resumes from it. The same numbers go to TensorBoard's
event files beside it.
"""

import json
import math
import os
from contextlib import closing
from pathlib import Path
from typing import Any

from recsys.training.tensorboard import Events


class MetricsLog:
    """Lines of what was measured, each with the step it was measured after."""

    def __init__(self, path: str | Path, *, step: int = 0):
        """Opens the log of a run that stands at `step`, without the lines beyond it.

        Raises:
            ValueError: a line before the last is no record with a step.
        """
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.exists():
            os.truncate(self.path, _end(self.path, step))  # one call: killed here, all or nothing
        self._file = self.path.open("a")
        self._events = Events(self.path.parent, step=step)
        self._lines: list[str] = []

    def write(self, step: int, **values: Any) -> None:
        """Adds a line, in memory; what is not finite becomes null."""
        known = {name: _finite(value) for name, value in values.items()}
        self._lines.append(json.dumps({"step": step, **known}) + "\n")
        self._events.write(step, known)

    def flush(self, *, to_disk: bool = False) -> None:
        """Hands the lines to the file; `to_disk` waits until they would survive a loss of power."""
        self._file.write("".join(self._lines))
        self._file.flush()
        self._events.flush()
        self._lines.clear()
        if to_disk:
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Writes what is left; closes the files even where there is no room for it."""
        with closing(self._file), closing(self._events):
            self.flush(to_disk=True)


def read(path: str | Path) -> list[dict[str, Any]]:
    """The records of a log, in order."""
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def _end(path: Path, step: int) -> int:
    """Where the lines up to `step` end, in bytes."""
    end = 0
    lines = path.read_bytes().splitlines(keepends=True)
    for number, line in enumerate(lines, start=1):
        try:
            at = json.loads(line)["step"]
        except (ValueError, KeyError, TypeError) as error:
            if number == len(lines):
                break  # half a line: the run was killed while it wrote
            raise ValueError(
                f"Each line of {path} should be a JSON record with a step, and line {number} is "
                "not: mend it, or use another directory."
            ) from error
        if at > step or not line.endswith(b"\n"):
            break
        end += len(line)
    return end


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
