"""Fields of a spec, written as NAME=VALUE: how a command line reaches what it has no option for."""

import ast
import dataclasses
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from recsys.tables import METHODS

Spec = TypeVar("Spec")
PLAIN = (bool, int, float, str, tuple)


def with_options(spec: type[Spec], options: tuple[str, ...], **given: Any) -> Spec:
    """A spec with some of its fields set by options, as `cross=2`, `hidden=192,64`, `of=hash`.

    Raises:
        ValueError: an option names no field, or its value is of another kind than the field's.
    """
    defaults = {f.name: f.default for f in dataclasses.fields(spec) if _is_settable(f.default)}  # type: ignore[arg-type]
    kinds = get_type_hints(spec) if options else {}
    for option in options:
        name, equals, text = option.partition("=")
        if name not in defaults or not equals:
            raise ValueError(
                f"{spec.__name__} takes options as NAME=VALUE, got {option!r}: known names are "
                f"{', '.join(defaults) or 'none'}."
            )
        given[name] = _value(text, defaults[name], f"{spec.__name__}'s {name}")
        if get_origin(kinds[name]) is Literal and given[name] not in get_args(kinds[name]):
            words = ", ".join(map(str, get_args(kinds[name])))
            raise ValueError(f"{spec.__name__}'s {name} should be one of {words}, got {text!r}.")
    return spec(**given)


def _is_settable(default: Any) -> bool:
    return default is None or isinstance(default, PLAIN) or _is_method(default)


def _is_method(default: Any) -> bool:
    return type(default) in METHODS.values()


def _value(text: str, default: Any, what: str) -> Any:
    """The text as a value of the kind that the default is of; a number, where that is None."""
    if _is_method(default):
        if text not in METHODS:
            raise ValueError(f"Unknown table {text!r} for {what}: known are {', '.join(METHODS)}.")
        return METHODS[text]()
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        value = text
    if isinstance(default, tuple) and not isinstance(value, tuple):
        value = tuple(text.split(",")) if isinstance(value, str) else (value,)
    if isinstance(default, float) and type(value) is int:
        value = float(value)
    wanted = (int, float) if default is None else type(default)
    if not isinstance(value, wanted) or isinstance(value, bool) != isinstance(default, bool):
        kind = "a number" if default is None else f"like {default!r}"
        raise ValueError(f"{what} should be {kind}, got {text!r}: write it as NAME=VALUE.")
    return value
