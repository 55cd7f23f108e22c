"""The compiled step: its cost does not know the height of a table, and it lowers for GPUs and TPUs.

XLA's own count of bytes takes a scatter in place for one of the whole array, so what is held
against it here is: the same operations and the same temporary memory for tables of two heights,
every array updated where it lies, and no instruction as tall as a table but those that read or
write some of its rows.
"""

import re
from typing import Any

import jax
import jax.export
import pytest
from flax import nnx

from recsys.training.step import Report
from tests.training.runs import (
    BATCH,
    OF_ROWS,
    TIMES,
    UNIFIED,
    batch_of,
    cases,
    learner,
    program,
    run,
)

pytestmark = pytest.mark.slow

SHORT = 44  # times the values of the toy: 8,360 of them
IN_PLACE = {"parameter", "tuple", "get-tuple-element", "bitcast", "scatter"}
EACH = pytest.mark.parametrize("method", cases(OF_ROWS))  # Params have no height


@EACH
def test_operations_and_memory_do_not_depend_on_the_height(method):
    short, high = (program(method, times=times) for times in (SHORT, TIMES))
    flops = [dict(own.step.cost_analysis() or {})["flops"] for own in (short, high)]
    assert flops[0] == flops[1]
    memory: list[Any] = [own.step.memory_analysis() for own in (short, high)]
    assert memory[0].temp_size_in_bytes == memory[1].temp_size_in_bytes
    for own, used in zip((short, high), memory, strict=True):
        tables = sum(
            leaf.size * leaf.dtype.itemsize
            for leaf in jax.tree.leaves((own.state.rows, own.state.slots))
        )
        assert used.alias_size_in_bytes >= tables


def tall_instructions(text: str, heights: set[int]) -> list[str]:
    """Instructions whose result is as tall as a table and that do not just update it in place."""
    bodies = dict(re.findall(r"^%([\w.\-]+) .*?\{$(.*?)^\}", text, re.MULTILINE | re.DOTALL))
    found = []
    for line in text.splitlines():
        parsed = re.match(r"\s*(?:ROOT )?%[\w.\-]+ = (\(.*?\)|\S+) ([\w\-]+)\(", line)
        sizes = [int(first) for first in re.findall(r"\w\[(\d+)[,\]]", parsed[1])] if parsed else []
        if not parsed or not heights.intersection(sizes) or parsed[2] in IN_PLACE:
            continue
        body = re.search(r"calls=%([\w.\-]+)", line)
        if not (
            parsed[2] == "fusion" and body and re.search(r"ROOT .* scatter\(", bodies[body[1]])
        ):
            found.append(line.strip())
    return found


@EACH
@pytest.mark.parametrize("devices", [1, 8])
def test_nothing_walks_along_a_table(method, devices):
    own = program(method, times=TIMES, devices=devices)
    leaves = jax.tree.leaves((own.state.rows, own.state.slots))
    heights = {leaf.shape[0] for leaf in leaves} | {leaf.shape[0] // devices for leaf in leaves}
    assert not tall_instructions(str(own.step.as_text()), heights)


def test_a_walk_along_a_table_would_be_found():
    table = jax.ShapeDtypeStruct((4096, 8), "float32")
    for walk in (lambda t: t.at[0].set(1.0) * 2, lambda t: t.astype("bfloat16")):
        text = jax.jit(walk, donate_argnums=0).lower(table).compile().as_text() or ""
        assert tall_instructions(text, {4096})
    patch = jax.jit(lambda t, rows: t.at[rows].add(1.0), donate_argnums=0)
    assert not tall_instructions(
        patch.lower(table, jax.ShapeDtypeStruct((5,), "int32")).compile().as_text() or "", {4096}
    )


@pytest.mark.parametrize(("method", "layout"), UNIFIED)
def test_the_step_lowers_for_accelerators(method, layout):
    own = learner(method, layout)
    batch = own.put(batch_of(run(method, layout).data, 0))
    exported = jax.export.export(own.compiled_step, platforms=("cuda", "tpu"))(own.start(), batch)
    assert exported.platforms == ("cuda", "tpu")
    assert len(exported.out_avals) == len(jax.tree.leaves(own.layout)) + len(Report._fields)


@pytest.mark.parametrize(("method", "layout"), UNIFIED)
def test_the_frozen_lookup_lowers_for_accelerators(method, layout):
    trained = run(method, layout)
    graph, arrays = nnx.split(trained.model.embed.freeze())
    lookup = jax.jit(lambda arrays, batch: nnx.merge(graph, arrays)(batch).concatenated())
    batch = trained.learner.put(batch_of(trained.data, 0))
    exported = jax.export.export(lookup, platforms=("cuda", "tpu"))(arrays, batch)
    assert exported.platforms == ("cuda", "tpu")
    assert exported.out_avals[0].shape == (BATCH, trained.model.embed.width)
