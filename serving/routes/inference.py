"""The Open Inference Protocol, version 2: what KServe, Triton and their clients speak.

A release is a model, its id the version. An input tensor is a feature by its name, a row of it a
row of the request; bags and sequences have a second axis. Tensors come as JSON.
"""

import math
from typing import Any

import msgspec

from recsys.release import Release
from serving.loaded import Loaded
from serving.messages import Embed, Predict
from serving.refusals import invalid, unavailable, unknown
from serving.routes.predict import check
from serving.server import Call, Endpoint, Server

DATATYPES = {"numeric": "FP64"}  # of features by kind; others are text
TAKEN = ("BYTES", "BOOL", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64")
TAKEN += ("FP32", "FP64")


class Tensor(msgspec.Struct):
    """A tensor in JSON, its entries row by row, flat or nested."""

    name: str
    shape: list[int]
    datatype: str
    data: list[Any]
    parameters: dict[str, Any] = {}


class Infer(msgspec.Struct):
    """A request for a model."""

    inputs: list[Tensor]
    id: str | None = None
    parameters: dict[str, Any] = {}
    outputs: list[dict[str, Any]] = []


class Live(msgspec.Struct):
    """The process answers."""

    live: bool = True


class Ready(msgspec.Struct):
    """A release answers."""

    ready: bool = True


class ServerMetadata(msgspec.Struct):
    """The server."""

    name: str = "recsys"
    version: str = "2"  # of the protocol
    extensions: list[str] = []


class ModelReady(msgspec.Struct):
    """A model answers."""

    name: str
    ready: bool = True


class Described(msgspec.Struct):
    """A tensor that a model takes or gives; -1 is any length."""

    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(msgspec.Struct):
    """A release."""

    name: str
    versions: list[str]
    inputs: list[Described]
    outputs: list[Described]
    platform: str = "recsys_stablehlo"


class Output(msgspec.Struct):
    """What a model gives, row by row."""

    name: str
    shape: list[int]
    data: list[float]
    datatype: str = "FP32"


class Inferred(msgspec.Struct):
    """The answer of a model."""

    model_name: str
    model_version: str
    id: str
    outputs: list[Output]


async def live(server: Server, call: Call) -> Any:
    """The process answers."""
    return Live()


async def ready(server: Server, call: Call) -> Any:
    """A release answers."""
    if server.releases.active is None or server.is_stopping:
        raise unavailable("No release is ready: come back in a second.")
    return Ready()


async def about(server: Server, call: Call) -> Any:
    """The server."""
    return ServerMetadata()


async def model(server: Server, call: Call) -> Any:
    """The model's inputs and outputs."""
    loaded = _loaded(server, call)
    release = loaded.release
    inputs = [
        Described(
            feature.name,
            DATATYPES.get(feature.kind, "BYTES"),
            [-1] if feature.kind in ("categorical", "numeric", "text") else [-1, -1],
        )
        for feature in release.schema.features
    ]
    output = Described(_output_of(release), "FP32", [-1] if release.task == "click" else [-1, -1])
    return ModelMetadata(release.manifest["name"], [loaded.id], inputs, [output])


async def model_ready(server: Server, call: Call) -> Any:
    """Whether the model answers."""
    loaded = _loaded(server, call)
    return ModelReady(loaded.release.manifest["name"])


async def infer(server: Server, call: Call) -> Any:
    """Probabilities, or vectors of users."""
    asked: Infer = call.message
    loaded = _loaded(server, call)
    rows = _rows(asked.inputs)
    check(server, len(rows))
    is_click = loaded.release.task == "click"
    kind, message = ("predict", Predict(rows=rows)) if is_click else ("embed", Embed(users=rows))
    asking = Call(message, call.request_id, call.path)
    answer = await server.ask(kind, asking, of=loaded)  # no canary: the version is asked for
    shape, data = [len(rows)], answer.probabilities if is_click else []
    if not is_click:
        shape.append(len(answer.users[0]))
        data = [entry for vector in answer.users for entry in vector]
    return Inferred(
        loaded.release.manifest["name"],
        answer.release,
        asked.id or call.request_id,
        [Output(_output_of(loaded.release), shape, data)],
    )


def _output_of(release: Release) -> str:
    return "probability" if release.task == "click" else "vector"


def _loaded(server: Server, call: Call) -> Loaded:
    loaded = server.releases.active
    if loaded is None:
        raise unavailable("No release is ready: come back in a second.")
    name, version = call.path.get("model"), call.path.get("version", loaded.id)
    if name != loaded.release.manifest["name"] or version != loaded.id:
        raise unknown(
            f"There is no model {name!r} of version {version!r}: there is "
            f"{loaded.release.manifest['name']!r} of version {loaded.id!r}."
        )
    return loaded


def _rows(inputs: list[Tensor]) -> list[dict[str, Any]]:
    """Tensors as rows, a feature each."""
    if not inputs:
        raise invalid("A request wants at least one input, got none: name a feature.")
    columns = {tensor.name: _column(tensor) for tensor in inputs}
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1 or not next(iter(lengths.values())):
        raise invalid(f"Inputs want one number of rows, at least 1, got {lengths}.")
    return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]


def _column(tensor: Tensor) -> list[Any]:
    """The cells of a tensor; one of two axes has lists for cells, one that is [rows, 1] has not."""
    if tensor.datatype not in TAKEN:
        raise invalid(
            f"Input {tensor.name!r} has datatype {tensor.datatype!r}: use one of {TAKEN}."
        )
    shape = tensor.shape
    flat = tensor.data
    while flat and isinstance(flat[0], list) and len(shape) > 1:
        flat = [entry for part in flat if isinstance(part, list) for entry in part]
    if not 1 <= len(shape) <= 2 or min(shape) < 0 or math.prod(shape) != len(flat):
        raise invalid(
            f"Input {tensor.name!r} wants data of its shape, at most two axes, got shape {shape} "
            f"and {len(flat)} entries."
        )
    if len(shape) == 1 or shape[1] == 1:
        return flat
    return [flat[start : start + shape[1]] for start in range(0, len(flat), shape[1] or 1)]


MODEL = "/v2/models/{model}"
VERSION = MODEL + "/versions/{version}"
ENDPOINTS = (
    Endpoint("GET", "/v2", about, "About the server", None, None, ServerMetadata),
    Endpoint("GET", "/v2/health/live", live, "Whether the process answers", None, None, Live),
    Endpoint("GET", "/v2/health/ready", ready, "Whether a release answers", None, None, Ready),
    *(
        endpoint
        for path in (MODEL, VERSION)
        for endpoint in (
            Endpoint("GET", path, model, "Inputs and outputs", gives=ModelMetadata),
            Endpoint(
                "GET", path + "/ready", model_ready, "Whether the model answers", gives=ModelReady
            ),
            Endpoint("POST", path + "/infer", infer, "Infer", takes=Infer, gives=Inferred),
        )
    ),
)
