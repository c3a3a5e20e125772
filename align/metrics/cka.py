"""Centred kernel alignment."""

import functools

import jax
import jax.numpy as jnp
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
    """Return the kernel matrix `[n, n]` of the rows that are kept up to what CKA ignores, zero for the others."""
    x, inside = centre(x, kept), kept[:, None] & kept[None]
    squared = squared_distances(x, x)
    pairs = inside & (jnp.arange(len(x))[:, None] < jnp.arange(len(x))[None])
    norms = jnp.sum(x * x, 1)
    # What rounding leaves of the distance of equal rows is no unit to measure others by.
    equal = pairs & (squared <= 16 * jnp.finfo(x.dtype).eps * (norms[:, None] + norms[None]))
    most = equal.sum() > pairs.sum() // 2
    distances = jnp.where(pairs & ~(most & equal), squared, jnp.nan)
    # Half as much to sort: the lower half of the triangle, turned round, fits beside the upper one.
    distances = jnp.pad(distances, ((0, len(x) % 2), (0, 0)), constant_values=jnp.nan)
    upper, lower = jnp.split(distances, 2)
    median = jnp.nanmedian(jnp.fmin(upper, lower[::-1, ::-1]))
    # A kernel that is wider is linear in the squared distances, and one that is narrower no kernel, to the last digit.
    eps = float(jnp.finfo(x.dtype).eps)
    bandwidth = min(max(bandwidth, eps), 1 / eps)
    # Less 1, which HSIC takes out: of a wide kernel only the rest has digits. Times the square of the width, as the
    # rest is small.
    kernel = jnp.expm1(-squared / (2 * median) / bandwidth**2) * max(bandwidth, 1.0) ** 2
    return jnp.where(inside, kernel, 0)


def _linear_hsic_biased(x, y, kept):
    if _few(x, y):
        return jnp.sum(matmul(x, x.T) * matmul(y, y.T))
    return jnp.sum(matmul(x.T, y) ** 2)


def _few(x, y):
    """Whether the kernels of the rows take less memory than the product of the dimensions, xᵀ y."""
    return len(x) < min(x.shape[1], y.shape[1])


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
    if _few(x, y):  # whose diagonals may be much larger than the rest, which they would round if taken out later
        return _hsic_unbiased(matmul(x, x.T), matmul(y, y.T), kept)
    check_rows(len(x), 4)
    norm_x, norm_y = jnp.sum(x * x, 1), jnp.sum(y * y, 1)
    product = jnp.sum(matmul(x.T, y) ** 2) - jnp.sum(norm_x * norm_y)
    return _hsic_1(kept, product, matmul(x, x.sum(0)) - norm_x, matmul(y, y.sum(0)) - norm_y)


def _hsic_1(kept, product, rows_k, rows_l):
    """Return HSIC_1 from `product` = tr(KL) and the row sums of kernels without diagonal (Song et al. 2012, eq. 5)."""
    n = kept.sum().astype(product.dtype)
    means = rows_k.sum() * rows_l.sum() / ((n - 1) * (n - 2))
    return jnp.where(n > 3, (product + means - 2 / (n - 2) * jnp.sum(rows_k * rows_l)) / (n * (n - 3)), jnp.nan)
