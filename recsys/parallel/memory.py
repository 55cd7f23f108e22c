"""Memory of the process: keeps what a step frees, so that the next step need not fault it in again.

XLA on a CPU allocates its temporary buffers anew each step. By default glibc gives buffers this
large back to the kernel when they are freed, and the kernel hands out zeroed pages, one fault per
4 kB, when the next step touches them.
"""

import ctypes

# The names and numbers of glibc's malloc.h; mallopt takes a C int and returns 1 for success.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
NEVER = -1  # of M_TRIM_THRESHOLD: do not give the top of the heap back
LARGEST_KEPT = 2**30  # larger buffers are tables: they come and go with a mapping of their own
GROWTH = 2**28  # asked of the kernel at once, so that the heap settles within a few steps


def keep_freed_memory() -> bool:
    """Tells glibc to keep freed buffers below 1 GiB for reuse, and says whether it agreed.

    It works at any time, also after JAX has started; from then on the process keeps the most that
    it ever used of such buffers. Other C libraries are left alone.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    agreed = [
        mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT),
        mallopt(M_TRIM_THRESHOLD, NEVER),
        mallopt(M_TOP_PAD, GROWTH),
    ]
    return all(agreed)
