"""`recsys methods`: a line for each method of the registry, and floors that hold."""

from recsys.cli import main
from recsys.cli.methods import methods
from recsys.tables import METHODS


def test_every_method_has_a_line(capsys):
    assert main(["methods"]) == 0
    lines = capsys.readouterr().out.splitlines()[2:]
    assert [line.split()[0] for line in lines] == list(METHODS)


def test_what_is_known_by_hand():
    rows = {row[0]: row[1:] for row in methods(1_000_000, 16).rows}
    assert rows["full"][:3] == ("none", "100.0000%", "vocabulary")
    assert rows["hash"][1:4] == ("0.0001%", "-", "yes")  # one row of a million
    assert rows["int8"][1] == f"{(16 + 2) / 64:.4%}"  # a byte an entry and a scale
    assert rows["dpq"][3] == "no"
    assert "counts" in rows["frequency"][2]


def test_impossible_sizes_are_refused(capsys):
    assert main(["methods", "--values", "1"]) == 2
    assert "at least 2 values" in capsys.readouterr().err
