"""Procrustes problems: maps that keep distances or their ratios, in closed form from the cross-covariance alone.

Schönemann 1966 for the orthogonal factor, Umeyama 1991 for the scale and for maps without reflection.
"""

import functools

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from align.arrays import checks, inputs
from align.linalg import threads
from align.linalg.decompositions import numerical_rank
from align.linalg.moments import about_origin, moments, within_range
from align.linalg.procrustes import procrustes, procrustes_about_origin, slope, through_means
from align.linalg.residuals import unexplained
from align.maps import AffineMap, diagnosis


def orthogonal(
    source: ArrayLike, target: ArrayLike, *, weights: ArrayLike | None = None, reflection: bool = True
) -> AffineMap:
    """Fit the orthogonal matrix closest to the pairs in the least-squares sense; bias is zero.

    source: `[n, d_source]`, rows in correspondence with target.
    target: `[n, d_target]`, d_source ≤ d_target; where it has more dimensions, the map is an isometric embedding.
    weights: `[n]`, count rows.
    reflection: False keeps to rotations, which only restricts maps of equal dimensions.

    `rank` and `condition` are those of the cross-covariance: below full rank the map is one of several as good, as far
    as the dtype tells. Rows whose mean lies far beyond their spread keep the digits of how they differ; derivatives of
    the map need float64 there.
    ValueError for shapes that do not fit and concrete input that is not finite.
    """
    return _motion(source, target, weights, reflection, "orthogonal")


def rigid(
    source: ArrayLike, target: ArrayLike, *, weights: ArrayLike | None = None, reflection: bool = True
) -> AffineMap:
    """Fit the Euclidean motion closest to the pairs, an orthogonal weight and a bias; arguments as for `orthogonal`.

    E(n) of equations (1) and (2) of the paper, reflections included unless reflection=False.
    """
    return _motion(source, target, weights, reflection, "rigid")


def similarity(
    source: ArrayLike, target: ArrayLike, *, weights: ArrayLike | None = None, reflection: bool = True
) -> AffineMap:
    """Fit a Euclidean motion and one scale, the weight a multiple of an orthogonal one; arguments as for `orthogonal`.

    The scale is the one of least squares in this direction: fitting the other way round gives a different map.
    """
    return _motion(source, target, weights, reflection, "similarity")


def scaling(source: ArrayLike, target: ArrayLike, *, weights: ArrayLike | None = None) -> AffineMap:
    """Fit one scale and one shift per dimension: a diagonal weight and a bias.

    source: `[n, d]`, rows in correspondence with target; a dimension that is constant gets scale 0.
    target: `[n, d]`.
    weights: `[n]`, count rows.

    ValueError for shapes that do not fit, unequal dimensions, and concrete input that is not finite.
    """
    source, target, weights = inputs.as_pairs(source, target, weights)
    if source.shape[1] != target.shape[1]:
        raise ValueError(
            f"source and target must share their dimensions for a scale per axis; they are {source.shape} and "
            f"{target.shape}"
        )
    return diagnosis.check_fitted(_scaling(source, target, weights), source=source, target=target, weights=weights)


def _motion(source, target, weights, reflection, family):
    checks.check_flags(reflection=reflection)
    source, target, weights = inputs.as_pairs(source, target, weights)
    inputs.check_embeddable(source, target)
    with threads.for_rows(source, target):
        fitted = _fit_motion(source, target, weights, reflection, family)
        return diagnosis.check_fitted(fitted, source=source, target=target, weights=weights)


@functools.partial(jax.jit, static_argnames=("reflection", "family"))
def _fit_motion(source, target, weights, reflection, family):
    about_means = moments(source, target, weights, gram=False)
    if family == "orthogonal":
        m = about_origin(about_means)
        weight, rank, condition = procrustes_about_origin(about_means, reflection)
    else:
        m = about_means
        rows = source, target, weights
        weight, rank, condition = procrustes(m, reflection, scaled=family == "similarity", rows=rows)
    error = _error(m, source, target, weights, weight)
    fitted = AffineMap(weight, through_means(m, weight), rank, condition)
    spread, within = about_means.target_squares.sum(), within_range(m, source, target)
    return diagnosis.diagnosed(fitted, weights, error, spread, within)


@jax.jit
def _scaling(source, target, weights):
    m = moments(source, target, weights, gram=False)
    scales, varies = slope(m, jnp.diagonal(m.cross), whole=False)
    weight = jnp.diag(scales)
    spreads = jnp.sort(jnp.sqrt(jnp.where(varies, m.source_squares, 0)))[::-1]
    rank, condition = numerical_rank(spreads, 0)
    error = _error(m, source, target, weights, weight)
    fitted = AffineMap(weight, through_means(m, weight), rank, condition)
    return diagnosis.diagnosed(fitted, weights, error, m.target_squares.sum(), within_range(m, source, target))


def _error(m, source, target, weights, weight):
    # ‖XW‖² = Σ ‖row of W‖² ‖column of X‖², as the rows of W are orthogonal to each other in every family here.
    explained = 2 * (weight * m.cross).sum() - ((weight * jnp.sqrt(m.source_squares)[:, None]) ** 2).sum()
    return unexplained(m, source, target, weights, weight, m.target_squares.sum() - explained)
