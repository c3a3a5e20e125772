"""Rows of which a mean, or one direction, is far larger than the rest: the digits of how they differ are kept."""

import functools
import itertools

import jax
import numpy as np
import pytest
from families import FAMILIES

from align import solvers, streaming

QUOTIENTS = [10, 100, 10_000]
ROTATION = functools.partial(solvers.orthogonal, reflection=False)
SHRUNK = functools.partial(solvers.ridge, strengths=[0.5], towards="origin")


def far_pairs(quotient, rows=120, dims=(8, 8), noise=0.1, seed=0):
    """Rows of float32 about means that a rotation takes to each other, `quotient` times as large as their spread."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, dims[0])) + quotient * rng.normal(size=dims[0])
    y = x @ np.linalg.qr(rng.normal(size=(dims[1], dims[1])))[0][: dims[0]] + noise * rng.normal(size=(rows, dims[1]))
    return x.astype(np.float32), y.astype(np.float32)


@pytest.mark.parametrize("quotient", QUOTIENTS)
@pytest.mark.parametrize("name", FAMILIES)
def test_float32_is_as_good_as_its_rows(name, quotient):
    x, y = far_pairs(quotient)
    weight = FAMILIES[name].reference(x.astype(float), y.astype(float))[0]
    # Least squares about the origin predicts the mean itself, whose digits are those of the rows.
    tolerance = 5e-7 * quotient if name in ("linear", "ridge_origin") else 5e-6
    np.testing.assert_allclose(FAMILIES[name].solve(x, y).weight, weight, atol=tolerance)


@pytest.mark.parametrize("quotient", QUOTIENTS)
@pytest.mark.parametrize("dims", [(8, 8), (5, 9), (1, 3), (1, 1)])
@pytest.mark.parametrize("reflection", [True, False])
def test_orthogonal_with_rank_and_condition(dims, quotient, reflection):
    x, y = far_pairs(quotient, dims=dims)
    u, s, vt = np.linalg.svd(x.astype(float).T @ y, full_matrices=False)
    if not reflection and dims[0] == dims[1]:
        u[:, -1] *= np.linalg.det(u @ vt)
    fitted = solvers.orthogonal(x, y, reflection=reflection)
    np.testing.assert_allclose(fitted.weight, u @ vt, atol=2e-6)
    assert fitted.rank == dims[0]
    np.testing.assert_allclose(fitted.condition, s[0] / s[-1], rtol=1e-4)


@pytest.mark.parametrize("value", [3.3, 12_345.67])
def test_rows_that_do_not_vary_say_nothing_but_where_their_mean_goes(value):
    x, y = np.full((100, 4), value, np.float32), np.full((100, 6), -1.1 * value, np.float32)
    fitted = solvers.orthogonal(x, y)
    assert fitted.rank == 1
    np.testing.assert_allclose(fitted(x[:1])[0], y[0] * np.linalg.norm(x[0]) / np.linalg.norm(y[0]), rtol=1e-5)


@pytest.mark.parametrize("rows", [5, 20])
@pytest.mark.parametrize("quotient", [100, 10_000])
def test_a_few_pairs_are_worth_the_same_wherever_they_lie(rows, quotient):
    x, y = far_pairs(quotient, rows=500, dims=(20, 20))
    near_x, near_y = x - x.mean(0, keepdims=True), y - y.mean(0, keepdims=True)

    def error(fit, x, y):
        left = np.asarray(fit(x[rows:]), float) - y[rows:]
        return np.sqrt((left**2).sum() / (near_y[rows:] ** 2).sum())

    far = error(solvers.ridge(x[:rows], y[:rows]), x, y)
    assert solvers.ridge(x[:rows], y[:rows]).details.goal == "origin"
    # Through an origin far away goes what a shift would do, without the price of estimating it.
    assert far < error(solvers.ridge(near_x[:rows], near_y[:rows], towards="zero"), near_x, near_y)


@pytest.mark.parametrize("fit", [solvers.orthogonal, ROTATION, SHRUNK], ids=["orthogonal", "rotation", "origin"])
def test_near_and_far_rows_in_one_batch(fit):
    batch = [far_pairs(quotient, seed=seed) for seed, quotient in enumerate([0, 1, 100, 10_000])]
    together = jax.vmap(fit)(*map(np.stack, zip(*batch, strict=True)))
    for i, (x, y) in enumerate(batch):
        alone = fit(x, y)
        np.testing.assert_allclose(together.weight[i], alone.weight, atol=1e-5 if fit is not SHRUNK else 2e-3)
        assert together.rank[i] == alone.rank


@pytest.mark.parametrize("fit", [solvers.orthogonal, SHRUNK], ids=["orthogonal", "origin"])
@pytest.mark.parametrize("dims", [(3, 3), (3, 4)])
def test_derivatives(fit, dims, double_precision):
    x, y = (rows.astype(float) for rows in far_pairs(30, rows=12, dims=dims))
    step = 1e-5 * np.random.default_rng(1).normal(size=x.shape)

    def value(x):
        return (fit(x, y).weight ** 3).sum()

    change = (jax.grad(value)(x) * step).sum()
    np.testing.assert_allclose(change, (value(x + step) - value(x - step)) / 2, rtol=1e-4)


def test_a_record_keeps_them_too(double_precision):
    x = far_pairs(1e6, dims=(6, 6))[0].astype(float)
    planted = np.linalg.qr(np.random.default_rng(2).normal(size=(6, 6)))[0]
    fitted = streaming.fit(streaming.from_arrays(x, x @ planted), "orthogonal")
    np.testing.assert_allclose(fitted.weight, planted, atol=1e-8)


@pytest.mark.parametrize("step", [2, 3])
@pytest.mark.parametrize("name", ["orthogonal", "rigid", "affine", "ridge_auto"])
def test_rows_that_are_missing_may_come_in_any_pattern(name, step):
    # Zeros that count nothing, where every so-manieth row is looked at first.
    x, y = far_pairs(1_000, rows=1_100 * step)
    weights = (np.arange(len(x)) % step == 1).astype(np.float32)
    there = weights > 0
    missing = np.where(there[:, None], x, 0), np.where(there[:, None], y, 0)
    alone, fitted = (
        FAMILIES[name].solve(*rows, weights=w) for rows, w in (((x[there], y[there]), None), (missing, weights))
    )
    np.testing.assert_allclose(fitted.weight, alone.weight, atol=5e-6)
    np.testing.assert_allclose(fitted.residual, alone.residual, rtol=1e-4)


@pytest.mark.parametrize("scale", [1e-12, 1e9, 1e15])
@pytest.mark.parametrize("fit", [solvers.orthogonal, ROTATION], ids=["orthogonal", "rotation"])
def test_any_scale(fit, scale):
    x, y = far_pairs(100)
    expected, fitted = fit(x, y), fit(x * np.float32(scale), y * np.float32(scale))
    np.testing.assert_allclose(fitted.weight, expected.weight, atol=5e-6)
    np.testing.assert_allclose(fitted.condition, expected.condition, rtol=1e-3)
    assert fitted.rank == 8


def dominated(kind, times, dims=(16, 16), seed=0):
    """Pairs of which one direction is so many times larger than the others."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(400, dims[0]))
    if kind == "heaps":
        x += times * np.repeat([-1, 1], 200)[:, None] / dims[0] ** 0.5
    elif kind == "row":
        x[3] *= times
    else:
        x[:, 3] *= times
    y = x @ np.linalg.qr(rng.normal(size=(dims[1], dims[1])))[0][: dims[0]] + 0.05 * rng.normal(size=(400, dims[1]))
    return x.astype(np.float32), y.astype(np.float32)


@pytest.mark.parametrize("times", [100, 1_000, 10_000])
@pytest.mark.parametrize("kind", ["heaps", "row", "axis"])
@pytest.mark.parametrize(
    "fit",
    [solvers.rigid, functools.partial(solvers.rigid, reflection=False), solvers.similarity],
    ids=["rigid", "rotation", "similarity"],
)
@pytest.mark.parametrize("dims", [(16, 16), (7, 12)])
def test_one_direction_far_larger_than_the_others(fit, kind, times, dims):
    x, y = dominated(kind, times, dims)
    centred = [z.astype(float) - z.astype(float).mean(0) for z in (x, y)]
    u, s, vt = np.linalg.svd(centred[0].T @ centred[1], full_matrices=False)
    condition = 0.0
    if isinstance(fit, functools.partial) and dims[0] == dims[1] and np.linalg.det(u @ vt) < 0:
        u[:, -1] *= -1
        condition = (s[-2] + s[-1]) / (s[-2] - s[-1])  # of which direction is turned round: any, were both the same
    scale = s.sum() / (centred[0] ** 2).sum() if fit is solvers.similarity else 1
    fitted = fit(x, y)
    np.testing.assert_allclose(fitted.weight, scale * u @ vt, atol=2e-7 * (times + condition))
    assert fitted.rank == dims[0]
    np.testing.assert_allclose(fitted.condition, s[0] / s[-1], rtol=0.02)


def test_batches_of_rows_that_one_direction_dominates_or_none():
    batch = [dominated(kind, times) for kind, times in (("heaps", 1_000), ("row", 1), ("axis", 1_000))]
    together = jax.vmap(solvers.rigid)(*map(np.stack, zip(*batch, strict=True)))
    for i, (x, y) in enumerate(batch):
        alone = solvers.rigid(x, y)
        np.testing.assert_allclose(together.weight[i], alone.weight, atol=1e-4)
        assert together.rank[i] == alone.rank == 16


@pytest.mark.parametrize("name", ["orthogonal", "rigid", "similarity", "scaling", "linear", "affine"])
@pytest.mark.parametrize("rows", [3, 200, 5_000])
@pytest.mark.parametrize("value", [0.1, 1e4, 7.7e-12])
def test_a_side_that_does_not_vary_is_no_failure(name, rows, value):
    # Whose products are of the rounding of its mean: not zero, of rank one, and of either sign.
    varies = np.random.default_rng(0).normal(size=(rows, 6)).astype(np.float32) + 2
    constant = np.full_like(varies, value)
    every_other = (np.arange(rows) % 2 == 0).astype(np.float32)
    for source, target in itertools.permutations([varies, constant]):
        for weights in (None, every_other):
            fitted = getattr(solvers, name)(source, target, weights=weights)
            assert bool(fitted.converged)
            if name not in ("orthogonal", "linear"):
                x, y = (np.average(side, axis=0, weights=weights) for side in (source.astype(float), target))
                np.testing.assert_allclose(fitted(x.astype(np.float32)), y, rtol=1e-4, atol=1e-4 + 1e-6 * value)
            if name in ("similarity", "scaling") and source is constant:
                assert not np.any(fitted.weight)


@pytest.mark.parametrize("fit", [solvers.rigid, solvers.similarity])
@pytest.mark.parametrize("rows", [50, 3000])
def test_rows_on_a_line_have_rank_one(fit, rows):
    rng = np.random.default_rng(0)
    along, across = rng.normal(size=(2, rows, 1)), rng.normal(size=(2, 1, 4))
    line, other = (a * b for a, b in zip(along, across, strict=True))
    axis = along[0] * np.eye(4)[1]  # one column that varies beside three that do not
    for x, y in ((line, rng.normal(size=(rows, 4))), (line, other), (axis, rng.normal(size=(rows, 4)))):
        fitted = fit(x.astype(np.float32), y.astype(np.float32))
        assert (fitted.rank, fitted.condition) == (1, 1)
