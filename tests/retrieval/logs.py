"""A log of who liked what, as a CSV: users of two tastes, a title and a genre of each item."""

from pathlib import Path

import numpy as np

USERS, ITEMS = 40, 24
NEVER_MET = ITEMS - 1  # in training: its one row is disliked
GRUMPY = "u0"  # likes nothing


def write_log(path: Path, *, has_label: bool = True) -> Path:
    """Rows in time order; with a label, some of what was met was not liked."""
    rng = np.random.default_rng(3)
    lines = ["user,movie,timestamp,title,genre" + ",liked" * has_label]
    for user in range(USERS):
        chance = np.where(np.arange(ITEMS) % 2 == user % 2, 0.7, 0.1)
        chance[NEVER_MET] = 0
        for item in np.flatnonzero(rng.random(ITEMS) < chance).tolist():
            liked = int(user > 0 and rng.random() < 0.9)
            genre = ("odd", "even")[item % 2]
            row = f"u{user},{item},{1_700_000_000 + len(lines)},Film {item},{genre}"
            lines.append(row + f",{liked}" * has_label)
    if has_label:
        lines.append(f"u1,{NEVER_MET},1800000000,Film {NEVER_MET},odd,0")
    path.write_text("\n".join(lines) + "\n")
    return path
