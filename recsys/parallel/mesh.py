"""The mesh: one axis over all devices, along which rows are split and so is the batch."""

from collections.abc import Sequence
from typing import Any

import jax
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

AXIS = "rows"


def make_mesh(devices: Sequence[Any] | None = None) -> Mesh:
    """A mesh of the given devices, or of all; one device is a mesh of one."""
    devices = jax.devices() if devices is None else list(devices)
    return jax.make_mesh((len(devices),), (AXIS,), axis_types=(AxisType.Auto,), devices=devices)


def split(mesh: Mesh) -> NamedSharding:
    """The leading axis split over the mesh: rows, slots and batches."""
    return NamedSharding(mesh, P(AXIS))


def whole(mesh: Mesh) -> NamedSharding:
    """A copy on every device: everything else."""
    return NamedSharding(mesh, P())
