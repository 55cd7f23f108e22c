"""The programs of a release as ONNX, for servers that run it: one file a program.

An extra, and a copy: the release stays as it is, and each file holds the parameters. jax2onnx makes
the files of the archive; it has a rule for all that our models trace to but choices between
platforms, which are made here. Every file answers the golden requests before it is there.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import nnx
from jax.extend import core
from safetensors.numpy import load_file

import recsys.models
import recsys.tables  # noqa: F401, and above: the specs that an archive may name
from recsys.export.frozen import Asked, Frozen
from recsys.export.tasks import TASKS
from recsys.features.batch import Batch
from recsys.release import Release
from recsys.release.golden import TOLERANCE, batch_of
from recsys.release.manifest import written
from recsys.release.programs import TYPES
from recsys.release.release import ARCHIVE, PARAMS
from recsys.spec import from_json

WHERE = "pip install 'recsys[onnx]', and then pip install --no-deps jax2onnx==0.17.1"
# Primitives that call a function as it is, where no gradient is asked for; what they call it.
CALLS = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
}
MOST_BYTES = 2**31  # of a file of protocol buffers, which these are


def to_onnx(path: str | Path, out: str | Path) -> Path:
    """Writes the programs of a release into a new folder; its path.

    Inputs are the four arrays of a batch, as `docs/release-format.md` says, of any number of rows.

    Raises:
        FileExistsError: the folder is there already.
        ReleaseError: the release cannot be trusted.
        ValueError: jax2onnx is not there, the parameters are too many for one file, or a file does
            not answer as the release does.
    """
    release, out = Release.open(path), Path(out)
    params = load_file(release.path / PARAMS)
    size = sum(array.nbytes for array in params.values())
    if size >= MOST_BYTES:
        raise ValueError(
            f"{path} has {size:,} bytes of parameters, and a file of ONNX holds less than "
            f"{MOST_BYTES:,}: export a smaller table."
        )
    archive = json.loads((release.path / ARCHIVE).read_bytes())
    frozen = Frozen(from_json(archive["model"]))
    with written(out) as folder:
        for name, asked in TASKS[archive["task"]](frozen.spec).items():
            file = folder / f"{name}.onnx"
            file.write_bytes(_converted(frozen, asked, params, name))
            _check(release, name, file)
    return out


def _converted(frozen: Frozen, asked: Asked, params: Mapping[str, np.ndarray], name: str) -> bytes:
    """A program with its parameters."""
    convert = _library()
    leaves = [params[each] for each in frozen.shapes]

    def program(high: Any, low: Any, valid: Any, numbers: Any) -> Any:
        arrays = [jax.numpy.asarray(leaf) for leaf in leaves]
        model = nnx.merge(frozen.graph, jax.tree.unflatten(frozen.tree, arrays))
        label = jax.numpy.zeros(high.shape[0], np.float32)
        return asked.answer(model, Batch(high, low, valid, numbers, label, label + 1))

    batch = list(asked.batch.values())
    made = convert(settled(program, batch), batch, model_name=name, input_names=list(TYPES))
    return made.SerializeToString()


def _library() -> Callable[..., Any]:
    """jax2onnx, or one sentence on how to get it."""
    try:
        from jax2onnx import to_onnx as convert
    except ImportError as error:
        raise ValueError(f"ONNX wants jax2onnx, which is not there ({error}): {WHERE}.") from error
    return convert


def _check(release: Release, name: str, file: Path) -> None:
    """Refuses a file that does not answer the golden requests as the release does."""
    import onnxruntime  # which comes with what has made the file

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    for batch, wanted in _golden(release, name):
        told = {each: np.asarray(getattr(batch, each)) for each in TYPES}
        worst = np.max(np.abs(session.run(None, told)[0] - wanted), initial=0)
        if not worst <= TOLERANCE:
            raise ValueError(
                f"{name} as ONNX should answer as {release.path} does, and is {worst:.2g} off: "
                "use the release itself."
            )


def _golden(release: Release, name: str) -> list[tuple[Batch, np.ndarray]]:
    """Batches for a program and what it answers: golden requests, or the first items."""
    if name == "items":
        assert release.items is not None
        rows = [{release.item_column: item} for item in release.items.ids[:8]]
        batches = [release.encode_items(rows).batch]
        return [(batch, release.embed_items(batch)) for batch in batches]
    answer = release.predict if name == "predict" else release.users
    batches = [batch_of(release, each["request"]) for each in release.golden]
    return [(batch, answer(batch)) for batch in batches]


def settled(function: Callable[..., Any], arguments: Sequence[Any]) -> Callable[..., Any]:
    """The function with choices between platforms made: the branch that any platform can take.

    It is traced here and now, so that nothing that jax2onnx does to Flax changes what is traced.
    """
    traced = jax.make_jaxpr(function)(*arguments)

    def settled(*told: Any) -> Any:
        (answer,) = _walked(traced.jaxpr, traced.consts, told)
        return answer

    return settled


def _walked(jaxpr: Any, constants: Sequence[Any], arguments: Sequence[Any]) -> list[Any]:
    """What a traced function answers; inner functions are walked as well."""
    values: dict[Any, Any] = {}
    chosen: dict[Any, int] = {}  # branches, by the variable that says which

    def value(of: Any) -> Any:
        return of.val if isinstance(of, core.Literal) else values[of]

    values.update(zip(jaxpr.constvars, constants, strict=True))
    values.update(zip(jaxpr.invars, arguments, strict=True))
    for equation in jaxpr.eqns:
        told, params = [value(each) for each in equation.invars], equation.params
        kind, first = equation.primitive.name, (equation.invars or [None])[0]
        if kind == "platform_index":
            (which,) = equation.outvars
            chosen[which] = params["platforms"].index(None)
            found = [np.int32(chosen[which])]
        elif kind == "cond" and not isinstance(first, core.Literal) and first in chosen:
            branch = params["branches"][chosen[first]]
            found = _walked(branch.jaxpr, branch.consts, told[1:])
        elif kind in CALLS:
            inner = params[CALLS[kind]]
            found = _walked(inner.jaxpr, inner.consts, told)
        else:
            found = equation.primitive.bind(*told, **params)
            found = found if equation.primitive.multiple_results else [found]
        values.update(zip(equation.outvars, found, strict=True))
    return [value(each) for each in jaxpr.outvars]
