"""The distance of two shapes."""

import jax.numpy as jnp
from jax import Array, lax

from align.arrays.products import matmul
from align.metrics.comparable import centre, comparable


def procrustes_distance(x: Array, y: Array, *, normalise: bool = True) -> Array:
    """Return the Procrustes distance of `x` `[n, d_x]` and `y` `[n, d_y]`, a scalar.

    The least Frobenius norm of `x Q - y` over orthogonal `Q` after centring, and with `normalise` after scaling each
    side to unit norm, which bounds it by √2. A metric: symmetric, with the triangle inequality. The smaller dimension
    is padded with zeros. Invariant to translation and orthogonal maps of either side, with `normalise` also to
    isotropic scaling; not to other linear maps. First derivatives are exact.

    Williams et al. 2021, section 2.2; Ding et al. 2021, section 3. Raises ValueError for mismatched rows.
    """
    x, y = map(centre, comparable(x, y))
    d = max(x.shape[1], y.shape[1])
    x, y = (jnp.pad(a, ((0, 0), (0, d - a.shape[1]))) for a in (x, y))
    if normalise:
        x, y = (a / jnp.linalg.norm(a) for a in (x, y))
    u, _, vt = jnp.linalg.svd(matmul(x.T, y))
    # At the optimum the derivative through Q vanishes, while that of the SVD is undefined at equal singular values.
    # The norm of the residual itself, unlike 2 - 2·Σσ, keeps small distances from cancelling.
    rotation = lax.stop_gradient(matmul(u, vt))
    return jnp.linalg.norm(matmul(x, rotation) - y)
