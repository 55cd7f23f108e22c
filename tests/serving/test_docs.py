"""The pages on the server say what it does: their examples are asked, their lists compared."""

import dataclasses
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tyro
from prometheus_client.parser import text_string_to_metric_families

from serving.keys import make
from serving.metrics import Metrics
from serving.refusals import STATUSES
from serving.routes import ENDPOINTS
from serving.settings import Settings
from tests.serving.running import Client, post, running

ROOT = Path(__file__).parent.parent.parent
DOCS, DEPLOY = ROOT / "docs", ROOT / "serving" / "deploy"
ANYTHING = "..."  # in an answer: a text that differs from run to run, or the rest of a list
CLOSE = 1e-4  # of a number that is shown with some of its digits


@dataclasses.dataclass(frozen=True)
class Example:
    """A request of the page, and what it says comes back."""

    method: str
    path: str
    headers: dict[str, str]
    body: str
    status: int
    told: dict[str, str]  # headers of the answer
    answer: Any

    @classmethod
    def of(cls, block: str) -> "Example":
        """A request and its answer, as they are on the wire."""
        asked, version, told = block.partition("HTTP/1.1 ")
        assert version, block
        head, _, body = asked.partition("\n\n")
        line, *headers = head.splitlines()
        method, path = line.split()
        first, _, answer = told.partition("\n\n")
        status, *answered = first.splitlines()
        return cls(
            method,
            path,
            _headers(headers),
            body.strip(),
            int(status.split()[0]),
            _headers(answered),
            json.loads(answer) if answer.strip() else None,
        )


def _headers(lines: list[str]) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in lines if line)


def examples() -> list[Example]:
    """Those of the page, in its order: some change what a later one asks."""
    blocks = re.findall(r"```http\n(.*?)```", (DOCS / "api.md").read_text(), re.DOTALL)
    return [Example.of(block) for block in blocks]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A server of both releases whose client has every key."""
    folder = tmp_path_factory.mktemp("docs")
    key = make(folder / "keys.json", "docs", ("read", "write", "admin"))
    with running(folder, "towers", "clicks", keys=folder / "keys.json") as client:
        client.headers["authorization"] = f"Bearer {key}"
        post(client, "/v1/releases/activate", {"release": "towers"})
        yield client


def differs(wanted: Any, found: Any, where: str = "") -> str:
    """Where an answer is not what the page says; nothing where it is."""
    if wanted == ANYTHING:
        return ""
    if isinstance(wanted, dict) and isinstance(found, dict):
        if wanted.keys() != found.keys():
            return f"{where} wants {list(wanted)}, got {list(found)}"
        parts = [differs(wanted[name], found[name], f"{where}.{name}") for name in wanted]
        return "; ".join(filter(None, parts))
    if isinstance(wanted, list) and isinstance(found, list):
        goes_on = wanted[-1:] == [ANYTHING]
        named = wanted[:-1] if goes_on else wanted
        if len(named) != len(found) and not (goes_on and len(named) <= len(found)):
            return f"{where} wants {len(wanted)} entries, got {len(found)}"
        pairs = enumerate(zip(named, found, strict=False))
        return "; ".join(filter(None, (differs(w, f, f"{where}[{n}]") for n, (w, f) in pairs)))
    if isinstance(wanted, float) and isinstance(found, int | float):
        return "" if abs(wanted - found) <= CLOSE else f"{where} wants {wanted}, got {found}"
    return "" if wanted == found else f"{where} wants {wanted!r}, got {found!r}"


@pytest.mark.slow
@pytest.mark.xdist_group("releases")
def test_every_example_is_answered_as_the_page_says(client: Client):
    for example in examples():
        response = client.request(
            example.method, example.path, content=example.body, headers=example.headers
        )
        about = f"{example.method} {example.path} {example.body}\n{response.text}"
        assert response.status_code == example.status, about
        for name, value in example.told.items():
            assert value in (ANYTHING, response.headers.get(name)), about
        if example.answer is not None:
            assert not differs(example.answer, response.json()), about


def test_every_route_has_an_example():
    asked = [(example.method, example.path) for example in examples() if example.status == 200]
    for each in ENDPOINTS:
        if each.path.startswith(("/v1/", "/v2")) and "version}" not in each.path:
            path = re.compile(re.sub(r"{\w+}", r"[^/]+", each.path))
            is_there = any(m == each.method and path.fullmatch(p) for m, p in asked)
            assert is_there, f"docs/api.md has no example of {each.method} {each.path}"


def test_every_metric_is_explained():
    assert explained().keys() == counted(Metrics().text().decode()).keys()


@pytest.mark.slow
@pytest.mark.xdist_group("releases")
def test_metrics_have_the_labels_that_are_explained(client: Client):
    post(client, "/v1/releases/activate", {"release": "towers"})
    post(client, "/v1/recommend", {"history": ["m1"]})
    found = counted(client.get("/metrics").text)
    assert {name for name in found if found[name]} >= {"recsys_stage_seconds", "recsys_imputed"}
    for name, labels in found.items():
        assert labels in (explained()[name], set()), name


def explained() -> dict[str, set[str]]:
    """The metrics of the page, and the labels that it says they have."""
    text = (DOCS / "operations.md").read_text()
    rows = re.findall(r"^\| `(recsys_\w+)` \| (.*?) \|", text, re.MULTILINE)
    assert len(dict(rows)) == len(rows)
    return {name: set(re.findall(r"\w+", labels)) for name, labels in rows}


def counted(text: str) -> dict[str, set[str]]:
    """Metrics as Prometheus reads them, and the labels of those that have counted anything."""
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        if not family.name.endswith("_created"):
            labels = {label for sample in family.samples for label in sample.labels}
            found[family.name] = labels - {"le"}
    return found


def test_settings_are_as_the_page_says():
    text = (DOCS / "deployment.md").read_text()
    fields = {field.name: field.default for field in dataclasses.fields(Settings)}
    rows = re.findall(r"^\| (`--.*?) \| (.*?) \|", text, re.MULTILINE)
    assert rows
    for names, defaults in rows:
        values = [value.strip().strip("`") for value in defaults.split(",")]
        for name, value in zip(re.findall(r"--([\w-]+)", names), values, strict=True):
            default = fields[name.replace("-", "_")]
            shown = {"none": "None", ".kept` beside the releases": "None"}.get(value, value)
            assert shown == ("required" if default is dataclasses.MISSING else str(default)), name


def test_the_unit_starts_the_server_with_settings_that_it_has(tmp_path: Path):
    text = (DEPLOY / "recsys.service").read_text()
    (command,) = re.findall(r"^ExecStart=(.*?[^\\])$", text, re.MULTILINE | re.DOTALL)
    assert started_by(shlex.split(command.replace("\\\n", " "))).admin_port == 8001
    analyze = shutil.which("systemd-analyze")
    if analyze is not None:
        unit = tmp_path / "recsys.service"
        unit.write_text(text.replace("/opt/recsys/bin/python", sys.executable))
        found = subprocess.run(
            [analyze, "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
        )
        assert (found.returncode, found.stderr) == (0, "")


def test_the_image_holds_what_it_copies_and_starts_the_server():
    text = (DEPLOY / "Containerfile").read_text().replace("\\\n", " ")
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line and line[0] != "#"]
    told = {name: rest for name, rest in lines if name in ("ENTRYPOINT", "CMD", "HEALTHCHECK")}
    settings = started_by(json.loads(told["ENTRYPOINT"]) + json.loads(told["CMD"]))
    assert f"EXPOSE {settings.port} {settings.admin_port}" in text
    (path,) = re.findall(r"http://127.0.0.1:8000(/[\w/]+)", told["HEALTHCHECK"])
    assert path in {each.path for each in ENDPOINTS if each.scope is None}
    for name, rest in lines:
        if name == "COPY" and not rest.startswith("--from"):
            assert all((ROOT / each).exists() for each in rest.split()[:-1]), rest
        if name == "RUN":
            assert isinstance(json.loads(rest), list)


def started_by(command: list[str]) -> Settings:
    """The settings of a command that starts the server."""
    assert command[1:3] == ["-m", "serving"]
    return tyro.cli(Settings, args=command[3:])


def test_errors_are_those_that_the_page_lists():
    listed = re.findall(r"^\| (\d{3}) \| `(\w+)` \|", (DOCS / "api.md").read_text(), re.MULTILINE)
    assert {code: int(status) for status, code in listed} == STATUSES
