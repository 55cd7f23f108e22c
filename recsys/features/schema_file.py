"""A schema as a file that a person edits: TOML, with what was seen in the data as comments.

    label = "clicked"

    [features.price]
    # 0 to 310, mean 12
    kind = "numeric"
    transform = { kind = "standardise", of = "log1p" }

A field that is left out has the default that `Feature` and `Schema` say.
"""

import dataclasses
import re
import tomllib
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import tomlkit
from tomlkit.exceptions import ParseError, TOMLKitError
from tomlkit.items import Item

from recsys.features.feature import Feature
from recsys.features.schema import Schema
from recsys.features.transforms import TRANSFORMS, Transform

FEATURES = "features"
LEARNED = "counts"  # of a feature, with its vocabulary: no file says it
_WORDS = {int: "a whole number", float: "a number", str: "text", tuple: "a list"}


def write(
    schema: Schema,
    path: Path,
    *,
    head: str = "",
    notes: Mapping[str, str] | None = None,
    left_out: Mapping[str, str] | None = None,
) -> None:
    """Writes a schema, over one that is there.

    Args:
        schema: Learned or not.
        path: Of the file.
        head: A comment at the top.
        notes: Comments by the name of a feature, or of a field of the schema (one line).
        left_out: Columns that are no feature, and why.
    """
    notes = notes or {}
    document = tomlkit.document()
    for line in head.splitlines():
        document.add(tomlkit.comment(_plain(line)))
    for field in dataclasses.fields(Schema):
        value = getattr(schema, field.name)
        if field.name != FEATURES and value != field.default:
            document.add(field.name, _noted("" if value is None else value, notes, field.name))
    features = tomlkit.table(is_super_table=True)
    for feature in schema.features:
        table = tomlkit.table()
        for line in notes.get(feature.name, "").splitlines():
            table.add(tomlkit.comment(_plain(line)))
        for name, value in _told(feature).items():
            table.add(name, value)
        features.add(feature.name, table)
    document.add(FEATURES, features)
    if left_out:
        document.add(tomlkit.nl())
    for name, why in (left_out or {}).items():
        document.add(tomlkit.comment(_plain(f"{name} is left out: {why}")))
    path.write_text(tomlkit.dumps(document), "utf-8")


def read(path: Path) -> Schema:
    """The schema of a file.

    Raises:
        ValueError: it is no TOML, or says something that no schema can say; with file and line.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no schema at {path}: write one with `data describe`.")
    text = path.read_text("utf-8", errors="replace")
    file = _File(path, _lines(text))
    try:
        document = tomlkit.parse(text).unwrap()
    except ParseError as error:
        why = str(error).removesuffix(f" at line {error.line} col {error.col}")
        raise ValueError(f"{path}, line {error.line}: is no TOML ({why}): mend it.") from error
    except TOMLKitError as error:
        raise ValueError(f"{path} is no TOML ({error}): mend it.") from error
    tables = document.pop(FEATURES, {})
    if not isinstance(tables, dict) or not all(isinstance(each, dict) for each in tables.values()):
        raise file.error((FEATURES,), "wants a [features.NAME] for each feature: write it so.")
    fields = file.fields(Schema, document, (), without=(FEATURES,))
    if fields.get("label") == "":
        fields["label"] = None
    features = []
    for name, table in tables.items():
        place = (FEATURES, name)
        told = file.fields(Feature, table, place, without=("name", LEARNED))
        features.append(file.made(Feature, {"name": name, **told}, place))
    return file.made(Schema, {FEATURES: tuple(features), **fields}, ())


@dataclasses.dataclass(frozen=True)
class _File:
    """A file that is being read: its errors say where."""

    path: Path
    lines: Mapping[tuple[str, ...], int]  # of a table or a key, by its path

    def error(self, place: tuple[str, ...], message: str) -> ValueError:
        """What is wrong at a table or a key."""
        line = f", line {self.lines[place]}" if place in self.lines else ""
        return ValueError(f"{self.path}{line}: {message}")

    def fields(
        self, cls: type, table: dict[str, Any], place: tuple[str, ...], *, without: tuple[str, ...]
    ) -> dict[str, Any]:
        """What a table says of a spec, with the types of its fields."""
        hints = {name: hint for name, hint in get_type_hints(cls).items() if name not in without}
        told = {}
        for key, value in table.items():
            if key not in hints:
                message = f"unknown {key!r} of a {cls.__name__}: known are {', '.join(hints)}."
                raise self.error((*place, key), message)
            if hints[key] == Transform | None or key == "of":
                told[key] = self.transform(value, (*place, key))
            elif isinstance(fitting := _fitting(value, hints[key]), _Unfit):
                message = f"{key} wants {fitting.wanted}, got {value!r}: change it."
                raise self.error((*place, key), message)
            else:
                told[key] = fitting
        return told

    def transform(self, value: Any, place: tuple[str, ...]) -> Transform:
        """A transform, as its name alone or as a table with its `kind`."""
        table = {"kind": value} if isinstance(value, str) else value
        kind = table.get("kind") if isinstance(table, dict) else None
        if kind not in TRANSFORMS:
            known = ", ".join(TRANSFORMS)
            raise self.error(place, f"unknown transform {kind or value!r}: known are {known}.")
        rest = {key: each for key, each in table.items() if key != "kind"}
        return self.made(
            TRANSFORMS[kind], self.fields(TRANSFORMS[kind], rest, place, without=()), place
        )

    def made(self, cls: type, fields: dict[str, Any], place: tuple[str, ...]) -> Any:
        """A spec, or its own complaint with the place."""
        try:
            return cls(**fields)
        except (TypeError, ValueError) as error:
            raise self.error(place, str(error)) from error


@dataclasses.dataclass(frozen=True)
class _Unfit:
    wanted: str


def _told(spec: Any) -> dict[str, Any]:
    """What has to be written of a feature or a transform: all that is not the default."""
    told = {}
    for field in dataclasses.fields(spec):
        value = getattr(spec, field.name)
        if field.name in ("name", LEARNED):
            continue
        if field.name == "kind" or value != field.default:
            told[field.name] = _written(value)
    transform = getattr(spec, "transform", None)
    if transform is not None and hasattr(transform, "edges"):
        told.pop("values", None)  # follows from the edges
    return told


def _written(value: Any) -> Any:
    if type(value) not in TRANSFORMS.values():
        return list(value) if isinstance(value, tuple) else value
    kind = next(name for name, cls in TRANSFORMS.items() if cls is type(value))
    fields = _told(value)
    if not fields:
        return kind
    table = tomlkit.inline_table()
    for name, each in {"kind": kind, **fields}.items():
        table.add(name, each)
    return table


def _noted(value: Any, notes: Mapping[str, str], name: str) -> Item:
    item = tomlkit.item(value)
    return item.comment(_plain(notes[name])) if notes.get(name) else item


def _plain(text: str) -> str:
    """A comment on one line, without what TOML forbids there."""
    return "".join(c if c.isprintable() else " " for c in text).strip()


def _fitting(value: Any, hint: Any) -> Any:
    """The value as the type wants it, or what it wants."""
    if get_origin(hint) in (Union, types.UnionType):
        kinds = [each for each in get_args(hint) if each is not type(None)]
        found = [_fitting(value, each) for each in kinds]
        fits = [each for each in found if not isinstance(each, _Unfit)]
        exact = [each for each in fits if type(each) is type(value)]
        return (exact or fits or [_Unfit(" or ".join(each.wanted for each in found))])[0]
    if get_origin(hint) is Literal:
        hint = str  # the spec knows the words
    if get_origin(hint) is tuple:
        items = [_fitting(each, get_args(hint)[0]) for each in value] if _is(value, list) else []
        wrong = not _is(value, list) or any(isinstance(each, _Unfit) for each in items)
        return _Unfit(f"a list, each {_WORDS[get_args(hint)[0]]}") if wrong else tuple(items)
    if hint is float and _is(value, int):
        return float(value)
    return value if _is(value, hint) else _Unfit(_WORDS[hint])


def _is(value: Any, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _lines(text: str) -> dict[tuple[str, ...], int]:
    """Where tables and keys stand, as far as single lines tell."""
    lines: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.split("\n"), 1):
        header = re.match(r"\s*\[([^\[].*)\]", line)
        key = re.match(r"\s*([^#=]+)=", line)
        if header:
            table = _path(header[1]) or table
            lines.setdefault(table, number)
        elif key and (path := _path(key[1])):
            lines.setdefault((*table, *path), number)
    return lines


def _path(key: str) -> tuple[str, ...]:
    """The parts of a dotted key."""
    try:
        node: Any = tomllib.loads(f"{key} = 0")
    except tomllib.TOMLDecodeError:
        return ()
    path = []
    while isinstance(node, dict):
        [(name, node)] = node.items()
        path.append(name)
    return tuple(path)
