"""K-means: centroids that stand for a cloud."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from align.linalg.neighbours import nearest


class Clusters(NamedTuple):
    """centroids `[count, d]`; sizes `[count]`: points nearest to each; error `[iterations]`: mean squared distance."""

    centroids: jax.Array
    sizes: jax.Array
    error: jax.Array


@functools.partial(jax.jit, static_argnames=("count", "iterations"))
def kmeans(key: jax.Array, points: jax.Array, count: int, *, iterations: int = 20) -> Clusters:
    """Cluster points `[n, d]` by Lloyd's iterations from the seeds of k-means++ (Arthur and Vassilvitskii 2007).

    A centroid that loses its last point stays where it is, with size 0.
    """
    ones = jnp.ones_like(points[:, 0])

    def assign(centroids):
        index, squared = nearest(points, centroids)
        sizes = jax.ops.segment_sum(ones, index[:, 0], count)
        return index[:, 0], sizes, squared.mean()

    def update(centroids, _):
        index, sizes, error = assign(centroids)
        sums = jax.ops.segment_sum(points, index, count)
        return jnp.where(sizes[:, None] > 0, sums / jnp.maximum(sizes, 1)[:, None], centroids), error

    centroids, error = lax.scan(update, _seeds(key, points, count), length=iterations)
    return Clusters(centroids, assign(centroids)[1], error)


def _seeds(key, points, count):
    """Draw each next seed with probability proportional to its squared distance from those drawn before."""

    def draw(distances, key):
        # Where no distance is left, because there are fewer different points than seeds, any point will do.
        index = jax.random.categorical(key, jnp.log(jnp.where(distances.max() > 0, distances, 1)))
        return jnp.minimum(distances, ((points - points[index][None]) ** 2).sum(1)), points[index]

    # Equal distances to begin with, beyond any that follows: the first seed is drawn uniformly.
    far = jnp.full(points.shape[0], jnp.finfo(points.dtype).max)
    return lax.scan(draw, far, jax.random.split(key, count))[1]
