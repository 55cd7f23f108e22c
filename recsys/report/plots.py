"""Drawings of the report, as SVG; matplotlib is imported when the first one is drawn."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from recsys.report.footprint import FeatureBytes
from recsys.report.frequency import FrequencyBand
from recsys.report.reliability import Reliability

DATELESS = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
SMOOTHED = 200  # points of a curve of losses, at most


def learning_curves(lines: Sequence[dict[str, Any]]) -> bytes:
    """The loss of the steps, and what each epoch reached on validation, from the metrics log."""
    losses = [(line["step"], line["loss"]) for line in lines if line.get("loss") is not None]
    epochs = [(line["step"], line["valid"]) for line in lines if line.get("valid")]
    names = list(epochs[0][1]) if epochs else []
    figure, axes = _figure(columns=1 + len(names), width=4.0)
    if losses:
        axes[0].plot(*_smooth(np.array(losses, np.float64)), color="C0")
    axes[0].set(xlabel="step", title="training loss")
    for place, name in enumerate(names, start=1):
        points = [
            (step, metrics[name]) for step, metrics in epochs if metrics.get(name) is not None
        ]
        axes[place].plot(*np.array(points, np.float64).reshape(-1, 2).T, marker="o", color="C1")
        axes[place].set(xlabel="step", title=f"validation {name}")
    return _svg(figure)


def reliability(bins: Reliability) -> bytes:
    """The share of clicks against the probability that was promised, and how often it was."""
    figure, (axes,) = _figure(columns=1, width=4.5)
    most = max(1e-6, float(max(bins.promised.max(), bins.happened.max())))
    axes.plot([0, most], [0, most], color="0.7", linestyle="--", label="calibrated")
    axes.errorbar(
        bins.promised, bins.happened, yerr=bins.error, marker="o", capsize=2, label="model"
    )
    axes.set(xlabel="predicted probability", ylabel="share of clicks")
    axes.legend()
    return _svg(figure)


def auc_by_frequency(bands: dict[str, list[FrequencyBand]]) -> bytes:
    """A panel a feature: the AUC of the examples whose value training saw so often."""
    figure, axes = _figure(columns=len(bands), width=4.0)
    for panel, (name, own) in zip(axes, bands.items(), strict=True):
        known = [band for band in own if band.auc is not None]
        panel.bar([band.label for band in known], [band.auc for band in known], color="C0")
        least = min((band.auc for band in known if band.auc is not None), default=0.5)
        panel.set(xlabel=f"times training saw the {name}", ylabel="AUC")
        panel.set_ylim(max(0.0, min(0.5, least - 0.05)), 1.0)
        panel.tick_params(axis="x", labelrotation=45)
    return _svg(figure)


def bytes_by_feature(rows: Sequence[FeatureBytes]) -> bytes:
    """A bar a feature: its part of the tables, and its vocabulary."""
    figure, (axes,) = _figure(columns=1, width=7.0, height=max(2.0, 0.3 * len(rows) + 1.2))
    names = [row.feature for row in rows]
    tables = np.array([row.table_bytes for row in rows]) / 1e3
    vocabularies = np.array([row.vocabulary_bytes for row in rows]) / 1e3
    axes.barh(names, tables, color="C0", label="table")
    axes.barh(names, vocabularies, left=tables, color="C1", label="vocabulary")
    axes.invert_yaxis()
    axes.set(xlabel="kB")
    axes.legend()
    return _svg(figure)


def explanation(
    shares: Sequence[tuple[str, float]],
    missing: Sequence[tuple[str, float]] = (),
    *,
    title: str,
    kind: str = "svg",
) -> bytes:
    """A bar a skill: its share of the score, and below them what is missing and would add to it.

    Args:
        shares: that sum to the score, or the first of them.
        missing: skills and what the score would win.
        title: what is explained.
        kind: of the picture: svg, png or pdf.
    """
    names = [*(name for name, _ in shares), *(f"+ {name}" for name, _ in missing)]
    values = [value for _, value in (*shares, *missing)]
    colours = ["C0"] * len(shares) + ["0.8"] * len(missing)
    figure, (axes,) = _figure(columns=1, width=7.0, height=max(2.0, 0.3 * len(names) + 1.2))
    axes.barh(range(len(names)), values, color=colours)
    axes.set_yticks(
        range(len(names)), [name if len(name) < 48 else f"{name[:45]}..." for name in names]
    )
    axes.invert_yaxis()
    axes.set(xlabel="share of the score" + ("; grey: would add" if missing else ""), title=title)
    return _saved(figure, kind)


def _figure(*, columns: int, width: float, height: float = 3.2) -> tuple[Any, Any]:
    from matplotlib.figure import Figure  # late: it takes a while, and only reports need it

    figure = Figure(figsize=(width * columns, height), layout="constrained")
    return figure, np.atleast_1d(figure.subplots(1, columns))


def _svg(figure: Any) -> bytes:
    return _saved(figure, "svg")


def _saved(figure: Any, kind: str) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format=kind, metadata=None if kind == "png" else DATELESS[kind])
    return file.getvalue()


def _smooth(points: Float[np.ndarray, "points xy"]) -> Float[np.ndarray, "xy points"]:
    """Means of neighbours, so that few points are left."""
    parts = np.array_split(points, min(len(points), SMOOTHED))
    return np.array([part.mean(axis=0) for part in parts]).T
