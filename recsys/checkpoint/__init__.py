"""Checkpoints: a training state on disk, whole or not there at all.

    with Saver("runs/clicks") as saver:
        saver.save(100, state, spec={"model": model_spec, "recipe": recipe})
    state = restore("runs/clicks", like=state).state

A checkpoint is one folder, `step-00000100`: the arrays as Orbax writes them, the spec of what they
belong to, notes of the run, and a manifest with the size and digest of every file. The folder is
written under another name, the manifest last, and renamed when all of it is on disk; so a
half-saved one is never seen.

A state of at most `async_limit_bytes` is saved in the background, from a copy on the host; a
larger one is saved while the caller waits. Waiting needs no copy: on a CPU the arrays are written
from where they lie (uncompressed, because compressing would copy them), and an accelerator passes
them through the host one array after the other. Restoring places each array as `like` says, on any
number of devices.
"""

from recsys.checkpoint.manifest import Checkpoint
from recsys.checkpoint.restoring import Restored, describe, latest, restore, steps
from recsys.checkpoint.saving import ASYNC_LIMIT_BYTES, Saver

__all__ = [
    "ASYNC_LIMIT_BYTES",
    "Checkpoint",
    "Restored",
    "Saver",
    "describe",
    "latest",
    "restore",
    "steps",
]
