"""Centred kernel alignment."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.typing import ArrayLike

from align.arrays import checks
from align.arrays.products import matmul
from align.metrics.comparable import about_means, centre, centred_sets, check_rows, comparable, mean, squared_distances


def linear_cka(x: ArrayLike, y: ArrayLike, *, unbiased: bool = False) -> Array:
    """Return the centred kernel alignment of two sets under linear kernels, a scalar.

    x: `[n, d_x]`. y: `[n, d_y]`, rows in correspondence; a row that is not finite in either is left out.
    unbiased: whether HSIC_1 is estimated, whose expectation for independent sets is near 0 at any `n`, and which can
        be slightly negative; the biased value lies in [0, 1] and tends to 1 as the dimensions exceed `n`.

    Invariant to translation, orthogonal maps and isotropic scaling of either side; not to other linear maps. Memory
    O(n d), whatever n and d.

    Kornblith et al. 2019, equation 4; Song et al. 2012, equation 5, for HSIC_1.

    Raises ValueError for mismatched rows and, if `unbiased`, for fewer than 4 rows.
    """
    checks.check_flags(unbiased=unbiased)
    x, y, kept = centred_sets(x, y, least=4 if unbiased else 1)
    return _linear_cka(x, y, kept, bool(unbiased))


@functools.partial(jax.jit, static_argnames="unbiased")
def _linear_cka(x, y, kept, unbiased):
    return _alignment(_linear_hsic_unbiased if unbiased else _linear_hsic_biased, x, y, kept)


def kernel_cka(x: ArrayLike, y: ArrayLike, *, bandwidth: float = 1.0, unbiased: bool = False) -> Array:
    """Return the centred kernel alignment of two sets under Gaussian kernels, a scalar.

    x: `[n, d_x]`. y: `[n, d_y]`, rows in correspondence; a row that is not finite in either is left out.
    bandwidth: the width of each kernel in median distances within its set, which makes the metric invariant to
        isotropic scaling of either side beside translation and orthogonal maps; it is not to other linear maps. Small
        ones compare neighbourhoods, large ones approach `linear_cka`. Where more than half of the distances are zero,
        the median is that of the others.
    unbiased: as for `linear_cka`. Memory O(n²).

    Kornblith et al. 2019, section 3; Song et al. 2012, equation 5, for `unbiased`.

    Raises ValueError for mismatched rows, a bandwidth that is not positive, and fewer than 2 (`unbiased`: 4) rows.
    """
    checks.check_flags(unbiased=unbiased)
    _check_bandwidth(bandwidth)
    x, y, kept = centred_sets(x, y, least=4 if unbiased else 2)
    return _kernel_cka(x, y, kept, float(bandwidth), bool(unbiased))


@functools.partial(jax.jit, static_argnames=("bandwidth", "unbiased"))
def _kernel_cka(x, y, kept, bandwidth, unbiased):
    hsic = _hsic_unbiased if unbiased else _hsic_biased
    return _alignment(hsic, *(_gaussian(a, kept, bandwidth) for a in (x, y)), kept)


def minibatch_cka(x: ArrayLike, y: ArrayLike, *, batch_size: int = 256, bandwidth: float | None = None) -> Array:
    """Return the alignment of two sets from unbiased estimates averaged over batches, a scalar.

    x: `[n, d_x]`. y: `[n, d_y]`, rows in correspondence; a row that is not finite in either is left out of its batch,
        and a batch of fewer than 4 others out of the average.
    batch_size: rows of a batch, consecutive ones; the last `n mod batch_size` rows do not enter.
    bandwidth: of Gaussian kernels, in median distances of the batch; linear kernels without it.

    Each of the three HSIC terms is averaged over batches before the ratio is taken, so that its expectation does not
    depend on the batch size under a linear kernel.

    Invariant to translation, orthogonal maps and isotropic scaling of either side, not to other linear maps; to joint
    permutations of the rows only within a batch. Sorted data should be shuffled first.

    Nguyen, Raghu and Kornblith 2021, section 3.2 (equation 3).

    Raises ValueError for mismatched rows, fewer than 4 rows a batch, and fewer rows than one batch.
    """
    given = comparable(x, y)
    rows = len(given[0])
    if not checks.is_whole(batch_size, least=4, most=rows):
        raise ValueError(f"batch_size is {batch_size!r}; expected 4 to the number of rows, {rows}")
    if bandwidth is not None:
        _check_bandwidth(bandwidth)
        bandwidth = float(bandwidth)
    entering = rows // batch_size * batch_size
    return _minibatch_cka(*about_means(*(a[:entering] for a in given)), int(batch_size), bandwidth)


@functools.partial(jax.jit, static_argnames=("batch_size", "bandwidth"))
def _minibatch_cka(x, y, kept, batch_size, bandwidth):
    x, y, kept = (a.reshape(-1, batch_size, *a.shape[1:]) for a in (x, y, kept))

    def terms(batch):
        *sides, inside = batch
        if bandwidth is None:
            a, b = (centre(part, inside) for part in sides)
            hsic = _linear_hsic_unbiased
        else:
            a, b = (_gaussian(part, inside, bandwidth) for part in sides)
            hsic = _hsic_unbiased
        return jnp.stack([hsic(a, b, inside), hsic(a, a, inside), hsic(b, b, inside)])

    cross, own_x, own_y = mean(lax.map(terms, (x, y, kept)), kept.sum(1) >= 4)
    return cross / jnp.sqrt(own_x * own_y)


def _alignment(hsic, x, y, kept):
    return hsic(x, y, kept) / (jnp.sqrt(hsic(x, x, kept)) * jnp.sqrt(hsic(y, y, kept)))


def _check_bandwidth(bandwidth):
    if not checks.is_positive(bandwidth):
        raise ValueError(f"bandwidth is {bandwidth!r}; expected a positive multiple of the median distance")


def _gaussian(x, kept, bandwidth):
    """Return the kernel matrix `[n, n]` of the rows that are kept, zero in the others' rows and columns."""
    x, inside = centre(x, kept), kept[:, None] & kept[None]
    squared = squared_distances(x, x)
    pairs = np.triu_indices(len(x), 1)
    norms = jnp.sum(x * x, 1)
    # What rounding leaves of the distance of equal rows is no unit to measure others by.
    equal = squared <= 16 * jnp.finfo(x.dtype).eps * (norms[:, None] + norms[None])
    distances, equal = jnp.where(inside, squared, jnp.nan)[pairs], (inside & equal)[pairs]
    most = equal.sum() > inside[pairs].sum() // 2
    median = jnp.nanmedian(jnp.where(most & equal, jnp.nan, distances))
    return jnp.where(inside, jnp.exp(-squared / (2 * bandwidth**2 * median)), 0)


def _linear_hsic_biased(x, y, kept):
    return _common(x, y)


def _common(x, y):
    """Return tr(x xᵀ y yᵀ) by what takes no more memory than the rows: kernels of few rows, or else xᵀ y."""
    if len(x) < min(x.shape[1], y.shape[1]):
        return jnp.sum(matmul(x, x.T) * matmul(y, y.T))
    return jnp.sum(matmul(x.T, y) ** 2)


def _hsic_biased(k, l, kept):
    rows = kept.sum().astype(k.dtype)

    def centred(a):  # symmetric, so that the means of its rows are those of its columns
        means = a.sum(0) / rows
        return jnp.where(kept[:, None] & kept[None], a - means[None] - means[:, None] + means.sum() / rows, 0)

    return jnp.sum(centred(k) * centred(l))


def _hsic_unbiased(k, l, kept):
    check_rows(len(k), 4)
    k, l = (a - jnp.diag(jnp.diag(a)) for a in (k, l))
    return _hsic_1(kept, jnp.sum(k * l), k.sum(1), l.sum(1))


def _linear_hsic_unbiased(x, y, kept):
    """Return HSIC_1 of the kernels x xᵀ and y yᵀ, whose diagonals are dropped, in O(n d min(n, d))."""
    check_rows(len(x), 4)
    norm_x, norm_y = jnp.sum(x * x, 1), jnp.sum(y * y, 1)
    product = _common(x, y) - jnp.sum(norm_x * norm_y)
    return _hsic_1(kept, product, matmul(x, x.sum(0)) - norm_x, matmul(y, y.sum(0)) - norm_y)


def _hsic_1(kept, product, rows_k, rows_l):
    """Return HSIC_1 from `product` = tr(KL) and the row sums of kernels without diagonal (Song et al. 2012, eq. 5)."""
    n = kept.sum().astype(product.dtype)
    means = rows_k.sum() * rows_l.sum() / ((n - 1) * (n - 2))
    return jnp.where(n > 3, (product + means - 2 / (n - 2) * jnp.sum(rows_k * rows_l)) / (n * (n - 3)), jnp.nan)
