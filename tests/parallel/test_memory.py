"""The allocator keeps what it is given back: measured by page faults, in a process of its own; tall
arrays lie on huge pages where there are some.
"""

import ctypes
import platform
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from recsys.parallel.memory import HUGE, TALL, keep_freed_memory, use_huge_pages

ON_GLIBC = platform.libc_ver()[0] == "glibc"
PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")
HAS_HUGE_PAGES = PAGES.is_file() and "[never]" not in PAGES.read_text()
COUNT_FAULTS = """
import ctypes, resource, sys
from recsys.parallel.memory import keep_freed_memory

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]

def use(size):
    buffer = libc.malloc(size)
    libc.memset(buffer, 1, size)
    libc.free(buffer)

if sys.argv[1] == "keep":
    assert keep_freed_memory()
use(2**26)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
use(2**26)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(setting: str) -> int:
    """Page faults of the second use of 64 MiB."""
    command = [sys.executable, "-c", COUNT_FAULTS, setting]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def test_it_says_whether_this_is_glibc():
    assert keep_freed_memory() is ON_GLIBC


if ON_GLIBC:

    def test_a_freed_buffer_is_used_again_without_faults():
        smallest = 2**26 // 2**21  # what the buffer takes even in huge pages
        assert faults("keep") < smallest <= faults("leave")


@pytest.mark.parametrize("error", [OSError, AttributeError, TypeError])
def test_another_c_library_is_left_alone(monkeypatch, error):
    def missing(name):
        raise error

    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert keep_freed_memory() is False


def flags_at(address: int) -> list[str]:
    """What the kernel was told of the memory at an address."""
    is_there = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        first = line.split()[0]
        if "-" in first and not first.endswith(":"):
            start, stop = (int(part, 16) for part in first.split("-"))
            is_there = start <= address < stop
        elif is_there and first == "VmFlags:":
            return line.split()[1:]
    raise AssertionError(f"nothing is mapped at {address:x}")


if HAS_HUGE_PAGES:

    def test_tall_arrays_lie_on_huge_pages_and_stay_as_they_are():
        tall, low = jnp.arange(TALL // 2, dtype=jnp.int32), jnp.arange(8)
        assert TALL - HUGE <= use_huge_pages({"tall": tall[: TALL // 4], "low": low}) <= TALL
        assert 2 * TALL - HUGE <= use_huge_pages([tall, low]) <= 2 * TALL
        assert "hg" in flags_at(tall.unsafe_buffer_pointer() + TALL)
        np.testing.assert_array_equal(tall, np.arange(TALL // 2, dtype=np.int32))


def test_only_linux_is_asked_for_huge_pages(monkeypatch):
    array = jax.device_put(np.zeros(TALL, np.uint8))
    monkeypatch.setattr(sys, "platform", "darwin")
    assert use_huge_pages(array) == 0


def test_without_the_call_pages_stay_as_they_are(monkeypatch):
    def missing(name):
        raise OSError

    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert use_huge_pages(jnp.zeros(TALL, jnp.uint8)) == 0
