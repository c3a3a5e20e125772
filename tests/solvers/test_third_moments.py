"""Third moments laid over each other: by hand, against sums, and from a start that is partly right."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from align.arrays.double import enable_x64
from align.linalg.assignment import assigned, traits
from align.linalg.components import independent, nearest_orthogonal
from align.linalg.third_moments import climb, third_moments
from align.solvers import narrow, wide_search

KEY = jax.random.key(0)


def skewed(seed, rows, k):
    """Rows of independent skewed components of unit variance, each skewed otherwise."""
    random = np.random.default_rng(seed)
    shapes = np.geomspace(0.3, 4, k)
    return ((random.gamma(shapes, size=(rows, k)) - shapes) / np.sqrt(shapes)).astype(np.float32)


def turned(seed, k):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(k, k)))[0].astype(np.float32)


def test_third_moments_are_of_a_sample_whatever_the_order_of_the_rows():
    # More rows than are looked at, by their leading coordinate, as `unpaired` sorts them.
    cloud = jnp.asarray(np.sort(skewed(0, 25_000, 1), axis=0))
    drawn = narrow._drawn(KEY, cloud)
    assert drawn.shape == (10_000, 1)
    np.testing.assert_allclose([drawn.mean(), drawn.std()], [0, 1], atol=0.05)


def test_nearest_orthogonal_is_the_polar_factor():
    matrix = np.random.default_rng(0).normal(size=(3, 8, 8)).astype(np.float32)
    u, _, vt = np.linalg.svd(matrix)
    np.testing.assert_allclose(nearest_orthogonal(jnp.asarray(matrix)), u @ vt, atol=2e-3)


def test_third_moments_equal_their_definition():
    white = np.random.default_rng(0).normal(size=(500, 4)).astype(np.float32)
    white = white / np.maximum(1, np.linalg.norm(white, axis=1, keepdims=True) / 3)  # within the radius
    centred = white - white.mean(0)
    expected = np.einsum("ni,nj,nk->ijk", centred, centred, centred) / 500
    np.testing.assert_allclose(third_moments(white), expected / np.linalg.norm(expected), atol=1e-5)


def test_climbing_completes_a_map_that_is_partly_right():
    k = 6
    truth = turned(1, k)
    source, target = skewed(0, 4000, k), skewed(1, 4000, k) @ truth
    start = nearest_orthogonal(jnp.asarray(truth + 0.5 * turned(2, k))[None])
    moments = [third_moments(jnp.asarray(z)) for z in (source, target)]
    weights, values = climb(KEY, *moments, start, jnp.zeros((k, k)), temperature=0.0, iterations=100)
    np.testing.assert_allclose(weights[0], truth, atol=0.2)
    np.testing.assert_allclose(weights[0] @ weights[0].T, np.eye(k), atol=1e-3)
    assert 0.9 < float(values[0]) <= 1.001


def test_components_do_not_depend_on_the_coordinates():
    k = 6
    truth = turned(1, k)
    axes = independent(jax.random.split(KEY, 1), jnp.asarray(skewed(1, 4000, k) @ truth), contrast="square")[0]
    assert (jnp.abs(axes @ truth.T).max(0) > 0.95).all()


def test_components_are_matched_by_their_moments():
    x = jnp.asarray(skewed(0, 1000, 8))
    order = np.random.default_rng(0).permutation(8)
    couplings = assigned(KEY, traits(x), traits(x[:, order]), starts=2)
    assert (couplings[0].argmax(0) == order).all()
    np.testing.assert_allclose(couplings.sum(1), 1, atol=1e-2)


def test_the_search_stays_in_the_precision_of_its_rows():
    """As the command needs, which turns x64 on for files of float64 and reads others as they are."""
    k = 16
    white, pull = jax.ShapeDtypeStruct((300, k), jnp.float32), jax.ShapeDtypeStruct((k, k), jnp.float32)
    with enable_x64(True):
        search = functools.partial(wide_search.coarse, jax.random.key(0), restarts=1)
        weights, values = jax.eval_shape(search, white, white, pull)
    assert weights.dtype == values.dtype == jnp.float32
