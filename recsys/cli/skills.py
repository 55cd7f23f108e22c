"""`recsys skills`: the skills that texts speak of."""

import dataclasses
from typing import Literal

from recsys.cli.names import SpacePath
from recsys.cli.recommend import K
from recsys.explicit import Space
from recsys.report.text import Table


@dataclasses.dataclass(frozen=True)
class Skills:
    """Names the skills of texts, strongest first."""

    space: SpacePath  # that `train --task explicit` wrote
    text: tuple[str, ...]
    side: Literal["profile", "job"] = "profile"  # what the texts are of
    k: K = 10  # skills of each; fewer where there are fewer

    def run(self) -> int:
        """Answers text by text."""
        space = Space.open(self.space)
        for text in self.text:
            found = space.skills(text, side=self.side, most=self.k)
            shown = text if len(text) <= 60 else f"{text[:57]}..."
            print(Table(shown, ("skill", "amount"), found) if found else f"{shown}\nNo skill.")
        return 0
