"""How far pairs could correct a map from clouds at best: by someone who knows how much every entry of it is off.

In canonical axes (`solvers.corrected`) a correction's entries are given a prior variance each. Here it is the square of
what the entry truly lacks, told by the linear map of all pairs, and the noise along an axis is what that map leaves:
only the signs, and the pairs' own noise, remain to be found out. No prior of independent entries of the linear part can
be expected to do better; it is what few pairs are measured against, and nothing to be used.
"""

import jax
from jax import Array
from jax import numpy as jnp

from align.arrays.products import matmul
from align.clouds import coordinates
from align.linalg import lapack
from align.maps import AffineMap


@jax.jit
def best_correction(
    clouds: tuple[Array, Array], fitted: AffineMap, pairs: tuple[Array, Array], everything: tuple[Array, Array], best
) -> AffineMap:
    """Correct a map of clouds `[n, d]` and `[m, e]` by pairs; `best` is the affine map of everything in pairs."""
    a, b = coordinates.principal_of_both(*clouds, whitening=1.0)
    u, _, vt = lapack.svd(coordinates.express(a, fitted, b).weight * b.spread / a.spread)
    down, up = a.spread * matmul(a.down, u), matmul(vt, b.up) / b.spread

    def along(rows):
        return b.spread * matmul(matmul(rows, b.down), vt.T)

    difference = coordinates.express(a, AffineMap(best.weight - fitted.weight, best.bias), b).weight
    lacking = b.spread / a.spread * matmul(matmul(u.T, difference), vt.T)
    x, y = everything
    noise = jnp.maximum((along(y - best(x)) ** 2).mean(0), jnp.finfo(x.dtype).eps)  # an axis may be empty
    rows, left = matmul(pairs[0] - a.mean[None], down), along(pairs[1] - fitted(pairs[0]))

    def column(prior, noise, left):
        weighed = rows * prior[None]
        return matmul(weighed.T, jnp.linalg.solve(matmul(rows, weighed.T) + noise * jnp.eye(len(rows)), left))

    change = jax.vmap(column, in_axes=1, out_axes=1)(lacking**2, noise[None], left)
    change = matmul(matmul(down, change), up)
    return AffineMap(fitted.weight + change, fitted.bias - matmul(a.mean, change))
