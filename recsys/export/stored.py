"""What the store of a run tells of the data that it was trained on."""

from pathlib import Path
from typing import Any

import numpy as np

from recsys.data.store import Store


def stored(path: Path, digest: str) -> dict[str, Any]:
    """Examples by split and the window of time of training, as far as the store is still there.

    Args:
        path: of the store.
        digest: of its content, when the run was trained on it.
    """
    if not path.exists():
        return {"digest": digest, "window": None}
    store = Store.open(path)
    window = None
    if store.schema.timestamp is not None:
        times = store.splits["train"].timestamps
        window = [f"{np.datetime64(int(when), 's')}Z" for when in (times.min(), times.max())]
    examples = {name: len(split) for name, split in store.splits.items()}
    return {"digest": digest, "examples": examples, "window": window}
