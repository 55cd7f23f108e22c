"""Frozen dataclasses as JAX trees, without going through `__init__` when JAX takes them apart.

JAX fills trees with shapes, shardings and `None` as well as arrays, and
`jax.tree_util.register_dataclass` rebuilds through `__init__`, where run-time type checks would
refuse those.
"""

import dataclasses
from typing import Any, TypeVar

import jax

Class = TypeVar("Class", bound=type)
# The metadata of a field that is part of the tree's structure: compiled in, hashable, no array.
STATIC = {"static": True}


def pytree(cls: Class) -> Class:
    """Registers a frozen dataclass as a tree of its fields."""
    fields = dataclasses.fields(cls)
    dynamic = tuple(f.name for f in fields if not f.metadata.get("static"))
    fixed = tuple(f.name for f in fields if f.metadata.get("static"))

    def flatten(tree: Any) -> tuple[tuple[tuple[Any, Any], ...], tuple[Any, ...]]:
        children = tuple((jax.tree_util.GetAttrKey(n), getattr(tree, n)) for n in dynamic)
        return children, tuple(getattr(tree, n) for n in fixed)

    def unflatten(structure: tuple[Any, ...], children: Any) -> Any:
        tree = object.__new__(cls)
        for name, value in zip((*dynamic, *fixed), (*children, *structure), strict=True):
            object.__setattr__(tree, name, value)
        return tree

    jax.tree_util.register_pytree_with_keys(cls, flatten, unflatten)
    return cls
