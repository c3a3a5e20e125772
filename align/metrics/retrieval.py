"""Retrieval across: where the row that was predicted stands among all."""

import functools

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from align.arrays import checks
from align.arrays.products import matmul
from align.arrays.scales import directions, unit
from align.metrics.comparable import PREDICTION, about_middle, comparable, without
from align.metrics.neighbourhoods import by_blocks, check_search


def retrieval_ranks(prediction: ArrayLike, target: ArrayLike, *, metric: str = "cosine", block: int = 1024) -> Array:
    """Return the rank, from 1, of each row of the target among all its rows for its prediction, float `[n]`.

    prediction: `[n, d]`, in the space of the target, row by row.
    target: `[n, d]`.
    metric: "cosine", by which each row of either side may be scaled on its own; or "euclidean", by which both sides
        may be translated or scaled together. An orthogonal map may be applied to both.
    block: predictions that are compared at a time; memory O(block · n).

    Ties take the middle rank, so a collapsed map scores as chance. Under the cosine, ties are equal directions as
    rounded: those of parallel rows of different lengths may differ. Where the prediction or the target of a row is not
    finite, or zero under the cosine, that row ranks last, and nobody else is harmed.

    Raises ValueError for mismatched shapes and an unknown metric.
    """
    ranks = _ranks(prediction, target, metric, block)
    return jnp.minimum(ranks, len(ranks))


def _ranks(prediction, target, metric, block=1024):
    """Return what `retrieval_ranks` does, but infinity for a row that counts as missed."""
    metric, block = check_search(metric, block)
    return _retrieval_ranks(*comparable(prediction, target, names=PREDICTION), metric, block)


@functools.partial(jax.jit, static_argnames=("metric", "block"))
def _retrieval_ranks(prediction, target, made, known, metric, block):
    if metric == "cosine":
        prediction, target = directions(prediction), directions(target)
        made, known = made & (prediction != 0).any(1), known & (target != 0).any(1)
        # Of rows of length one the most alike are the nearest; of nearly equal ones only their differences have digits.
        target, prediction = about_middle(target, known, 1, prediction)
        # What rounding leaves of the differences of equal rows, such as all of a collapsed target, is none.
        apart = jnp.linalg.norm(target, axis=1, keepdims=True) > 4 * jnp.finfo(target.dtype).eps
        target = jnp.where(apart, target, 0)
    else:
        prediction, target = _about_the_target(prediction, target, known)
    # |p − t|² is least where 2 p·t − |t|² is greatest.
    offset = jnp.where(known, jnp.sum(target**2, 1) / 2, jnp.inf)

    def ranks(rows, index):
        (part, part_made) = rows
        closeness = matmul(part, target.T) - offset[None]
        own = jnp.take_along_axis(closeness, index[:, None], 1)
        other = index[:, None] != jnp.arange(len(target))[None]
        # Not "greater": a comparison with NaN is false, and must count against the row.
        before = jnp.sum(other & ~(closeness <= own), 1)
        equal = jnp.sum(other & (closeness == own), 1)
        found = part_made & known[index]
        return jnp.where(found, 1 + before.astype(part.dtype) + equal.astype(part.dtype) / 2, jnp.inf)

    return by_blocks(ranks, (prediction, made), block)


def _about_the_target(prediction, target, known):
    """Return both about the target's mean, in units in which the target is about 1 and no product overflows."""
    target, scale = unit(target)
    prediction, own = unit(prediction, axis=1)
    # A row that is further off than the digits of the numbers reach is as good as at that distance.
    furthest = 2.0**60
    prediction = prediction * jnp.minimum(own / scale, furthest)
    target, prediction = about_middle(target, known, scale, prediction)
    target, finer = unit(without(target, ~known))
    return prediction / finer, target


def mean_reciprocal_rank(prediction: ArrayLike, target: ArrayLike, *, metric: str = "cosine") -> Array:
    """Return the mean of 1/rank with which each row of the prediction retrieves its row of the target, in (0, 1].

    prediction: `[n, d]`, in the space of the target, row by row.
    target: `[n, d]`.
    metric: "cosine" or "euclidean".

    Invariances, errors and rows that count as missed as for `retrieval_ranks`.
    """
    return jnp.mean(1 / retrieval_ranks(prediction, target, metric=metric))


def top_k_accuracy(prediction: ArrayLike, target: ArrayLike, *, k: int = 10, metric: str = "cosine") -> Array:
    """Return the share of rows of the prediction with their own row of the target among the `k` nearest, in [0, 1].

    prediction: `[n, d]`, in the space of the target, row by row.
    target: `[n, d]`.
    k: how many rows are retrieved; chance is `k / n`.
    metric: "cosine" or "euclidean".

    Invariances, errors and rows that count as missed, whatever `k`, as for `retrieval_ranks`.
    """
    if not checks.is_whole(k):
        raise ValueError(f"k is {k!r}; expected a positive number of neighbours")
    return jnp.mean(_ranks(prediction, target, metric) <= k)
