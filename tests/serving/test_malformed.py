"""Whatever comes in, the server answers or refuses: it never fails."""

from collections.abc import Iterator

import msgspec
import numpy as np
import pytest
from starlette.testclient import TestClient

from serving.routes import ENDPOINTS
from tests.serving.running import running

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("releases")]
ODD = (None, True, -1, 0, 10**30, 1e300, "", "m3", "u7", "x" * 999, [], [[]], [None], {}, {"a": 1})
WHOLE = (
    {"user": "u7", "k": 5, "filter": {"title": ["Movie 3"]}, "exclude": ["m1"], "history": ["m2"]},
    {"features": {"age": 0.5, "watched": ["m1"], "person": "u1"}, "timeout_ms": 500},
    {"item": "m3", "k": 5, "filter": {"title": {"min": "a"}}},
    {"rows": [{"age": 1}]},
    {"users": [{"person": "u1"}], "items": [{"movie": "m1"}]},
    {"upsert": [{"id": "n", "features": {"movie": "m1"}, "columns": {"title": 5}}]},
    {"inputs": [{"name": "age", "shape": [1], "datatype": "FP64", "data": [1]}]},
)
PATHS = [
    each.path.format(model="towers", version="1")
    for each in ENDPOINTS
    if each.takes is not None and not each.is_admin
]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with running(tmp_path_factory.mktemp("towers"), "towers", logs_requests=True) as client:
        yield client


def broken(rng: np.random.Generator) -> bytes:
    """A body that was right until something in it was replaced, or some bytes were."""
    body = WHOLE[rng.integers(len(WHOLE))]
    changed = {
        name: ODD[rng.integers(len(ODD))] if rng.random() < 0.4 else _inside(value, rng)
        for name, value in body.items()
    }
    data = bytearray(msgspec.json.encode(changed))
    if rng.random() < 0.3:
        for place in rng.integers(0, len(data), 3):
            data[place] = rng.integers(256)
    return bytes(data)


def _inside(value, rng: np.random.Generator):
    if rng.random() < 0.3:
        return ODD[rng.integers(len(ODD))]
    if isinstance(value, dict):
        return {name: _inside(part, rng) for name, part in value.items()}
    if isinstance(value, list):
        return [_inside(part, rng) for part in value]
    return value


@pytest.mark.parametrize("bodies", [400, pytest.param(10_000, marks=pytest.mark.system)])
def test_malformed_bodies_are_refused_and_break_nothing(client: TestClient, bodies: int):
    rng = np.random.default_rng(bodies)
    statuses = set()
    for number in range(bodies):
        path, content = PATHS[number % len(PATHS)], broken(rng)
        response = client.post(path, content=content)
        assert response.status_code < 500, (path, content, response.text)
        statuses.add(response.status_code)
        if response.status_code >= 400:
            assert set(response.json()["error"]) == {"code", "message", "request_id"}
    assert {200, 400, 422} <= statuses
