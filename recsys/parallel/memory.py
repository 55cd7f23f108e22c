"""Memory of the process on a CPU: freed buffers are kept, and tables lie on huge pages.

XLA on a CPU allocates its temporary buffers anew each step. By default glibc gives buffers this
large back to the kernel when they are freed, and the kernel hands out zeroed pages, one fault per
4 kB, when the next step touches them.

The rows that a step reads are far apart, so on pages of 4 kB nearly each of them wants an address
translated that the processor has forgotten. Huge pages need 512 times fewer translations.
"""

import ctypes
import sys
from typing import Any

import jax

# The names and numbers of glibc's malloc.h; mallopt takes a C int and returns 1 for success.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
NEVER = -1  # of M_TRIM_THRESHOLD: do not give the top of the heap back
LARGEST_KEPT = 2**30  # larger buffers are tables: they come and go with a mapping of their own
GROWTH = 2**28  # asked of the kernel at once, so that the heap settles within a few steps

# The numbers of Linux' mman-common.h: pages may be huge from now on; those there become so now.
MADV_HUGEPAGE, MADV_COLLAPSE = 14, 25
HUGE = 2**21  # bytes of a huge page
TALL = 2**25  # bytes of an array that is worth it


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


def use_huge_pages(arrays: Any) -> int:
    """Puts large arrays on huge pages where Linux offers them, and says how many bytes it asked
    for. An array that a compiled step donates and returns keeps its place.

    Takes seconds a GB, once. Elsewhere, and for arrays of accelerators, it does nothing.
    """
    if sys.platform != "linux":
        return 0
    try:
        madvise = ctypes.CDLL(None).madvise
    except (AttributeError, OSError, TypeError):
        return 0
    shards = [shard for array in jax.tree.leaves(arrays) for shard in array.addressable_shards]
    asked = 0
    for shard in shards:
        size = shard.data.nbytes
        if shard.device.platform != "cpu" or size < TALL:
            continue
        address = shard.data.unsafe_buffer_pointer()
        start, stop = -(-address // HUGE) * HUGE, (address + size) // HUGE * HUGE
        where = ctypes.c_void_p(start), ctypes.c_size_t(stop - start)
        if madvise(*where, MADV_HUGEPAGE) == 0:
            madvise(*where, MADV_COLLAPSE)  # where it can not, a thread of the kernel does in time
            asked += stop - start
    return asked
