"""`recsys explain`: why a job fits a profile, what is missing, and what an edit would change."""

import dataclasses
from pathlib import Path

from recsys.cli.names import SpacePath
from recsys.cli.recommend import K
from recsys.explicit import Space
from recsys.report.plots import explanation
from recsys.report.text import Table

PICTURES = (".svg", ".png", ".pdf")


@dataclasses.dataclass(frozen=True)
class Explain:
    """Says which skills and words a score is the sum of, and which skills the profile lacks."""

    space: SpacePath  # that `train --task explicit` wrote
    profile: str  # its text; "" for skills alone
    job: str  # its text
    profile_skill: tuple[str, ...] = ()  # that the profile states
    job_skill: tuple[str, ...] = ()  # that the job states
    what_if: tuple[str, ...] = ()  # edits of the profile, as "Python=0" or "welding=1"
    k: K = 10  # reasons or skills of each list; fewer where there are fewer
    plot: Path | None = None  # a picture to write: .svg, .png or .pdf

    def run(self) -> int:
        """Explains."""
        if self.plot is not None and self.plot.suffix not in PICTURES:
            raise ValueError(
                f"A picture is one of {', '.join(PICTURES)}, got {self.plot}: name it so."
            )
        edits = dict(map(edit, self.what_if))
        space = Space.open(self.space)
        profile = space.documents([self.profile], [self.profile_skill])
        job = space.documents([self.job], [self.job_skill])
        shares, missing = space.explain(profile, job), space.gap(profile, job)
        score = sum(share for _, share in shares)
        rest = sum(share for _, share in shares[self.k :])
        rows = [*shares[: self.k], *([("all others", rest)] if rest else [])]
        print(Table("Why", ("reason", "share"), [*rows, ("score", float(score))]))
        if missing:
            print(Table("\nMissing", ("skill", "would add"), missing[: self.k]))
        if edits:
            found = space.what_if(profile, job, edits)
            print(Table("\nWhat if", ("skill", "change"), [*found.moved, ("score", found.after)]))
        if self.plot is not None:
            title, kind = f"score {score:.3f}", self.plot.suffix[1:]
            own = missing[: self.k]
            self.plot.write_bytes(explanation(shares[: self.k], own, title=title, kind=kind))
            print(f"Picture: {self.plot}")
        return 0


def edit(text: str) -> tuple[str, float]:
    """A skill and its value, as a person writes them.

    Raises:
        ValueError: there is no value.
    """
    name, equals, value = text.rpartition("=")
    try:
        return name, float(value if equals else "")
    except ValueError:
        raise ValueError(
            f'An edit is a skill and a value, as "Python=0", got {text!r}: 0 takes it away.'
        ) from None
