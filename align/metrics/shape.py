"""The distance of two shapes."""

import functools

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike

from align.arrays import checks
from align.arrays.products import matmul
from align.arrays.scales import unit
from align.metrics.comparable import centre, comparable


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
    return _procrustes_distance(*comparable(x, y), normalise=bool(normalise))


@functools.partial(jax.jit, static_argnames="normalise")
def _procrustes_distance(x, y, finite_x, finite_y, normalise):
    d = max(x.shape[1], y.shape[1])
    kept, sides = finite_x & finite_y, []
    for a in (x, y):
        a, scale = unit(a)
        a, finer = unit(centre(jnp.pad(a, ((0, 0), (0, d - a.shape[1]))), kept))
        sides.append((a, scale * finer))
    (x, scale_x), (y, scale_y) = sides
    if normalise:
        x, y = (a / jnp.linalg.norm(a) for a in (x, y))
        larger = 1
    else:
        larger = jnp.maximum(scale_x, scale_y)
        x, y = x * (scale_x / larger), y * (scale_y / larger)
    u, _, vt = jnp.linalg.svd(matmul(x.T, y))
    # At the optimum the derivative through Q vanishes, while that of the SVD is undefined at equal singular values.
    # The norm of the residual itself, unlike 2 - 2·Σσ, keeps small distances from cancelling.
    rotation = lax.stop_gradient(matmul(u, vt))
    return jnp.where(kept.any(), jnp.linalg.norm(matmul(x, rotation) - y) * larger, jnp.nan)
