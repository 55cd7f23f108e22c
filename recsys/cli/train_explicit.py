"""`recsys train --task explicit`: profiles, jobs and skills to a space that explains itself."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from tyro.conf import OmitArgPrefixes

from recsys.cli.names import run_path, stem
from recsys.explicit import Relevance, SpaceSettings, fit
from recsys.explicit.files import keep_jobs, read_documents, read_inventory, read_relevance
from recsys.explicit.linking import Linker
from recsys.losses import PositiveUnlabelled
from recsys.parallel.memory import keep_freed_memory
from recsys.report.text import Table
from recsys.tables import METHODS
from recsys.towers.text import TEXT_TOWERS
from recsys.training.options import with_options

if TYPE_CHECKING:
    EncoderName = str
    MethodName = str
else:  # the names, so that a command line can list and complete them
    EncoderName = Literal[tuple(TEXT_TOWERS)]
    MethodName = Literal[tuple(METHODS)]


@dataclasses.dataclass(frozen=True)
class Choices:
    """The space and how it learns; `recsys.explicit.SpaceSettings` has more."""

    head: Literal["explicit", "latent"] = "explicit"  # latent: a twin without names, to compare
    encoder: EncoderName = "bag"  # what reads the words
    encoder_options: tuple[str, ...] = ()  # fields of its spec, as hidden=64 cell=lstm
    table: MethodName = "hash"  # how vectors of words are stored
    table_options: tuple[str, ...] = ("rows=131072",)  # fields of its spec
    words: int = 128  # of a text; what is behind them is not read
    width: int = 128  # of a word's vector
    active: int = 64  # most skills of a document
    word_share: float = 0.6  # of a score that common words have, where texts are linked; 0: none
    batch: int = 128  # pairs a step
    epochs: int = 20  # at most
    rate: float = 1e-3  # learning rate

    def settings(self, *, are_linked: bool) -> SpaceSettings:
        """Spelled out; where links tell what is clear, the model adds only what it is sure of."""
        found = SpaceSettings(
            head=self.head,
            encoder=with_options(TEXT_TOWERS[self.encoder], self.encoder_options),
            table=with_options(METHODS[self.table], self.table_options),
            words=self.words,
            width=self.width,
            active=self.active,
            word_share=self.word_share,
            batch=self.batch,
            epochs=self.epochs,
            rate=self.rate,
            dense_rate=self.rate,
        )
        if not are_linked:
            return found
        loss = PositiveUnlabelled()
        return dataclasses.replace(found, bias=-5.0, known_loss=loss, known_weight=0.1)


@dataclasses.dataclass(frozen=True)
class TrainExplicit:
    """Fits a space whose dimensions are named skills, so that each score is a sum of reasons.

    Files are JSONL or Parquet. Skills have a name and may have a description. Profiles have a text,
    and may have an id, lists of skills that they state (given) and are known to have (known), and a
    list of ids of relevant jobs (relevant); jobs likewise. Lists may have grades beside them:
    given_grades, known_grades, relevant_grades.
    """

    skills: Path  # file of the inventory
    profiles: Path
    jobs: Path
    task: Literal["clicks", "retrieval", "explicit"] = "explicit"
    out: Path | None = None  # directory of the space, which must be new; by default runs/NAME
    valid: float = 0.1  # share of the profiles that the epoch is chosen by; 0: the last epoch
    links: bool = True  # texts state what their English words speak of
    seed: int = 0  # of the start, the order and that share
    choices: OmitArgPrefixes[Choices] = Choices()  # the space and how it learns

    def run(self) -> int:
        """Fits, saves, and says what was reached."""
        if not 0 <= self.valid < 1:
            raise ValueError(f"A share for validation is in [0, 1), got {self.valid}.")
        out = self.out or run_path(stem([str(self.profiles)]))
        if out.exists() and any(out.iterdir()):
            raise ValueError(f"A space is saved once, and {out} is not empty: give another --out.")
        inventory = read_inventory(self.skills)
        whole = read_relevance(self.profiles, self.jobs, inventory)
        train, valid = self._parts(whole)
        keep_freed_memory()
        linker = Linker.learn(inventory, [train.profiles, train.jobs]) if self.links else None
        settings = self.choices.settings(are_linked=self.links)
        space = fit(settings, inventory, train, valid, linker=linker, seed=self.seed)
        space.save(out)
        keep_jobs(out, read_documents(self.jobs, inventory))
        last = space.history[space.epoch - 1]
        rows = [("skills", len(inventory)), ("profiles", len(whole.profiles))]
        rows += [("jobs", len(whole.jobs)), *((n, v) for n, v in last.items() if n != "epoch")]
        print(Table(f"{out}: epoch {space.epoch}", ("", "space"), rows))
        print(f"Next: recsys explain {out} --profile TEXT --job TEXT")
        return 0

    def _parts(self, whole: Relevance) -> tuple[Relevance, Relevance | None]:
        """Profiles to train on, and those put aside that have a relevant job."""
        has_job = np.diff(whole.grades.indptr) > 0
        order = np.random.default_rng(self.seed).permutation(len(whole.profiles))
        aside = order[: round(self.valid * len(order))]
        aside = np.sort(aside[has_job[aside]])
        if not len(aside) or len(aside) == len(order):
            return whole, None
        kept = np.setdiff1d(np.arange(len(order)), aside)
        return whole.of_profiles(kept), whole.of_profiles(aside)
