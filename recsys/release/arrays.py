"""Arrays by name in a file: safetensors, a plain open format that is mapped and not unpickled."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Shaped
from safetensors.numpy import save_file

READABLE = 0o644  # by the server's user too: safetensors writes files for their owner alone


def save_arrays(
    path: Path,
    arrays: Mapping[str, Shaped[np.ndarray, "..."]],
    notes: Mapping[str, str] | None = None,
) -> None:
    """Writes a file."""
    whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    save_file(whole, path, metadata=dict(notes) if notes else None)
    path.chmod(READABLE)
