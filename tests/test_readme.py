"""The README's code runs, is as short as it says, and its tables are those of the results."""

import re
from pathlib import Path

import numpy as np

from experiments.tables import render

README = Path(__file__).parent.parent / "README.md"


def blocks() -> list[str]:
    """The README's Python, block by block."""
    return re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)


def test_the_example_trains_a_model_of_the_reader_in_at_most_twenty_lines():
    (block,) = blocks()
    assert len([line for line in block.splitlines() if line.strip()]) <= 20
    names: dict = {}
    exec(block, names)
    assert np.isfinite(names["report"].loss)
    assert int(names["state"].step) == 10


def test_tables_are_those_of_the_results():
    text = README.read_text()
    assert render(text) == text, "Run `python -m experiments.tables`."
