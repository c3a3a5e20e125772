"""Neighbourhoods in either set, and how far they are the same."""

import functools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike

from align.arrays import checks
from align.arrays.products import matmul
from align.arrays.scales import directions, unit
from align.metrics.comparable import about_middle, comparable, without


def mutual_knn_overlap(
    x: ArrayLike, y: ArrayLike, *, k: int = 10, metric: str = "euclidean", block: int = 1024
) -> Array:
    """Return the mean share of common members among the `k` nearest neighbours in two sets, in [0, 1].

    x: `[n, d_x]`. y: `[n, d_y]`, rows in correspondence. A row that is zero or not finite in either stands for one that
        is not there: it is nobody's neighbour, and left out of the mean.
    k: neighbours of each row among the other rows of its own set, all of them where fewer are there; chance is
        `k / (n - 1)`.
    metric: "euclidean" or "cosine", by which neighbours are near.
    block: rows that are compared at a time; memory O(block · n).

    Rows at the distance of the last neighbour share what places are left, so that duplicates and collapsed sets score
    as chance. Under the cosine, equal distances are those of equal directions as rounded: those of parallel rows of
    different lengths may differ. Invariant to orthogonal maps and isotropic scaling of either side, under the Euclidean
    metric to translation as well (of sets without rows of zero); not to other linear maps.

    Huh et al. 2024, section 2 and appendix A.

    Raises ValueError for mismatched rows, an unknown metric, and `k` outside 1 to `n - 1`.
    """
    x, y, *finite = comparable(x, y)
    if not checks.is_whole(k, most=len(x) - 1):
        raise ValueError(f"k is {k!r}; expected 1 to the number of other rows, {len(x) - 1}")
    return _mutual_knn_overlap(x, y, *finite, k, *check_search(metric, block))


@functools.partial(jax.jit, static_argnames=("k", "metric", "block"))
def _mutual_knn_overlap(x, y, finite_x, finite_y, k, metric, block):
    there = finite_x & finite_y & (x != 0).any(1) & (y != 0).any(1)
    sides = [_searchable(a, there, metric) for a in (x, y)]

    def shared(rows, index):
        own = index[:, None] == jnp.arange(len(there))[None]
        members = [
            _membership(jnp.where(own | ~there[None], -jnp.inf, matmul(part, a.T) - offset[None]), k)
            for part, (a, offset) in zip(rows, sides, strict=True)
        ]
        return jnp.sum(members[0] * members[1], 1) / jnp.minimum(k, there.sum() - 1).astype(x.dtype)

    overlap = by_blocks(shared, tuple(a for a, _ in sides), block)
    return jnp.where(there, overlap, 0).sum() / there.sum().astype(x.dtype)


def _searchable(x, there, metric):
    """Return rows and what is subtracted from their products, `[n]`: the nearest have the greatest difference."""
    # Of rows of length one the most alike are the nearest.
    x, scale = (directions(x), 1) if metric == "cosine" else unit(without(x, ~there))
    (x,) = about_middle(x, there, scale)
    x, _ = unit(without(x, ~there))
    return x, jnp.sum(x**2, 1) / 2


def _membership(closeness, k):
    """Return which of the columns `[rows, n]` are among the k greatest of a row; those equal to the last share."""
    last = _kth_greatest(closeness, k)
    before, equal = closeness > last, (closeness == last) & jnp.isfinite(closeness)
    places = (k - before.sum(1, keepdims=True)) / jnp.maximum(equal.sum(1, keepdims=True), 1)
    return jnp.where(before, 1, jnp.where(equal, places.astype(closeness.dtype), 0))


def _kth_greatest(values, k):
    """Return the k-th greatest value of each row `[rows, n]`, as a column.

    The k greatest lie in the k chunks of the greatest maxima: what is left to sort is short.
    """
    rows, n = values.shape
    size = max(1, round(math.sqrt(n / k)))
    chunks = -(-n // size)
    if chunks > k:
        padded = jnp.pad(values, ((0, 0), (0, chunks * size - n)), constant_values=-jnp.inf)
        padded = padded.reshape(rows, chunks, size)
        best = lax.top_k(padded.max(2), k)[1]
        values = jnp.take_along_axis(padded, best[:, :, None], axis=1).reshape(rows, -1)
    # Behind a barrier: XLA sorts whole rows where it sees that only the last of the greatest is asked for.
    return lax.optimization_barrier(lax.top_k(values, k)[0])[:, -1:]


def check_search(metric: str, block: int) -> tuple[str, int]:
    """Return both; ValueError for a metric that is not known and a block that holds no row."""
    if metric not in ("cosine", "euclidean"):
        raise ValueError(f"metric is {metric!r}; expected 'cosine' or 'euclidean'")
    if not checks.is_whole(block):
        raise ValueError(f"block is {block!r}; expected a positive number of rows")
    return metric, block


def by_blocks(function: Callable[..., Array], arrays: tuple[Array, ...], block: int) -> Array:
    """Return `function(rows, index)` over blocks of rows, concatenated; the last block repeats the final row."""
    n = len(arrays[0])
    index = (
        jnp.minimum(jnp.arange(-(-n // block) * block).reshape(-1, block), n - 1) if n > block else jnp.arange(n)[None]
    )
    return lax.map(lambda i: function(tuple(a[i] for a in arrays), i), index).reshape(-1)[:n]
