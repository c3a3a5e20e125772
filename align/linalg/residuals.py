"""The sum of squares that a map leaves unexplained: from moments while they resolve it, from the rows otherwise."""

import jax
import jax.numpy as jnp

from align.arrays.products import matmul
from align.linalg.care import with_care
from align.linalg.moments import Moments, blocked_sum

RESOLVED = 1e-3  # share of the target's squares below which a difference of moments is mostly rounding


def unexplained(
    m: Moments, source: jax.Array, target: jax.Array, weights: jax.Array | None, weight: jax.Array, estimate: jax.Array
) -> jax.Array:
    """Return Σ w ‖target − source @ weight‖² about the means of the moments `m`, without a gradient.

    estimate: the same from the moments alone, which is kept unless rounding swamps it.
    """
    operands = jax.lax.stop_gradient((m, source, target, weights, weight, estimate))
    level = jnp.where(operands[-1] > RESOLVED * m.target_squares.sum(), 0, 1)
    return with_care(jax.lax.stop_gradient(level), [lambda *operands: operands[-1], _measured], *operands)


def _measured(m, source, target, weights, weight, _):
    def squares(x, y, w):
        x, y = m.centred(x, y)
        errors = ((y - matmul(x, weight)) ** 2).sum(1)
        return errors.sum() if w is None else (errors * w).sum()

    return blocked_sum(squares, (source, target, weights))
