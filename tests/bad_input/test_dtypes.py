"""Half precision and integers outside the solvers: computed in float32, whatever their squares would be."""

import jax.numpy as jnp
import numpy as np
import pytest
from metric_references import METRICS, sets

from align import AffineMap, anchors, metrics, relative
from align.evaluation import reconstruction_error

# Of a norm whose square is beyond float16.
CODES, ANCHORS = (200 * a[:12] for a in sets())
SMALL = {
    "float16": (lambda a: a.astype(np.float16), None),
    "bfloat16": (lambda a: jnp.asarray(a, jnp.bfloat16), None),
    "int8": (lambda a: np.clip(a / 8, -120, 120).astype(np.int8), None),
    "uint8": (lambda a: np.clip(np.abs(a / 8), 0, 250).astype(np.uint8), None),
    "int32": (lambda a: a.astype(np.int32), None),
}
LAST_DIGITS = 2e-6


def cast(dtype, *arrays):
    """Return arrays of a dtype, and the same numbers in float32."""
    small = [SMALL[dtype][0](a) for a in arrays]
    return small, [np.asarray(a, np.float32) for a in small]


@pytest.mark.parametrize("dtype", SMALL)
@pytest.mark.parametrize("name", relative.SIMILARITIES)
def test_similarities(name, dtype):
    small, wide = cast(dtype, CODES, ANCHORS)
    found = relative.represent(*small, name)
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, relative.represent(*wide, name), rtol=LAST_DIGITS, atol=LAST_DIGITS)


@pytest.mark.parametrize("dtype", SMALL)
def test_similarities_by_hand(dtype):
    codes, nearby = np.array([[120, 0], [0, 90]]), np.array([[120, 90], [0, 90], [120, 0]])
    small = [a.astype(dtype) if dtype != "bfloat16" else jnp.asarray(a, jnp.bfloat16) for a in (codes, nearby)]
    np.testing.assert_allclose(relative.euclidean(*small), [[90, 150, 0], [120, 0, 150]], rtol=1e-6)
    np.testing.assert_allclose(relative.cosine(*small), [[0.8, 0, 1], [0.6, 1, 0]], atol=1e-6)


@pytest.mark.parametrize("dtype", SMALL)
@pytest.mark.parametrize("call", ["layer_normalised", "standardised"])
def test_standards(call, dtype):
    small, wide = cast(dtype, CODES, ANCHORS)
    arguments = 1 if call == "layer_normalised" else 2
    found, expected = (getattr(relative, call)(*pair[:arguments]) for pair in (small, wide))
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", SMALL)
def test_a_decoder_absorbs_the_standard(dtype):
    (small,), (wide,) = cast(dtype, ANCHORS)
    first = {"kernel": np.ones((4, 2), np.float32), "bias": np.zeros(2, np.float32)}
    found, expected = (
        relative.absorb_standard({"params": {"Dense_0": first}}, a)["params"]["Dense_0"] for a in (small, wide)
    )
    np.testing.assert_allclose(found["kernel"], expected["kernel"], rtol=1e-6)


@pytest.mark.parametrize("dtype", SMALL)
@pytest.mark.parametrize("name", METRICS)
def test_metrics(name, dtype):
    small, wide = cast(dtype, *(100 * a for a in sets()))
    found = np.asarray(METRICS[name].call(*small))
    assert found.dtype == np.float32
    if dtype in ("float16", "bfloat16"):  # others are rounded to few different rows, of which ties are another matter
        np.testing.assert_allclose(found, METRICS[name].reference(*wide), rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(found, METRICS[name].call(*wide))


@pytest.mark.parametrize("dtype", SMALL)
@pytest.mark.parametrize("strategy", ["random", "farthest_point", "kmeans", "leverage", "d_optimal"])
def test_anchors(strategy, dtype):
    import jax

    (small,), (wide,) = cast(dtype, CODES)
    chosen = [getattr(anchors, strategy)(jax.random.key(0), a, 3) for a in (small, wide)]
    np.testing.assert_array_equal(*chosen)


@pytest.mark.parametrize("dtype", SMALL)
def test_a_map_is_applied(dtype):
    (small,), (wide,) = cast(dtype, CODES)
    fitted = AffineMap(jnp.full((4, 2), 300.0), jnp.ones(2))
    assert fitted(small).dtype == jnp.float32
    np.testing.assert_array_equal(fitted(small), fitted(wide))


@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
def test_integers_beyond_32_bits_are_rounded(dtype):
    large = np.array([[3_000_000_000, 2**40 + 1]], dtype)
    fitted, expected = AffineMap.identity(2), np.float32([[3e9, 2**40]])
    for given in (large, list(large), large.tolist(), Held(large), large.astype(large.dtype.newbyteorder())):
        mapped = fitted(given)
        assert mapped.dtype == jnp.float32
        np.testing.assert_array_equal(mapped, expected)
        np.testing.assert_array_equal(fitted.documents(given), fitted.documents(expected))


class Held:
    """What has an array to give, and nothing else of one."""

    def __init__(self, array):
        self._array = array

    def __array__(self, dtype=None, copy=None):
        return self._array


class Doubling:
    """A decoder that doubles."""

    def __hash__(self):
        return 0

    def apply(self, params, codes):
        return 2 * codes


@pytest.mark.parametrize("dtype", SMALL)
def test_reconstruction_error(dtype):
    (small,), (wide,) = cast(dtype, np.abs(CODES) / 4)
    found = reconstruction_error(Doubling(), {}, small, small)
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, np.mean(wide.astype(np.float64) ** 2), rtol=1e-5)


def test_metrics_of_mixed_dtypes():
    x, y = sets()
    np.testing.assert_allclose(
        metrics.relative_residual(x.astype(np.float16), y), METRICS["relative_residual"].reference(x, y), rtol=1e-3
    )
