"""Half precision and integers outside the solvers: computed in float32, whatever their squares would be."""

import decimal

import jax.numpy as jnp
import numpy as np
import pytest
from metric_references import METRICS, sets

from align import AffineMap, anchors, metrics, relative, solvers
from align.arrays import inputs
from align.arrays.precision import PrecisionWarning
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


class Tensor:
    """As PyTorch's: of bfloat16, or where its gradient is asked for, it is no array of NumPy's until it is told so."""

    def __init__(self, array, dtype="torch.float32", requires_grad=True):
        self._array, self.dtype, self.shape = array, dtype, array.shape
        self._requires_grad = requires_grad

    def detach(self):
        return Tensor(self._array, self.dtype, requires_grad=False)

    def float(self):
        return Tensor(self._array, requires_grad=self._requires_grad)

    def numpy(self, *, force=False):
        if self._requires_grad and not force:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")
        if self.dtype == "torch.bfloat16":
            raise TypeError("Got unsupported ScalarType BFloat16")
        return self._array

    def __array__(self, dtype=None, copy=None):
        return self.numpy()


@pytest.mark.parametrize("dtype", ["torch.float32", "torch.bfloat16"])
@pytest.mark.parametrize("requires_grad", [False, True])
def test_tensors(requires_grad, dtype):
    rows = CODES.astype(np.float32)
    for given in (Tensor(rows, dtype, requires_grad), [Tensor(row, dtype, requires_grad) for row in rows]):
        np.testing.assert_array_equal(inputs.as_array("source", given), rows)


def test_tensors_of_pytorch():
    torch = pytest.importorskip("torch")
    rows = torch.tensor(CODES.astype(np.float32)).bfloat16().float()  # of few digits, which bfloat16 keeps
    for given in (rows.clone().requires_grad_(), torch.nn.Parameter(rows), torch._neg_view(-rows), rows.bfloat16()):
        np.testing.assert_array_equal(inputs.as_array("source", given), rows.numpy())
        np.testing.assert_array_equal(inputs.as_array("source", list(given)), rows.numpy())
    with pytest.raises(ValueError, match=r"source must be an array of real numbers; it is Tensor .*no data"):
        solvers.rigid(rows.to("meta"), rows)


@pytest.mark.parametrize("kind", [float, np.float32, np.int64, decimal.Decimal])
def test_objects_that_are_numbers(kind):
    rows = CODES.astype(np.int32)
    objects = np.array([[kind(int(value)) for value in row] for row in rows], object)
    for given in (objects, Held(objects), list(objects)):  # Held: as a data frame of nullable dtypes
        found = inputs.as_array("source", given)
        assert found.dtype == jnp.result_type(float)
        np.testing.assert_array_equal(found, rows)
    np.testing.assert_array_equal(solvers.rigid(objects, objects).weight, solvers.rigid(rows, rows).weight)


def test_objects_of_mixed_kinds():
    mixed = np.array([[1, 2.5], [np.float16(0.5), np.uint8(200)]], object)
    np.testing.assert_array_equal(inputs.as_array("source", mixed), [[1, 2.5], [0.5, 200]])


class Table:
    """What NumPy reads as float64, as it does a data frame."""

    def __array__(self, dtype=None, copy=None):
        return np.zeros(2)


def test_float64_of_a_table_that_is_computed_in_float32_is_stated():
    with pytest.warns(PrecisionWarning):
        AffineMap.identity(2)(Table())


def test_maps_of_half_precision_are_composed_in_float32():
    fitted = AffineMap(jnp.full((2, 2), 300, jnp.float16), jnp.ones(2, jnp.float16))
    x = jnp.ones((1, 2))
    assert (fitted @ fitted).weight.dtype == (fitted @ fitted).bias.dtype == jnp.float32
    np.testing.assert_allclose((fitted @ fitted)(x), fitted(fitted(x)), rtol=1e-6)
