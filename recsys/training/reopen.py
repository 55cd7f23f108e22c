"""Reopening: a checkpoint's directory alone gives back the model, the learner and the state."""

import dataclasses
from pathlib import Path
from typing import Any

import jax
from flax import nnx
from jax.sharding import Mesh

import recsys.models
import recsys.tables  # noqa: F401, and above: the specs that a checkpoint may name
from recsys.checkpoint import describe, restore
from recsys.spec import from_json
from recsys.training.learner import Learner
from recsys.training.step import State


@dataclasses.dataclass(frozen=True)
class Reopened:
    """A run as its checkpoint left it."""

    learner: Learner
    state: State
    step: int
    spec: dict[str, Any]  # of the model, the recipe and the order of the data
    notes: dict[str, Any]


def reopen(directory: str | Path, *, mesh: Mesh | None = None, step: int | None = None) -> Reopened:
    """The run in a directory at a step, or at its latest, on any mesh.

    Raises:
        FileNotFoundError: there is no such checkpoint, or a file of it is missing.
        ValueError: the checkpoint was edited, or names a spec that nobody has registered.
    """
    found = describe(directory, step)
    chosen = from_json(found.spec)
    if not isinstance(chosen, dict) or not {"model", "recipe"} <= set(chosen):
        raise ValueError(
            f"{found.path} should say which model and recipe it belongs to, and does not: "
            "restore() gives its arrays to whoever knows them."
        )
    model, recipe = chosen["model"], chosen["recipe"]
    learner = Learner(lambda: model.build(rngs=nnx.Rngs(0)), recipe, mesh)
    state = restore(directory, blueprint(learner), step=found.step).state
    return Reopened(learner, state, found.step, chosen, found.notes)


def blueprint(learner: Learner) -> State:
    """The shapes and shardings of a learner's state; allocates nothing."""
    shapes = jax.eval_shape(learner.fresh)
    return jax.tree.map(
        lambda shape, to: jax.ShapeDtypeStruct(shape.shape, shape.dtype, sharding=to),
        shapes,
        learner.layout,
    )
