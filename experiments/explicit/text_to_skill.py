"""Text to skill: R-precision@5 of links on spans of job ads, beside a TF-IDF matcher.

The matcher is the cosine of TF-IDF vectors of a span and of a skill's name, or of all its labels
and its description: by words, stems or characters, chosen on the validation files. Ours are links
(`recsys.explicit.linking`) learned from ESCO's texts alone (`links_alone`), and from the training
occupations of `esco.py` as well (`links`). Nothing is trained on a span. Two minutes on one core.

    RECSYS_DATA=folder python -m experiments.explicit.text_to_skill
"""

import dataclasses
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tyro
from jaxtyping import Float
from sklearn.feature_extraction.text import TfidfVectorizer

from experiments.explicit import esco, measures, spans
from experiments.explicit.settings import EXAMPLES
from experiments.results import Record, device, save
from recsys.explicit import Inventory, Linker
from recsys.features.links import Stems

NAME = "text_to_skill"
Matcher = Callable[[Sequence[str]], Float[np.ndarray, "texts skills"]]
Kind = Literal["word", "stem", "char_wb"]


@dataclasses.dataclass(frozen=True)
class Spans:
    """Measures matchers."""

    folder: Path = Path(os.environ.get("RECSYS_DATA", ".cache"))  # of the data sets


def main(choice: Spans) -> None:
    """Writes a record for each matcher and set of spans."""
    task = esco.protocol(choice.folder).without_skills()
    train, inventory = task.parts["train"].relevance, task.inventory
    documents = [train.profiles, train.jobs]
    chosen = max(grid(inventory), key=lambda one: validated(one[1], choice.folder, inventory))
    matchers: dict[str, tuple[str, Matcher]] = {
        "tfidf": chosen,
        "links_alone": ("examples=0", linked(inventory, documents, examples=0.0)),
        "links": (f"examples={EXAMPLES}", linked(inventory, documents, examples=EXAMPLES)),
    }
    records = []
    for name, (recipe, matcher) in matchers.items():
        is_peer = name == "tfidf"
        metrics = measured(matcher, choice.folder, inventory)
        print(name, recipe, metrics)
        records.append(
            Record(
                experiment=NAME,
                data="esco",
                model=None if is_peer else name,
                peer=name if is_peer else None,
                training=recipe,
                split="test",
                metrics=metrics,
                device=device(),
                command=" ".join(["python -m experiments.explicit.text_to_skill", *sys.argv[1:]]),
            )
        )
    save(NAME, records)


def grid(inventory: Inventory) -> list[tuple[str, Matcher]]:
    """TF-IDF matchers, by what they read."""
    kinds: tuple[Kind, ...] = ("word", "stem", "char_wb")
    texts = {"names": inventory.names, "all texts": inventory.texts}
    return [(f"{kind} of {what}", matcher(kind, texts[what])) for kind in kinds for what in texts]


def matcher(kind: Kind, texts: Sequence[str]) -> Matcher:
    """The cosine of TF-IDF vectors."""
    made: Any = TfidfVectorizer
    longest = (3, 5) if kind == "char_wb" else (1, 1)
    vectorizer = made(
        analyzer=Stems() if kind == "stem" else kind, ngram_range=longest, sublinear_tf=True
    )
    skills = vectorizer.fit_transform(texts)
    return lambda spoken: (vectorizer.transform(spoken) @ skills.T).toarray()


def linked(inventory: Inventory, documents: Sequence[Any], *, examples: float) -> Matcher:
    """The amounts of links."""
    linker = Linker.learn(inventory, documents, examples=examples, sharpness=1.0)
    return lambda spoken: linker.link(spoken).toarray().astype(np.float64)


def validated(one: Matcher, folder: Path, inventory: Inventory) -> float:
    """The mean over the validation files, span by span."""
    found = []
    for name in spans.VALIDATION.values():
        queries = spans.read(folder, name, inventory)
        found.append(measures.r_precision(one(queries.texts), queries.relevant).mean())
    return float(np.mean(found))


def measured(one: Matcher, folder: Path, inventory: Inventory) -> dict[str, float]:
    """R-precision@5 of every test file, by span and by sentence."""
    found = {}
    for data, name in spans.SETS.items():
        for by in ("span", "sentence") if data != "techwolf" else ("sentence",):
            queries = spans.read(folder, name, inventory, by=by)
            values = measures.r_precision(one(queries.texts), queries.relevant)
            found[f"{data}_{by}_rp@5"] = round(float(values.mean()), 5)
    return found


if __name__ == "__main__":
    main(tyro.cli(Spans))
