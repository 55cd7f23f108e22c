"""What a step of two kinds of documents trains on: profiles, jobs and texts of skills."""

import dataclasses

from jaxtyping import Bool, Float32, Int32

from recsys.features.batch import ArrayOf, Batch
from recsys.pytree import pytree

OF_PAIRS = ("is_relevant", "log_count", "pair_weight")  # the other arrays have a row a document


@pytree
@dataclasses.dataclass(frozen=True, eq=False)
class Pairs(Batch):
    """Documents of a training step: profiles, as many jobs, one each, and texts of skills."""

    given: Float32[ArrayOf, "documents stated"]  # grades of the skills that documents state
    known: Int32[ArrayOf, "documents known"]  # skills that are known to be there
    grade: Float32[ArrayOf, "documents known"]  # of those; 0 is padding
    words: Int32[ArrayOf, "documents spoken"]  # that stand for themselves
    counts: Float32[ArrayOf, "documents spoken"]  # how much each counts; 0 is padding
    is_relevant: Bool[ArrayOf, "pairs pairs"]  # profiles by jobs: no negatives to each other
    log_count: Float32[ArrayOf, " pairs"]  # of how often each job is expected in a batch
    pair_weight: Float32[ArrayOf, " pairs"]  # 0 where the job is not relevant to its profile

    def of(self, documents: slice) -> "Pairs":
        """Some documents, with what is known of all pairs."""
        own = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        cut = {name: array[documents] for name, array in own.items() if name not in OF_PAIRS}
        return dataclasses.replace(self, **cut)
