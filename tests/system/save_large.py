"""Saves a state of a gigabyte while waiting, and prints by how much its memory grew at most."""

import json
import re
import sys
from pathlib import Path

import jax
import jax.numpy as jnp

PROCESS = Path("/proc/self")


def main(directory: str, devices: int) -> None:
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_num_cpu_devices", devices)
    from recsys.checkpoint import Saver
    from recsys.parallel.mesh import make_mesh, split

    make = jax.jit(
        lambda: jax.lax.iota(jnp.float32, 2**27).reshape(-1, 64), out_shardings=split(make_mesh())
    )
    state = {"weight": make(), "slot": make()}
    small = jax.tree.map(lambda array: jnp.copy(array[:8]), state)
    with Saver(directory, async_limit_bytes=0) as saver:
        saver.save(0, small, spec=None)  # starts the threads of Orbax
        jax.block_until_ready(state)
        (PROCESS / "clear_refs").write_text("5")  # resets the peak
        before = _kilobytes("VmRSS")
        saver.save(1, state, spec=None)
    peak = (_kilobytes("VmHWM") - before) * 1024
    size = sum(array.nbytes for array in state.values())
    print(json.dumps({"state_bytes": size, "peak_bytes": peak}))


def _kilobytes(name: str) -> int:
    found = re.search(rf"{name}:\s+(\d+) kB", (PROCESS / "status").read_text())
    assert found
    return int(found[1])


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
