"""Strict JAX for every test: eight virtual CPU devices, and no silent broadcasting of ranks."""

import gc
import itertools
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import jax
import pytest
from jax.sharding import AxisType, Mesh

# XLA's CPU collectives block threads of a pool that has one for each core, unless this says more;
# with fewer threads than devices they wait for each other for ever. Read when JAX starts its CPU.
os.environ.setdefault("NPROC", "16")
# The tests compile thousands of small programs and run each a few times: LLVM need not try hard.
QUICK = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
os.environ["XLA_FLAGS"] = f"{QUICK} {os.environ.get('XLA_FLAGS', '')}".strip()
hypothesis.settings.register_profile("shared", deadline=None)  # time says nothing of a busy machine
hypothesis.settings.load_profile("shared")
jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_numpy_rank_promotion", "raise")
# What several tests compile alike is compiled once in a run: workers inherit the directory.
COMPILED = "JAX_COMPILATION_CACHE_DIR"
if COMPILED not in os.environ:
    COMPILED_HERE = tempfile.TemporaryDirectory(prefix="compiled-")  # goes when the run ends
    os.environ[COMPILED] = COMPILED_HERE.name
jax.config.update("jax_compilation_cache_dir", os.environ[COMPILED])
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)

# Tracing makes many small objects that live as long as its caches: Python's collector would look
# through all of them again and again.
gc.set_threshold(100_000, 20, 100)

# Each compiled program takes memory maps, of which Linux gives a process 65,530; beyond, XLA
# crashes. Programs that tests keep are compiled again where they are wanted again.
MAPS = Path("/proc/self/maps")
MOST_MAPS = 30_000
LOOKS_EVERY = 8  # tests, as reading the maps takes a moment
finished = itertools.count(1)


@pytest.fixture(autouse=True)
def bounded_programs() -> Iterator[None]:
    """Forgets compiled programs before there are too many."""
    yield
    if next(finished) % LOOKS_EVERY or not MAPS.exists():
        return
    if MAPS.read_bytes().count(b"\n") > MOST_MAPS:
        jax.clear_caches()
        gc.collect()


@pytest.fixture
def strict_dtypes() -> Iterator[None]:
    """Make silent type promotion an error; not global, as optax's Adam mixes float and int32."""
    with jax.numpy_dtype_promotion("strict"):
        yield


@pytest.fixture
def mesh8() -> Mesh:
    """A mesh of all eight devices along `rows`."""
    return jax.make_mesh((8,), ("rows",), axis_types=(AxisType.Auto,))


@pytest.fixture
def mesh(mesh8: Mesh) -> Iterator[Mesh]:
    """The mesh of eight devices, set as the current one for the test."""
    with jax.set_mesh(mesh8):  # as a context manager it hands back the previous mesh
        yield mesh8


@pytest.fixture(scope="session")
def cache_directory() -> Path:
    """Where downloads outlive a test run; git ignores it."""
    return Path(__file__).parent.parent / ".cache"
