"""Least squares without a constraint: linear, affine and reduced-rank maps."""

import functools

import jax
import jax.numpy as jnp

from align.maps import AffineMap
from align.solvers import inputs
from align.solvers.least_squares import about_origin, differentiable, least_squares
from align.solvers.moments import HIGHEST, moments


def linear(source, target, *, weights=None, rcond=None) -> AffineMap:
    """Fit the matrix closest to the pairs in the least-squares sense; bias is zero, as in the paper.

    source `[n, d_source]`, target `[n, d_target]`; weights `[n]` count rows; singular values of the source below
    rcond times the largest count as zero (d_source times the machine epsilon unless given). The solution of minimum
    norm where the rows leave the matrix undetermined.

    R^(n x n) of equations (1) and (2) of the paper. ValueError for shapes that do not fit and concrete input that is
    not finite.
    """
    return _solve(source, target, weights, rcond, intercept=False)


def affine(source, target, *, weights=None, rcond=None) -> AffineMap:
    """Fit the matrix and bias closest to the pairs in the least-squares sense; arguments as for `linear`.

    The bias is exact (the fit passes through the means) and takes no part in the minimum norm.
    """
    return _solve(source, target, weights, rcond, intercept=True)


def _solve(source, target, weights, rcond, *, intercept):
    source, target, weights = inputs.paired(source, target, weights)
    rcond = source.shape[1] * jnp.finfo(source.dtype).eps if rcond is None else rcond
    fitted = _fit(source, target, weights, rcond, intercept)
    return inputs.checked(fitted, source=source, target=target, weights=weights)


@functools.partial(jax.jit, static_argnames="intercept")
def _fit(source, target, weights, rcond, intercept):
    m = moments(source, target, weights)
    gram, cross = (m.source, m.cross) if intercept else about_origin(m)
    solved = least_squares(*jax.lax.stop_gradient((m, source, target, weights, rcond)), intercept)
    weight = differentiable(gram, cross, solved.weight, solved.rank.astype(gram.dtype))
    bias = m.target_mean - jnp.matmul(m.source_mean, weight, precision=HIGHEST)
    bias = bias if intercept else jnp.zeros_like(bias)
    residual = inputs.relative(solved.error, m.target_squares.sum())
    return inputs.diagnosed(AffineMap(weight, bias, solved.rank, solved.condition, residual), weights)
