"""The orthogonal factor of moments, scaled or not, and the bias through the means."""

import jax
import jax.numpy as jnp

from align.arrays.products import matmul
from align.linalg.decompositions import polar, reciprocal
from align.linalg.moments import Moments


def procrustes(m: Moments, reflection: bool, *, scaled: bool) -> tuple[jax.Array, jax.Array]:
    """Return the orthogonal weight for moments `m`, scaled or not, and the cross-covariance's singular values."""
    weight, singular_values = polar(m.cross, reflection=reflection)
    if scaled:
        spread, products = m.source_squares.sum(), (weight * m.cross).sum()
        weight = weight * slope(products, spread, spread > 0)
    return weight, singular_values


def slope(products: jax.Array, squares: jax.Array, varies: jax.Array) -> jax.Array:
    """Return products / squares, 0 where nothing varies; NaN where squares left the range of the numbers."""
    within = jnp.isfinite(squares) & ((squares > 0) | (products == 0))
    return jnp.where(within, products * reciprocal(squares, varies), jnp.nan)


def through_means(m: Moments, weight: jax.Array) -> jax.Array:
    """Return the bias that maps the mean of the source to that of the target."""
    return m.target_mean - matmul(m.source_mean, weight)
