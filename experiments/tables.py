"""Renders the tables of the README and of `docs/` from the records in `experiments/results/`.

A table stands between `<!-- results:NAME column column ... -->` and `<!-- /results -->`, and shows
the file `NAME.json`. A column is a field of a record or a name in its metrics; without columns,
those that tell its rows apart and all that were measured; `name=value` keeps the records whose
field reads so. Runs that differ only in their seed, or in the device that nobody asked to see, are
one row: their mean ± the standard deviation over seeds.

    python -m experiments.tables            # writes README.md and docs/*.md
    python -m experiments.tables --check    # fails if one is stale
"""

import dataclasses
import re
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

import tyro

from experiments.results import IDENTITY, RESULTS, Record, load

ROOT = Path(__file__).parent.parent
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
BLOCK = re.compile(
    r"(?P<open><!-- results:(?P<name>\S+)(?P<columns>(?: [^\s>]+)*) -->\n)"
    r".*?(?P<close><!-- /results -->)",
    re.DOTALL,
)
LABELS = tuple(name for name in IDENTITY if name not in ("seed", "budget_bytes"))
NAMES_A_ROW = tuple(name for name in LABELS if name != "device")
MEASURES = (
    "budget_bytes",
    "table_bytes",
    "served_bytes",
    "full_bytes",
    "train_bytes",
    "examples_per_s",
    "requests_per_s",
    "p99_ms",
    "train_seconds",
)


@dataclasses.dataclass(frozen=True)
class Tables:
    """Renders the tables of Markdown files from the committed results."""

    check: bool = False  # only say whether the files are up to date
    pages: tuple[Path, ...] = PAGES  # the files that may hold markers
    results: Path = RESULTS  # the folder of the records


def render(text: str, *, folder: Path = RESULTS) -> str:
    """The text with every table between markers drawn again.

    Raises:
        ValueError: a marker names a result that does not exist, or is not closed.
    """
    opened, blocks = text.count("<!-- results:"), len(BLOCK.findall(text))
    if opened != blocks:
        raise ValueError(
            f"Every results marker needs a closing <!-- /results -->: {opened} are opened, "
            f"{blocks} closed."
        )

    def draw(match: re.Match[str]) -> str:
        records = load(match["name"], folder=folder)
        if not records:
            known = ", ".join(sorted(path.stem for path in folder.glob("*.json"))) or "none yet"
            raise ValueError(f"No results called {match['name']!r} in {folder}: known are {known}.")
        return match["open"] + table(records, match["columns"].split()) + match["close"]

    return BLOCK.sub(draw, text)


def table(records: Sequence[Record], columns: Sequence[str] = ()) -> str:
    """The records as a Markdown table, a row for each group of seeds."""
    kept = dict(column.split("=", 1) for column in columns if "=" in column)
    records = [r for r in records if all(_label(name, r) == kept[name] for name in kept)]
    columns = [column for column in columns if "=" not in column] or _telling(records)
    names = LABELS if "device" in columns else NAMES_A_ROW
    groups: dict[tuple, list[Record]] = {}
    for record in records:
        size = record.budget_bytes if record.budget is None else None
        groups.setdefault((size, *(getattr(record, name) for name in names)), []).append(record)
    lines = [columns, ["---" if column in LABELS else "---:" for column in columns]]
    lines += [[_cell(column, group) for column in columns] for group in groups.values()]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _telling(records: Sequence[Record]) -> list[str]:
    """The labels that differ between records, and whatever was measured."""
    labels = [name for name in LABELS if len({getattr(record, name) for record in records}) > 1]
    metrics = list(dict.fromkeys(name for record in records for name in record.metrics or {}))
    measured = [name for name in MEASURES if any(getattr(r, name) is not None for r in records)]
    return labels + metrics + measured


def _cell(column: str, group: Sequence[Record]) -> str:
    if column in LABELS:
        return _label(column, group[0])
    values = [_value(column, record) for record in group]
    known = [value for value in values if value is not None]
    if not known:
        return ""
    mean = _spell(column, statistics.fmean(known))
    return f"{mean} ± {_spell(column, statistics.stdev(known))}" if len(known) > 1 else mean


def _label(column: str, record: Record) -> str:
    value = getattr(record, column)
    if column == "peer" and value is None:
        return "ours"
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _value(column: str, record: Record) -> float | None:
    if column in MEASURES:
        return getattr(record, column)
    return (record.metrics or {}).get(column)


def _spell(column: str, value: float) -> str:
    """A number with as many digits as its size bears; bytes in thousands or millions."""
    if column.endswith("_bytes"):
        return f"{value / 1e6:,.2f} MB" if value >= 1e6 else f"{value / 1e3:,.1f} kB"
    digits = 4 if abs(value) < 2 else 2 if abs(value) < 10 else 1 if abs(value) < 1000 else 0
    return f"{value:,.{digits}f}"


def main(tables: Tables) -> int:
    """Writes the files, or says which are stale; the exit status."""
    drawn = {page: render(page.read_text(), folder=tables.results) for page in tables.pages}
    stale = [page for page in tables.pages if drawn[page] != page.read_text()]
    if tables.check:
        for page in stale:
            print(f"{page} is stale: run `python -m experiments.tables`.", file=sys.stderr)
        return 1 if stale else 0
    for page in stale:
        page.write_text(drawn[page])
    return 0


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Tables)))
