"""Golden requests: what a release answered when it was made, asked again when it is loaded.

A request is a raw row (`row`) or keys as a batch has them (`keys`), where no raw row was at hand.
An answer is a probability, or a user's vector and the scores of the best items.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from recsys.features.batch import Batch
from recsys.release.manifest import ReleaseError
from recsys.release.programs import TYPES

if TYPE_CHECKING:
    from recsys.release.release import Release

TOLERANCE = 1e-5
BEST = 10  # items of an answer


def asked(batch: Batch, row: int) -> dict[str, Any]:
    """One row of a batch as a request."""
    return {"keys": {name: np.asarray(getattr(batch, name))[row].tolist() for name in TYPES}}


def answers(release: "Release", requests: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What a release answers now."""
    batches = [batch_of(release, request) for request in requests]
    if release.task == "click":
        return [{"probability": float(release.predict(batch)[0])} for batch in batches]
    found = []
    assert release.items is not None
    for batch in batches:
        vector = release.users(batch)[0]
        scores = np.asarray(release.item_vectors @ vector)
        best = np.argsort(-scores, kind="stable")[:BEST]
        told = {release.items.ids[row]: float(scores[row]) for row in best}
        found.append({"vector": vector.tolist(), "scores": told})
    return found


def replay(release: "Release") -> None:
    """Asks the golden requests again.

    Raises:
        ReleaseError: an answer differs by more than `TOLERANCE`.
    """
    batches = [batch_of(release, request["request"]) for request in release.golden]
    for number, (batch, request) in enumerate(zip(batches, release.golden, strict=True)):
        wanted, found = request["answer"], _again(release, batch, request["answer"])
        for name in wanted:
            worst = np.max(np.abs(np.subtract(found[name], _numbers(wanted[name]))), initial=0)
            if not worst <= TOLERANCE:
                raise ReleaseError(
                    f"{release.path} should answer golden request {number} with the {name} of its "
                    f"export, and is {worst:.2g} off: export it again with the JAX of this machine."
                )


def _again(release: "Release", batch: Batch, wanted: Mapping[str, Any]) -> dict[str, Any]:
    if release.task == "click":
        return {"probability": release.predict(batch)[0]}
    assert release.items is not None
    vector = release.users(batch)[0]
    rows = np.array([release.items.row_of(item) for item in wanted["scores"]], np.int64)
    return {"vector": vector, "scores": release.item_vectors[rows] @ vector}


def batch_of(release: "Release", request: Mapping[str, Any]) -> Batch:
    if "row" in request:
        return release.encode([request["row"]]).batch
    told = request["keys"]
    arrays = {name: np.array([told[name]], dtype) for name, dtype in TYPES.items()}
    return Batch(**arrays, label=np.zeros(1, np.float32), weight=np.ones(1, np.float32))


def _numbers(answer: Any) -> Any:
    return list(answer.values()) if isinstance(answer, Mapping) else answer
