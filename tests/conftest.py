"""Two devices on one host, so that what runs in parallel is tested in parallel; a worker for every core.

Most of what the tests compute is compiled first. The workers and the processes that tests start share what they compile
in a folder that lives as long as the run, unless JAX_COMPILATION_CACHE_DIR names one.
"""

import atexit
import gc
import os
import shutil
import subprocess
import sys
import tempfile

MOST_WORKERS = 8  # each holds JAX and its programs in some 2 GB


def xla_takes(flags):
    """Say whether XLA knows these flags: it ends a process for one that it does not."""
    command = [sys.executable, "-c", "import jax; jax.devices()"]
    return subprocess.run(command, env={**os.environ, "XLA_FLAGS": flags}, capture_output=True).returncode == 0


if "JAX_COMPILATION_CACHE_DIR" not in os.environ:  # the workers have it from the process that starts them
    os.environ["JAX_COMPILATION_CACHE_DIR"] = tempfile.mkdtemp(prefix="align-compiled-")
    atexit.register(shutil.rmtree, os.environ["JAX_COMPILATION_CACHE_DIR"], ignore_errors=True)
# Thousands of small programs: every one that takes longer to compile than to read.
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.02")
# The tests compile much and compute little; `compiled_as_for_users` is for those where it matters.
QUICK = os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1") not in ("0", "false", "")
if "PYTEST_XDIST_WORKER" not in os.environ:  # the workers have it from the process that starts them
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen=false".strip()  # see below: one thread
    # XLA's older way to generate code, in one piece, compiles faster.
    older = f"{flags} --xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
    os.environ["XLA_FLAGS"] = older if QUICK and xla_takes(older) else flags
# One thread for each worker: more would only take turns on the same cores.
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
gc.set_threshold(100_000, 20, 20)  # tracing makes many objects that live long: looking through them took an eighth

import jax  # noqa: E402 (reads the environment)
import pytest  # noqa: E402
from documents import folder  # noqa: E402, F401 (a fixture)
from running import call, environment, experiment, few, undrawn  # noqa: E402, F401 (fixtures)

jax.config.update("jax_num_cpu_devices", 2)


def pytest_xdist_auto_num_workers(config):
    """A worker for every core that this process may use, be it half of a physical one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(cores, MOST_WORKERS)


@pytest.fixture(autouse=True, scope="module")
def compiled_programs_are_freed():
    """Drop what a module has compiled: every program holds memory maps, of which a process may have some 65,000."""
    yield
    jax.clear_caches()


@pytest.fixture(scope="session")
def sample():
    """The shipped MNIST sample."""
    from align.data import load

    return load("mnist_sample")


@pytest.fixture
def double_precision():
    """Run one test in float64."""
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", False)


@pytest.fixture(scope="module")
def compiled_as_for_users():
    """For tests of what a compiler's optimisations may change: accuracy and speed at many rows."""
    jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.config.update("jax_disable_most_optimizations", QUICK)


@pytest.fixture(scope="module")
def strict_promotion():
    """For tests of what takes arrays and gives arrays: no dtype is mixed with another unsaid."""
    jax.config.update("jax_numpy_dtype_promotion", "strict")
    yield
    jax.config.update("jax_numpy_dtype_promotion", "standard")
