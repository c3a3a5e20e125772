"""Two devices on one host, so that what runs in parallel is tested in parallel."""

import jax
import pytest
from running import call, environment, experiment  # noqa: F401 (fixtures)

jax.config.update("jax_num_cpu_devices", 2)


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
