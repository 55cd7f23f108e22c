"""The README's code runs, is as short as it says, and its tables are those of the results."""

import re
from pathlib import Path

import numpy as np
import pytest

from experiments.tables import PAGES, render

README = Path(__file__).parent.parent / "README.md"


def blocks() -> list[str]:
    """The README's Python, block by block."""
    return re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)


@pytest.mark.slow
def test_the_example_trains_a_model_of_the_reader_in_at_most_twenty_lines():
    (block,) = blocks()
    assert len([line for line in block.splitlines() if line.strip()]) <= 20
    names: dict = {}
    exec(block, names)
    assert np.isfinite(names["report"].loss)
    assert int(names["state"].step) == 10


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_tables_are_those_of_the_results(page):
    text = page.read_text()
    assert render(text) == text, "Run `python -m experiments.tables`."


def test_the_layout_of_the_page_on_unified_tables_fits_its_budget():
    page = (README.parent / "docs" / "unified-tables.md").read_text()
    (block,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict = {}
    exec(block, names)
    train = {name: np.arange(500) for name in ("user", "movie", "zip")}
    schema, _ = names["schema"].with_vocabularies({**train, "label": np.arange(500) % 2})
    fitted = names["layout"].within(158_000, schema)
    assert sum(plan.table_bytes for plan in fitted.plans(schema).values()) <= 158_000
