"""The distance of two shapes."""

import functools

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike

from align.arrays import checks
from align.arrays.products import matmul
from align.arrays.scales import unit
from align.linalg import lapack, threads
from align.metrics.comparable import centre, comparable, without


def procrustes_distance(x: ArrayLike, y: ArrayLike, *, normalise: bool = True) -> Array:
    """Return the Procrustes distance of two sets, a scalar.

    x: `[n, d_x]`. y: `[n, d_y]`, rows in correspondence; a row that is not finite in either is left out.
    normalise: whether each side is scaled to unit norm first, which bounds the distance by √2.

    The least Frobenius norm of `x Q - y` over orthogonal `Q` after centring. A metric: symmetric, with the triangle
    inequality. The smaller dimension is padded with zeros. Invariant to translation and orthogonal maps of either
    side, with `normalise` also to isotropic scaling; not to other linear maps. First derivatives are exact.

    Williams et al. 2021, section 2.2; Ding et al. 2021, section 3. Raises ValueError for mismatched rows.
    """
    checks.check_flags(normalise=normalise)
    x, y, *finite = comparable(x, y)
    with threads.for_rows(x, y):
        return jax.block_until_ready(_procrustes_distance(x, y, *finite, normalise=bool(normalise)))


@functools.partial(jax.jit, static_argnames="normalise")
def _procrustes_distance(x, y, finite_x, finite_y, normalise):
    kept, sides = finite_x & finite_y, []
    for a in (x, y):
        a, scale = unit(without(a, ~kept))
        a, finer = unit(centre(a, kept))
        sides.append((_few_columns(a), scale * finer))
    # The distance is symmetric.
    (x, scale_x), (y, scale_y) = sorted(sides, key=lambda side: -side[0].shape[1])
    if normalise:
        x, y = (a / jnp.linalg.norm(a) for a in (x, y))
        larger = 1
    else:
        larger = jnp.maximum(scale_x, scale_y)
        x, y = x * (scale_x / larger), y * (scale_y / larger)
    # At the optimum the derivative through Q vanishes, while that of the SVD is undefined at equal singular values.
    u, _, vt = lapack.svd(lax.stop_gradient(matmul(x.T, y)))
    # The norm of the residual itself, unlike 2 - 2·Σσ, keeps small distances from cancelling.
    residual = matmul(x, matmul(u, vt)) - y
    if x.shape[1] > y.shape[1]:  # what Q maps to the dimensions that y is padded with
        residual = jnp.concatenate([residual, x - matmul(matmul(x, u), u.T)], 1)
    return jnp.where(kept.any(), jnp.linalg.norm(residual) * larger, jnp.nan)


def _few_columns(a):
    """Return centred rows in a basis of their span where they have more columns than there are rows.

    What is orthogonal to the span has no part in the first derivative of the distance.
    """
    if a.shape[1] <= len(a):
        return a
    return matmul(a, lapack.qr(lax.stop_gradient(a).T)[0])
