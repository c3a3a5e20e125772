"""Between two clouds that a map already lays over each other: steps on soft matches, and how far to shrink the last."""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax

from align.arrays.products import matmul
from align.clouds import classes, coordinates
from align.linalg import lapack
from align.linalg.neighbours import nearest
from align.maps import AffineMap

# Softness, in squared distances from a row of the target to the nearest other; rows that these are taken from.
_SOFTNESS, _ROWS_OF_DISTANCES = 0.1, 3000
# How often rows and columns are balanced; steps before their mean is taken.
_BALANCING, _BURNT = 4, 2


@functools.partial(jax.jit, static_argnames=("subset", "iterations"))
def by_soft_matches(
    key: jax.Array,
    source: jax.Array,
    target: jax.Array,
    start: AffineMap,
    groups: Sequence[classes.Rows],
    weights: Sequence[jax.Array | None],
    *,
    subset: int,
    iterations: int = 6,
) -> tuple[AffineMap, AffineMap]:
    """Return what steps on soft matches lead to: a rotation between whitened clouds, and a map that shrinks besides.

    source `[n, d_source]`, target `[m, d_target]`; groups, weights: as of `classes.group`; subset: rows of each group
    and side in an iteration.

    In a step every row is sent to the mean of the rows that are near its image, every row of the target as much in
    demand as any other. Whitened, the cross-moment of these pairs is U S V': the noise of all its entries is the same,
    and U V' the likeliest rotation (`wide_search` has more). Where the two clouds do not show the same, a map of least
    error shrinks by their canonical correlations. S is less than these, since matches are neighbours and not
    counterparts: the second map, U √S V', is half way to that of the matches.
    """
    a, b = coordinates.principal_of_both(source, target, weights, whitening=1.0)
    counts = [jnp.maximum((side.down != 0).any(0).sum(), 1).astype(source.dtype) for side in (a, b)]
    unit, stretch = jnp.sqrt(counts[0] * counts[1]), jnp.sqrt(counts[0] / counts[1])
    windows = [classes.draw_windows(k, *group, subset) for k, group in zip(jax.random.split(key), groups, strict=True)]
    placed = coordinates.about_the_mean(target)
    temperature = _SOFTNESS * _distance(placed(target), *windows[1](0))

    def crossed(fitted, i):
        def of_group(group):
            (x_rows, x_inside), (y_rows, y_inside) = group
            x, y = source[x_rows], target[y_rows]
            inside = x_inside.astype(x.dtype), y_inside.astype(y.dtype)
            return _matched(placed(fitted(x)), placed(y), *inside, temperature, a(x), b(y)), inside[0].sum()

        moments, sizes = lax.map(of_group, tuple(window(i) for window in windows))
        return unit * moments.sum(0) / sizes.sum()

    def step(state, i):
        fitted, mean = state
        mean = mean + (crossed(fitted, i) - mean) / jnp.maximum(1, i - _BURNT + 1).astype(mean.dtype)
        u, _, vt = lapack.svd(mean)
        return (coordinates.conjugate(a, stretch * matmul(u, vt), b), mean), None

    width = a.down.shape[1]
    state = (AffineMap(start.weight, start.bias), jnp.zeros((width, width), source.dtype))
    state = jax.tree.map(lambda z: z.astype(source.dtype), state)
    (rotation, mean), _ = lax.scan(step, state, jnp.arange(iterations))
    u, s, vt = lapack.svd(mean)
    shrunk = coordinates.conjugate(a, stretch * matmul(u * jnp.sqrt(jnp.minimum(s, 1))[None], vt), b)
    return rotation, shrunk


def _distance(target, rows, inside):
    """Return the mean squared distance of rows of the target to the nearest other of their group."""
    rows, inside = rows[:, :_ROWS_OF_DISTANCES], inside[:, :_ROWS_OF_DISTANCES]
    points = target[rows]
    penalty = jnp.where(inside, 0, jnp.inf).astype(points.dtype)
    near = nearest(points, points, count=min(2, points.shape[1]), penalty=penalty)[1][..., -1]
    counted = inside & jnp.isfinite(near)
    return jnp.where(counted, near, 0).sum() / jnp.maximum(counted.sum(), 1).astype(near.dtype)


def _matched(images, target, x_inside, y_inside, temperature, x, y):
    """Return the cross-moment of x with the y that balanced soft matches of images with the target send them to."""
    tiny = jnp.finfo(images.dtype).tiny
    apart = (images**2).sum(1)[:, None] + (target**2).sum(1)[None] - 2 * matmul(images, target.T)
    apart = jnp.where(y_inside[None] > 0, apart, jnp.inf)
    nearness = (apart.min(1, keepdims=True) - apart) / jnp.maximum(temperature, tiny)
    kernel = jnp.where(x_inside[:, None] * y_inside[None] > 0, jnp.exp(nearness), 0)
    demand = x_inside.sum() / jnp.maximum(y_inside.sum(), 1)

    def balance(_, v):
        u = x_inside / jnp.maximum(matmul(kernel, v), tiny)
        # What nobody comes near is not moved as far as to be somebody's match.
        return y_inside * demand / jnp.maximum(matmul(u, kernel), 1e-6)

    v = lax.fori_loop(0, _BALANCING, balance, y_inside)
    u = x_inside / jnp.maximum(matmul(kernel, v), tiny)
    return matmul((x * u[:, None]).T, matmul(kernel, v[:, None] * y))
