"""Saving: in the background where a copy fits, else while the caller waits, without a copy."""

import concurrent.futures
import contextlib
import shutil
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

from orbax.checkpoint import v1 as ocp

from recsys.checkpoint import manifest
from recsys.checkpoint.manifest import ARRAYS, NOTES, SPEC, folder, named, shape_of, steps
from recsys.durable import sync
from recsys.spec import to_json

ASYNC_LIMIT_BYTES = 2**30
OF_THE_SYSTEM = "os_error_code"  # in TensorStore's errors, which are ValueErrors on a full disk too


class Saver:
    """Saves the states of one run to a directory and keeps the latest; one save at a time."""

    def __init__(
        self,
        directory: str | Path,
        *,
        keep: int = 3,
        async_limit_bytes: int = ASYNC_LIMIT_BYTES,
    ):
        """Saves to `directory`.

        Args:
            keep: how many checkpoints stay.
            async_limit_bytes: the largest state that may be copied, to be saved in the background;
                0 copies none.
        """
        if keep < 1:
            raise ValueError(
                f"Saver keeps at least one checkpoint, got keep={keep}: use keep >= 1."
            )
        self.directory = Path(directory).absolute()
        self.keep = keep
        self.async_limit_bytes = async_limit_bytes
        self._worker = concurrent.futures.ThreadPoolExecutor(max_workers=1)
        self._pending: concurrent.futures.Future[None] | None = None

    def save(
        self,
        step: int,
        state: Any,
        *,
        spec: Any,
        notes: dict[str, Any] | None = None,
        also_keep: Collection[int] = (),
    ) -> None:
        """Saves a state; when this returns, the state may be donated.

        Args:
            spec: what the state belongs to: specs and plain values.
            notes: what else the run must remember: plain values.
            also_keep: steps whose checkpoints stay however old they are.

        Raises:
            ValueError: the step is saved already.
            OSError: this checkpoint or the one before could not be written, as on a full disk.
        """
        self.wait()
        final = self.directory / folder(step)
        if final.exists():
            raise ValueError(
                f"A checkpoint of a step is written once, and {final} is there already: "
                "use another directory, or delete it."
            )
        for leftover in self.directory.glob(".*-step-*"):  # of a run that was killed
            shutil.rmtree(leftover)
        partial, arrays = _partial(final), named(state)
        is_small = sum(array.nbytes for array in arrays.values()) <= self.async_limit_bytes
        with _whole_or_gone(final):
            partial.mkdir(parents=True)
            manifest.write_json(partial / SPEC, to_json(spec))
            manifest.write_json(partial / NOTES, notes or {})
            with _orbax(one_by_one=not is_small):
                stored = {name: array for name, array in arrays.items() if array.size}
                writing = ocp.save_async(str(partial / ARRAYS), stored)
        shapes = {name: shape_of(array) for name, array in arrays.items()}
        self._pending = self._worker.submit(
            self._finish, writing.result, final, step=step, shapes=shapes, keep={step, *also_keep}
        )
        if not is_small:
            self.wait()

    def wait(self) -> None:
        """Returns when the last save is complete; raises what went wrong with it."""
        pending, self._pending = self._pending, None
        if pending:
            pending.result()

    def close(self) -> None:
        """Waits, and ends the thread that saves in the background."""
        try:
            self.wait()
        finally:
            self._worker.shutdown()

    def __enter__(self) -> "Saver":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _finish(
        self,
        wait: Callable[[], None],
        final: Path,
        *,
        step: int,
        shapes: dict[str, str],
        keep: set[int],
    ) -> None:
        """Waits for the arrays, seals the folder, gives it its name, deletes old ones."""
        with _whole_or_gone(final):
            wait()
            manifest.write(_partial(final), step=step, arrays=shapes)
            _partial(final).rename(final)
            sync(self.directory)
        saved = steps(self.directory)
        for old in set(saved) - set(saved[-self.keep :]) - keep:
            doomed = self.directory / f".doomed-{folder(old)}"  # never seen half deleted
            (self.directory / folder(old)).rename(doomed)
            shutil.rmtree(doomed)


def _partial(final: Path) -> Path:
    return final.with_name(f".partial-{final.name}")


@contextlib.contextmanager
def _whole_or_gone(final: Path) -> Iterator[None]:
    """Says in one sentence what a failed save means, and leaves nothing of it behind.

    Raises:
        OSError: the checkpoint could not be written.
    """
    try:
        yield
    except (OSError, ValueError) as error:
        if isinstance(error, ValueError) and OF_THE_SYSTEM not in str(error):
            raise
        shutil.rmtree(_partial(final), ignore_errors=True)
        last = str(error).rpartition(": ")[2].partition(f" [{OF_THE_SYSTEM}")[0]
        reason = getattr(error, "strerror", None) or last
        raise OSError(
            f"The checkpoint {final} could not be written ({reason}), and those before it are "
            "whole: make room, and go on from there."
        ) from error


def _orbax(*, one_by_one: bool) -> ocp.Context:
    """How Orbax writes: straight from the arrays."""
    context = ocp.Context()
    saving = context.array.saving
    saving.use_compression = False  # a compressed array would be a second copy in memory
    saving.use_replica_parallel = False  # it slices what is on every device, which copies it
    saving.enable_write_sharding_file = False  # whoever restores says where to
    if one_by_one:
        context.memory.transfer_concurrent_bytes = 1  # an array above this limit goes alone
    return context
