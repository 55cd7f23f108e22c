"""What is inside a trained model: bytes, collisions, and what each feature is worth."""

import dataclasses
from collections.abc import Iterator

from recsys.data.examples import Examples
from recsys.report.collisions import Collisions, collisions
from recsys.report.footprint import FeatureBytes, TableBytes, by_feature, by_table
from recsys.report.sensitivity import ablation, gradient_norms
from recsys.report.text import Table
from recsys.report.values import values_of
from recsys.training.predictor import Predictor


@dataclasses.dataclass(frozen=True, eq=False)
class Inspection:
    """All that was found."""

    tables: list[TableBytes]
    features: list[FeatureBytes]
    collisions: list[Collisions]
    gradient_norms: dict[str, float]  # by feature
    auc_lost: dict[str, float]  # by the feature that was hidden


def inspect(predictor: Predictor, *, train: Examples, examples: Examples) -> Inspection:
    """Looks into a model.

    Args:
        train: what it was trained on, which says what values there are.
        examples: what gradients and AUC are measured on; labelled, and not trained on.
    """
    learner, state, schema = predictor.learner, predictor.state, predictor.schema
    embed = learner.model(state).embed
    values = values_of(schema, predictor.vocabularies, train)
    return Inspection(
        tables=by_table(embed),
        features=by_feature(embed, values),
        collisions=collisions(embed, values),
        gradient_norms=gradient_norms(learner, state, schema, examples),
        auc_lost=ablation(learner, state, schema, examples),
    )


def tables_of(found: Inspection) -> Iterator[Table]:
    """An inspection as tables to print, or to put on a page."""
    yield Table(
        "Bytes by table, as saved",
        ("table", "bytes", "read by", "method"),
        [(t.table, t.table_bytes, ", ".join(t.features), t.method) for t in found.tables],
    )
    yield Table(
        "Bytes by feature (a shared table is shared out by the values that read it)",
        ("feature", "table", "values", "lookups", "width", "table bytes", "vocabulary bytes"),
        [dataclasses.astuple(row) for row in found.features],
    )
    yield Table(
        "Share of values whose row is also read by another value",
        ("feature", "lookup", "rows", "values", "within", "expected", "between", "expected"),
        [
            (c.feature, c.lookup, c.rows, c.values, c.within, c.expected_within, c.between,
             c.expected_between)
            for c in found.collisions
        ],
    )  # fmt: skip
    yield Table(
        "What a feature does: the norm of its gradient, and the AUC lost when it is hidden",
        ("feature", "gradient norm", "AUC lost"),
        [(n, found.gradient_norms[n], lost) for n, lost in ranked(found.auc_lost)],
    )


def ranked(numbers: dict[str, float]) -> list[tuple[str, float]]:
    """The largest first."""
    return sorted(numbers.items(), key=lambda item: -item[1])
