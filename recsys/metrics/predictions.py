"""Predictions of a split, gathered batch by batch: metrics are exact over the whole of it."""

import numpy as np
from jaxtyping import Bool, Float, Shaped, UInt64

Column = Shaped[np.ndarray, "rows"]


class Predictions:
    """Logits, labels, weights and groups of a split on the host: 5 bytes an example, 4 more with
    weights and 8 more with groups.

    Metrics read the whole columns, so that a value does not depend on the batches it came in.
    """

    def __init__(self) -> None:
        self._logit: list[np.ndarray] = []
        self._label: list[np.ndarray] = []
        self._weight: list[np.ndarray] = []
        self._group: list[np.ndarray] = []
        self._is_weighted = False
        self._rows = 0

    def add(
        self,
        logit: Shaped[np.ndarray, "..."],
        label: Shaped[np.ndarray, "..."],
        *,
        weight: Shaped[np.ndarray, "..."] | None = None,
        group: Shaped[np.ndarray, "..."] | None = None,
    ) -> None:
        """Append one batch.

        Args:
            logit: scores before the sigmoid; kept as float32.
            label: 1 or true for a click, 0 or false for none.
            weight: how much an example counts, 0 for padding; 1 where not given.
            group: a key of whom the example is about, as of its user, for metrics by group; in
                every batch or in none.
        """
        shapes = {column.shape for column in (logit, label, weight, group) if column is not None}
        if len(shapes) > 1 or logit.ndim != 1:
            raise ValueError(
                f"Predictions need one logit, one label and at most one weight and group an "
                f"example, got shapes {sorted(shapes)}: flatten them to (batch,)."
            )
        if not np.isfinite(logit).all():
            wrong = np.count_nonzero(~np.isfinite(logit))
            raise ValueError(
                f"Predictions need finite logits, got {wrong} of {len(logit)} that are not: "
                "lower the learning rate or look for the step that diverged."
            )
        if not ((label == 0) | (label == 1)).all():
            raise ValueError(
                f"Predictions need labels 0 and 1, got values from {label.min()} to {label.max()}: "
                "turn ratings into clicks first."
            )
        if self._rows and (group is None) == bool(self._group):
            raise ValueError(
                f"Predictions need a group in every batch or in none, got {len(self)} examples "
                f"{'with' if self._group else 'without'} before this batch: give all of them one."
            )
        key = None if group is None else _keys(group)
        self._weight.append(self._checked(weight, len(logit)))
        self._logit.append(logit.astype(np.float32))
        self._label.append(label.astype(bool))
        if key is not None:
            self._group.append(key)
        self._rows += len(logit)

    def _checked(self, weight: Column | None, rows: int) -> Column:
        """The weights to keep; ones that nobody gave take no memory of their own."""
        if weight is None:
            return np.broadcast_to(np.float32(1), rows)
        if not (np.isfinite(weight) & (weight >= 0)).all():
            raise ValueError(
                f"Predictions need finite weights of at least 0, got a batch with "
                f"{weight.min()} to {weight.max()}: mend or drop those examples."
            )
        self._is_weighted = True
        return weight.astype(np.float32)

    def __len__(self) -> int:
        return self._rows

    @property
    def logit(self) -> Float[np.ndarray, "rows"]:
        """Every logit, in the order of arrival."""
        return _joined(self._logit, np.float32)

    @property
    def label(self) -> Bool[np.ndarray, "rows"]:
        """Every label, in the order of arrival."""
        return _joined(self._label, bool)

    @property
    def weight(self) -> Float[np.ndarray, "rows"] | None:
        """Every weight, in the order of arrival; none where every example counts the same."""
        return _joined(self._weight, np.float32) if self._is_weighted else None

    @property
    def group(self) -> UInt64[np.ndarray, "rows"] | None:
        """Every group, in the order of arrival; none where there are no groups."""
        return _joined(self._group, np.uint64) if self._group else None


def _keys(group: Column) -> Column:
    if not np.issubdtype(group.dtype, np.integer):
        raise ValueError(
            f"Predictions need whole numbers as groups, got {group.dtype}: give 64-bit keys."
        )
    return group.astype(np.uint64)


def _joined(parts: list[np.ndarray], dtype: type) -> np.ndarray:
    """The parts as one array, which takes their place, so that joining again costs nothing."""
    if len(parts) != 1:
        parts[:] = [np.concatenate([np.zeros(0, dtype), *parts])]
    return parts[0]
