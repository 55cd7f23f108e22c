"""A small log of events as a CSV, of every kind of column, for tests that begin at raw files."""

from pathlib import Path

import numpy as np

from recsys.features import Feature, Schema
from recsys.features.transforms import Log1p, Standardise

USERS, ITEMS, TAGS = 40, 30, 8
SCHEMA = Schema(
    (
        Feature("user"),
        Feature("item"),
        Feature("tags", kind="bag", length=3, separator="|"),
        Feature("price", kind="numeric", transform=Standardise(of=Log1p())),
    ),
    label="click",
    user="user",
    item="item",
    timestamp="time",
)


def write_events(path: Path, rows: int, *, seed: int = 0) -> Path:
    """Users click on items they like, more so where the tags do; dates, gaps and lists included."""
    planted, drawn = np.random.default_rng(7), np.random.default_rng(seed)
    likes, items, tags = (planted.normal(size=(n, 4)) for n in (USERS, ITEMS, TAGS))
    user = (USERS * drawn.random(rows) ** 2).astype(int)
    item = (ITEMS * drawn.random(rows) ** 2).astype(int)
    lines = ["time,user,item,tags,price,click"]
    for row in range(rows):
        tag = drawn.integers(0, TAGS, drawn.integers(0, 4))
        taste = likes[user[row]] + (tags[tag].mean(axis=0) if len(tag) else 0)
        click = int(drawn.random() < 1 / (1 + np.exp(-2 * taste @ items[item[row]])))
        price = "" if drawn.random() < 0.05 else f"{np.exp(drawn.normal()):.2f}"
        when = f"2024-03-{1 + row * 28 // rows:02d} 12:{row % 60:02d}:00"
        listed = "|".join(f"t{number}" for number in tag)
        lines.append(f"{when},u{user[row]},i{item[row]},{listed},{price},{click}")
    path.write_text("\n".join(lines) + "\n")
    return path
