"""A process that has compiled almost as much as Linux lets it keep drops what it has, and goes on."""

import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from align import solvers
from align.arrays import programs

X, Y = np.random.default_rng(0).normal(size=(2, 30, 4)).astype("float32")


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Return a function that says how many of 60,000 maps are taken, and let the next look be due."""
    maps, limit = tmp_path / "maps", tmp_path / "limit"
    limit.write_text("60000\n")
    monkeypatch.setattr(programs, "_MAPS", maps)
    monkeypatch.setattr(programs, "_LIMIT", limit)

    def take(count, seconds=1000.0):
        maps.write_text("one map\n" * count)
        now = programs._looked if np.isfinite(programs._looked) else 0.0
        monkeypatch.setattr(time, "monotonic", lambda: now + seconds)

    return take


def traces():
    """Return a compiled function of one argument, and the list that grows by one whenever it is traced."""
    seen = []

    @jax.jit
    def double(x):
        seen.append(1)
        return 2 * x

    double(1.0)
    return double, seen


@pytest.mark.parametrize(("taken", "dropped"), [(39_000, False), (41_000, True)])
def test_programs_are_dropped_where_few_maps_are_left(machine, taken, dropped):
    double, seen = traces()
    before = solvers.ridge(X, Y)
    machine(taken)
    after = solvers.ridge(X, Y)
    assert double(1.0) == 2 and len(seen) == 1 + dropped
    np.testing.assert_array_equal(after.weight, before.weight)


def test_they_are_not_dropped_twice_at_once(machine):
    machine(59_000)
    solvers.orthogonal(X, Y)
    double, seen = traces()
    machine(59_000, seconds=1.0)
    solvers.orthogonal(X, Y)
    double(1.0)
    assert len(seen) == 1


def test_a_machine_without_such_a_limit_is_left_alone(machine, monkeypatch, tmp_path):
    double, seen = traces()
    machine(59_000)
    monkeypatch.setattr(programs, "_LIMIT", tmp_path / "missing")
    solvers.orthogonal(X, Y)
    double(1.0)
    assert len(seen) == 1


def test_what_is_being_traced_goes_on(machine):
    machine(59_000)
    fitted = jax.jit(lambda scale: scale * solvers.orthogonal(X, Y).weight)(jnp.float32(2))
    np.testing.assert_allclose(fitted, 2 * solvers.orthogonal(X, Y).weight, rtol=1e-5, atol=1e-6)
