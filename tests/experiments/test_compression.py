"""The compression benchmark: what it compares, and what its report says of records."""

import dataclasses

import numpy as np
import pytest

import experiments.compression.sweep as sweep_module
from experiments.compression.contenders import CONTENDERS, FULL
from experiments.compression.data_sets import DATA_SETS, DataSet
from experiments.compression.never_met import without_unknown
from experiments.compression.plots import Point, draw, frontier, latency_of
from experiments.compression.report import tabulate
from experiments.compression.runs import gain
from experiments.compression.sweep import Job, Sweep, is_too_slow, jobs, main, run
from experiments.results import Record
from recsys.data.datasets import planted
from recsys.features import Batch, Feature, Schema
from recsys.tables import METHODS

RUN = Record(
    experiment="compression", data="planted", table="hash", layout="unified", budget=0.1, seed=0,
    table_bytes=100, served_bytes=120, train_bytes=300, train_seconds=2.0,
    metrics={"auc": 0.8, "is_capped": 0.0},
)  # fmt: skip


def small(folder, seed: int) -> dict:
    columns = planted.generate(3000).columns
    parts = planted.split(3000, seed)
    return {part: {n: c[rows] for n, c in columns.items()} for part, rows in parts.items()}


SMALL: DataSet = dataclasses.replace(DATA_SETS["planted"], load=small, epochs=1, batch=256)


def test_every_method_is_among_the_contenders():
    assert {contender.table for contender in (*CONTENDERS, FULL)} == set(METHODS)
    names = [(contender.table, contender.name) for contender in CONTENDERS]
    assert len(set(names)) == len(names)


def test_a_sweep_runs_the_full_table_first_and_every_seed_apart():
    sweep = Sweep(data=("planted",), tables=("hash",), budgets=(0.1,), seeds=(0, 1))
    wanted = list(jobs(sweep))
    assert [(job.contender.table, job.seed) for job in wanted[::4]] == [("full", 0), ("full", 1)]
    assert len({job.key for job in wanted}) == len(wanted)


def test_the_whole_sweep_is_what_each_data_set_asks_for():
    wanted = [job for job in jobs(Sweep()) if job.contender.table == "cafe"]
    found = {(job.data.name, job.budget, job.seed) for job in wanted}
    assert found == {
        (data.name, budget, seed)
        for data in DATA_SETS.values()
        for budget in data.budgets
        for seed in (data.seeds[:1] if budget in data.once else data.seeds)
    }
    tables = {job.contender.table for job in jobs(Sweep(data=("ml-1m",)))}
    assert tables == {"full", *DATA_SETS["ml-1m"].tables}
    assert all(
        job.contender.table != "cafe" for job in jobs(Sweep(data=("ml-1m",), tables=("robe",)))
    )


def test_what_the_first_seed_could_not_finish_is_not_repeated(monkeypatch):
    done = [
        Job(SMALL, FULL, 1.0, 0).record(metrics={"is_capped": 0.0}),
        Job(SMALL, CONTENDERS[0], 0.1, 0).record(metrics={"is_capped": 1.0}),
    ]
    monkeypatch.setattr(sweep_module, "load", lambda _: done)
    assert is_too_slow(Job(SMALL, CONTENDERS[0], 0.1, 1))
    assert not is_too_slow(Job(SMALL, CONTENDERS[0], 0.1, 0))  # it may be trained again
    assert not is_too_slow(Job(SMALL, CONTENDERS[0], 0.05, 1))
    assert not is_too_slow(Job(SMALL, FULL, 1.0, 1))


def test_values_never_met_read_nothing_once_training_is_over():
    schema = Schema((Feature("a", values=3), Feature("b", values=2)))
    low, ones = np.array([[0, 1], [2, 0]], np.uint32), np.ones((2, 2), bool)
    whole = np.zeros(2, np.float32)
    batch = Batch(np.zeros_like(low), low, ones, np.zeros((2, 0), np.float32), whole, whole)
    found = without_unknown(dict.fromkeys(("train", "valid", "test"), batch), schema)
    assert found["train"].valid.all()
    assert found["valid"].valid.tolist() == found["test"].valid.tolist() == [[1, 0], [0, 1]]


def test_the_best_are_chosen_on_validation_by_the_first_seed(monkeypatch):
    def recorded(table: str, valid: float, seed: int = 0) -> Record:
        metrics = {"auc": 1 - valid, "valid_auc": valid, "is_capped": 0.0}
        return dataclasses.replace(RUN, table=table, seed=seed, metrics=metrics)

    found = [recorded("hash", 0.7), recorded("robe", 0.9), recorded("cafe", 0.8)]
    monkeypatch.setattr(sweep_module, "load", lambda _: [*found, recorded("qr", 0.99, seed=1)])
    wanted = jobs(Sweep(data=("planted",), budgets=(0.1,), seeds=(1,), best=2))
    assert [job.contender.table for job in wanted] == ["full", "robe", "cafe"]
    with pytest.raises(SystemExit, match=r"--best 4 wants as many runs .* found 3"):
        list(jobs(Sweep(data=("planted",), budgets=(0.1,), seeds=(1,), best=4)))


def test_a_part_that_is_not_there_is_refused():
    with pytest.raises(SystemExit, match="--part wants a number below that of parts, got 2 2"):
        main(Sweep(part=(2, 2)))


@pytest.mark.slow
def test_a_run_keeps_to_its_budget_and_says_what_it_took(tmp_path, monkeypatch):
    monkeypatch.setitem(DATA_SETS, "planted", SMALL)
    (contender,) = (c for c in CONTENDERS if (c.table, c.name) == ("hash", "unified, 2 lookups"))
    record = run(Job(SMALL, contender, 0.1, 0), tmp_path)
    assert record.full_bytes
    assert record.table_bytes
    assert record.table_bytes <= 0.1 * record.full_bytes
    assert 0 < (record.metrics or {})["auc"] < 1
    assert record.served_bytes == record.table_bytes  # hashed: nothing turns values into ranks


def test_the_frontier_is_what_nothing_better_costs_as_little_as():
    costs = {"a": (10.0, 0.7), "b": (10.2, 0.8), "c": (20.0, 0.79), "d": (30.0, 0.9)}
    points = [Point(name, "unified", cost, auc, None) for name, (cost, auc) in costs.items()]
    assert [point.table for point in frontier(points)] == ["b", "d"]
    assert (
        Point("int8", "unified of qr, 2 lookups", 1.0, 0.5, None).label == "int8 of qr, 2 lookups"
    )


def test_a_gain_is_over_the_full_table_of_the_same_seed():
    runs = [dataclasses.replace(RUN, seed=s, metrics={"auc": a}) for s, a in ((0, 0.8), (1, 0.9))]
    mean, spread = gain(runs, {0: 0.79, 1: 0.88})
    assert mean == pytest.approx(0.015)
    assert spread == pytest.approx(0.00707, abs=1e-5)
    assert gain(runs[:1], {0: 0.79})[1] is None
    with pytest.raises(ValueError, match="full table has no run of seed 1"):
        gain(runs, {0: 0.79})


def test_only_what_the_benchmark_of_lookups_timed_has_a_latency():
    timed = dataclasses.replace(RUN, experiment="lookup", metrics={"lookup_4096_of_full": 2.0})
    latency = latency_of([timed, dataclasses.replace(timed, table="full")])
    assert latency(RUN) == 2.0
    assert latency(dataclasses.replace(RUN, table="full", layout="per feature", budget=1.0)) == 2.0
    assert latency(dataclasses.replace(RUN, budget=0.05)) is None
    assert latency(dataclasses.replace(RUN, layout="unified, 2 lookups")) is None


@pytest.mark.slow
def test_the_report_marks_the_best_and_what_was_capped(tmp_path):
    better = dataclasses.replace(RUN, table="robe", metrics={"auc": 0.82, "is_capped": 1.0})
    again = dataclasses.replace(RUN, seed=1, metrics={"auc": 0.79, "is_capped": 0.0})
    text = tabulate([RUN, again, better, dataclasses.replace(better, seed=1)])
    assert "| hash | unified | 0.7950 ± 0.0071 |" in text
    assert "| robe | unified | **0.8200 ± 0.0000*** |" in text
    assert "**" not in tabulate([RUN, better])  # one seed is no ranking
    timed = dataclasses.replace(RUN, experiment="lookup", metrics={"lookup_4096_of_full": 2.0})
    full = [
        dataclasses.replace(own, table="full", layout="per feature", budget=1.0)
        for own in (RUN, again)
    ]
    gains = tabulate([RUN, again, better, *full]).partition("above the full table of the same")[2]
    assert "| hash | unified | **0.0000 ± 0.0000** |" in gains
    assert "robe" not in gains  # one seed
    draw([RUN, again, better, *full], [timed], "planted", tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 10_000
