"""Specs as JSON and back: what was chosen, readable without the code that chose it.

A spec is a frozen dataclass marked with `@spec`. Checkpoints, releases and result records carry
specs as JSON (`{"spec": "Hash", "rows": 65536}`), so that a model opens without the script that
trained it.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

Spec = TypeVar("Spec", bound=type)

SPECS: dict[str, type] = {}


def spec(cls: Spec) -> Spec:
    """Enters a frozen dataclass in the registry, under its class name."""
    if SPECS.get(cls.__name__, cls).__qualname__ != cls.__qualname__:
        raise ValueError(f"Two specs are called {cls.__name__}: rename one of them.")
    SPECS[cls.__name__] = cls
    return cls


def to_json(value: Any) -> Any:
    """A spec, or a container of specs and plain values, as plain JSON.

    Raises:
        TypeError: the value holds something that is neither a spec nor plain.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, tuple | list):
        return [to_json(item) for item in value]
    if isinstance(value, Mapping):
        return {str(name): to_json(item) for name, item in value.items()}
    if type(value).__name__ in SPECS and dataclasses.is_dataclass(value):
        fields = {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"spec": type(value).__name__, **fields}
    raise TypeError(
        f"A spec holds plain values and other specs, got {type(value).__name__}: "
        "mark its class with @spec, or keep it out of what is saved."
    )


def from_json(value: Any) -> Any:
    """The inverse of `to_json`; lists come back as tuples.

    Raises:
        ValueError: the JSON names a spec that nobody has registered, or does not fit its fields.
    """
    if isinstance(value, list):
        return tuple(from_json(item) for item in value)
    if not isinstance(value, Mapping):
        return value
    fields = {name: from_json(item) for name, item in value.items() if name != "spec"}
    if "spec" not in value:
        return fields
    name = value["spec"]
    if name not in SPECS:
        known = ", ".join(sorted(SPECS))
        raise ValueError(f"Unknown spec {name!r}: known are {known}. Import its module first.")
    try:
        return SPECS[name](**fields)
    except TypeError as error:
        raise ValueError(f"The saved {name} does not fit this version of it: {error}.") from error
