"""What a fit says of itself: residual and status from its sums of squares, and an error where the input is to blame."""

import dataclasses

import jax
import jax.numpy as jnp

from align.arrays.inputs import check_finite, check_squares, check_weights
from align.maps.affine_map import AffineMap


def diagnosed(
    fitted: AffineMap, weights: jax.Array | None, error: jax.Array, spread: jax.Array, within: jax.Array | bool = True
) -> AffineMap:
    """Complete the map of a closed form: residual and status, NaN in place of a failed fit, diagnostics constant.

    error: sum of squares that the map leaves of the target; spread: that of the target about its mean;
    within: whether the squares stayed within the range of the numbers. Rank and condition stay unknown where they are.
    """
    error, spread = jax.lax.stop_gradient((error, spread))
    # A constant target reached exactly leaves nothing; what rounding leaves of its spread may be negative.
    residual = jnp.sqrt(jnp.where(error <= 0, 0, error / jnp.maximum(spread, 0)))
    sound = jnp.isfinite(fitted.weight).all() & jnp.isfinite(fitted.bias).all() & jnp.isfinite(error) & within
    sound &= ~jnp.isnan(residual)
    if weights is not None:
        sound &= (weights >= 0).all() & (weights.sum() > 0)
    return dataclasses.replace(
        fitted,
        weight=jnp.where(sound, fitted.weight, jnp.nan),
        bias=jnp.where(sound, fitted.bias, jnp.nan),
        rank=None if fitted.rank is None else jnp.asarray(fitted.rank, jnp.int32),
        condition=jax.lax.stop_gradient(fitted.condition),
        residual=jnp.where(sound, residual, jnp.nan),
        iterations=jnp.zeros((), jnp.int32),
        converged=sound,
    )


def failed(fitted: AffineMap) -> bool:
    """Say whether the fit is known to have failed, as it is outside transformations only."""
    return not isinstance(fitted.converged, jax.core.Tracer) and not bool(fitted.converged)


def check_fitted(fitted: AffineMap, **arrays: jax.Array | None) -> AffineMap:
    """Return the map; where it failed and the input is concrete, ValueError says which input is to blame."""
    if not failed(fitted):
        return fitted
    for name, array in arrays.items():
        if array is None:
            continue
        check_finite(**{name: array})
        if name == "weights":
            check_weights(array)
            array = jnp.maximum(array, 1)  # large ones leave the range of sums; that they are small is no matter
        check_squares(**{name: array})
    return fitted
