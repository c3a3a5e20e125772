"""Centred kernel alignment."""

import functools

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike

from align.arrays import checks
from align.arrays.products import matmul
from align.arrays.scales import unit
from align.metrics.comparable import (
    centred_sets,
    check_rows,
    comparable,
    greatest,
    mean,
    middle_of_most,
    squared_distances,
    without,
)


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
    sides = _sets_about_most(*comparable(x, y, least=4)) if unbiased else centred_sets(x, y)
    return _linear_cka(*sides, bool(unbiased))


@functools.partial(jax.jit, static_argnames="unbiased")
def _linear_cka(x, y, kept, unbiased):
    hsic, x, y = _linear_unbiased(x, y) if unbiased else (_linear_hsic_biased, x, y)
    return _alignment(hsic, x, y, kept)


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
    sides = _sets_about_most(*comparable(x, y, least=4 if unbiased else 2))
    return _kernel_cka(*sides, bandwidth, bool(unbiased))


@functools.partial(jax.jit, static_argnames="unbiased")
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
    batches = [a[: rows // batch_size * batch_size].reshape(-1, batch_size, *a.shape[1:]) for a in given]
    return _minibatch_cka(*_sets_about_most(*batches), bandwidth)


@jax.jit
def _minibatch_cka(x, y, kept, bandwidth):
    def terms(batch):
        a, b, inside = batch
        if bandwidth is None:
            hsic, a, b = _linear_unbiased(a, b)
        else:
            a, b = (_gaussian(part, inside, bandwidth) for part in (a, b))
            hsic = _hsic_unbiased
        return jnp.stack([hsic(a, b, inside), hsic(a, a, inside), hsic(b, b, inside)])

    cross, own_x, own_y = mean(lax.map(terms, (x, y, kept)), kept.sum(1) >= 4)
    return cross / (jnp.sqrt(own_x) * jnp.sqrt(own_y))


def _alignment(hsic, x, y, kept):
    cosine = hsic(x, y, kept) / (jnp.sqrt(hsic(x, x, kept)) * jnp.sqrt(hsic(y, y, kept)))
    return jnp.minimum(cosine, 1)  # but for rounding; NaN stays


def _check_bandwidth(bandwidth):
    if not checks.is_positive(bandwidth):
        raise ValueError(f"bandwidth is {bandwidth!r}; expected a positive multiple of the median distance")


@jax.jit
def _sets_about_most(x, y, finite_x, finite_y):
    """Return both sets `[..., n, d]`, or batches of them, in common units of about 1, and the rows `[..., n]` to count.

    Each is about the mean of most of its rows, and zero in the others: what HSIC_1 and distances are does not depend on
    the point.
    """
    kept = finite_x & finite_y
    about = jnp.vectorize(_about_most, signature="(n,d),(n)->(n,d)")
    return *(unit(about(unit(jnp.where(kept[..., None], a, 0))[0], kept))[0] for a in (x, y)), kept


def _about_most(x, kept):
    first, middle = middle_of_most(x, kept)
    return without(x - first - middle, ~kept)


def _gaussian(x, kept, bandwidth):
    """Return the kernel matrix `[n, n]` of the rows that are kept up to what CKA ignores, zero for the others."""
    # A row is no distance from itself, whatever rounding leaves of the squares of a long one.
    inside = kept[:, None] & kept[None] & ~jnp.eye(len(x), dtype=bool)
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
    bandwidth = jnp.clip(jnp.asarray(bandwidth, x.dtype), eps, 1 / eps)
    # Less 1, which HSIC takes out: of a wide kernel only the rest has digits. Times the square of the width, as the
    # rest is small.
    kernel = jnp.expm1(-squared / (2 * median) / bandwidth**2) * jnp.maximum(bandwidth, 1) ** 2
    return jnp.where(inside, kernel, 0)


def _linear_hsic_biased(x, y, kept):
    if _few(x, y):
        return jnp.sum(matmul(x, x.T) * matmul(y, y.T))
    return jnp.sum(matmul(x.T, y) ** 2)


def _few(x, y):
    """Say whether the kernels of the rows take less memory than the product of the dimensions, xᵀ y."""
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


def _linear_unbiased(x, y):
    """Return HSIC_1 under linear kernels in O(n d min(n, d)), a function, and what it takes of x and of y.

    The diagonals of x xᵀ and y yᵀ do not enter. Those of one long row, in a sum and in what is taken from it, would
    hide all else: without them Σ_{i≠j} k l is that of the other rows and of the pairs of which one or both are long.
    """
    check_rows(len(x), 4)
    if _few(x, y):  # whose diagonals may be much larger than the rest, which they would round if taken out later
        return _hsic_unbiased, matmul(x, x.T), matmul(y, y.T)
    norms = [jnp.sum(a * a, 1) for a in (x, y)]
    far = greatest(norms[0])
    far = jnp.concatenate([far, greatest(norms[1].at[far].set(-1))])  # no row twice
    near = jnp.ones(len(x), bool).at[far].set(False)
    own, times = far[:, None] == jnp.arange(len(x), dtype=far.dtype)[None], jnp.where(near, 2, 1).astype(x.dtype)

    def side(a, norms):
        pairs = jnp.where(own, 0, matmul(a[far], a.T))
        rows = (matmul(a, a.sum(0)) - norms).at[far].set(pairs.sum(1))
        return without(a, ~near), jnp.where(near, norms, 0), pairs, rows

    def hsic(one, other, kept):
        (rest, norms, pairs, rows), (rest_y, norms_y, pairs_y, rows_y) = one, other
        product = jnp.sum(matmul(rest.T, rest_y) ** 2) - jnp.sum(norms * norms_y)
        return _hsic_1(kept, product + jnp.sum(times[None] * pairs * pairs_y), rows, rows_y)

    return hsic, *map(side, (x, y), norms)


def _hsic_1(kept, product, rows_k, rows_l):
    """Return HSIC_1 from `product` = tr(KL) and the row sums of kernels without diagonal (Song et al. 2012, eq. 5)."""
    n = kept.sum().astype(product.dtype)
    means = rows_k.sum() * rows_l.sum() / ((n - 1) * (n - 2))
    return jnp.where(n > 3, (product + means - 2 / (n - 2) * jnp.sum(rows_k * rows_l)) / (n * (n - 3)), jnp.nan)
