"""How far a prediction is from what it predicts."""

import jax.numpy as jnp
from jax import Array

from align.metrics.comparable import centre, comparable


def relative_residual(x: Array, y: Array) -> Array:
    """Return ‖x - y‖ / ‖y - mean(y)‖ in Frobenius norms for a prediction `x` `[n, d]` of `y` `[n, d]`, a scalar.

    0 for a perfect prediction, 1 for predicting the mean. Invariant to one translation, orthogonal map or isotropic
    scaling applied to both sides; it changes when one side alone is moved. Raises ValueError for mismatched shapes.
    """
    x, y = comparable(x, y, same=True)
    return jnp.linalg.norm(x - y) / jnp.linalg.norm(centre(y))


def r_squared(x: Array, y: Array) -> Array:
    """Return the share of the variance of `y` `[n, d]` that the prediction `x` `[n, d]` explains, at most 1.

    `1 - relative_residual²`, with its invariances and errors.
    """
    return 1 - relative_residual(x, y) ** 2


def mean_cosine(x: Array, y: Array) -> Array:
    """Return the mean cosine between row i of `x` `[n, d]` and row i of `y` `[n, d]`, in [-1, 1].

    Invariant to an orthogonal map of both sides and to positive scaling of any row; not to translation. Raises
    ValueError for mismatched shapes.
    """
    x, y = comparable(x, y, same=True)
    return jnp.mean(jnp.sum(x * y, 1) / (jnp.linalg.norm(x, axis=1) * jnp.linalg.norm(y, axis=1)))
