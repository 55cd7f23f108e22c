"""The OpenAPI document, made of the routes and the types of what they take and give."""

import functools
import re
from typing import Any

import msgspec

from serving.refusals import STATUSES, Failure
from serving.routes import ENDPOINTS
from serving.server import Endpoint


@functools.cache
def openapi() -> dict[str, Any]:
    """The document."""
    types = {Failure: None}
    for endpoint in ENDPOINTS:
        types |= {each: None for each in (endpoint.takes, endpoint.gives) if each is not None}
    _, components = msgspec.json.schema_components(
        types, ref_template="#/components/schemas/{name}"
    )
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in ENDPOINTS:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {"title": "recsys", "version": "1", "summary": "Recommendations from a release."},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    found: dict[str, Any] = {
        "summary": endpoint.summary,
        "operationId": re.sub(r"\W+", "_", f"{endpoint.method} {endpoint.path}").strip("_").lower(),
        "responses": {
            "200": {"description": "The answer.", **_content(endpoint.gives)},
            **{
                str(status): {"description": f"Refused: {codes}.", **_content(Failure)}
                for status, codes in _refusals().items()
            },
        },
    }
    names = re.findall(r"{(\w+)}", endpoint.path)
    if names:
        text = {"type": "string"}
        found["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": text} for name in names
        ]
    if endpoint.takes is not None:
        found["requestBody"] = {"required": True, **_content(endpoint.takes)}
    if endpoint.scope is not None:
        found["security"] = [{"key": []}]
        found["description"] = f"Wants a key with scope `{endpoint.scope}`, if the server has keys."
    return found


def _refusals() -> dict[int, str]:
    """The codes of each status."""
    codes: dict[int, list[str]] = {}
    for code, status in STATUSES.items():
        codes.setdefault(status, []).append(code)
    return {status: " or ".join(each) for status, each in codes.items()}


def _content(kind: Any) -> dict[str, Any]:
    if kind is None:
        return {}
    schema = {"$ref": f"#/components/schemas/{kind.__name__}"}
    return {"content": {"application/json": {"schema": schema}}}
