"""The Open Inference Protocol and the OpenAPI document."""

from collections.abc import Iterator

import numpy as np
import pytest
from starlette.testclient import TestClient

from tests.releases import opened
from tests.serving.running import running

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("releases")]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with running(tmp_path_factory.mktemp("clicks"), "clicks") as client:
        yield client


def tensor(name: str, shape: list[int], data: list, datatype: str = "BYTES") -> dict:
    return {"name": name, "shape": shape, "datatype": datatype, "data": data}


INPUTS = [
    tensor("city", [2], ["Lyon", "Ghent"]),
    tensor("tags", [2, 2], ["a", "b", "c", "d"]),
    tensor("price", [2, 1], [2.5, 0.5], "FP64"),
    tensor("device", [2], ["tv", "phone"]),
]


def test_a_model_is_described_and_ready(client):
    name, version = opened("clicks").manifest["name"], opened("clicks").id
    for path in ("/v2/health/live", "/v2/health/ready", "/v2", f"/v2/models/{name}/ready"):
        assert client.get(path).status_code == 200
    told = client.get(f"/v2/models/{name}/versions/{version}").json()
    assert (told["name"], told["versions"]) == (name, [version])
    assert {one["name"]: one["shape"] for one in told["inputs"]}["tags"] == [-1, -1]
    assert client.get("/v2/models/other").status_code == 404


def test_inputs_are_features_and_the_output_is_the_probability(client):
    release = opened("clicks")
    body = {"id": "7", "inputs": INPUTS}
    answer = client.post(f"/v2/models/{release.manifest['name']}/infer", json=body).json()
    (output,) = answer["outputs"]
    rows = [
        {"city": "Lyon", "tags": "a|b", "price": 2.5, "device": "tv"},
        {"city": "Ghent", "tags": "c|d", "price": 0.5, "device": "phone"},
    ]
    wanted = release.predict(release.encode(rows).batch)
    np.testing.assert_allclose(output["data"], wanted, atol=1e-5)
    assert (output["datatype"], output["shape"]) == ("FP32", [2])
    assert (answer["id"], answer["model_version"]) == ("7", release.id)


@pytest.mark.parametrize(
    "inputs",
    [
        [],
        [tensor("city", [3], ["Lyon"])],
        [tensor("city", [], ["Lyon"])],
        [tensor("city", [-1, -1], ["Lyon"])],
        [tensor("city", [1], ["Lyon"], "FP128")],
        [tensor("city", [2], ["Lyon", "Lyon"]), tensor("price", [1], [1.0])],
        [tensor("nothing", [1], ["Lyon"])],
    ],
)
def test_tensors_that_make_no_rows_are_refused(client, inputs):
    path = f"/v2/models/{opened('clicks').manifest['name']}/infer"
    response = client.post(path, json={"inputs": inputs})
    assert response.status_code == 422, response.text


def test_the_document_has_every_route_and_resolves_its_references(client):
    document = client.get("/openapi.json").json()
    assert document["openapi"] == "3.1.0"
    assert {
        "/v1/recommend",
        "/v1/releases/activate",
        "/metrics",
        "/v2/models/{model}/infer",
    } <= set(document["paths"])

    def references(value) -> Iterator[str]:
        if isinstance(value, dict):
            yield from ([value["$ref"]] if "$ref" in value else [])
            value = list(value.values())
        if isinstance(value, list):
            for each in value:
                yield from references(each)

    schemas = document["components"]["schemas"]
    for reference in references(document):
        assert reference.removeprefix("#/components/schemas/") in schemas


def test_rows_of_any_json_are_answered_or_refused(client):
    rng = np.random.default_rng(0)
    odd = [None, True, -1, 10**30, 1e300, "", "x" * 999, [], [[]], [None, {}], {}, {"a": 1}]
    for _ in range(300):
        names = rng.choice(["city", "tags", "device", "price", "person", "x"], 3)
        row = {str(name): odd[rng.integers(len(odd))] for name in names}
        response = client.post("/v1/predict", json={"rows": [row]})
        assert response.status_code in (200, 400, 422), (row, response.text)
