"""The orthogonal factor of moments, scaled or not, and the bias through the means."""

import jax
import jax.numpy as jnp

from align.arrays.products import matmul
from align.linalg import far_means
from align.linalg.care import apart_where
from align.linalg.decompositions import as_polar, numerical_rank, polar, reciprocal
from align.linalg.moments import Moments, about_origin

# One direction counts this many times as much as the next: what is left of float32 for the others begins to show.
_DOMINATES = 100.0


def procrustes(
    m: Moments, reflection: bool, *, scaled: bool, rows: tuple[jax.Array, jax.Array, jax.Array | None] | None = None
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return the orthogonal weight for moments `m`, scaled or not, and rank and condition of the cross-covariance.

    rows: source, target and weights that the moments are of, which are asked where one direction dominates.
    """
    cross = jax.lax.stop_gradient(m.cross)
    weight, singular_values = polar(cross, reflection=reflection)
    rcond = _rounding(weight)
    if rows is not None and min(cross.shape) > 1:

        def apart(_, m, source, target, weights):
            return far_means.polar_of_rows(m, source, target, weights, reflection)

        dominated = singular_values[0] > _DOMINATES * singular_values[1]
        usual = weight, singular_values, rcond
        operands = jax.lax.stop_gradient((usual, m, *rows))
        weight, singular_values, rcond = apart_where(dominated, lambda usual, *_: usual, apart, *operands)
    weight, singular_values = as_polar(m.cross, weight, singular_values)
    if scaled:
        # On a line, a rotation may be no better than none; elsewhere the slope is that of the best one.
        weight = weight * jnp.maximum(slope(m, (weight * m.cross).sum(), whole=True)[0], 0)
    return weight, *numerical_rank(singular_values, rcond)


def procrustes_about_origin(m: Moments, reflection: bool) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return the orthogonal weight, rank and condition of the moments about the origin, for `m` about the means."""
    cross = about_origin(m).cross
    operands = jax.lax.stop_gradient((m.cross, m.source_mean, m.total * m.target_mean))

    def together(centred, x, y):
        weight, singular_values = polar(centred + jnp.outer(x, y), reflection=reflection)
        return weight, singular_values, _rounding(weight)

    def apart(centred, x, y):
        return far_means.polar(centred, x, y, reflection)

    if min(cross.shape) == 1:
        weight, singular_values, rcond = together(*operands)
    else:
        far = far_means.dominates(*operands)
        weight, singular_values, rcond = apart_where(far, together, apart, *operands)
    weight, singular_values = as_polar(cross, weight, singular_values)
    return weight, *numerical_rank(singular_values, rcond)


def _rounding(weight):
    return jnp.asarray(max(weight.shape) * jnp.finfo(weight.dtype).eps, weight.dtype)


def slope(m: Moments, products: jax.Array, *, whole: bool) -> tuple[jax.Array, jax.Array]:
    """Return products / squares of the source of `m`, per dimension or of the whole rows, and where it varies.

    0 where the source does not vary beyond the rounding of its mean; NaN where squares left the range of the numbers.
    """
    squares, of_target, *means = m.source_squares, m.target_squares, m.source_mean, m.target_mean
    if whole:
        squares, of_target, means = squares.sum(), of_target.sum(), [jnp.linalg.norm(mean) for mean in means]
    of_target, means = jax.lax.stop_gradient((of_target, means))
    source_rounding, target_rounding = (4 * jnp.finfo(squares.dtype).eps * jnp.abs(mean) for mean in means)
    varies = squares > m.total * source_rounding**2
    # Of a constant, products are of the rounding; of what varies they are not, even where its squares vanish.
    limit = m.total * source_rounding * (jnp.sqrt(jnp.maximum(of_target, 0) / m.total) + target_rounding)
    constant = ~varies & (jnp.abs(products) <= limit)
    within = jnp.isfinite(squares) & ((squares > 0) | constant)
    return jnp.where(within, products * reciprocal(squares, varies), jnp.nan), varies


def through_means(m: Moments, weight: jax.Array) -> jax.Array:
    """Return the bias that maps the mean of the source to that of the target."""
    return m.target_mean - matmul(m.source_mean, weight)
