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
# How often rows and columns are balanced; steps whose mean is taken, the last; a correlation that is as good as one.
_BALANCING, _AVERAGED, _ONE = 4, 6, 0.99
# How often correlations are corrected by what matches make of them: where that depends on them but little, more often
# would follow what noise that is not Gaussian does. The least of them.
_CORRECTIONS, _LEAST = 3, 1e-3


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
    iterations: int = 12,
) -> tuple[AffineMap, AffineMap]:
    """Return what steps on soft matches lead to: a rotation between whitened clouds, and the map of least error.

    source `[n, d_source]`, target `[m, d_target]`; groups, weights: as of `classes.group`; subset: rows of each group
    and side in an iteration.

    In a step every row is sent to the mean of the rows that are near its image, every row of the target as much in
    demand as any other. Whitened, the cross-moment of these pairs is U S V': the noise of all its entries is the same,
    and U V' the likeliest rotation (`wide_search` has more). Along these axes the two clouds are canonical variates,
    and what is near is told best by those of high correlation r: of Gaussian variates with counterparts the likelihood
    of a match is exp(Σ r u v / (1 − r²)), which is what the distances of later steps are.

    The map of least error shrinks by r, where the two clouds do not show the same. S is less than r, since matches are
    neighbours and not counterparts. How much less is seen where r is known: on a target that is made of the source's
    rows, shrunk by r and with Gaussian noise up to unit variance, each row's counterpart hidden from it. r is what
    leads to the S that was found (indirect inference). Both are against as many rows of the target, those of the
    smaller side: among more of them there are nearer ones.
    """
    a, b = coordinates.principal_of_both(source, target, weights, whitening=1.0)
    *keys, noise_key = jax.random.split(key, 3)
    windows = [classes.draw_windows(k, *group, subset) for k, group in zip(keys, groups, strict=True)]

    def variates(i, axes):
        """Give the rows of iteration i along the axes, of unit variance, and which are no padding."""
        found = []
        for side, array, window, along in zip((a, b), (source, target), windows, axes, strict=True):
            rows, inside = window(i)
            found.append((side.spread * matmul(side(array[rows]), along), inside.astype(array.dtype)))
        return found

    def step(state, i):
        axes, scale, mean = state
        (x, x_inside), (y, y_inside) = variates(i, axes)
        moment = lax.map(lambda each: _moment(*each, scale), (x, x_inside, y, y_inside)).sum(0) / x_inside.sum()
        moment = matmul(matmul(axes[0], moment), axes[1].T)
        mean = mean + (moment - mean) / jnp.maximum(1, i - (iterations - _AVERAGED) + 1).astype(mean.dtype)
        u, s, vt = lapack.svd(mean)
        return ((u, vt.T), _scale(_correlations(s)), mean), None

    width = a.down.shape[1]
    u, _, vt = lapack.svd(coordinates.express(a, AffineMap(start.weight, start.bias), b).weight.astype(source.dtype))
    # The first step measures distances as the target has them.
    state = (matmul(u, vt), jnp.eye(width, dtype=u.dtype)), jnp.sqrt((b.up**2).sum(1)), jnp.zeros_like(u)
    (axes, scale, mean), _ = lax.scan(step, state, jnp.arange(iterations))

    def against_as_many(i):
        (x, x_inside), (y, y_inside) = variates(i, axes)
        moment = lax.map(lambda each: _moment(*each, scale), (x, x_inside, y, _at_most(y_inside, x_inside)))
        return jnp.diagonal(moment.sum(0)) / x_inside.sum()

    def mean_against_as_many():
        return lax.map(against_as_many, jnp.arange(iterations - _AVERAGED, iterations)).mean(0)

    (_, x_inside), (_, y_inside) = (window(0) for window in windows)
    more = (y_inside.sum(1) > x_inside.sum(1)).any()
    s = lax.cond(more, mean_against_as_many, lambda: jnp.diagonal(matmul(matmul(axes[0].T, mean), axes[1])))
    s = jnp.minimum(s, 1)

    def correct(r, i):
        (x, inside), (_, y_inside) = variates(i, axes)
        noise = jax.random.normal(jax.random.fold_in(noise_key, i), x.shape, x.dtype)
        y = x * r[None, None] + noise * jnp.sqrt(1 - r**2)[None, None]
        trial = x, inside, y, _at_most(inside, y_inside)
        each = lax.map(lambda each: _moment(*each, scale, hidden=True), trial)
        found = jnp.diagonal(each.sum(0)) / inside.sum()
        return jnp.clip(r * s / jnp.maximum(found, _LEAST), _LEAST, 1), None

    r, _ = lax.scan(correct, jnp.maximum(_correlations(s), _LEAST), jnp.arange(_CORRECTIONS))
    rotation, shrunk = (matmul(axes[0] * by[None], axes[1].T) for by in (jnp.ones_like(r), r))
    stretch = a.spread / b.spread
    return coordinates.conjugate(a, stretch * rotation, b), coordinates.conjugate(a, stretch * shrunk, b)


def _correlations(s):
    """Return a first guess at the correlations of variates whose soft matches have those of s."""
    s = jnp.clip(s, 0, 1)
    return jnp.minimum(jnp.sqrt(1 - (1 - s) ** 2), _ONE)


def _scale(r):
    """Return what variates of correlation r are multiplied by, so that squared distances tell matches."""
    return jnp.sqrt(r / (1 - r**2))


def _at_most(inside, others):
    """Return the first rows that count of each group, `[groups, n]`, as many as count of the others, `[groups, m]`."""
    return jnp.where(jnp.cumsum(inside, 1) <= others.sum(1, keepdims=True), inside, 0)


def _moment(x, x_inside, y, y_inside, scale, *, hidden=False):
    """Return the cross-moment of x `[n, k]` with the rows of y `[m, k]` that balanced soft matches send them to.

    scale `[k]`: of the coordinates that distances are taken in. hidden: row i of y is not to be found from row i of x.
    """
    tiny = jnp.finfo(x.dtype).tiny
    u, v = x * scale[None], y * scale[None]
    temperature = _SOFTNESS * _distance(v[:_ROWS_OF_DISTANCES], y_inside[:_ROWS_OF_DISTANCES])
    apart = (u**2).sum(1)[:, None] + (v**2).sum(1)[None] - 2 * matmul(u, v.T)
    allowed = x_inside[:, None] * y_inside[None] > 0
    if hidden:
        allowed &= ~jnp.eye(len(x), dtype=bool)
    apart = jnp.where(allowed, apart, jnp.inf)
    nearest_first = apart.min(1, keepdims=True)
    nearness = (jnp.where(jnp.isfinite(nearest_first), nearest_first, 0) - apart) / jnp.maximum(temperature, tiny)
    kernel = jnp.exp(nearness)
    demand = x_inside.sum() / jnp.maximum(y_inside.sum(), 1)

    def balance(_, columns):
        rows = x_inside / jnp.maximum(matmul(kernel, columns), tiny)
        # What nobody comes near is not moved as far as to be somebody's match.
        return y_inside * demand / jnp.maximum(matmul(rows, kernel), 1e-6)

    columns = lax.fori_loop(0, _BALANCING, balance, y_inside)
    reached = matmul(kernel, columns)
    rows = jnp.where(reached > 0, x_inside / jnp.maximum(reached, tiny), 0)  # a lone row may have nothing to match
    return matmul((x * rows[:, None]).T, matmul(kernel, columns[:, None] * y))


def _distance(points, inside):
    """Return the mean squared distance of points `[n, k]` to the nearest other."""
    penalty = jnp.where(inside > 0, 0, jnp.inf).astype(points.dtype)
    near = nearest(points, points, count=min(2, len(points)), penalty=penalty)[1][..., -1]
    counted = (inside > 0) & jnp.isfinite(near)
    return jnp.where(counted, near, 0).sum() / jnp.maximum(counted.sum(), 1).astype(near.dtype)
