"""Exact nearest neighbours, in blocks: bounded memory, and the search itself costs little more than the product."""

import functools
import math

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import ArrayLike

from align.arrays import checks
from align.arrays.products import matmul

# Inner products held at a time, per pair of point sets: 16 MB of float32.
_HELD = 2**22


def nearest(
    queries: ArrayLike, points: ArrayLike, *, count: int = 1, penalty: jax.Array | None = None
) -> tuple[jax.Array, jax.Array]:
    """Find the `count` points nearest to each query, nearest first; the lower index wins a tie for the first.

    queries `[*groups, n, d]`, points `[*groups, m, d]`, penalty `[*groups, m]`: added to the squared distances of a
    point before they are compared, inf to leave it out. A query never meets the points of another group.

    Returns indices `[*groups, n, count]` into the m points, and the squared distances, without penalty, of the same
    shape. Where a group has no point left, the indices mean nothing. ValueError for shapes that do not fit.
    """
    queries, points = jnp.asarray(queries), jnp.asarray(points)
    if queries.ndim < 2 or queries.shape[:-2] != points.shape[:-2] or queries.shape[-1] != points.shape[-1]:
        raise ValueError(
            f"queries and points must be [*groups, rows, dimensions], alike but for their rows; "
            f"they are {queries.shape} and {points.shape}"
        )
    if not checks.is_whole(count, most=points.shape[-2]):
        raise ValueError(f"count must lie between 1 and the {points.shape[-2]} points; it is {count!r}")
    if penalty is None:
        penalty = jnp.zeros(points.shape[:-1], points.dtype)
    groups = queries.shape[:-2]
    flat = [a.reshape(-1, *a.shape[len(groups) :]) for a in (queries, points, penalty)]
    return tuple(a.reshape(*groups, *a.shape[1:]) for a in _nearest(*flat, count))


def mutual(
    queries: jax.Array, points: jax.Array, *, query_penalty: jax.Array | None = None, penalty: jax.Array | None = None
) -> tuple[jax.Array, jax.Array]:
    """Match each query to its nearest point where it is that point's nearest query too.

    Returns indices `[*groups, n]` and whether each is mutual; arguments as for `nearest`.
    """
    forth = nearest(queries, points, penalty=penalty)[0][..., 0]
    back = nearest(points, queries, penalty=query_penalty)[0][..., 0]
    return forth, jnp.take_along_axis(back, forth, axis=-1) == lax.broadcasted_iota(
        back.dtype, forth.shape, forth.ndim - 1
    )


@jax.jit
def discrepancy(
    mapped: jax.Array,
    target: jax.Array,
    *,
    mapped_penalty: jax.Array | None = None,
    target_penalty: jax.Array | None = None,
) -> jax.Array:
    """Score how far two samples are from coming from one distribution: 0 if they do, and greater the less they do.

    mapped `[*groups, n, d]`, target `[*groups, m, d]`; rows of infinite penalty `[*groups, n]`, `[*groups, m]` are left
    out. The mean logarithm of the distance to the nearest of the other side over that to the nearest of one's own,
    both ways: per dimension, an estimate of the symmetrised Kullback-Leibler divergence (Wang, Kulkarni and Verdu
    2009). Distances across alone fall when a map shrinks the source; this ratio does not. Rows that their own side has
    twice say nothing of how close others lie, and are left out too; where all are, the score is NaN.
    """

    def one_way(x, y, x_penalty, y_penalty):
        x_inside, y_inside = (
            jnp.ones(a.shape[:-1], bool) if p is None else jnp.isfinite(p) for a, p in ((x, x_penalty), (y, y_penalty))
        )
        # A lone point has no other of its own side, and a group without points none across.
        enough = (x_inside.sum(-1, keepdims=True) > 1) & y_inside.any(-1, keepdims=True)
        inside = x_inside & enough
        across = nearest(x, y, penalty=y_penalty)[1][..., 0]
        within = nearest(x, x, count=min(2, x.shape[-2]), penalty=x_penalty)[1][..., -1]
        smallest = jnp.finfo(x.dtype).eps ** 2 * (x**2).sum(-1).max()
        apart = within > 64 * smallest  # but for what rounding makes of one row
        ratio = jnp.log(jnp.maximum(across, smallest)) - jnp.log(jnp.where(apart, within, 1))
        return ratio.mean(where=inside & apart) / 2

    forth = one_way(mapped, target, mapped_penalty, target_penalty)
    return (forth + one_way(target, mapped, target_penalty, mapped_penalty)) / 2


@functools.partial(jax.jit, static_argnames="count")
def _nearest(queries, points, penalty, count):
    # |x − y|² + p(y) is least where x·y − (|y|² + p(y))/2 is greatest. XLA's argmax on a CPU takes several times as
    # long as the product, a maximum does not; so take maxima of chunks, and search only the chunks that hold the
    # result: the k greatest values lie in the k chunks of the greatest maxima.
    groups, n, d = queries.shape
    m = points.shape[1]
    chunk = 2 ** max(3, round(math.log2(m) / 2))
    chunks = -(-m // chunk)
    block = max(1, min(n, 256, _HELD // m))
    blocks = -(-n // block)

    centre = points.mean(1, keepdims=True)  # close to the points, so that little is lost to cancellation
    pad = ((0, 0), (0, chunks * chunk - m), (0, 0))
    y = jnp.pad(points - centre, pad)
    far = jnp.finfo(y.dtype).max / 4  # finite: accelerators take products in parts, and inf − inf is no number
    offset = jnp.minimum(jnp.pad((y[:, :m] ** 2).sum(2) + penalty, pad[:2], constant_values=jnp.inf) / 2, far)
    # The offset is one more dimension. The i-th points of all chunks lie side by side: maxima over i are of vectors.
    y = jnp.concatenate([y, -offset[..., None]], axis=2).reshape(groups, chunks, chunk, d + 1).swapaxes(1, 2)
    x = jnp.pad(queries - centre, ((0, 0), (0, blocks * block - n), (0, 0)))
    x = jnp.concatenate([x, jnp.ones_like(x[..., :1])], axis=2).reshape(groups, blocks, block, d + 1)

    def group(inputs):
        blocks, y = inputs

        def search(rows):
            scores = matmul(rows, y.reshape(-1, d + 1).T).reshape(block, chunk, chunks)
            best = _greatest(scores.max(1), min(count, chunks))[1].astype(jnp.int32)
            candidates = jnp.take_along_axis(scores, best[:, None], axis=2).swapaxes(1, 2).reshape(block, -1)
            within = _greatest(candidates, count)[1].astype(jnp.int32)
            return jnp.take_along_axis(best, within // chunk, axis=1) * chunk + within % chunk

        return lax.map(search, blocks)

    indices = lax.map(group, (x, y))
    indices = jnp.minimum(indices.reshape(groups, -1, count)[:, :n], m - 1)
    found = jax.vmap(lambda p, i: p[i])(points, indices)
    return indices, ((queries[:, :, None] - found) ** 2).sum(-1)


def _greatest(values, count):
    """Return the greatest values of each row `[n, count]`, and where they are."""
    if count > 1:
        return lax.top_k(values, count)
    where = jnp.argmax(values, 1, keepdims=True)
    return jnp.take_along_axis(values, where, axis=1), where
