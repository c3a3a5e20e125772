"""Least squares without a constraint: linear, affine and reduced-rank maps."""

import functools

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from align.arrays import checks, inputs
from align.arrays.products import matmul
from align.linalg import lapack, threads
from align.linalg.decompositions import leading_projector
from align.linalg.least_squares import differentiable, least_squares, triangle_of
from align.linalg.moments import about_origin, moments, within_range
from align.linalg.residuals import unexplained
from align.maps import AffineMap, diagnosis


def linear(
    source: ArrayLike, target: ArrayLike, *, weights: ArrayLike | None = None, rcond: float | None = None
) -> AffineMap:
    """Fit the matrix closest to the pairs in the least-squares sense; bias is zero, as in the paper.

    source: `[n, d_source]`, rows in correspondence with target.
    target: `[n, d_target]`.
    weights: `[n]`, count rows.
    rcond: singular values of the source below rcond times the largest count as zero; d_source times the machine
        epsilon unless given.

    R^(n x n) of equations (1) and (2) of the paper; of minimum norm where the rows leave the matrix undetermined.
    ValueError for shapes that do not fit and concrete input that is not finite.
    """
    return _regression(source, target, weights, rcond, intercept=False)


def affine(
    source: ArrayLike, target: ArrayLike, *, weights: ArrayLike | None = None, rcond: float | None = None
) -> AffineMap:
    """Fit the matrix and bias closest to the pairs in the least-squares sense; arguments as for `linear`.

    The bias is exact (the fit passes through the means) and takes no part in the minimum norm.
    """
    return _regression(source, target, weights, rcond, intercept=True)


def reduced_rank(
    source: ArrayLike, target: ArrayLike, *, rank: int, weights: ArrayLike | None = None, rcond: float | None = None
) -> AffineMap:
    """Fit the weight of at most the given rank, and the bias, closest to the pairs in the least-squares sense.

    rank: of the weight, 1 ≤ rank ≤ min(d_source, d_target). The other arguments as for `linear`.

    Reduced-rank regression (Izenman 1975): the `affine` fit, projected onto the `rank` leading principal directions of
    its own predictions. ValueError as for `linear`, and for another rank.
    """
    source, target, weights = inputs.as_pairs(source, target, weights)
    largest = min(source.shape[1], target.shape[1])
    if not checks.is_whole(rank, most=largest):
        raise ValueError(
            f"rank must be 1 to {largest} for source {source.shape} and target {target.shape}; it is {rank!r}"
        )
    with threads.for_rows(source, target):
        fitted = _fit_reduced(source, target, weights, _cutoff(source, rcond), rank)
        return diagnosis.check_fitted(fitted, source=source, target=target, weights=weights)


def _regression(source, target, weights, rcond, *, intercept):
    source, target, weights = inputs.as_pairs(source, target, weights)
    with threads.for_rows(source, target):
        fitted = _fit_regression(source, target, weights, _cutoff(source, rcond), intercept)
        return diagnosis.check_fitted(fitted, source=source, target=target, weights=weights)


def _cutoff(source, rcond):
    if rcond is None:
        # From the number of columns: one from the number of rows would discard most of a tall float32 problem.
        return source.shape[1] * float(jnp.finfo(source.dtype).eps)
    checks.check_fraction(rcond=rcond)
    return rcond


@functools.partial(jax.jit, static_argnames="intercept")
def _fit_regression(source, target, weights, rcond, intercept):
    about_means = moments(source, target, weights)
    m = about_means if intercept else about_origin(about_means)
    weight, solved = _weight(m, about_means, source, target, weights, rcond)
    bias = m.target_mean - matmul(m.source_mean, weight)
    fitted = AffineMap(weight, bias, solved.rank, solved.condition)
    spread, within = about_means.target_squares.sum(), within_range(m, source, target, source_may_overflow=True)
    return diagnosis.diagnosed(fitted, weights, solved.error, spread, within)


def _weight(m, about_means, source, target, weights, rcond):
    solved = least_squares(*jax.lax.stop_gradient((m, about_means, source, target, weights, rcond)))
    rank = solved.rank.astype(solved.weight.dtype)
    return differentiable(m.source, m.cross, solved.weight, rank), solved


@functools.partial(jax.jit, static_argnames="rank")
def _fit_reduced(source, target, weights, rcond, rank):
    m = moments(source, target, weights)
    full, solved = _weight(m, m, source, target, weights, rcond)
    predicted = matmul(full.T, matmul(m.source, full))  # second moments of the full map's predictions
    # Their square has lost what is small beside the largest, and serves derivatives alone.
    constants = jax.lax.stop_gradient((m, source, weights, full))
    _, kept, along = lapack.svd(matmul(_root(*constants[:3]), constants[3]))
    projector = _in_value(matmul(along[:rank].T, along[:rank]), leading_projector(predicted, rank))
    weight = matmul(full, projector)
    lost = _in_value((kept[rank:] ** 2).sum(), jnp.trace(predicted) - (weight * matmul(m.source, full)).sum())
    error = unexplained(m, source, target, weights, weight, solved.error + lost)
    bias = m.target_mean - matmul(m.source_mean, weight)
    fitted = AffineMap(weight, bias, jnp.minimum(rank, solved.rank), solved.condition)
    return diagnosis.diagnosed(fitted, weights, error, m.target_squares.sum(), within_range(m, source, target))


def _root(m, source, weights):
    """Return R `[d, d]` with R'R the second moments of the rows about their mean, from the rows themselves."""

    def centred(x, w):
        x = x - m.source_shift[None] - m.source_offset[None]
        return x if w is None else x * jnp.sqrt(w)[:, None]

    rows = source, weights
    return triangle_of(centred, rows, source.shape[1]) if len(source) > source.shape[1] else centred(*rows)


def _in_value(value, of_derivatives):
    """Return a value with the derivatives of another formula for it, which rounds worse."""
    return jax.lax.stop_gradient(value - of_derivatives) + of_derivatives
