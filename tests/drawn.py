"""Modules with drawn parameters: nothing is compiled to start them, so a test may build many."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx


def drawn(build: Callable[[], nnx.Module], *, seed: int = 0) -> Any:
    """What `build` returns, with every float drawn anew, zeros and ones too."""
    graph, shapes = nnx.split(nnx.eval_shape(build))
    rng = np.random.default_rng(seed)
    arrays = jax.tree.map(lambda a: jnp.asarray(0.5 * rng.normal(size=a.shape), a.dtype), shapes)
    return nnx.merge(graph, arrays)


def linear(layer: Any, x: Any) -> np.ndarray:
    """A linear layer in NumPy."""
    out = np.asarray(x) @ np.asarray(layer.kernel[...])
    return out if layer.bias is None else out + np.asarray(layer.bias[...])[None]


def relu(layer: Any, x: Any) -> np.ndarray:
    """A dense layer of a stack in NumPy."""
    return np.maximum(linear(layer, x), 0)
