"""The spectrum of rows: from their products, which are cheap, or from the rows, where products have lost directions."""

import jax
import jax.numpy as jnp

from align.arrays.products import matmul
from align.linalg import lapack
from align.linalg.care import with_care

# How many times its rounding an eigenvalue of products must be for these to be trusted with all of them.
LOST = 10


def spectrum(rows: jax.Array, constant: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return squares `[d]` of the singular values of rows `[n, d]`, ascending, which count, and axes `[d, d]`.

    constant: how many dimensions are zero in all rows, and no loss. Products square the condition, so that in them what
    is below the root of the precision, as a share of the largest singular value, is rounding.
    """
    n, d = rows.shape
    squares, axes = lapack.eigh(matmul(rows.T, rows))
    rounding = d * jnp.finfo(rows.dtype).eps
    least = squares[jnp.minimum(constant, d - 1)]

    def of_rows(rows, *_):
        if n < d:
            _, s, vt = lapack.svd_with_all_axes(rows)
            s = jnp.pad(s, (0, d - n))
        else:
            _, s, vt = lapack.svd(lapack.triangle(rows) if n > 2 * d else rows)
        return s[::-1] ** 2, s[::-1] > rounding * s[0], vt[::-1].T

    ways = [lambda _, *of_products: of_products, of_rows]
    of_products = squares, squares > rounding * squares[-1], axes
    return with_care((least < LOST * rounding * squares[-1]).astype(int), ways, rows, *of_products)
