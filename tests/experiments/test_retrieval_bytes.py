"""Recall against bytes: what is compared, that it keeps to its budget, and what is drawn of it."""

import dataclasses

import numpy as np
import pytest

from experiments.results import Record
from experiments.retrieval.bytes import Sweep, jobs, pending, run
from experiments.retrieval.report import points, render, tabulate
from experiments.retrieval.smaller import CONTENDERS, FULL, by_frequency, with_counts
from experiments.retrieval.towers import Setting, spec_of
from tests.retrieval.drawn import interactions

DATA = by_frequency(interactions())
SETTING = Setting(
    dim=8, has_id=True, history=4, targets=3, candidates=40, users=20, epochs=1, every=1
)
RUN = Record(
    experiment="retrieval_bytes", data="gowalla", model="two_tower", table="hash",
    layout="plain multiplexing", budget=0.25, seed=0, table_bytes=100, train_seconds=2.0,
    metrics={"recall@20": 0.08},
)  # fmt: skip
WHOLE = dataclasses.replace(
    RUN, table="full", layout="a row each", budget=1.0, metrics={"recall@20": 0.1}
)


def test_numbers_go_by_frequency_and_pairs_stay():
    before, users = interactions(), np.diff(DATA.train.indptr)
    items = np.bincount(DATA.train.indices, minlength=DATA.items)
    assert (np.diff(users) <= 0).all()
    assert (np.diff(items) <= 0).all()
    assert (DATA.train.nnz, DATA.test.nnz) == (before.train.nnz, before.test.nnz)


@pytest.mark.parametrize(
    "contender",
    [own for own in CONTENDERS if own.codec is None],
    ids=lambda own: f"{own.table}, {own.layout}",
)
def test_tables_keep_to_their_budget(contender):
    spec = with_counts(spec_of(SETTING, DATA), DATA)
    full = sum(plan.table_bytes for plan in spec.layout.plans(spec.packed).values())
    small = contender.within(full // 2, spec)
    used = sum(plan.table_bytes for plan in small.layout.plans(small.packed).values())
    assert 0.1 * full < used <= full // 2
    with pytest.raises(ValueError, match=r"needs|cannot|at least|smallest"):
        contender.within(4, spec)


def test_every_run_comes_once_and_what_is_recorded_is_left_out(monkeypatch):
    sweep = Sweep(tables=("int8",), budgets=(0.25,), seeds=(0, 1))
    wanted = list(jobs(sweep, "t"))
    assert [job.contender.table for job in wanted] == ["full", *["int8"] * 3] * 2
    assert len({job.name for job in wanted}) == 8
    done = [dataclasses.replace(wanted[1].record(), device="another", budget_bytes=7)]
    monkeypatch.setattr("experiments.retrieval.bytes.load", lambda name: done)
    left = list(pending(sweep, "t"))
    assert wanted[1] not in left
    assert len(left) == 7


def test_a_contender_without_users_reads_histories_alone():
    (contender,) = (c for c in CONTENDERS if c.layout == "no users, int8, int8 of hash")
    spec = with_counts(spec_of(SETTING, DATA), DATA)
    small = contender.within(10**6, spec)
    assert [feature.name for feature in small.schema.features] == ["history", "item"]
    assert small.user.features == ("history",)


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["plain multiplexing", "no users, of trained rows"])
def test_a_run_is_trained_measured_and_resumed(layout, tmp_path):
    (contender,) = (c for c in CONTENDERS if c.layout == layout)
    job = next(jobs(Sweep(seeds=(0,)), "t"))
    job = dataclasses.replace(job, contender=contender, budget=0.5)
    first, again = (run(job, DATA, SETTING, runs=tmp_path) for _ in range(2))
    assert (first.table_bytes or 0) <= (first.budget_bytes or 0)
    assert 0 < (first.metrics or {})["recall@20"] <= 1
    assert first.metrics == again.metrics


def test_the_report_says_what_is_kept_and_draws_it(tmp_path):
    again = dataclasses.replace(RUN, seed=1, metrics={"recall@20": 0.09})
    records = [WHOLE, RUN, again]
    text = tabulate(records)
    assert "| hash, plain multiplexing | 85.0% |" in text
    assert "R@20 0.1000" in text
    (at, mean, _), *_ = points(records, lambda r: float(r.table_bytes or 0), data="gowalla")[
        "hash, plain multiplexing"
    ]
    assert (at, mean) == (100, pytest.approx(0.085))
    other = dataclasses.replace(WHOLE, model="ease", table=None, layout=None, budget=None)
    written = render(records, [other], tmp_path)
    assert [path.name for path in written] == [
        "retrieval-bytes-gowalla.png",
        "retrieval-cost-gowalla.png",
    ]
    assert all(path.stat().st_size > 10_000 for path in written)
    assert FULL.table == "full"
