"""Anchors that cover the cloud: its rim, its clusters, or averages of neighbourhoods."""

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import ArrayLike

from align.anchors.latents import check_latents
from align.arrays import checks
from align.linalg.kmeans import kmeans as _cluster
from align.linalg.neighbours import nearest


def farthest_point(key: jax.Array, latents: ArrayLike, count: int) -> jax.Array:
    """Choose the sample farthest from those chosen before, the first at random (Gonzalez 1985).

    Covers the cloud to its rim, outliers first.
    """
    latents = check_latents(key, latents, count)

    def choose(distances, _):
        index = jnp.argmax(distances)
        distances = jnp.minimum(distances, ((latents - latents[index][None]) ** 2).sum(1))
        return distances.at[index].set(-1), index  # below every distance: not even a duplicate brings it back

    first = jax.random.randint(key, (), 0, latents.shape[0])
    start = jnp.full(latents.shape[0], jnp.finfo(latents.dtype).max).at[first].set(jnp.inf)
    return lax.scan(choose, start, length=count)[1]


def kmeans(key: jax.Array, latents: ArrayLike, count: int, *, iterations: int = 20) -> jax.Array:
    """Choose the sample nearest to each centroid of k-means."""
    latents = check_latents(key, latents, count)
    _check_iterations(iterations)

    def choose(taken, centroid):
        index = jnp.argmin(jnp.where(taken, jnp.inf, ((latents - centroid[None]) ** 2).sum(1)))
        return taken.at[index].set(True), index

    centroids = _cluster(key, latents, count, iterations=iterations).centroids
    return lax.scan(choose, jnp.zeros(latents.shape[0], bool), centroids)[1]


def neighbourhoods(
    key: jax.Array, latents: ArrayLike, count: int, *, size: int = 50, iterations: int = 20
) -> jax.Array:
    """Choose the `size` samples nearest to each centroid of k-means: indices `[count, size]`.

    Their averages are anchors with less noise than single samples have; take them in both spaces:
    `source[indices].mean(1)` and `target[indices].mean(1)`. One sample may serve several anchors.
    """
    latents = check_latents(key, latents, count)
    _check_iterations(iterations)
    if not checks.is_whole(size, most=latents.shape[0]):
        raise ValueError(f"size must lie between 1 and the {latents.shape[0]} latents; it is {size!r}")
    return nearest(_cluster(key, latents, count, iterations=iterations).centroids, latents, count=size)[0]


def _check_iterations(iterations):
    if not checks.is_whole(iterations, least=0):
        raise ValueError(f"iterations must be a whole number from 0; it is {iterations!r}")
