"""What only least squares has to get right: many rows, few rows, and bad conditioning."""

import jax
import numpy as np
import pytest

from align import solvers

pytestmark = pytest.mark.usefixtures("compiled_as_for_users")


def uncentred(rows, d=20):
    """Columns over a 100:1 range of scales, with offsets, and an exactly linear or affine target."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, d)) * np.geomspace(1, 100, d) + 20 * rng.normal(size=d)
    return x, x @ rng.normal(size=(d, d))


@pytest.mark.parametrize("solve", [solvers.linear, solvers.affine])
def test_60000_uncentred_rows_in_float32(solve):
    x, y = uncentred(60_000)
    fitted = solve(x.astype(np.float32), y.astype(np.float32))
    error = np.linalg.norm(y - np.asarray(fitted(x.astype(np.float32)))) / np.linalg.norm(y - y.mean(0))
    assert error < 3e-6
    assert fitted.residual < 3e-6


def test_accuracy_does_not_depend_on_the_number_of_rows():
    rng = np.random.default_rng(1)
    x, noise = rng.normal(size=(2, 50_000, 12))
    x, y = x.astype(np.float32), (x @ rng.normal(size=(12, 12)) + noise).astype(np.float32)
    for rows in (500, 5_000, 50_000):
        exact = np.linalg.lstsq(x[:rows].astype(float), y[:rows].astype(float), rcond=None)[0]
        fitted = solvers.linear(x[:rows], y[:rows])
        assert np.abs(fitted.weight - exact).max() < 5e-7 * np.abs(exact).max()


@pytest.mark.parametrize("condition", [1e1, 1e2, 1e3, 1e4])
def test_error_grows_with_the_condition_and_not_its_square(condition):
    rng = np.random.default_rng(2)
    d = 12
    x = rng.normal(size=(3_000, d)) * np.geomspace(1, 1 / condition, d) @ np.linalg.qr(rng.normal(size=(d, d)))[0]
    x = x.astype(np.float32)
    y = (x.astype(float) @ rng.normal(size=(d, d)) + 0.01 * rng.normal(size=(3_000, d))).astype(np.float32)
    centred = x.astype(float) - x.mean(0, dtype=float)
    exact = np.linalg.lstsq(centred, y.astype(float), rcond=None)[0]
    fitted = solvers.affine(x, y)
    assert fitted.rank == d
    assert np.linalg.norm(fitted.weight - exact) < 2e-7 * condition * np.linalg.norm(exact)
    np.testing.assert_allclose(fitted.condition, np.linalg.cond(centred), rtol=0.1)


@pytest.mark.parametrize("rows", [10, 19])
def test_minimum_norm_where_rows_are_few(rows):
    x, y = np.random.default_rng(3).normal(size=(2, rows, 20)).astype(np.float32)
    fitted = solvers.linear(x, y)
    np.testing.assert_allclose(fitted.weight, np.linalg.lstsq(x, y, rcond=None)[0], atol=1e-4)
    assert fitted.rank == rows


def test_minimum_norm_where_many_rows_span_little():
    rng = np.random.default_rng(4)
    x = rng.normal(size=(4_000, 3)) @ rng.normal(size=(3, 8))
    y = x @ rng.normal(size=(8, 5)) + 0.1 * rng.normal(size=(4_000, 5))
    fitted = solvers.linear(x.astype(np.float32), y.astype(np.float32))
    assert fitted.rank == 3
    np.testing.assert_allclose(fitted.weight, np.linalg.lstsq(x, y, rcond=None)[0], atol=1e-5)


def test_a_constant_column_is_not_a_dimension():
    x, y = uncentred(3_000)
    x[:, 4] = 1000.1
    fitted = solvers.affine(x.astype(np.float32), y.astype(np.float32))
    assert fitted.rank == 19
    assert np.abs(fitted.weight[4]).max() < 1e-3


def test_rcond_truncates():
    x, y = uncentred(500)
    assert solvers.affine(x.astype(np.float32), y.astype(np.float32), rcond=0.1).rank < 20


def test_four_points_by_hand():
    # Centred source (±1, 0), (0, ±1); the target is the source turned by 90°, doubled, and moved to (10, 20).
    x = np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]]) + 3
    y = np.array([[0.0, 2], [0, -2], [-2, 0], [2, 0]]) + [10, 20]
    turn = np.array([[0.0, 1], [-1, 0]])
    for fitted, scale in ((solvers.rigid(x, y), 1), (solvers.similarity(x, y), 2), (solvers.affine(x, y), 2)):
        np.testing.assert_allclose(fitted.weight, scale * turn, atol=1e-6)
        np.testing.assert_allclose(fitted.bias, [10, 20] - scale * np.array([3, 3]) @ turn, atol=1e-5)
    # Rigid leaves half of each vector: a share of 1/4 of the squares.
    np.testing.assert_allclose(solvers.rigid(x, y).residual, 0.5, rtol=1e-6)


def test_reflection_is_an_option():
    x = np.random.default_rng(5).normal(size=(50, 3)).astype(np.float32)
    mirrored = x * np.array([1, 1, -1], np.float32)
    assert solvers.rigid(x, mirrored).residual < 1e-6
    turned = solvers.rigid(x, mirrored, reflection=False)
    np.testing.assert_allclose(np.linalg.det(turned.weight), 1, rtol=1e-5)
    assert turned.residual > 0.1


def test_reduced_rank_keeps_the_directions_that_predict_most_beside_one_that_dominates():
    random = np.random.default_rng(0)
    turns = [np.linalg.qr(random.normal(size=(10, 10)))[0] for _ in range(2)]
    x = random.normal(size=(2000, 10)).astype(np.float32)
    y = (x @ turns[0] @ np.diag([1e4, 1, 1, 1, 1, *[0.05] * 5]) @ turns[1]).astype(np.float32)
    fitted = solvers.reduced_rank(x, y, rank=5)
    exact = np.float64(y) - y.mean(0, dtype=np.float64)
    values = np.linalg.svd(exact, compute_uv=False)
    least = np.sqrt((values[5:] ** 2).sum() / (values**2).sum())  # all of y is predicted: the best of that rank
    left = np.float64(y) - np.float64(x) @ np.float64(fitted.weight) - np.float64(fitted.bias)
    assert np.linalg.norm(left) / np.linalg.norm(exact) < 1.2 * least
    assert float(fitted.residual) < 1.5 * least


def test_reduced_rank_has_that_rank_and_is_bounded_by_the_dimensions():
    x, y = np.random.default_rng(6).normal(size=(2, 60, 5)).astype(np.float32)
    assert np.linalg.matrix_rank(solvers.reduced_rank(x, y, rank=2).weight, tol=1e-5) == 2
    np.testing.assert_allclose(solvers.reduced_rank(x, y, rank=5).weight, solvers.affine(x, y).weight, atol=1e-5)
    with pytest.raises(ValueError, match=r"rank must be 1 to 5.*it is 6"):
        solvers.reduced_rank(x, y, rank=6)


def test_gradients_flow_through_a_solver_inside_jit():
    x, y = np.random.default_rng(7).normal(size=(2, 30, 3)).astype(np.float32)
    loss = jax.jit(jax.value_and_grad(lambda x: ((solvers.affine(x, y)(x) - y) ** 2).sum()))
    value, gradient = loss(x)
    assert loss(x - 1e-2 * gradient)[0] < value


@pytest.mark.parametrize("solve", [solvers.linear, solvers.affine])
@pytest.mark.parametrize(("rows", "d", "tolerance"), [(40, 5, 1e-10), (60, 16, 1e-8), (3000, 200, 1e-2)])
def test_the_condition_from_moments(solve, rows, d, tolerance, double_precision):
    x, y = np.random.default_rng(4).normal(size=(2, rows, d))
    exact = np.linalg.cond(x if solve is solvers.linear else x - x.mean(0))
    np.testing.assert_allclose(solve(x, y).condition, exact, rtol=tolerance)


def test_the_condition_of_a_direction_beside_two_that_are_alike(double_precision):
    q = np.linalg.qr(np.random.default_rng(5).normal(size=(500, 4)))[0]
    x = np.stack([3 * q[:, 1], q[:, 2], 0.999 * q[:, 2] + (1 - 0.999**2) ** 0.5 * q[:, 3]], 1)
    np.testing.assert_allclose(solvers.linear(x, q).condition, np.linalg.cond(x), rtol=1e-8)
