"""What a model is for, and what its release answers. THE REGISTRY: one line a task."""

from collections.abc import Callable
from typing import Any

from recsys.export import clicks, explicit, towers
from recsys.export.frozen import Asked

TASKS: dict[str, Callable[[Any], dict[str, Asked]]] = {
    "click": clicks.programs,
    "retrieval": towers.programs,
    "explicit": explicit.programs,
}
