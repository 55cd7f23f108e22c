"""A server in a process of its own: asked by our client, by another, by a fuzzer, for long."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from open_inference.openapi.client import OpenInferenceClient
from open_inference.openapi.types import InferenceRequest

from experiments.benchmarks.memory import watched
from recsys.client import Client, RequestError
from serving.keys import make
from tests.releases import click_release, opened, tower_release
from tests.system.served import free_port, served

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("releases")]
EXAMPLES = 25  # of each route
CHECKS = ("not_a_server_error", "status_code_conformance", "content_type_conformance")
CHECKS += ("response_schema_conformance", "negative_data_rejection", "unsupported_method")
CHECKS += ("ignored_auth",)
SECONDS, MOST_GROWTH = 20, 0.03


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A key that opens both servers."""
    return make(_keys(tmp_path_factory), "tests", ("read", "write", "admin"))


@pytest.fixture(scope="module")
def towers(tmp_path_factory: pytest.TempPathFactory, key: str) -> Iterator[str]:
    kept = tmp_path_factory.mktemp("kept")
    with served(tower_release(), kept, keys=_keys(tmp_path_factory)) as url:
        yield url


@pytest.fixture(scope="module")
def clicks(tmp_path_factory: pytest.TempPathFactory, key: str) -> Iterator[str]:
    kept = tmp_path_factory.mktemp("kept")
    with served(click_release(), kept, keys=_keys(tmp_path_factory)) as url:
        yield url


def _keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.getbasetemp() / "keys.json"


def test_the_client_speaks_with_the_server(towers: str, key: str):
    release = opened("towers")
    with Client(towers, key=key) as client:
        found = client.recommend("u7", k=3)
        vector = np.array(client.embed_users([{"person": "u7"}])[0], np.float32)
        scores = release.item_vectors @ vector
        assert found.release == release.id
        for item in found.items:
            assert item.score == pytest.approx(float(scores[int(item.id[1:])]), abs=1e-5)
            assert item.columns["title"] == f"Movie {item.id[1:]}"
        assert client.explain(found.items[0].id, "u7").score == pytest.approx(found.items[0].score)
        assert client.similar("m3", k=2, exclude=["m4"]).items[0].id not in ("m3", "m4")
        assert client.upsert([{"id": "new", "features": {"movie": "m3"}}]) == 1
        assert client.similar("m3", k=1).items[0].id == "new"
        assert client.delete(["new"]) == 1
        assert [told["state"] for told in client.releases()] == ["active"]
        with pytest.raises(RequestError, match="'nothing'") as refused:
            client.similar("nothing")
        assert refused.value.status == 404


def test_a_stock_client_of_the_open_inference_protocol_gets_its_answer(clicks: str, key: str):
    release = opened("clicks")
    name = release.manifest["name"]
    rows = [{"city": "Lyon", "price": 2.5}, {"city": "Ghent", "price": 0.5}]
    inputs = [
        {"name": "city", "shape": [2], "datatype": "BYTES", "data": ["Lyon", "Ghent"]},
        {"name": "price", "shape": [2], "datatype": "FP64", "data": [2.5, 0.5]},
    ]
    with httpx.Client(headers={"authorization": f"Bearer {key}"}) as http:
        client = OpenInferenceClient(base_url=clicks, httpx_client=http)
        client.check_server_liveness()
        client.check_server_readiness()
        client.check_model_readiness(name)
        assert client.read_server_metadata().name == "recsys"
        told = client.read_model_version_metadata(name, release.id)
        assert (told.name, told.versions) == (name, [release.id])
        answer = client.model_infer(name, request=InferenceRequest.parse_obj({"inputs": inputs}))
    (output,) = answer.outputs
    wanted = release.predict(release.encode(rows).batch)
    np.testing.assert_allclose(output.data.__root__, wanted, atol=1e-5)
    assert (output.name, output.datatype, output.shape) == ("probability", "FP32", [2])


@pytest.mark.parametrize("which", ["towers", "clicks"])
def test_whatever_the_document_allows_or_forbids_is_answered_or_refused(
    which: str, key: str, request: pytest.FixtureRequest, tmp_path: Path
):
    """Schemathesis makes requests of the OpenAPI document, right and wrong ones."""
    url = request.getfixturevalue(which)
    document = httpx.get(f"{url}/openapi.json").json()
    for schema in document["components"]["schemas"].values():
        # A deadline of a millisecond is in order, and so is the 503 that then comes.
        schema.get("properties", {}).pop("timeout_ms", None)
    (tmp_path / "openapi.json").write_text(json.dumps(document))
    told = {
        "url": url,
        "header": f"Authorization: Bearer {key}",
        "checks": ",".join(CHECKS),
        "phases": "examples,coverage,fuzzing",
        "max-examples": str(EXAMPLES),
        "seed": "0",
        "generation-database": "none",
    }
    options = [part for name, value in told.items() for part in (f"--{name}", value)]
    schemathesis = Path(sys.executable).parent / "schemathesis"
    found = subprocess.run(
        [str(schemathesis), "run", "openapi.json", *options, "--no-color"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert found.returncode == 0, found.stdout[-20_000:] + found.stderr[-2_000:]


def test_memory_is_flat_under_load():
    """The short version of `python -m experiments.benchmarks.memory`."""
    asked = [
        *({"user": f"u{number}", "k": 10} for number in range(60)),
        *({"user": f"nobody {number}", "k": 10} for number in range(500)),
        *({"history": [f"m{number}"], "filter": {"title": ["Movie 3"]}} for number in range(40)),
    ]
    held = watched(
        tower_release(),
        [json.dumps(body).encode() for body in asked],
        connections=8,
        seconds=SECONDS,
        port=free_port(),
    )
    assert len(held.load.times) > 100 * SECONDS
    assert held.growth < MOST_GROWTH, held.fifths
