"""Least squares without a constraint, by decompositions whose accuracy does not depend on the number of rows."""

import functools

import jax
import jax.numpy as jnp

from align.maps import AffineMap
from align.solvers import inputs
from align.solvers.decompositions import HIGHEST, numerical_rank, pinv_semidefinite, reciprocal
from align.solvers.moments import moments
from align.solvers.residuals import relative_residual

_product = functools.partial(jnp.matmul, precision=HIGHEST)


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
    gram, cross = m.source, m.cross
    if not intercept:
        gram = gram + m.total * jnp.outer(m.source_mean, m.source_mean)
        cross = cross + m.total * jnp.outer(m.source_mean, m.target_mean)
    value, rank, condition = _least_squares(*jax.lax.stop_gradient((source, target, weights, rcond)), intercept)
    weight = _differentiable(gram, cross, value, rank.astype(value.dtype))
    bias = m.target_mean - _product(m.source_mean, weight) if intercept else jnp.zeros_like(m.target_mean)
    residual = relative_residual(source, target, weights, weight, bias)
    return inputs.diagnosed(AffineMap(weight, bias, rank, condition, residual), weights)


def _least_squares(source, target, weights, rcond, intercept):
    rows = jnp.ones_like(source[:, 0]) if weights is None else weights
    if intercept:
        # Twice, so that what is left of the mean is rounding of the spread and not of the mean itself.
        for _ in range(2):
            source = source - _product(rows, source) / rows.sum()
            target = target - _product(rows, target) / rows.sum()
    root = jnp.sqrt(rows)[:, None]
    left, right = source * root, target * root
    if source.shape[0] > 2 * source.shape[1]:
        q, left = jnp.linalg.qr(left)
        right = _product(q.T, right)
    u, s, vt = jnp.linalg.svd(left, full_matrices=False)
    rank, condition = numerical_rank(s, rcond)
    scaled = reciprocal(s, s > rcond * s[0])[:, None] * _product(u.T, right)
    return _product(vt.T, scaled), rank, condition


@jax.custom_jvp
def _differentiable(gram, cross, value, rank):
    """Return value = gram⁺ cross, computed elsewhere with more care, with the derivative of that definition."""
    return value


@_differentiable.defjvp
def _differentiable_jvp(primals, tangents):
    # W = G⁺ C. Since C lies in the range of G for all data, what is left of the constant-rank derivative of G⁺ is
    # dW = G⁺ (dC − dG W) + (I − G⁺ G) dG G⁺ W.
    gram, cross, value, rank = primals
    d_gram, d_cross, _, _ = tangents
    weight = _differentiable(gram, cross, value, rank)
    inverse = pinv_semidefinite(gram, rank)
    across = _product(d_gram, _product(inverse, weight))
    change = _product(inverse, d_cross - _product(d_gram, weight))
    return weight, change + across - _product(inverse, _product(gram, across))
