"""Similarity of two sets of representations as pure functions of arrays.

Every metric takes `x` `[n, d_x]` and `y` `[n, d_y]` with rows in correspondence and returns a scalar (or one value a
row or a component). All are invariant to a permutation of the rows applied to both sides, `minibatch_cka` excepted,
and none survives a permutation of one side. What else each of them ignores:

| metric                     | translation | orthogonal | isotropic scale | invertible linear |
|----------------------------|-------------|------------|-----------------|-------------------|
| `linear_cka`               | yes         | yes        | yes             | no                |
| `kernel_cka`               | yes         | yes        | yes             | no                |
| `minibatch_cka`            | yes         | yes        | yes             | no                |
| `canonical_correlations`   | yes         | yes        | yes             | yes               |
| `cca`                      | yes         | yes        | yes             | yes               |
| `svcca`                    | yes         | yes        | yes             | no                |
| `procrustes_distance`      | yes         | yes        | `normalise`     | no                |
| `mutual_knn_overlap`       | Euclidean   | yes        | yes             | no                |
| `retrieval_ranks`, …       | Euclidean*  | both*      | cosine; both*   | no                |
| `relative_residual`, …     | both*       | both*      | both*           | no                |

Each side may be transformed on its own, except where marked `both*`: there `x` is a prediction of `y` in the space of
`y`, and only a transformation applied to both sides leaves the value alone.

Integers and half precisions are computed in float32. Where a value is undefined, as for a constant set, it is NaN or
infinite.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from align import checks
from align.solvers import inputs

# Float32 products would otherwise run in TF32 on recent GPUs and in bfloat16 on TPUs.
_matmul = functools.partial(jnp.matmul, precision=lax.Precision.HIGHEST)


# Centred kernel alignment


def linear_cka(x: Array, y: Array, *, unbiased: bool = False) -> Array:
    """Return the centred kernel alignment of `x` `[n, d_x]` and `y` `[n, d_y]` under linear kernels, a scalar.

    Invariant to translation, orthogonal maps and isotropic scaling of either side; not to other linear maps. The
    biased value lies in [0, 1] and tends to 1 as the dimensions exceed `n`; the unbiased one (HSIC_1) has expectation
    near 0 for independent sets at any `n`, and can be slightly negative. Memory O(n d): no kernel matrix is formed.

    Kornblith et al. 2019, equation 4; Song et al. 2012, equation 5, for HSIC_1.

    Raises ValueError for mismatched rows and, if `unbiased`, for fewer than 4 rows.
    """
    x, y = map(_centre, _paired(x, y))
    hsic = _linear_hsic_unbiased if unbiased else lambda a, b: jnp.sum(_matmul(a.T, b) ** 2)
    return _alignment(hsic, x, y)


def kernel_cka(x: Array, y: Array, *, bandwidth: float = 1.0, unbiased: bool = False) -> Array:
    """Return the centred kernel alignment of `x` `[n, d_x]` and `y` `[n, d_y]` under Gaussian kernels, a scalar.

    The width of each kernel is `bandwidth` times the median distance within its set, which makes the metric invariant
    to isotropic scaling of either side beside translation and orthogonal maps; it is not invariant to other linear
    maps. Small bandwidths compare neighbourhoods, large ones approach `linear_cka`. Memory O(n²).

    Kornblith et al. 2019, section 3; Song et al. 2012, equation 5, for `unbiased`.

    Raises ValueError for mismatched rows, a bandwidth that is not positive, and fewer than 2 (`unbiased`: 4) rows.
    """
    x, y = _paired(x, y, least=2)
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
    x, y = _paired(x, y)
    if not checks.is_whole(batch_size, least=4, most=len(x)):
        raise ValueError(f"batch_size is {batch_size!r}; expected 4 to the number of rows, {len(x)}")
    return _minibatch_cka(x, y, batch_size, bandwidth)


@functools.partial(jax.jit, static_argnames=("batch_size", "bandwidth"))
def _minibatch_cka(x, y, batch_size, bandwidth):
    batches = len(x) // batch_size
    x, y = (a[: batches * batch_size].reshape(batches, batch_size, -1) for a in (x, y))

    def terms(batch):
        if bandwidth is None:
            a, b = map(_centre, batch)
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
    squared = _squared_distances(_centre(x), _centre(x))
    median = jnp.median(squared[np.triu_indices(len(x), 1)])
    return jnp.exp(-squared / (2 * bandwidth**2 * median))


def _hsic_biased(k, l):
    k, l = (a - a.mean(0) - a.mean(1, keepdims=True) + a.mean() for a in (k, l))
    return jnp.sum(k * l)


def _hsic_unbiased(k, l):
    n = _at_least(len(k), 4)
    k, l = (a - jnp.diag(jnp.diag(a)) for a in (k, l))
    return _hsic_1(n, jnp.sum(k * l), k.sum(1), l.sum(1))


def _linear_hsic_unbiased(x, y):
    """Return HSIC_1 of the kernels x xᵀ and y yᵀ, whose diagonals are dropped, in O(n d²)."""
    n = _at_least(len(x), 4)
    norm_x, norm_y = jnp.sum(x * x, 1), jnp.sum(y * y, 1)
    product = jnp.sum(_matmul(x.T, y) ** 2) - jnp.sum(norm_x * norm_y)
    return _hsic_1(n, product, _matmul(x, x.sum(0)) - norm_x, _matmul(y, y.sum(0)) - norm_y)


def _hsic_1(n, product, rows_k, rows_l):
    """Return HSIC_1 from `product` = tr(KL) and the row sums of kernels without diagonal (Song et al. 2012, eq. 5)."""
    means = rows_k.sum() * rows_l.sum() / ((n - 1) * (n - 2))
    return (product + means - 2 / (n - 2) * jnp.sum(rows_k * rows_l)) / (n * (n - 3))


# Canonical correlations


def canonical_correlations(x: Array, y: Array) -> Array:
    """Return the canonical correlations of `x` `[n, d_x]` and `y` `[n, d_y]`, descending, `[min(d_x, d_y, n)]`.

    Invariant to invertible affine maps of either side. Directions without variance (below `max(d, 1)·eps` of the
    largest) are left out and read as 0. With `n - 1` at most `d_x` or `d_y` they are all 1 and say nothing.

    Hotelling 1936; computed from orthonormal bases as in Björck and Golub 1973.

    Raises ValueError for mismatched rows.
    """
    x, y = _paired(x, y)
    return _correlations(_basis(x)[0], _basis(y)[0])


def cca(x: Array, y: Array) -> Array:
    """Return the mean canonical correlation of `x` `[n, d_x]` and `y` `[n, d_y]`, a scalar in [0, 1].

    The mean runs over the smaller of the two ranks. Invariant to invertible affine maps of either side.

    Raghu et al. 2017, section 2; Kornblith et al. 2019, table 1. Raises ValueError for mismatched rows.
    """
    return svcca(x, y, variance=1.0)


def svcca(x: Array, y: Array, *, variance: float = 0.99) -> Array:
    """Return the mean canonical correlation of the leading principal components of `x` and `y`, a scalar in [0, 1].

    On each side the fewest components that hold the share `variance` of the total variance are kept. Invariant to
    translation, orthogonal maps and isotropic scaling of either side; to other linear maps only at `variance=1`.

    Raghu et al. 2017, section 2. Raises ValueError for mismatched rows or a variance outside (0, 1].
    """
    if not checks.is_positive(variance, most=1):
        raise ValueError(f"variance is {variance!r}; expected a share in (0, 1]")
    x, y = _paired(x, y)
    (basis_x, rank_x), (basis_y, rank_y) = _basis(x, variance), _basis(y, variance)
    # Directions that were left out have correlation 0, so the sum is that over the kept ones.
    return _correlations(basis_x, basis_y).sum() / jnp.minimum(rank_x, rank_y)


def _correlations(basis_x, basis_y):
    return jnp.clip(jnp.linalg.svd(_matmul(basis_x.T, basis_y), compute_uv=False), 0, 1)


def _basis(x, variance=1.0):
    """Return an orthonormal basis `[n, min(n, d)]` of the column space of centred `x`, unused columns 0, and its rank.

    A QR decomposition and the SVD of its small factor keep float32 accuracy, which the Gram matrix would square away.
    """
    q, r = jnp.linalg.qr(_centre(x))
    u, s, _ = jnp.linalg.svd(r, full_matrices=False)
    present = s > max(x.shape[1], 1) * jnp.finfo(s.dtype).eps * s[0]
    power = jnp.where(present, s**2, 0)
    # A component is kept if those before it fall short of the share asked for.
    kept = present & (jnp.cumsum(power) - power < variance * power.sum())
    return _matmul(q, u) * kept, kept.sum()


# Shape


def procrustes_distance(x: Array, y: Array, *, normalise: bool = True) -> Array:
    """Return the Procrustes distance of `x` `[n, d_x]` and `y` `[n, d_y]`, a scalar.

    The least Frobenius norm of `x Q - y` over orthogonal `Q` after centring, and with `normalise` after scaling each
    side to unit norm, which bounds it by √2. A metric: symmetric, with the triangle inequality. The smaller dimension
    is padded with zeros. Invariant to translation and orthogonal maps of either side, with `normalise` also to
    isotropic scaling; not to other linear maps. First derivatives are exact.

    Williams et al. 2021, section 2.2; Ding et al. 2021, section 3. Raises ValueError for mismatched rows.
    """
    x, y = map(_centre, _paired(x, y))
    d = max(x.shape[1], y.shape[1])
    x, y = (jnp.pad(a, ((0, 0), (0, d - a.shape[1]))) for a in (x, y))
    if normalise:
        x, y = (a / jnp.linalg.norm(a) for a in (x, y))
    u, _, vt = jnp.linalg.svd(_matmul(x.T, y))
    # At the optimum the derivative through Q vanishes, while that of the SVD is undefined at equal singular values.
    # The norm of the residual itself, unlike 2 - 2·Σσ, keeps small distances from cancelling.
    rotation = lax.stop_gradient(_matmul(u, vt))
    return jnp.linalg.norm(_matmul(x, rotation) - y)


# Neighbourhoods and retrieval


def mutual_knn_overlap(x: Array, y: Array, *, k: int = 10, metric: str = "euclidean", block: int = 1024) -> Array:
    """Return the mean share of common members among the `k` nearest neighbours in `x` and in `y`, in [0, 1].

    Neighbours of each of the `n` rows among the other rows of its own set, by Euclidean distance or by cosine; chance
    is `k / (n - 1)`. Invariant to orthogonal maps and isotropic scaling of either side, under the Euclidean metric to
    translation as well; not to other linear maps. Memory O(block · n).

    Huh et al. 2024, section 2 and appendix A.

    Raises ValueError for mismatched rows, an unknown metric, and `k` outside 1 to `n - 1`.
    """
    x, y = _paired(x, y)
    if not checks.is_whole(k, most=len(x) - 1):
        raise ValueError(f"k is {k!r}; expected 1 to the number of other rows, {len(x) - 1}")
    return _mutual_knn_overlap(x, y, k, *_searched(metric, block))


@functools.partial(jax.jit, static_argnames=("k", "metric", "block"))
def _mutual_knn_overlap(x, y, k, metric, block):
    def shared(rows, index):
        near_x, near_y = (
            lax.top_k(jnp.where(index[:, None] == jnp.arange(len(a)), -jnp.inf, _closeness(part, a, metric)), k)[1]
            for part, a in zip(rows, (x, y), strict=True)
        )
        return jnp.sum(near_x[:, :, None] == near_y[:, None, :], (1, 2))

    return _by_blocks(shared, (x, y), block).mean() / k


def retrieval_ranks(x: Array, y: Array, *, metric: str = "cosine", block: int = 1024) -> Array:
    """Return the rank, from 1, of row i of `y` among all rows of `y` for row i of `x`, float `[n]`.

    `x` and `y` are `[n, d]`, `x` a prediction of `y`. Ties take the middle rank, so a collapsed map scores as chance;
    a row that is not finite ranks last. By cosine each row of either side may be scaled on its own; by Euclidean
    distance both sides may be translated or scaled together; an orthogonal map may be applied to both. Memory
    O(block · n).

    Raises ValueError for mismatched shapes and an unknown metric.
    """
    return _retrieval_ranks(*_paired(x, y, same=True), *_searched(metric, block))


@functools.partial(jax.jit, static_argnames=("metric", "block"))
def _retrieval_ranks(x, y, metric, block):
    def ranks(rows, index):
        closeness = _closeness(rows[0], y, metric)
        own = jnp.take_along_axis(closeness, index[:, None], 1)
        other = index[:, None] != jnp.arange(len(y))
        # Not "greater": a comparison with NaN is false, and must count against the row.
        return 1 + jnp.sum(other & ~(closeness <= own), 1) + jnp.sum(other & (closeness == own), 1) / 2

    return _by_blocks(ranks, (x,), block)


def mean_reciprocal_rank(x: Array, y: Array, *, metric: str = "cosine") -> Array:
    """Return the mean of 1/rank with which row i of `x` `[n, d]` retrieves row i of `y` `[n, d]`, in (0, 1].

    Invariances and errors as for `retrieval_ranks`.
    """
    return jnp.mean(1 / retrieval_ranks(x, y, metric=metric))


def top_k_accuracy(x: Array, y: Array, *, k: int = 10, metric: str = "cosine") -> Array:
    """Return the share of rows of `x` `[n, d]` with their own row of `y` `[n, d]` among the `k` nearest, in [0, 1].

    Invariances and errors as for `retrieval_ranks`; chance is `k / n`.
    """
    if not checks.is_whole(k):
        raise ValueError(f"k is {k!r}; expected a positive number of neighbours")
    return jnp.mean(retrieval_ranks(x, y, metric=metric) <= k)


def _searched(metric, block):
    if metric not in ("cosine", "euclidean"):
        raise ValueError(f"metric is {metric!r}; expected 'cosine' or 'euclidean'")
    if not checks.is_whole(block):
        raise ValueError(f"block is {block!r}; expected a positive number of rows")
    return metric, block


def _closeness(x, y, metric):
    if metric == "cosine":
        x, y = (a / jnp.linalg.norm(a, axis=1, keepdims=True) for a in (x, y))
        return _matmul(x, y.T)
    mean = y.mean(0)
    return -_squared_distances(x - mean, y - mean)


def _squared_distances(x, y):
    """Return `[n_x, n_y]` squared distances; centre the arguments first, or the differences of large norms cancel."""
    return jnp.maximum(jnp.sum(x * x, 1)[:, None] + jnp.sum(y * y, 1) - 2 * _matmul(x, y.T), 0)


def _by_blocks(function, arrays, block):
    """Return `function(rows, index)` over blocks of rows, concatenated; the last block repeats the final row."""
    n = len(arrays[0])
    index = (
        jnp.minimum(jnp.arange(-(-n // block) * block).reshape(-1, block), n - 1) if n > block else jnp.arange(n)[None]
    )
    return lax.map(lambda i: function(tuple(a[i] for a in arrays), i), index).reshape(-1)[:n]


# Predictions


def relative_residual(x: Array, y: Array) -> Array:
    """Return ‖x - y‖ / ‖y - mean(y)‖ in Frobenius norms for a prediction `x` `[n, d]` of `y` `[n, d]`, a scalar.

    0 for a perfect prediction, 1 for predicting the mean. Invariant to one translation, orthogonal map or isotropic
    scaling applied to both sides; it changes when one side alone is moved. Raises ValueError for mismatched shapes.
    """
    x, y = _paired(x, y, same=True)
    return jnp.linalg.norm(x - y) / jnp.linalg.norm(_centre(y))


def r_squared(x: Array, y: Array) -> Array:
    """Return the share of the variance of `y` `[n, d]` that the prediction `x` `[n, d]` explains, at most 1.

    `1 - relative_residual²`, with its invariances and errors.
    """
    return 1 - relative_residual(x, y) ** 2


def mean_cosine(x: Array, y: Array) -> Array:
    """Return the mean cosine between row i of `x` `[n, d]` and row i of `y` `[n, d]`, in [-1, 1].

    Invariant to an orthogonal map of both sides and to positive scaling of any row; not to translation. Raises
    ValueError for mismatched shapes.
    """
    x, y = _paired(x, y, same=True)
    return jnp.mean(jnp.sum(x * y, 1) / (jnp.linalg.norm(x, axis=1) * jnp.linalg.norm(y, axis=1)))


# Arguments


def _paired(x, y, *, same=False, least=1):
    """Return both as floating arrays of at least single precision, or raise ValueError for what cannot be compared."""
    x, y = inputs.as_array("x", x), inputs.as_array("y", y)
    for name, a in (("x", x), ("y", y)):
        if a.ndim != 2:
            raise ValueError(f"{name} has shape {a.shape}; expected two axes, rows and features")
        if jnp.issubdtype(a.dtype, jnp.complexfloating):
            raise ValueError(f"{name} has dtype {a.dtype}; expected real numbers")
        if a.shape[1] == 0:
            raise ValueError(f"{name} has shape {a.shape}; expected at least one feature")
    if len(x) != len(y):
        raise ValueError(f"x has {len(x)} rows and y {len(y)}; expected the same number, in correspondence")
    if same and x.shape != y.shape:
        raise ValueError(f"x has shape {x.shape} and y {y.shape}; expected a prediction in the space of y")
    _at_least(len(x), least)
    return tuple(a.astype(jnp.promote_types(a.dtype, jnp.float32)) for a in (x, y))


def _at_least(n, least):
    if n < least:
        raise ValueError(f"x and y have {n} rows; expected at least {least}")
    return n


def _centre(x):
    return x - x.mean(0)
