"""The concepts that vectors are made of: skills, technologies, genres; each numbered and named."""

import dataclasses
import difflib
import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

NEAR = 3  # names shown where one is unknown


@dataclasses.dataclass(frozen=True)
class Inventory:
    """Named skills, or whatever else scores shall be made of.

    Raises:
        ValueError: there is none, a name is empty or comes twice, or descriptions are of others.
    """

    names: tuple[str, ...]
    descriptions: tuple[str, ...] = ()  # one a name, "" where there is none; () for none at all

    def __post_init__(self):
        if not self.names:
            raise ValueError("An inventory wants at least one skill, got none: name some.")
        seen: dict[str, int] = {}
        for number, name in enumerate(self.names):
            if not isinstance(name, str) or not name.strip():
                raise ValueError(
                    f"An inventory wants a name for every skill, got {name!r} for number {number}: "
                    "name it, or leave it out."
                )
            if name in seen:
                raise ValueError(
                    f"An inventory wants each skill once, got {name!r} as number {seen[name]} and "
                    f"as number {number}: leave one out, or tell them apart by name."
                )
            seen[name] = number
        if self.descriptions and len(self.descriptions) != len(self.names):
            raise ValueError(
                f"An inventory wants a description for each of {len(self.names):,} skills or none "
                f'at all, got {len(self.descriptions):,}: write "" where there is none.'
            )

    def __len__(self) -> int:
        """How many skills."""
        return len(self.names)

    @property
    def texts(self) -> tuple[str, ...]:
        """What is known of each skill in words: its name, and its description."""
        if not self.descriptions:
            return self.names
        both = zip(self.names, self.descriptions, strict=True)
        return tuple(f"{name}. {told}" if told else name for name, told in both)

    def number(self, name: str) -> int:
        """The number of a skill; in other letters where only one is called so.

        Raises:
            ValueError: there is none of that name.
        """
        if name in self._numbers:
            return self._numbers[name]
        folded = name.strip().casefold()
        alike = self._folded.get(folded, ())
        if len(alike) == 1:
            return alike[0]
        near = [self.names[number] for number in alike]
        if not near:
            found = difflib.get_close_matches(folded, self._folded, NEAR, cutoff=0.6)
            near = [self.names[self._folded[one][0]] for one in found]
        like = f", as {' or '.join(map(repr, near))}" if near else ""
        raise ValueError(
            f"No skill of {len(self):,} is called {name!r}: use one of their names{like}."
        )

    def save(self, path: Path) -> None:
        """Writes a file of JSON."""
        told = {"names": self.names, "descriptions": self.descriptions}
        path.write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def open(cls, path: Path) -> "Inventory":
        """The inverse of `save`."""
        told: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return cls(tuple(told["names"]), tuple(told["descriptions"]))

    @functools.cached_property
    def _numbers(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.names)}

    @functools.cached_property
    def _folded(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for number, name in enumerate(self.names):
            found.setdefault(name.strip().casefold(), []).append(number)
        return found
