"""Centred kernel alignment."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from align.arrays import checks
from align.arrays.products import matmul
from align.metrics.comparable import centre, check_rows, comparable, squared_distances


def linear_cka(x: Array, y: Array, *, unbiased: bool = False) -> Array:
    """Return the centred kernel alignment of `x` `[n, d_x]` and `y` `[n, d_y]` under linear kernels, a scalar.

    Invariant to translation, orthogonal maps and isotropic scaling of either side; not to other linear maps. The
    biased value lies in [0, 1] and tends to 1 as the dimensions exceed `n`; the unbiased one (HSIC_1) has expectation
    near 0 for independent sets at any `n`, and can be slightly negative. Memory O(n d): no kernel matrix is formed.

    Kornblith et al. 2019, equation 4; Song et al. 2012, equation 5, for HSIC_1.

    Raises ValueError for mismatched rows and, if `unbiased`, for fewer than 4 rows.
    """
    x, y = map(centre, comparable(x, y))
    hsic = _linear_hsic_unbiased if unbiased else lambda a, b: jnp.sum(matmul(a.T, b) ** 2)
    return _alignment(hsic, x, y)


def kernel_cka(x: Array, y: Array, *, bandwidth: float = 1.0, unbiased: bool = False) -> Array:
    """Return the centred kernel alignment of `x` `[n, d_x]` and `y` `[n, d_y]` under Gaussian kernels, a scalar.

    The width of each kernel is `bandwidth` times the median distance within its set, which makes the metric invariant
    to isotropic scaling of either side beside translation and orthogonal maps; it is not invariant to other linear
    maps. Small bandwidths compare neighbourhoods, large ones approach `linear_cka`. Memory O(n²).

    Kornblith et al. 2019, section 3; Song et al. 2012, equation 5, for `unbiased`.

    Raises ValueError for mismatched rows, a bandwidth that is not positive, and fewer than 2 (`unbiased`: 4) rows.
    """
    x, y = comparable(x, y, least=2)
    return _alignment(_hsic_unbiased if unbiased else _hsic_biased, _gaussian(x, bandwidth), _gaussian(y, bandwidth))


def minibatch_cka(x: Array, y: Array, *, batch_size: int = 256, bandwidth: float | None = None) -> Array:
    """Return the alignment of `x` `[n, d_x]` and `y` `[n, d_y]` from unbiased estimates averaged over batches.

    Batches are consecutive rows; the last `n mod batch_size` rows do not enter. Linear kernels, or Gaussian ones whose
    width is `bandwidth` times the batch's median distance. Each of the three HSIC terms is averaged over batches
    before the ratio is taken, so that its expectation does not depend on the batch size under a linear kernel.

    Invariant to translation, orthogonal maps and isotropic scaling of either side, not to other linear maps; to joint
    permutations of the rows only within a batch. Sorted data should be shuffled first.

    Nguyen, Raghu and Kornblith 2021, section 3.2 (equation 3).

    Raises ValueError for mismatched rows, fewer than 4 rows a batch, and fewer rows than one batch.
    """
    x, y = comparable(x, y)
    if not checks.is_whole(batch_size, least=4, most=len(x)):
        raise ValueError(f"batch_size is {batch_size!r}; expected 4 to the number of rows, {len(x)}")
    return _minibatch_cka(x, y, batch_size, bandwidth)


@functools.partial(jax.jit, static_argnames=("batch_size", "bandwidth"))
def _minibatch_cka(x, y, batch_size, bandwidth):
    batches = len(x) // batch_size
    x, y = (a[: batches * batch_size].reshape(batches, batch_size, -1) for a in (x, y))

    def terms(batch):
        if bandwidth is None:
            a, b = map(centre, batch)
            hsic = _linear_hsic_unbiased
        else:
            a, b = (_gaussian(part, bandwidth) for part in batch)
            hsic = _hsic_unbiased
        return jnp.stack([hsic(a, b), hsic(a, a), hsic(b, b)])

    cross, own_x, own_y = lax.map(terms, (x, y)).mean(0)
    return cross / jnp.sqrt(own_x * own_y)


def _alignment(hsic, x, y):
    return hsic(x, y) / (jnp.sqrt(hsic(x, x)) * jnp.sqrt(hsic(y, y)))


def _gaussian(x, bandwidth):
    if not checks.is_positive(bandwidth):
        raise ValueError(f"bandwidth is {bandwidth!r}; expected a positive multiple of the median distance")
    squared = squared_distances(centre(x), centre(x))
    median = jnp.median(squared[np.triu_indices(len(x), 1)])
    return jnp.exp(-squared / (2 * bandwidth**2 * median))


def _hsic_biased(k, l):
    k, l = (a - a.mean(0) - a.mean(1, keepdims=True) + a.mean() for a in (k, l))
    return jnp.sum(k * l)


def _hsic_unbiased(k, l):
    n = check_rows(len(k), 4)
    k, l = (a - jnp.diag(jnp.diag(a)) for a in (k, l))
    return _hsic_1(n, jnp.sum(k * l), k.sum(1), l.sum(1))


def _linear_hsic_unbiased(x, y):
    """Return HSIC_1 of the kernels x xᵀ and y yᵀ, whose diagonals are dropped, in O(n d²)."""
    n = check_rows(len(x), 4)
    norm_x, norm_y = jnp.sum(x * x, 1), jnp.sum(y * y, 1)
    product = jnp.sum(matmul(x.T, y) ** 2) - jnp.sum(norm_x * norm_y)
    return _hsic_1(n, product, matmul(x, x.sum(0)) - norm_x, matmul(y, y.sum(0)) - norm_y)


def _hsic_1(n, product, rows_k, rows_l):
    """Return HSIC_1 from `product` = tr(KL) and the row sums of kernels without diagonal (Song et al. 2012, eq. 5)."""
    means = rows_k.sum() * rows_l.sum() / ((n - 1) * (n - 2))
    return (product + means - 2 / (n - 2) * jnp.sum(rows_k * rows_l)) / (n * (n - 3))
