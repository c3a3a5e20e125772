"""As many rows as make JAX 0.10.2 return wrong numbers for some jitted products followed by a reduction.

On a CPU, from 32,769 rows of 3 in float32 and 16,385 in float64: the last rows come out as if they had not been squared
(jax-ml/jax#39103). Every solver and metric is right at those sizes; `kernel_cka`, whose matrix of all pairs would take
more memory than a test may, in batches.
"""

import functools

import jax
import numpy as np
import pytest
from scipy.spatial import cKDTree

from align import AffineMap, metrics, solvers, streaming
from align.arrays.double import enable_x64

pytestmark = pytest.mark.usefixtures("compiled_as_for_users")

SIZES = {"float32": 32_769, "float64": 16_385}


@pytest.fixture(params=SIZES)
def pair(request):
    """A prediction and its target, `[n, 3]` each, as arrays of the dtype, and in float64."""
    random = np.random.default_rng(0)
    target = random.normal(size=(SIZES[request.param], 3)) * [3, 1, 0.5] + [1, 0, -1]
    target[-1] = [9, -4, 2]  # what is wrong with the last rows would show
    prediction = target + 0.3 * random.normal(size=target.shape)
    with enable_x64(request.param == "float64"):
        small = [a.astype(request.param) for a in (prediction, target)]
        yield *small, *(a.astype(np.float64) for a in small)


def centred(*arrays):
    return [a - a.mean(0) for a in arrays]


def cka(x, y):
    return np.sum((x.T @ y) ** 2) / np.linalg.norm(x.T @ x) / np.linalg.norm(y.T @ y)


def correlations(x, y):
    return np.linalg.svd(np.linalg.qr(x)[0].T @ np.linalg.qr(y)[0], compute_uv=False)


def procrustes(x, y):
    x, y = (a / np.linalg.norm(a) for a in (x, y))
    return np.sqrt(2 - 2 * np.linalg.svd(x.T @ y, compute_uv=False).sum())


def residual(x, y):
    return np.linalg.norm(x - y) / np.linalg.norm(y - y.mean(0))


def cosine(x, y):
    return np.mean((x * y).sum(1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1))


METRICS = {
    "linear_cka": (metrics.linear_cka, lambda x, y: cka(*centred(x, y))),
    "linear_cka, unbiased": (functools.partial(metrics.linear_cka, unbiased=True), None),
    "canonical_correlations": (metrics.canonical_correlations, lambda x, y: correlations(*centred(x, y))),
    "cca": (metrics.cca, lambda x, y: correlations(*centred(x, y)).mean()),
    "procrustes_distance": (metrics.procrustes_distance, lambda x, y: procrustes(*centred(x, y))),
    "relative_residual": (metrics.relative_residual, residual),
    "r_squared": (metrics.r_squared, lambda x, y: 1 - residual(x, y) ** 2),
    "mean_cosine": (metrics.mean_cosine, cosine),
}


@pytest.mark.parametrize("name", METRICS)
def test_metrics(name, pair):
    metric, reference = METRICS[name]
    *small, x, y = pair
    # HSIC_1 and HSIC differ by what n rows tell of one another.
    expected, tolerance = (cka(*centred(x, y)), 1e-3) if reference is None else (reference(x, y), 2e-5)
    np.testing.assert_allclose(metric(*small), expected, rtol=tolerance)


def test_batches(pair):
    *small, x, _ = pair
    for options in ({}, {"bandwidth": 1.0}):
        found = metrics.minibatch_cka(*small, batch_size=256, **options)
        parts = [
            metrics.minibatch_cka(*(a[i : i + 4096] for a in small), batch_size=256, **options)
            for i in range(0, len(x) - 4096, 4096)
        ]
        np.testing.assert_allclose(found, np.mean(parts), atol=2e-3)
    assert abs(found - 1) < 0.3


def test_neighbours(pair):
    *small, x, y = pair
    near = [cKDTree(a).query(a, 11)[1][:, 1:] for a in (x, y)]
    common = (near[0][:, :, None] == near[1][:, None, :]).sum() / 10 / len(x)
    np.testing.assert_allclose(metrics.mutual_knn_overlap(*small, k=10), common, rtol=2e-3)


def test_ranks(pair):
    *small, x, y = pair
    few = slice(-400, None)
    errors = np.linalg.norm(x[few] - y[few], axis=1)
    expected = cKDTree(y).query_ball_point(x[few], errors * (1 - 1e-6), return_length=True) + 1
    found = np.asarray(metrics.retrieval_ranks(*small, metric="euclidean"))
    assert np.mean(np.abs(found[few] - expected) <= 2) > 0.98
    assert np.max(np.abs(found[few] - expected)) < 10


def fits(x, y):
    """What each solver has to find, in float64: weight and bias."""
    (cx, cy), means = centred(x, y), (x.mean(0), y.mean(0))
    u, s, vt = np.linalg.svd(cx.T @ cy)
    affine = np.linalg.solve(cx.T @ cx, cx.T @ cy)
    kept = np.linalg.eigh((cx @ affine).T @ (cx @ affine))[1][:, -2:]
    o = np.linalg.svd(x.T @ y)
    return {
        "orthogonal": (o[0] @ o[2], None),
        "rigid": (u @ vt, means),
        "similarity": (u @ vt * s.sum() / (cx**2).sum(), means),
        "scaling": (np.diag((cx * cy).sum(0) / (cx**2).sum(0)), means),
        "linear": (np.linalg.solve(x.T @ x, x.T @ y), None),
        "affine": (affine, means),
        "reduced_rank": (affine @ kept @ kept.T, means),
        "ridge": (np.linalg.solve(cx.T @ cx + 1e3 * np.eye(3), cx.T @ cy), means),
    }


OPTIONS = {"reduced_rank": {"rank": 2}, "ridge": {"strengths": [1e3], "towards": "zero"}}


def test_solvers(pair):
    source, target, x, y = pair
    for name, (weight, means) in fits(x, y).items():
        fitted = getattr(solvers, name)(source, target, **OPTIONS.get(name, {}))
        np.testing.assert_allclose(fitted.weight, weight, atol=2e-5, err_msg=name)
        bias = np.zeros(3) if means is None else means[1] - means[0] @ weight
        np.testing.assert_allclose(fitted.bias, bias, atol=5e-5, err_msg=name)
        errors = x @ weight + bias - y
        np.testing.assert_allclose(
            fitted.residual, np.linalg.norm(errors) / np.linalg.norm(y - y.mean(0)), rtol=1e-4, err_msg=name
        )


def test_records(pair):
    source, target, x, y = pair
    record = streaming.from_arrays(source, target)
    for name, (weight, _) in fits(x, y).items():
        if solvers.SOLVERS[name].streams:
            fitted = streaming.fit(record, name, **OPTIONS.get(name, {}))
            np.testing.assert_allclose(fitted.weight, weight, atol=2e-5, err_msg=name)


def test_clouds(pair):
    *_, x, _ = pair
    labels = np.arange(len(x)) % 5
    # Classes that differ in their means and in their spreads, turned and moved: every solver finds the turn.
    x = x * (1 + labels[:, None] / 4) + np.random.default_rng(1).normal(size=(5, 3))[labels] * 4
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))[0]
    source, target = x.astype(pair[0].dtype), (x @ turn + 2).astype(pair[0].dtype)
    near = AffineMap(*(a.astype(source.dtype) for a in (turn + 0.01, np.full(3, 2.0))))
    key = jax.random.key(0)
    found = {
        "class_means": solvers.class_means(source, labels, target, labels),
        "class_gaussians": solvers.class_gaussians(key, source, labels, target, labels, whitening=0.0),
        "icp": solvers.icp(key, source, target, start=near, subset=2000, iterations=3, matching="mutual"),
    }
    for name, fitted in found.items():
        tolerance = 0.1 if name == "icp" else 1e-3  # windows of random rows are not the same rows
        np.testing.assert_allclose(fitted.weight, turn, atol=tolerance, err_msg=name)


def test_a_map_applied_row_by_row_and_reduced(pair):
    """The pattern of the bug itself, with a map for the product."""
    _, target, _, y = pair
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))[0]
    fitted = AffineMap(*(a.astype(target.dtype) for a in (turn, np.ones(3))))
    expected = ((y @ np.asarray(fitted.weight, np.float64) + 1) ** 2).sum(1)
    for applied in (lambda x: (fitted(x) ** 2).sum(1), jax.vmap(lambda row: (fitted(row) ** 2).sum())):
        np.testing.assert_allclose(jax.jit(applied)(target), expected, rtol=1e-4, atol=1e-4)


def test_the_bug_shows_where_jax_has_it(pair):
    """What the sizes are for: in the version that is known to be wrong, the pattern without full precision is."""
    rows = np.arange(len(pair[0]), dtype=pair[0].dtype)
    x, matrix = np.stack([rows, 0 * rows, 0 * rows], 1), np.eye(3, dtype=rows.dtype)
    found = jax.jit(jax.vmap(lambda row: jax.numpy.sum((matrix @ row) ** 2)))(x)
    right = np.allclose(found, rows**2, rtol=1e-5)
    assert right or jax.__version__ == "0.10.2"
