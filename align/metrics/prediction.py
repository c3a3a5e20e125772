"""How far a prediction is from what it predicts."""

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from align.arrays.scales import directions, unit
from align.metrics.comparable import PREDICTION, centre, comparable, mean, without


def relative_residual(prediction: ArrayLike, target: ArrayLike) -> Array:
    """Return ‖prediction - target‖ / ‖target - mean(target)‖ in Frobenius norms, a scalar.

    prediction: `[n, d]`, in the space of the target, row by row.
    target: `[n, d]`.

    0 for a perfect prediction, 1 for predicting the mean. A row whose prediction is not finite counts as if the mean
    had been predicted; one whose target is not finite is left out. Invariant to one translation, orthogonal map or
    isotropic scaling applied to both sides; it changes when one side alone is moved. Raises ValueError for mismatched
    shapes.
    """
    return _relative_residual(*comparable(prediction, target, names=PREDICTION))


@jax.jit
def _relative_residual(prediction, target, made, known):
    squared, factor = _unexplained(prediction, target, made, known)
    exact = squared == 0  # where the root has no derivative: give it the subgradient 0
    return jnp.where(exact, 0, jnp.sqrt(jnp.where(exact, 1, squared))) * factor


@jax.jit
def _unexplained(prediction, target, made, known):
    """Return the square of the relative residual, and what its root is then multiplied by."""
    target, scale = unit(target)
    spread = centre(target, known)
    prediction, own = unit(without(prediction, ~known))
    larger = jnp.maximum(own, scale)
    error = prediction * (own / larger) - target * (scale / larger)
    error = jnp.where(made[:, None], error, spread * (scale / larger))
    (error, of_error), (spread, of_spread) = (unit(jnp.where(known[:, None], a, 0)) for a in (error, spread))
    return jnp.sum(error**2) / jnp.sum(spread**2), of_error / of_spread * (larger / scale)


def r_squared(prediction: ArrayLike, target: ArrayLike) -> Array:
    """Return the share of the variance of the target that the prediction explains, at most 1.

    prediction: `[n, d]`, in the space of the target, row by row.
    target: `[n, d]`.

    `1 - relative_residual²`, with its invariances and errors, and what it does with rows that are not finite.
    """
    squared, factor = _unexplained(*comparable(prediction, target, names=PREDICTION))
    return 1 - squared * factor**2


def mean_cosine(prediction: ArrayLike, target: ArrayLike) -> Array:
    """Return the mean cosine between each row of the prediction and its row of the target, in [-1, 1].

    prediction: `[n, d]`, in the space of the target, row by row. One that is zero or not finite scores 0.
    target: `[n, d]`. One that is zero or not finite has no direction to be predicted, and its row is left out.

    Invariant to an orthogonal map of both sides and to positive scaling of any row; not to translation. Raises
    ValueError for mismatched shapes. `align.metrics.bad_rows` counts such rows.
    """
    return _mean_cosine(*comparable(prediction, target, names=PREDICTION))


@jax.jit
def _mean_cosine(prediction, target, made, known):
    prediction, target = directions(prediction), directions(target)
    return mean(jnp.sum(prediction * target, 1), known & (target != 0).any(1))
