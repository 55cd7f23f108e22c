"""TensorBoard's event files, through its own writer, which needs no TensorFlow.

What a killed run wrote beyond its last checkpoint is disowned when it goes on: TensorBoard drops
the points from there on.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# protoc's modules make their classes as they are imported, where a type checker cannot see them
from tensorboard.compat.proto.event_pb2 import (
    Event,  # pyright: ignore[reportAttributeAccessIssue]
    SessionLog,  # pyright: ignore[reportAttributeAccessIssue]
)
from tensorboard.compat.proto.summary_pb2 import (
    Summary,  # pyright: ignore[reportAttributeAccessIssue]
)
from tensorboard.summary.writer.event_file_writer import EventFileWriter

QUEUE = 1000  # events that may wait for the thread that writes them


class Events:
    """The event file of one life of a run; a run that was resumed has several."""

    def __init__(self, directory: str | Path, *, step: int = 0):
        """Opens nothing yet; the run stands at `step`."""
        self._directory, self._step = str(directory), step
        self._writer: EventFileWriter | None = None

    def write(self, step: int, values: Mapping[str, Any]) -> None:
        """Adds numbers by name, those in a mapping under its name; whatever else is left out."""
        points = [
            Summary.Value(tag=name, simple_value=value) for name, value in scalars(values).items()
        ]
        if points:
            self._writer = self._writer or self._open()
            summary = Summary(value=points)
            self._writer.add_event(Event(step=step, wall_time=time.time(), summary=summary))

    def flush(self) -> None:
        """Hands everything to the file."""
        if self._writer:
            self._writer.flush()

    def close(self) -> None:
        """Writes what is left."""
        if self._writer:
            self._writer.close()

    def _open(self) -> EventFileWriter:
        """A new file, that first disowns what stands beyond the step in older ones."""
        writer = EventFileWriter(self._directory, max_queue_size=QUEUE)
        if self._step:
            again = SessionLog(status=SessionLog.START)
            writer.add_event(Event(step=self._step + 1, wall_time=time.time(), session_log=again))
        return writer


def scalars(values: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """The numbers of nested mappings, by a path such as `valid/auc`."""
    found: dict[str, float] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= scalars(value, f"{prefix}{name}/")
        elif isinstance(value, int | float):
            found[f"{prefix}{name}"] = float(value)
    return found
