"""TensorBoard's event files, through its own writer of records, which needs no TensorFlow.

What a killed run wrote beyond its last checkpoint is disowned when it goes on: TensorBoard drops
the points from there on.
"""

import os
import socket
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
from tensorboard.summary.writer.record_writer import RecordWriter

FORMAT = "brain.Event:2"  # what the first event of a file says


class Events:
    """The event file of one life of a run; a run that was resumed has several."""

    def __init__(self, directory: str | Path, *, step: int = 0):
        """Opens nothing yet; the run stands at `step`."""
        self._directory, self._step = Path(directory), step
        self._writer: RecordWriter | None = None

    def write(self, step: int, values: Mapping[str, Any]) -> None:
        """Adds numbers by name, those in a mapping under its name; whatever else is left out."""
        points = [
            Summary.Value(tag=name, simple_value=value) for name, value in scalars(values).items()
        ]
        if points:
            if self._writer is None:
                self._open()
            self._add(step, summary=Summary(value=points))

    def flush(self) -> None:
        """Hands everything to the file."""
        if self._writer is not None:
            self._writer.flush()

    def close(self) -> None:
        """Writes what is left."""
        if self._writer is not None:
            self._writer.close()

    def _open(self) -> None:
        """A new file, that first disowns what stands beyond the step in older ones."""
        name = f"events.out.tfevents.{time.time_ns()}.{socket.gethostname()}.{os.getpid()}"
        self._writer = RecordWriter((self._directory / name).open("wb"))
        self._add(0, file_version=FORMAT)
        if self._step:
            self._add(self._step + 1, session_log=SessionLog(status=SessionLog.START))

    def _add(self, step: int, **content: Any) -> None:
        assert self._writer is not None
        event = Event(step=step, wall_time=time.time(), **content)
        self._writer.write(event.SerializeToString())


def scalars(values: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """The numbers of nested mappings, by a path such as `valid/auc`."""
    found: dict[str, float] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= scalars(value, f"{prefix}{name}/")
        elif isinstance(value, int | float):
            found[f"{prefix}{name}"] = float(value)
    return found
