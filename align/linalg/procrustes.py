"""The orthogonal factor of moments, scaled or not, and the bias through the means."""

import jax.numpy as jnp

from align.arrays.products import matmul
from align.linalg.decompositions import polar, reciprocal


def procrustes(m, reflection, *, scaled):
    """Return the orthogonal weight for moments `m`, scaled or not, and the cross-covariance's singular values."""
    weight, singular_values = polar(m.cross, reflection=reflection)
    if scaled:
        spread, products = m.source_squares.sum(), (weight * m.cross).sum()
        weight = weight * slope(products, spread, spread > 0)
    return weight, singular_values


def slope(products, squares, varies):
    """Return products / squares, 0 where nothing varies; NaN where squares left the range of the numbers."""
    within = jnp.isfinite(squares) & ((squares > 0) | (products == 0))
    return jnp.where(within, products * reciprocal(squares, varies), jnp.nan)


def through_means(m, weight):
    """Return the bias that maps the mean of the source to that of the target."""
    return m.target_mean - matmul(m.source_mean, weight)
