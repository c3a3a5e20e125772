"""Which rows of two clouds belong together, by distance under the current map.

A matching takes `(mapped, target, mapped_penalty, target_penalty)`, arrays `[classes, rows, d]` and `[classes, rows]`,
penalty inf for padding, and returns indices into the target and which of them to keep, `[classes, rows]`.
"""

import jax
from jax import numpy as jnp

from align.linalg.neighbours import mutual, nearest


def one_sided(
    mapped: jax.Array, target: jax.Array, mapped_penalty: jax.Array, target_penalty: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Match every source row to its nearest target row."""
    return nearest(mapped, target, penalty=target_penalty)[0][..., 0], jnp.ones(mapped.shape[:-1], bool)


def both_ways(
    mapped: jax.Array, target: jax.Array, mapped_penalty: jax.Array, target_penalty: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Match rows that are each other's nearest."""
    return mutual(mapped, target, query_penalty=mapped_penalty, penalty=target_penalty)


def csls(
    mapped: jax.Array, target: jax.Array, mapped_penalty: jax.Array, target_penalty: jax.Array, *, neighbours: int = 10
) -> tuple[jax.Array, jax.Array]:
    """Match rows that are each other's nearest after a correction for hubs (Lample et al. 2018)."""

    # A hub is close to everything. What counts is 2 |x − y|² − r(x) − r(y), with r a point's mean squared distance to
    # its nearest on the other side; per side, the other's r is all that changes an order.
    def hubness(points, others, penalty):
        count = min(neighbours, others.shape[-2])
        index, squared = nearest(points, others, count=count, penalty=penalty)
        inside = jnp.isfinite(jnp.take_along_axis(penalty[..., None, :], index, axis=-1))
        return jnp.where(inside, squared, 0).sum(-1) / jnp.maximum(inside.sum(-1), 1).astype(squared.dtype)

    return mutual(
        mapped,
        target,
        query_penalty=mapped_penalty - hubness(mapped, target, target_penalty) / 2,
        penalty=target_penalty - hubness(target, mapped, mapped_penalty) / 2,
    )


MATCHINGS = {"nearest": one_sided, "mutual": both_ways, "csls": csls}
