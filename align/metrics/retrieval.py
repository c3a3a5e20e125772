"""Neighbourhoods in either set, and retrieval across."""

import functools

import jax
import jax.numpy as jnp
from jax import Array, lax

from align.arrays import checks
from align.arrays.products import matmul
from align.metrics.comparable import comparable, squared_distances


def mutual_knn_overlap(x: Array, y: Array, *, k: int = 10, metric: str = "euclidean", block: int = 1024) -> Array:
    """Return the mean share of common members among the `k` nearest neighbours in `x` and in `y`, in [0, 1].

    Neighbours of each of the `n` rows among the other rows of its own set, by Euclidean distance or by cosine; chance
    is `k / (n - 1)`. Invariant to orthogonal maps and isotropic scaling of either side, under the Euclidean metric to
    translation as well; not to other linear maps. Memory O(block · n).

    Huh et al. 2024, section 2 and appendix A.

    Raises ValueError for mismatched rows, an unknown metric, and `k` outside 1 to `n - 1`.
    """
    x, y = comparable(x, y)
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
    return _retrieval_ranks(*comparable(x, y, same=True), *_searched(metric, block))


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
        return matmul(x, y.T)
    mean = y.mean(0)
    return -squared_distances(x - mean, y - mean)


def _by_blocks(function, arrays, block):
    """Return `function(rows, index)` over blocks of rows, concatenated; the last block repeats the final row."""
    n = len(arrays[0])
    index = (
        jnp.minimum(jnp.arange(-(-n // block) * block).reshape(-1, block), n - 1) if n > block else jnp.arange(n)[None]
    )
    return lax.map(lambda i: function(tuple(a[i] for a in arrays), i), index).reshape(-1)[:n]
