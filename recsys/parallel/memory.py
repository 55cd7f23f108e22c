"""Memory of the process: keeps what a step frees, so that the next step does not fault it in again.

XLA on a CPU allocates its temporary buffers anew each step. glibc hands buffers this large back to
the kernel when they are freed, and the kernel zeroes every page again at its next touch.
"""

import ctypes
import ctypes.util

# From glibc's malloc.h; the values of mallopt are C ints, so 2**31 - 1 is the largest.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
LARGEST_MMAP_THRESHOLD = 2**25  # glibc refuses more than HEAP_MAX_SIZE / 2
MOST = 2**31 - 1


def keep_freed_memory() -> bool:
    """Tells glibc to keep freed buffers for reuse; whether it agreed."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return False  # another C library
    return all(
        [
            bool(mallopt(M_MMAP_THRESHOLD, 2**30)),
            bool(mallopt(M_TRIM_THRESHOLD, MOST)),
            bool(mallopt(M_TOP_PAD, 2**28)),
        ]
    )
