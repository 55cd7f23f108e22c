"""The report of a run: what was trained, on what, how it went and how good it is, on one page."""

import json
from pathlib import Path
from typing import Any

from recsys.data.store import Store, StoredExamples
from recsys.report import plots
from recsys.report.footprint import by_feature, by_table
from recsys.report.frequency import by_frequency
from recsys.report.page import Page
from recsys.report.reliability import reliability
from recsys.report.text import Table
from recsys.report.values import values_of
from recsys.spec import to_json
from recsys.training.log import read
from recsys.training.loop import LOG
from recsys.training.predictor import measure
from recsys.training.run import Run

REPORT = "report.html"
MOST_REJECTS = 20  # rows that are shown; the store has all of them


def write_report(run: Run, store: Store, *, split: str = "valid") -> Path:
    """Writes the page into the run's directory; measures on a split of the store.

    The run's own validation split by default: the test split is for who asks for it.
    """
    page = Page(f"recsys run {run.path.name}")
    page.text(
        f"{type(run.resolved.model).__name__} on {store.path.name}; the state of step "
        f"{run.step:,} is what predicts."
    )
    log = run.path / LOG
    if log.is_file():
        page.heading("Learning curves")
        page.image(plots.learning_curves(read(log)), meaning="loss and validation by step")
    if split in store.splits:
        _measured(page, run, store, split)
    _bytes(page, run, store)
    _imported(page, store)
    page.heading("What was trained")
    page.code(json.dumps(to_json(run.resolved), indent=1))
    path = run.path / REPORT
    partial = path.with_name(f".partial-{REPORT}")
    partial.write_text(str(page), encoding="utf-8")
    return partial.replace(path)


def _measured(page: Page, run: Run, store: Store, split: str) -> None:
    """How good the predictions of a split are, over all of it and by parts."""
    examples: StoredExamples = store.splits[split]
    predictions = run.predictor.predictions(examples)
    page.heading(f"Metrics of {split}")
    metrics = measure(predictions)
    page.table(Table("", ("metric", split), list(metrics.items())))
    page.heading("Calibration")
    page.image(
        plots.reliability(reliability(predictions)),
        meaning="share of clicks against predicted probability",
    )
    values = values_of(run.predictor.schema, run.predictor.vocabularies, store.splits["train"])
    bands = by_frequency(run.predictor.schema, values, examples, predictions)
    if bands:
        page.heading("AUC by how often training saw a value")
        page.image(plots.auc_by_frequency(bands), meaning="AUC by frequency in training")
        for name, own in bands.items():
            rows = [(band.label, band.examples, band.auc) for band in own]
            page.table(Table(name, ("seen in training", "examples", "AUC"), rows))


def _bytes(page: Page, run: Run, store: Store) -> None:
    predictor = run.predictor
    embed = predictor.learner.model(predictor.state).embed
    if not embed.plans:
        return
    values = values_of(predictor.schema, predictor.vocabularies, store.splits["train"])
    rows = by_feature(embed, values)
    page.heading("Bytes by feature")
    page.text(
        f"{embed.table_bytes:,} bytes of tables as saved, {embed.served_bytes:,} with what turns "
        "raw values into keys. A shared table is shared out by the values that read it."
    )
    page.image(plots.bytes_by_feature(rows), meaning="bytes of tables and vocabularies by feature")
    cells = [
        (r.feature, r.table, r.values, r.width, r.table_bytes, r.vocabulary_bytes) for r in rows
    ]
    heads = ("feature", "table", "values", "width", "table bytes", "vocabulary bytes")
    page.table(Table("", heads, cells))
    tables = [(t.table, t.table_bytes, t.method) for t in by_table(embed)]
    page.table(Table("", ("table", "bytes", "method"), tables))


def _imported(page: Page, store: Store) -> None:
    """What the import saw, and the rows that it refused."""
    told: dict[str, Any] = store.manifest["report"]
    page.heading("Data")
    if told:
        counts = told.get("examples", {})
        labels = told.get("labels", {})
        rows = [(name, count, labels.get(name)) for name, count in counts.items()]
        page.table(Table("", ("split", "examples", "mean label"), rows))
        page.text(f"Read from {', '.join(told.get('files', ()))}.")
    rejected = store.rejected
    page.text(f"{len(rejected):,} rows were rejected by the import.")
    if rejected:
        shown = [(r.file, r.place, r.reason, r.text) for r in rejected[:MOST_REJECTS]]
        title = f"The first {len(shown)} of them" if len(shown) < len(rejected) else ""
        page.table(Table(title, ("file", "place", "reason", "row"), shown))
