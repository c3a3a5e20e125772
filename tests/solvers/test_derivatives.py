"""Derivatives of every solver against finite differences: generic rows, equal singular values, lost ranks."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from families import FAMILIES, ROWS, D, pairs

PROBES = 5
every_family = pytest.mark.parametrize("name", FAMILIES)


@functools.cache
def derivatives(name):
    """A smooth function of the fit, its gradient by rows, weights and probe, and the gradient's change along them."""

    def loss(x, y, weights, probe):
        return jnp.sin(FAMILIES[name].solve(x, y, weights=weights)(probe)).sum()

    @jax.jit
    def both(point, direction):
        return jax.jvp(jax.value_and_grad(lambda point: loss(*point)), (point,), (direction,))

    return both


def assert_derivatives(name, path):
    """First and second derivative along a path of arguments, at 0, against central differences.

    A deficient fit is determined along paths of one rank only, hence the second derivative of the value along the path
    (p' H p' + g p'') and not the change of a gradient seen from a fixed direction, which leaves them.
    """
    step = 1e-4
    behind, here, ahead = path(-step), path(0.0), path(step)
    velocity = [(a - b) / (2 * step) for a, b in zip(ahead, behind, strict=True)]
    (value, gradient), (along, change) = derivatives(name)(here, velocity)
    value_ahead, value_behind = (derivatives(name)(point, velocity)[0][0] for point in (ahead, behind))
    numeric = (value_ahead - value_behind) / (2 * step)
    np.testing.assert_allclose(along, numeric, rtol=1e-4, atol=1e-6)

    def dot(a, b):
        return sum(np.vdot(one, other) for one, other in zip(a, b, strict=True))

    np.testing.assert_allclose(dot(gradient, velocity), numeric, rtol=1e-4, atol=1e-6)
    acceleration = [(a - 2 * h + b) / step**2 for a, h, b in zip(ahead, here, behind, strict=True)]
    numeric = (value_ahead - 2 * value + value_behind) / step**2
    np.testing.assert_allclose(dot(change, velocity) + dot(gradient, acceleration), numeric, rtol=1e-3, atol=1e-4)


def smooth_path(seed, x, y):
    rng = np.random.default_rng(seed)
    start = [x, y, rng.uniform(1, 2, ROWS), rng.normal(size=(PROBES, D))]
    direction = [rng.normal(size=a.shape) for a in start]
    return lambda step: [a + step * d for a, d in zip(start, direction, strict=True)]


@every_family
def test_derivatives_at_generic_rows(name, double_precision):
    assert_derivatives(name, smooth_path(5, *pairs(7)))


@every_family
def test_derivatives_at_equal_singular_values(name, double_precision):
    rng = np.random.default_rng(6)
    x = rng.normal(size=(ROWS, D))
    x = np.linalg.qr(x - x.mean(0))[0]  # orthonormal about the origin and about the mean

    def equally_weighted(y):
        path = smooth_path(6, x, y)

        def at(step):
            x, y, _, probe = path(step)
            return [x, y, np.ones(ROWS), probe]

        return at

    turn = np.linalg.qr(rng.normal(size=(D, D)))[0]
    turn[0] *= np.linalg.det(turn)
    path = equally_weighted(x @ turn)
    if name in ("reduced_rank", "ridge_auto"):
        path = equally_weighted(pairs()[1])  # the one above leaves all directions, and all goals, as good
    assert_derivatives(name, path)


@pytest.mark.parametrize("name", ["rotation", "reduced_rank", "ridge_auto"])
@pytest.mark.parametrize("seed", range(4))
def test_derivatives_of_what_is_not_unique_leave_it_out(name, seed, double_precision):
    # The rotation closest to a mirrored space, and two of four equal directions: no derivative of rounding, 1e15 large.
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(ROWS, D))
    x = np.linalg.qr(x - x.mean(0))[0]
    mirror = np.linalg.qr(rng.normal(size=(D, D)))[0]
    mirror[0] *= -np.linalg.det(mirror)
    here, ahead = (smooth_path(seed, x, x @ mirror)(step) for step in (0.0, 1.0))
    velocity = [b - a for a, b in zip(here, ahead, strict=True)]
    here[2] = np.ones(ROWS)
    for leaf in jax.tree.leaves(derivatives(name)(here, velocity)):
        assert np.abs(leaf).max() < 1e3


@every_family
def test_derivatives_at_rank_deficient_rows(name, double_precision):
    # Along rows of rank two, seen on such rows: elsewhere a rigid map is not determined.
    rng = np.random.default_rng(8)
    shapes = (ROWS, 2), (2, D), (ROWS, D), (PROBES, 2)
    (left, right, y, inside), direction = ([rng.normal(size=shape) for shape in shapes] for _ in range(2))

    def path(step):
        left_, right_, y_, inside_ = (a + step * d for a, d in zip((left, right, y, inside), direction, strict=True))
        left_, inside_ = left_ - left_.mean(0), inside_ - inside_.mean(0)
        return [left_ @ right_, y_, np.ones(ROWS), inside_ @ right_]

    assert_derivatives(name, path)
