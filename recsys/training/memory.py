"""How much memory there is for data, so that a data set beyond it is read in blocks."""

import os
from pathlib import Path

LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def memory_bytes(limits: tuple[str, ...] = LIMITS) -> int:
    """The machine's memory, or what its container allows if that is less."""
    most = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in map(Path, limits):
        text = path.read_text().strip() if path.is_file() else ""
        if text.isdigit():
            most = min(most, int(text))
    return most
