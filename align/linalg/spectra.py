"""The axes of rows: from their products, which are cheap, or from the rows, where products have lost directions."""

import jax
import jax.numpy as jnp

from align.linalg import lapack
from align.linalg.care import with_care

# How many times its rounding an eigenvalue of products must be for these to be trusted with all of them.
LOST = 10


def axes_of(
    rows: jax.Array, products: jax.Array, constant: jax.Array | int = 0
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return squares `[d]` of the singular values of rows `[n, d]`, ascending, which count, and axes `[d, d]`.

    products: of the rows, `[d, d]`, which square the condition: in them what is below the root of the precision, as a
    share of the largest, is rounding. constant: how many of the least are no loss, as those of dimensions that are zero
    in all rows.
    """
    n, d = rows.shape
    if n <= d:  # about their mean they are never of full rank
        return axes_of_rows(rows)
    squares, axes = lapack.eigh(products)
    rounding = d * jnp.finfo(rows.dtype).eps
    lost = squares[jnp.minimum(constant, d - 1)] < LOST * rounding * squares[-1]
    ways = [
        lambda _, *of_products: of_products,
        lambda rows, *_: axes_of_rows(lapack.triangle(rows) if n > 2 * d else rows),
    ]
    return with_care(lost.astype(int), ways, rows, squares, squares > rounding * squares[-1], axes)


def axes_of_rows(rows: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return what `axes_of` does, from rows `[n, d]` or a triangular factor of theirs: no direction is lost."""
    n, d = rows.shape
    _, s, vt = lapack.svd_with_all_axes(rows) if n < d else lapack.svd(rows)
    s = jnp.pad(s, (0, d - len(s)))[::-1]
    return s**2, s > d * jnp.finfo(rows.dtype).eps * s[-1], vt[::-1].T
