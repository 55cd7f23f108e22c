"""The allocator keeps what it is given back: measured by page faults, in a process of its own."""

import ctypes
import platform
import subprocess
import sys

import pytest

from recsys.parallel.memory import keep_freed_memory

ON_GLIBC = platform.libc_ver()[0] == "glibc"
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
