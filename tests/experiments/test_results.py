"""Records survive a round trip, sweeps resume, and tables follow from the records."""

import dataclasses
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from experiments.results import FIELDS, Record, load, save
from experiments.tables import Tables, main, render, table

RUN = Record(experiment="toy", data="ml-100k", table="hash", seed=0, metrics={"auc": 0.8})


def test_a_record_has_the_keys_of_the_format():
    keys = (
        "experiment data model table layout training budget budget_bytes table_bytes served_bytes "
        "full_bytes train_bytes seed split metrics examples_per_s requests_per_s p99_ms "
        "train_seconds device peer command"
    )
    assert keys.split() == list(FIELDS)


def test_saved_records_load_again(tmp_path):
    save("toy", [RUN], folder=tmp_path)
    assert load("toy", folder=tmp_path) == [RUN]


def test_what_does_not_apply_is_null_in_the_file(tmp_path):
    (row,) = json.loads(save("toy", [RUN], folder=tmp_path).read_text())
    assert set(row) == set(FIELDS)
    assert row["peer"] is None


def test_a_second_run_replaces_the_first_and_keeps_the_others(tmp_path):
    other = Record(experiment="toy", data="ml-100k", table="hash", seed=1, metrics={"auc": 0.7})
    again = Record(experiment="toy", data="ml-100k", table="hash", seed=0, metrics={"auc": 0.9})
    save("toy", [RUN, other], folder=tmp_path)
    save("toy", [again], folder=tmp_path)
    assert load("toy", folder=tmp_path) == [again, other]


def test_the_same_records_give_the_same_bytes_in_any_order(tmp_path):
    runs = [
        Record(experiment="toy", budget=b, peer=p)
        for b in (None, 0.1, 1.0)
        for p in (None, "torch")
    ]
    first = save("one", runs, folder=tmp_path).read_bytes()
    assert save("two", runs[::-1], folder=tmp_path).read_bytes() == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.json", "two.json"]


def test_records_that_are_saved_at_the_same_time_all_stay(tmp_path):
    runs = [dataclasses.replace(RUN, seed=seed) for seed in range(24)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda run: save("toy", [run], folder=tmp_path), runs))
    assert sorted(record.seed or 0 for record in load("toy", folder=tmp_path)) == list(range(24))


def test_a_failed_save_leaves_the_old_file(tmp_path):
    path = save("toy", [RUN], folder=tmp_path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="JSON compliant"):
        save("toy", [Record(experiment="toy", metrics={"auc": float("nan")})], folder=tmp_path)
    assert path.read_bytes() == before


def test_unknown_data_is_refused_by_naming_the_known():
    with pytest.raises(ValueError, match=r"Unknown data 'ml-10k': known are ml-100k, ml-1m,"):
        Record(data="ml-10k")


def test_a_record_with_other_keys_is_refused(tmp_path):
    (tmp_path / "old.json").write_text('[{"experiment": "toy"}]')
    with pytest.raises(ValueError, match="run its command again"):
        load("old", folder=tmp_path)


def test_seeds_are_one_row_with_their_spread():
    runs = [
        Record(table="hash", seed=s, metrics={"auc": a}) for s, a in enumerate((0.79, 0.80, 0.81))
    ]
    assert table([*runs, Record(table="full", metrics={"auc": 0.85})]) == (
        "| table | auc |\n| --- | ---: |\n| hash | 0.8000 ± 0.0100 |\n| full | 0.8500 |\n"
    )


def test_chosen_columns_are_drawn_in_their_order():
    run = Record(table="hash", table_bytes=2_500_000, metrics={"auc": 0.8, "logloss": 0.5})
    assert table([run], ["table_bytes", "peer", "auc"]) == (
        "| table_bytes | peer | auc |\n| ---: | --- | ---: |\n| 2.50 MB | ours | 0.8000 |\n"
    )


def test_only_the_text_between_markers_changes(tmp_path):
    save("toy", [RUN], folder=tmp_path)
    text = "# Title\n<!-- results:toy auc -->\n{}<!-- /results -->\nrest\n"
    drawn = render(text.format("old\n"), folder=tmp_path)
    assert drawn == text.format("| auc |\n| ---: |\n| 0.8000 |\n")
    assert render(drawn, folder=tmp_path) == drawn


def test_a_marker_without_results_or_without_an_end_is_refused(tmp_path):
    with pytest.raises(ValueError, match="No results called 'toy'"):
        render("<!-- results:toy -->\n<!-- /results -->", folder=tmp_path)
    with pytest.raises(ValueError, match="1 are opened, 0 closed"):
        render("<!-- results:toy -->\n", folder=tmp_path)


def test_check_fails_on_a_stale_file_and_leaves_it_alone(tmp_path, capsys):
    save("toy", [RUN], folder=tmp_path)
    readme = tmp_path / "README.md"
    stale = "<!-- results:toy -->\nold\n<!-- /results -->\n"
    readme.write_text(stale)
    assert main(Tables(check=True, pages=(readme,), results=tmp_path)) == 1
    assert readme.read_text() == stale
    assert "is stale" in capsys.readouterr().err
    assert main(Tables(pages=(readme,), results=tmp_path)) == 0
    assert main(Tables(check=True, pages=(readme,), results=tmp_path)) == 0


def test_a_table_keeps_the_records_that_a_filter_names_and_joins_devices():
    runs = [
        dataclasses.replace(RUN, device=device, seed=seed, budget=budget)
        for device, seed in (("one", 0), ("two", 1))
        for budget in (0.1, 0.5)
    ]
    rows = table(runs, ["budget=0.1", "budget", "auc"]).splitlines()[2:]
    assert rows == ["| 0.1 | 0.8000 ± 0.0000 |"]


def test_without_a_budget_each_size_is_a_row():
    runs = [dataclasses.replace(RUN, budget_bytes=size) for size in (100, 200)]
    assert len(table(runs, ["table", "auc"]).splitlines()) == 4
