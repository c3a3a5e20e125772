"""A map from clouds, corrected by pairs."""

import jax.numpy as jnp
import numpy as np
import pytest

from align import solvers
from align.maps import AffineMap
from align.solvers import corrected as module
from align.solvers.corrected import corrected

CORRELATIONS = np.array([1, 0.99, 0.95, 0.9, 0.8, 0.6, 0.3, 0.1])


def clouds(pairs, seed=0, wide=8):
    """Give two clouds, pairs, the best map between them, and one that is off along axes of low correlation."""
    random = np.random.default_rng(seed)
    down, up = (np.linalg.qr(random.normal(size=(d, d)))[0] for d in (8, wide))
    spreads = np.geomspace(5, 0.5, 8)

    def draw(n):
        x = random.normal(size=(n, 8))
        y = x * CORRELATIONS + random.normal(size=(n, 8)) * np.sqrt(1 - CORRELATIONS**2)
        return (x @ down + 2).astype(np.float32), ((y * spreads) @ up[:8] - 1).astype(np.float32)

    def weight(between):
        return (down.T @ between @ (spreads[:, None] * up[:8])).astype(np.float32)

    doubt = np.sqrt(1 - CORRELATIONS**2)
    off = 0.3 * random.normal(size=(8, 8)) * np.sqrt(np.outer(doubt, doubt))
    maps = [weight(np.diag(CORRELATIONS)), weight(np.diag(CORRELATIONS) + off)]
    best, rough = (AffineMap(jnp.asarray(w), jnp.asarray(-1 - 2 * w.sum(0))) for w in maps)
    return draw(4000)[0], draw(4000)[1], *draw(pairs), best, rough


def missed(fitted, best, source):
    return float(((fitted(source) - best(source)) ** 2).mean())


def test_pairs_correct_what_the_clouds_left_open():
    off = []
    for seed in range(8):
        source, target, x, y, best, rough = clouds(30, seed=seed)
        by_ridge = [solvers.ridge(x, y), solvers.ridge(x, y, towards=rough)]
        off.append([missed(f, best, source) for f in (corrected(source, target, rough, x, y)[0], rough, *by_ridge)])
    mean = np.mean(off, 0)
    assert mean[0] < 0.9 * mean[1:].min()


@pytest.mark.parametrize("wide", [8, 11])
def test_the_target_may_have_more_dimensions(wide):
    source, target, x, y, best, rough = clouds(100, wide=wide)
    fitted, _ = corrected(source, target, rough, x, y)
    assert missed(fitted, best, source) < 0.5 * missed(rough, best, source)


def test_the_left_out_error_is_that_of_leaving_each_pair_out(monkeypatch):
    source, target, x, y, _, rough = clouds(12)
    for name, value in (("_LEAST", 30.0), ("_MOST", 30.0), ("_STRENGTHS", 1), ("_ERRORS", -np.inf)):
        monkeypatch.setattr(module, name, value)
    try:
        corrected.clear_cache()
        _, error = corrected(source, target, rough, x, y)
        squares = 0.0
        for i in range(len(x)):
            without, _ = corrected(source, target, rough, np.delete(x, i, 0), np.delete(y, i, 0))
            squares += float(((without(x[i : i + 1]) - y[i : i + 1]) ** 2).sum())
    finally:
        corrected.clear_cache()
    np.testing.assert_allclose(error, np.sqrt(squares / ((y - y.mean(0)) ** 2).sum()), rtol=1e-3)


def test_a_map_that_is_right_stays():
    source, target, x, y, best, _ = clouds(20)
    fitted, error = corrected(source, target, best, x, y)
    np.testing.assert_array_equal(fitted.weight, best.weight)
    np.testing.assert_allclose(error, np.sqrt(((best(x) - y) ** 2).sum() / ((y - y.mean(0)) ** 2).sum()), rtol=0.05)


def test_with_many_pairs_it_is_their_regression():
    source, target, x, y, best, rough = clouds(20_000)
    fitted, _ = corrected(source, target, rough, x, y)
    assert missed(fitted, best, source) < 0.01 * missed(rough, best, source)


def test_what_the_map_makes_of_the_mean_stays():
    source, target, x, y, _, rough = clouds(100)
    fitted, _ = corrected(source, target, rough, x, y + 3)
    assert missed(fitted, rough, source) > 0  # corrected, but not there
    mean = source.mean(0, keepdims=True)
    np.testing.assert_allclose(fitted(mean), rough(mean), atol=1e-4)
