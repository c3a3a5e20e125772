"""Principal coordinates of a cloud, and maps between the coordinates of two."""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from align.arrays.products import matmul
from align.linalg.spectra import axes_of
from align.maps import AffineMap


class Coordinates(NamedTuple):
    """Coordinates about the mean `[d]` of a cloud: `down` `[d, k]` leads to them, `up` `[k, d]` back."""

    mean: jax.Array
    down: jax.Array
    up: jax.Array

    def __call__(self, x: jax.Array) -> jax.Array:
        return matmul(x - lax.expand_dims(self.mean, range(x.ndim - 1)), self.down)

    @property
    def spread(self) -> jax.Array:
        """The number by which coordinates that are whitened in full are multiplied for a variance of one in each."""
        return jnp.sqrt(jnp.maximum((self.down != 0).any(0).sum(), 1).astype(self.down.dtype))


@functools.partial(jax.jit, static_argnames=("components", "width"))
def principal(
    array: jax.Array,
    weights: jax.Array | None = None,
    *,
    whitening: float = 0.0,
    components: int | None = None,
    width: int | None = None,
) -> Coordinates:
    """Return principal coordinates of array `[n, d]`, scaled so that the cloud's mean squared norm is 1.

    weights: `[n]`, of the rows, alike without them. whitening: 0 keeps the ratios of the spreads, 1 makes them equal,
    and what lies between is between. components: how many leading ones to keep, all without it. width: of the result,
    padded by zeros; what is not kept is zero too. A dimension that varies by no more than rounding counts as
    constant.
    """
    weights = jnp.full(array.shape[0], 1 / array.shape[0], array.dtype) if weights is None else weights / weights.sum()
    # About a mean that is near: what rounding leaves is a share of the spread, however long the sum.
    mean = array.mean(0, where=weights[:, None] > 0)
    mean = mean + matmul(weights, array - mean[None])
    centred, eps = array - mean[None], jnp.finfo(array.dtype).eps
    varies = matmul(weights, centred**2) > (4 * eps * mean) ** 2  # by more than the rounding of the mean
    centred = jnp.where(varies[None], centred, 0)
    # One component is the largest, which products never lose.
    least = array.shape[1] - 1 if components == 1 else (~varies).sum()
    products = matmul(centred.T * weights[None], centred)
    variances, keep, vectors = axes_of(centred * jnp.sqrt(weights)[:, None], products, least)
    variances, keep, vectors = variances[::-1], keep[::-1], vectors[:, ::-1]
    # The side of the heavier tail, so that the coordinates of a cloud do not depend on how it is turned.
    vectors = vectors * jnp.where(matmul(weights, matmul(centred, vectors) ** 3) < 0, -1, 1)[None].astype(array.dtype)
    keep &= variances > (4 * eps) ** 2 * (mean**2).sum()
    keep &= jnp.arange(array.shape[1]) < (array.shape[1] if components is None else components)
    safe = jnp.where(keep, variances, 1)
    scale = safe ** (-whitening / 2)
    scale = scale / jnp.sqrt(jnp.where(keep, safe * scale**2, 0).sum())
    pad = ((0, 0), (0, (width or array.shape[1]) - array.shape[1]))
    down, up = jnp.where(keep[None], vectors * scale[None], 0), jnp.where(keep[None], vectors / scale[None], 0)
    return Coordinates(mean, jnp.pad(down, pad), jnp.pad(up, pad).T)


def about_the_mean(array: jax.Array) -> Callable[[jax.Array], jax.Array]:
    """Return a function that puts rows about the mean of array `[n, d]`, in units of its spread: squares neither vanish
    nor drown in those of the mean.
    """
    mean = array.mean(0)
    spread = jnp.maximum(jnp.sqrt(((array - mean[None]) ** 2).mean()), jnp.finfo(array.dtype).tiny)
    return lambda x: (x - lax.expand_dims(mean, range(x.ndim - 1))) / spread


def principal_of_both(
    source: jax.Array,
    target: jax.Array,
    weights: Sequence[jax.Array | None] = (None, None),
    *,
    whitening: float,
) -> tuple[Coordinates, Coordinates]:
    """Return principal coordinates of two clouds, as wide as the wider one's dimensions."""
    width = max(source.shape[1], target.shape[1])
    a, b = (principal(*one, whitening=whitening, width=width) for one in zip((source, target), weights, strict=True))
    return a, b


@jax.jit
def express(source: Coordinates, fitted: AffineMap, target: Coordinates) -> AffineMap:
    """Return what a map of the clouds is between their coordinates."""
    bias = matmul(fitted(source.mean) - target.mean, target.down)
    return AffineMap(matmul(matmul(source.up, fitted.weight), target.down), bias)


@jax.jit
def conjugate(source: Coordinates, weight: jax.Array, target: Coordinates) -> AffineMap:
    """Return the map of the clouds that is `weight` `[k, k]` between their coordinates."""
    weight = matmul(matmul(source.down, weight), target.up)
    return AffineMap(weight, target.mean - matmul(source.mean, weight))
